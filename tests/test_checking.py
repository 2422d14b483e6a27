"""What users can see for themselves: members beside `fit`, why recipes are separate, and who was trained by `fit`."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from typer.testing import CliRunner

import kohort
from kohort import checking
from kohort.cli.app import app
from kohort.errors import DataError, NotSupportedError
from tests.networks import TEXTBOOK
from tests.test_equality import largest_gap

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
Y = (X.sum(axis=1) > 0).astype("float32")[:, None]
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 32, "verbose": 0}


def compiled(*stack: Any, kind: Any = keras.Sequential, **options: Any) -> keras.Model:
    model = kind([layers.Input((6,)), *stack, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"], **options)
    return model


class KeepsShape(layers.Layer):
    """Tells Keras its shape, so that Keras does not trace `call` to find it out."""

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


class LooksAtValues(KeepsShape):
    def call(self, inputs: Any) -> Any:
        return inputs * 2 if ops.max(inputs) > 1 else inputs


class ShapeDependsOnValues(KeepsShape):
    def call(self, inputs: Any) -> Any:
        return ops.sum(inputs[inputs > 0]) + inputs


class DrawsInPython(KeepsShape):
    def call(self, inputs: Any) -> Any:
        return inputs * random.random()


class Counts(KeepsShape):
    def build(self, input_shape: Any) -> None:
        self.steps = 0

    def call(self, inputs: Any) -> Any:
        self.steps += 1
        return inputs * self.steps


class OwnFit(keras.Sequential):
    def fit(self, *args: Any, **options: Any) -> Any:
        options["epochs"] = 1
        return super().fit(*args, **options)


def plain() -> keras.Model:
    return compiled(layers.Dropout(0.2))


def eager() -> keras.Model:
    return compiled(layers.Dropout(0.2), run_eagerly=True)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: compiled(LooksAtValues(name="peeks")), r"looks at values in layer 'peeks' \(LooksAtValues\).*ops"),
        (lambda: compiled(ShapeDependsOnValues(name="cuts")), r"in layer 'cuts' \(ShapeDependsOnValues\).*depends on"),
        (eager, "run_eagerly=True.*Remove run_eagerly"),
        (lambda: compiled(kind=OwnFit), r"class OwnFit has its own fit\(\)"),
        (
            lambda: compiled(DrawsInPython(), jit_compile=False),
            "run uncompiled by Keras.*draws from Python's or NumPy's",
        ),
        (lambda: compiled(Counts(), jit_compile=False), "run uncompiled by Keras.*each is another: other numbers"),
    ],
    ids=["values", "shapes", "eager", "own fit", "draws", "counts"],
)
def test_what_no_cohort_can_train_is_refused_with_the_layer_and_what_to_do(build: Any, message: str) -> None:
    with pytest.raises(NotSupportedError, match=f"(?s){message}.*on_unsupported='fit'"):
        kohort.fit({"a": plain, "b": build}, X, Y, seeds=2, **OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "build", [eager, partial(compiled, kind=OwnFit), lambda: compiled(DrawsInPython(), jit_compile=False)]
)
def test_only_what_no_cohort_can_train_is_trained_by_fit(build: Callable[[], keras.Model]) -> None:
    options = {**OPTIONS, "validation_split": 0.25, "on_unsupported": "fit"}
    with pytest.warns(UserWarning, match="recipe 'b' was trained alone, by model.fit: "):
        runs = kohort.fit({"a": plain, "b": build, "c": plain}, X, Y, seeds=2, **options)
    assert list(runs) == [(name, seed) for name in "abc" for seed in (0, 1)]
    assert runs.cohorts == (("a", "c"),)
    assert not runs["a", 1].why_by_fit
    assert "recipe 'b'" in runs["b", 1].why_by_fit
    for name, builder in (("b", build), ("c", plain)):
        keras.utils.set_random_seed(1)
        model = builder()
        model.fit(X, Y, validation_split=0.25, **OPTIONS)
        for log, values in model.history.history.items():
            np.testing.assert_allclose(runs[name, 1].history[log], values, rtol=1e-5)
        assert largest_gap(runs[name, 1].weights, model.get_weights()) <= 1e-6
        assert largest_gap(runs[name, 1].model().get_weights(), model.get_weights()) <= 1e-6


@pytest.mark.slow
def test_given_models_one_of_which_no_cohort_can_train() -> None:
    """In place, the models after it draw what they would have drawn in the loop over `fit`."""
    keras.utils.set_random_seed(4)
    builders = {"a": plain, "b": eager, "c": plain}
    ours = {name: build() for name, build in builders.items()}
    keras.utils.set_random_seed(4)
    theirs = {name: build() for name, build in builders.items()}
    keras.utils.set_random_seed(7)
    with pytest.warns(UserWarning, match="recipe 'b' was trained alone"):
        runs = kohort.fit(ours, X, Y, on_unsupported="fit", **OPTIONS)
    after = np.random.random()
    keras.utils.set_random_seed(7)
    for model in theirs.values():
        model.fit(X, Y, **OPTIONS)
    assert np.random.random() == after
    for name, run in runs.items():
        assert run.model() is ours[name]
        assert largest_gap(run.weights, theirs[name].get_weights()) <= 1e-6


def test_on_unsupported_is_one_of_two_words() -> None:
    with pytest.raises(DataError, match="on_unsupported must be 'raise' or 'fit'. Got 'skip'"):
        kohort.fit(plain, X, Y, seeds=1, **{**OPTIONS, "on_unsupported": "skip"})


@pytest.mark.slow
def test_members_beside_fit(capsys: pytest.CaptureFixture[str]) -> None:
    recipes = {"plain": plain, "wide": lambda: compiled(layers.Dense(9, "relu"), layers.BatchNormalization())}
    callbacks: Any = keras.callbacks  # Keras' own annotations are too narrow
    stop = callbacks.EarlyStopping("loss", min_delta=0.4)
    check = kohort.check_against_fit(
        recipes, X, Y, members=2, seeds=3, epochs=4, validation_split=0.25, validation_freq=2, callbacks=stop
    )
    assert check.passed
    assert [(own.recipe, own.seed) for own in check.members] == [(r, s) for r in recipes for s in (0, 1)]
    for own in check.members:
        assert len(own.loss) == len(own.metrics) == len(own.weights) == own.epochs[0] == own.epochs[1]
        assert 0.0 <= max(own.weights) <= 1e-5
        assert own.verdict == "the same, to rounding"
    assert "4 members beside fit: every member is what fit gives." in str(check)


def test_verdicts_tell_rounding_that_grows_from_another_training() -> None:
    def beside(loss: tuple[float, ...], weights: tuple[float, ...], epochs: int = 3) -> checking.Beside:
        return checking.Beside("r", 0, (3, epochs), loss, (0.0,) * 3, weights)

    grown = beside((1e-6, 1e-4, 1e-2), (1e-6, 1e-4, 1e-2))
    other = beside((1e-3, 1e-3, 1e-3), (1e-6, 1e-6, 1e-6))
    stopped = beside((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), epochs=4)
    lost = beside((0.0, float("inf"), 0.0), (0.0, 0.0, 0.0))
    assert (grown.parts_at, other.parts_at, stopped.parts_at, lost.parts_at) == (3, 1, 4, 2)
    assert grown.verdict == "the same to rounding until epoch 2, then rounding has grown"
    assert not checking.Check((grown, other)).passed
    assert "NOT every member is what fit gives" in str(checking.Check((other,)))
    assert checking.Check((grown,)).passed


@pytest.mark.slow
def test_a_cohort_that_trains_otherwise_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check must be able to fail: here the cohort is handed other rows than `fit`."""
    right = checking.fit
    monkeypatch.setattr(checking, "fit", lambda given, x, *rest, **more: right(given, x * 1.01, *rest, **more))
    check = kohort.check_against_fit(plain, X, Y, epochs=2)
    assert not check.passed
    assert check.members[0].verdict == "DIFFERENT from the first epoch"


def test_a_generator_cannot_be_read_twice() -> None:
    with pytest.raises(DataError, match="a generator can be read only once"):
        kohort.check_against_fit(plain, (row for row in [(X, Y)]))
    with pytest.raises(DataError, match="members must be a whole number of at least 1. Got 0"):
        kohort.check_against_fit(plain, X, Y, members=0)


@pytest.mark.slow
def test_the_command_line_checks_recipes() -> None:
    done = CliRunner().invoke(app, ["check", "iris", "--recipes", "none,dropout=0.5", "--epochs", "2", "--seeds", "1"])
    assert done.exit_code == 0, done.output
    assert "2 members beside fit: every member is what fit gives." in done.output
    done = CliRunner().invoke(app, ["check", "iris", "--recipes", "none", "--epochs", "1", "--json"])
    assert '"passed": true' in done.output


def test_why_recipes_share_a_program_or_do_not() -> None:
    recipes = {name: TEXTBOOK[name] for name in ("none", "l2", "dropout")}
    x, y = np.zeros((32, 64), "float32"), np.zeros(32, "int32")
    why = kohort.why_separate(recipes, x, y)
    assert list(why) == [("none", "l2"), ("none", "dropout"), ("l2", "dropout")]
    assert why["none", "l2"].startswith("none and l2 share one program, since they differ in numbers only: l2 of ")
    assert "dropout has Dropout after layer" in why["none", "dropout"]
    assert "are separate programs" in why["none", "dropout"]
    assert "In the compiled step, their training states hold different numbers of arrays." in why["none", "dropout"]


def test_why_speaks_of_units_optimisers_and_losses() -> None:
    def build(units: int = 4, optimizer: Any = "sgd", loss: str = "mse") -> keras.Model:
        model = keras.Sequential([layers.Input((6,)), layers.Dense(units), layers.Dense(1)])
        model.compile(optimizer, loss)
        return model

    why = kohort.why_separate(
        {
            "plain": build,
            "wide": lambda: build(units=8),
            "adam": lambda: build(optimizer="adam"),
            "mae": lambda: build(loss="mae"),
            "again": build,
        },
        X,
        Y,
    )
    assert "units of layer 1 (Dense) is 4 in plain and 8 in wide" in why["plain", "wide"]
    assert "optimizer is SGD in plain and Adam in adam" in why["plain", "adam"]
    assert "loss is mse in plain and mae in mae" in why["plain", "mae"]
    assert why["plain", "again"] == "plain and again share one program: nothing differs."
