"""Which recipes share a program, and that members of a program know nothing of one another."""

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kohort
from kohort.cohort.kept_programs import forget
from tests.compilations import Compilations
from tests.networks import TEXTBOOK, small
from tests.test_equality import build_small, largest_gap, twelve

pytestmark = [pytest.mark.slow, pytest.mark.optimised]

Arrays = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def one_hot(digits: Arrays) -> Arrays:
    return digits[0][:128], np.eye(10, dtype=np.float32)[digits[1][:128]]


def test_twelve_strengths_compile_one_training_program(one_hot: Arrays) -> None:
    recipes = {name: build_small(options) for name, options in twelve().items()}
    forget()
    with Compilations() as compiled:
        runs = kohort.fit(recipes, *one_hot, seeds=2, epochs=4, validation_split=0.25, verbose=0)
    assert compiled.names.count("jit(train_cohort)") == 1
    assert not any("step" in name for name in compiled.names)  # nor does Keras compile one of its own
    assert runs.cohorts == (tuple(recipes),)
    assert len({run.history["loss"][-1] for run in runs.values()}) == 24


def test_a_hundred_strengths_of_one_technique_compile_one_training_program(one_hot: Arrays) -> None:
    strengths = np.geomspace(1e-5, 1.0, 100)
    forget()
    with Compilations() as compiled:
        runs = kohort.fit(
            {f"{l2:.3g}": partial(small, l2=float(l2)) for l2 in strengths}, *one_hot, seeds=1, epochs=1, verbose=0
        )
    assert compiled.names.count("jit(train_cohort)") == 1
    assert len(runs.cohorts) == 1
    losses = [run.history["loss"][0] for run in runs.values()]
    assert len(losses) == 100
    assert losses == sorted(losses)  # from equal weights, the stronger the penalty the larger the loss
    assert losses[-1] > losses[0]


def test_what_was_compiled_in_this_process_serves_the_next_call(one_hot: Arrays) -> None:
    def trained(seeds: range, **options: Any) -> tuple[int, Any]:
        build = {"none": lambda: small(), "decayed": lambda: small(**options)}
        with Compilations() as compiled:
            runs = kohort.fit(build, *one_hot, seeds=seeds, epochs=2, validation_split=0.25, verbose=0)
        return compiled.names.count("jit(train_cohort)"), runs

    forget()
    assert trained(range(2), weight_decay=0.1)[0] == 1
    count, again = trained(range(5, 7), weight_decay=0.3)
    assert count == 0  # other seeds, and another number where the recipes differ
    assert trained(range(2), learning_rate=0.02)[0] == 1  # they differ in another place
    forget()
    count, fresh = trained(range(5, 7), weight_decay=0.3)
    assert count == 1
    for key, run in fresh.items():
        assert run.history == again[key].history
        assert largest_gap(run.weights, again[key].weights) == 0.0


def test_two_programs_where_more_than_numbers_differ_and_why(one_hot: Arrays) -> None:
    recipes = {
        "plain": lambda: small(),
        "wide": lambda: small(width=20),
        "decayed": lambda: small(weight_decay=0.1),
    }
    forget()
    with Compilations() as compiled:
        runs = kohort.fit(recipes, *one_hot, seeds=1, verbose=0)
    assert compiled.names.count("jit(train_cohort)") == 2
    assert runs.cohorts == (("plain", "decayed"), ("wide",))
    assert runs.separate == (
        "wide and plain are separate programs: units of layer 1 (Dense) is 20 in wide and 16 in plain. In the compiled "
        "step, an array of the training state is float32[64, 16] in one and float32[64, 20] in another.",
    )


def test_members_are_not_copies(digits: Arrays) -> None:
    runs = kohort.fit(TEXTBOOK, *digits, seeds=4, verbose=0)
    for recipe in TEXTBOOK:
        kernels = [runs[recipe, seed].weights[0] for seed in range(4)]
        for a in range(4):
            for b in range(a):
                assert np.abs(kernels[a] - kernels[b]).mean() > 0.05


def test_members_do_not_share_masks(digits: Arrays) -> None:
    """Two members that are equal in all but the seed of their masks, and drop half of the inputs."""

    def build(mask: int) -> keras.Model:
        model = keras.Sequential(
            [
                layers.Input((64,)),
                layers.Dropout(0.5, seed=mask),
                layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
            ]
        )
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        return model

    recipes = {"a": lambda: build(1), "b": lambda: build(2), "a again": lambda: build(1)}
    runs = kohort.fit(recipes, *digits, seeds=[0], verbose=0)
    assert runs.cohorts == (("a", "b", "a again"),)
    assert largest_gap(runs["a", 0].weights, runs["b", 0].weights) > 1e-3
    assert largest_gap(runs["a", 0].weights, runs["a again", 0].weights) == 0.0


def test_a_member_that_diverges_changes_nobody_else_by_a_bit(one_hot: Arrays) -> None:
    good = {f"rate {r}": build_small({"rate": r, "learning_rate": 0.01}) for r in (0.1, 0.2, 0.3)}
    bad = {"wild": build_small({"rate": 0.2, "learning_rate": 1e38, "l2": 1e30})}
    options: dict[str, Any] = {"seeds": 3, "epochs": 4, "validation_split": 0.25, "verbose": 0}
    names = list(good)
    mixed = {names[0]: good[names[0]], **bad, names[1]: good[names[1]], names[2]: good[names[2]]}
    runs, alone = kohort.fit(mixed, *one_hot, **options), kohort.fit(good, *one_hot, **options)
    assert len(runs.cohorts) == 1
    for seed in range(3):
        wild = runs["wild", seed]
        assert not wild.outcome.finished
        assert wild.outcome.diverged_at == 0
        assert str(wild.outcome) == "diverged at epoch 0"
    for key, run in alone.items():
        assert run.outcome.finished
        assert runs[key].history == run.history
        assert largest_gap(runs[key].weights, run.weights) == 0.0


def test_weights_that_are_not_finite_are_a_divergence_even_where_the_loss_is_finite(one_hot: Arrays) -> None:
    """One batch: its loss is taken before the step that ruins the weights."""
    recipes = {"wild": build_small({"learning_rate": 1e38, "l2": 1e30}), "good": build_small({})}
    runs = kohort.fit(recipes, *one_hot, seeds=[0], batch_size=128, verbose=0)
    assert np.isfinite(runs["wild", 0].history["loss"]).all()
    assert runs["wild", 0].outcome.diverged_at == 0
    assert runs["good", 0].outcome.finished


def test_order_and_number_of_members_change_no_bit(digits: Arrays) -> None:
    options: dict[str, Any] = {"epochs": 2, "validation_split": 0.2, "verbose": 0}
    build = {"dropout": TEXTBOOK["dropout"]}
    many = kohort.fit(build, *digits, seeds=[0, 1, 2, 3, 4, 5, 6], **options)
    few = kohort.fit(build, *digits, seeds=[5, 2], **options)
    single = kohort.fit(build, *digits, seeds=[5], **options)
    for runs, seeds in ((few, (5, 2)), (single, (5,))):
        for seed in seeds:
            assert runs["dropout", seed].history == many["dropout", seed].history
            assert largest_gap(runs["dropout", seed].weights, many["dropout", seed].weights) == 0.0


def test_recipes_in_another_order_give_the_same(one_hot: Arrays) -> None:
    recipes = {f"l2 {s}": build_small({"l2": s}) for s in (0.0, 1e-3, 1e-1)}
    options: dict[str, Any] = {"seeds": 2, "epochs": 2, "verbose": 0}
    one, other = (kohort.fit(given, *one_hot, **options) for given in (recipes, dict(reversed(list(recipes.items())))))
    assert list(one) == [(name, seed) for name in recipes for seed in (0, 1)]
    for key in one:
        assert largest_gap(one[key].weights, other[key].weights) <= 1e-6


VECTORISED: dict[str, Any] = {"seeds": 5, "epochs": 2, "validation_split": 0.2, "verbose": 0}


@pytest.fixture(scope="module")
def mapped(digits: Arrays) -> kohort.Runs[Any]:
    return kohort.fit(TEXTBOOK, *digits, **VECTORISED)


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("at_once", [2, 3, 12])
def test_members_vectorised_equal_members_mapped(
    digits: Arrays, mapped: kohort.Runs[Any], at_once: int, devices: int
) -> None:
    """In groups, the last of which is not full, or all of a device's members, as on accelerators: to rounding."""
    vectorised = kohort.fit(TEXTBOOK, *digits, **VECTORISED, at_once=at_once, devices=devices)
    assert {"at once" in run.plan for run in mapped.values()} == {False}
    assert {"at once" in run.plan for run in vectorised.values()} == {True}
    for key, run in mapped.items():
        np.testing.assert_allclose(run.history["val_loss"], vectorised[key].history["val_loss"], atol=1e-5)
        assert largest_gap(run.weights, vectorised[key].weights) <= 1e-5


def test_the_number_of_epochs_per_call_changes_no_bit(digits: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    import kohort.cohort.train as train

    options: dict[str, Any] = {"seeds": 3, "epochs": 5, "validation_split": 0.2, "verbose": 0}
    build = {"batchnorm": TEXTBOOK["batchnorm"]}
    usual = kohort.fit(build, *digits, **options)
    monkeypatch.setattr(train, "SECONDS_PER_CALL", 0.0)  # one epoch a call
    slow = kohort.fit(build, *digits, **options)
    for key, run in usual.items():
        assert run.history == slow[key].history
        assert largest_gap(run.weights, slow[key].weights) == 0.0
