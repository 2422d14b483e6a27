"""Bad input is refused at the door, with what was expected, what came and what to do; nothing is trained."""

import os
import random
import re
import subprocess
import sys
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kohort
from kohort.errors import BackendError, DataError, NotSupportedError, RecipeError
from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem
from tests.networks import TEXTBOOK

X = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
Y = (np.arange(64) % 10).astype(np.int32)


def fit(recipes: Any = TEXTBOOK["none"], x: Any = X, y: Any = Y, **options: Any) -> Any:
    return kohort.fit(recipes, x, y, **({"seeds": [0], "verbose": 0} | options))


def with_value(array: np.ndarray, place: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"x": with_value(X, (3, 5), np.nan)},
            r"^x must be finite. Got nan in row 3, column 5 \(1 such values\)",
        ),
        ({"x": with_value(X, (9, 0), np.inf)}, "Got inf in row 9"),
        ({"sample_weight": np.full(64, np.nan, "float32")}, "^sample_weight must be finite.*64 such values"),
        ({"y": with_value(Y, 7, 10)}, "from 0 to 9 .*over 10 outputs. Got the label 10 in row 7"),
        ({"y": with_value(Y, 7, -1)}, "Got the label -1 in row 7"),
        ({"validation_data": (X, with_value(Y, 1, 12))}, "^validation y must hold labels from 0 to 9"),
        ({"x": X[:20], "y": Y[:20]}, "Got batch_size=32 and 20 training rows. Pass batch_size=20"),
        ({"x": X[:0], "y": Y[:0]}, "at least one row"),
        ({"y": Y[:60]}, "same number of rows. Got: x has 64, y has 60"),
        ({"validation_split": 1e-17}, "leaves no row to validate with. Pass a split of at least 0.0156"),
        ({"validation_split": 0.99}, "Keras does not take this data: Training data contains 64 samples"),
        ({"validation_split": 1.0}, r"must be a number in \[0, 1\). Got 1.0"),
        ({"validation_split": -0.1}, "Got -0.1"),
        ({"validation_data": (X[:0], Y[:0])}, "validation data must have at least one row"),
        ({"validation_data": X}, r"must be \(x, y\).*Got ndarray\[64, 64\]"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1. Got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1. Got 0"),
        ({"epochs": 1.5}, "Got 1.5"),
        ({"devices": 0}, "devices must be a whole number of at least 1. Got 0"),
        ({"devices": "1"}, "Got '1'"),
        ({"shuffle": "foo"}, "shuffle must be True, False or 'batch'. Got 'foo'"),
        ({"validation_split": "a"}, "Got 'a'"),
        ({"class_weight": [1, 2, 3]}, r"class_weight must map classes to weights.*Got \[1, 2, 3\]"),
        (
            {"sample_weight": [1.0] * 64},
            "sample_weight must be an array with rows as its first axis. Got the number 1.0",
        ),
        ({"seeds": 0}, "Got seeds=0"),
        ({"x": np.array([["a"] * 64] * 64)}, "x must hold numbers. Got dtype <U1"),
        (
            {"class_weight": {0: 1.0}, "sample_weight": np.ones(64, "float32")},
            "Keras does not take this data",
        ),
    ],
)
def test_data_that_cannot_be_trained_on(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(**options)


def uncompiled() -> keras.Model:
    return keras.Sequential([layers.Input((64,)), layers.Dense(10)])


def eager() -> keras.Model:
    model = uncompiled()
    model.compile("sgd", "mse", run_eagerly=True)
    return model


class OwnFit(keras.Model):
    def fit(self, *args: Any, **kwargs: Any) -> Any:
        return super().fit(*args, **kwargs)


def own_fit() -> keras.Model:
    inputs = keras.Input((64,))
    model = OwnFit(inputs, layers.Dense(10)(inputs))
    model.compile("sgd", "mse")
    return model


def broken() -> keras.Model:
    raise ZeroDivisionError("of the user's")


@pytest.mark.parametrize(
    ("recipes", "error", "message"),
    [
        ({"a": uncompiled}, RecipeError, "recipe 'a' must give a compiled model.*model.compile"),
        ({"a": eager}, NotSupportedError, "recipe 'a' was compiled with run_eagerly=True.*Remove run_eagerly"),
        ({"a": own_fit}, NotSupportedError, r"class OwnFit has its own fit\(\)"),
        (
            {"a": broken},
            RecipeError,
            r"recipe 'a' does not build \(seed 0\): ZeroDivisionError: of the user's",
        ),
        ({"a": lambda: 3}, RecipeError, "must give a compiled keras.Model. Got int"),
        ({"a": 3}, RecipeError, "recipe 'a' must be a compiled keras.Model or a function.*Got int"),
        ({}, RecipeError, "at least one recipe"),
        ({0.1: eager}, RecipeError, "names of recipes must be text. Got 0.1. Write '0.1'"),
        (lambda: None, RecipeError, "recipe 'model' must give a compiled keras.Model. Got NoneType"),
    ],
)
def test_what_is_no_recipe(recipes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit(recipes)


def test_data_of_another_shape_names_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"recipe 'none' does not take this data \(float32\[64, 63\], int32\[64\]\)"):
        fit({"none": TEXTBOOK["none"]}, x=X[:, :63])


@pytest.mark.parametrize("seeds", [None, [0]])
def test_a_given_model_that_is_not_compiled(seeds: Any) -> None:
    with pytest.raises(RecipeError, match="must give a compiled model"):
        fit({"a": uncompiled()}, seeds=seeds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initial_epoch", -1),
        ("steps_per_epoch", 0),
        ("validation_steps", 1.5),
        ("validation_batch_size", True),
        ("validation_freq", 0),
        ("validation_freq", (1, 2)),
    ],
)
def test_counts_that_count_nothing_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"{name} must be a .*Got {re.escape(repr(value))}"):
        fit(**{name: value})


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'batchsize'"):
        fit(batchsize=3)


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_what_keras_does_not_read_and_sparse_arrays_are_refused() -> None:
    with pytest.raises(DataError, match="Keras does not take x: Unrecognized data type.*list_iterator"):
        fit(x=iter([(X, Y)]), y=None)
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(NotSupportedError, match="sparse arrays"):
        fit(x=scipy_sparse.csr_matrix(X))


def test_a_builder_whose_network_depends_on_the_seed_is_refused() -> None:
    def build() -> keras.Model:
        model = keras.Sequential([layers.Input((64,)), layers.Dropout(random.random()), layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with pytest.raises(
        NotSupportedError, match="must build the same network under every seed. Got another under seed 1"
    ):
        fit({"a": build}, seeds=4)


class FixedFeatures(layers.Layer):
    """Random features that are no variable: a constant of the step, another for each seed."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        self.features = keras.random.normal((input_shape[-1], 8), seed=self.generator)

    def call(self, inputs: Any) -> Any:
        return keras.ops.cos(keras.ops.matmul(inputs, self.features))


def test_constants_that_depend_on_the_seed_are_refused() -> None:
    def build() -> keras.Model:
        model = keras.Sequential([layers.Input((64,)), FixedFeatures(), layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with pytest.raises(NotSupportedError, match="must build the same network under every seed"):
        fit({"a": build}, seeds=5)


def test_a_builder_that_counts_is_refused() -> None:
    rates = iter([0.1, 0.4, 0.8, 0.2])

    def build() -> keras.Model:
        model = keras.Sequential([layers.Input((64,)), layers.Dropout(next(rates)), layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with pytest.raises(
        NotSupportedError, match="must build the same network under every seed. Got another under seed 1"
    ):
        fit({"a": build}, seeds=3)


def test_a_builder_that_hands_out_the_same_weights_is_refused() -> None:
    model = TEXTBOOK["none"]()
    with pytest.raises(RecipeError, match="must build new weights at each call. Got the trainable variable"):
        fit({"cached": lambda: model}, seeds=3)
    with pytest.raises(RecipeError, match="recipes 'a' and 'b' share the variable"):
        fit({"a": lambda: model, "b": lambda: model}, seeds=[0])


def test_a_metric_that_never_begins_anew_is_refused() -> None:
    class Steps(keras.metrics.SparseCategoricalAccuracy):
        def reset_state(self) -> None:
            pass

    def build() -> keras.Model:
        model = uncompiled()
        model.compile(
            "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[Steps(name="steps")]
        )
        return model

    with pytest.raises(NotSupportedError, match="must begin anew in each epoch"):
        fit({"a": build})


def given_model(first: Any, **frozen: bool) -> keras.Model:
    model = keras.Sequential([layers.Input((64,)), first, layers.Dense(10, activation="softmax")])
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    if frozen:
        first.trainable = False
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def test_a_given_model_that_would_lose_more_than_its_weights_is_refused() -> None:
    adapted = layers.Normalization()
    adapted.adapt(X * 50 + 100)
    excluded = given_model(layers.Dense(4))
    excluded.optimizer.exclude_from_weight_decay(var_names=["kernel"])
    cases = {
        "non-trainable weights": [given_model(adapted), given_model(layers.Dense(4), frozen=True)],
        "exclude_from_weight_decay excludes": [excluded],
    }
    for message, models in cases.items():
        for model in models:
            with pytest.raises(RecipeError, match=f"would lose .*{message}"):
                fit({"given": model}, seeds=[0])


def test_an_architecture_that_depends_on_the_seed_is_refused() -> None:
    def build() -> keras.Model:
        model = keras.Sequential([layers.Input((64,)), layers.Dense(8 + np.random.randint(50)), layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with pytest.raises(NotSupportedError, match="must build the same network under every seed"):
        fit({"a": build}, seeds=4)


def test_models_that_share_weights_are_refused() -> None:
    inputs = keras.Input((64,))
    hidden = layers.Dense(4)(inputs)
    models = {name: keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden)) for name in ("a", "b")}
    for model in models.values():
        model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(RecipeError, match="recipes 'a' and 'b' share the variable"):
        fit(models, seeds=None)


def test_a_model_that_cannot_be_cloned_asks_for_a_builder() -> None:
    class Secret(keras.Model):
        def __init__(self, size: int):
            super().__init__()
            self.dense = layers.Dense(size)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def get_config(self) -> Any:
            raise NotImplementedError("no config")

    model = Secret(10)
    model.compile("sgd", "mse")
    with pytest.raises(RecipeError, match=r"cannot be: no config. Pass a function"):
        fit({"secret": model})


def test_what_is_refused_draws_nothing_and_trains_nothing() -> None:
    model = TEXTBOOK["none"]()
    before = model.get_weights()
    random.seed(3)
    np.random.seed(3)
    with pytest.raises(DataError):
        fit({"given": model}, seeds=None, x=with_value(X, (0, 0), np.nan))
    assert random.random() == random.Random(3).random()
    assert np.random.rand() == np.random.RandomState(3).rand()
    for own, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, old)


def test_seeds_leave_the_users_own_randomness_alone() -> None:
    random.seed(3)
    np.random.seed(3)
    fit(seeds=3)
    assert random.random() == random.Random(3).random()
    assert np.random.rand() == np.random.RandomState(3).rand()


def test_an_unknown_run_names_those_there_are() -> None:
    runs = fit({"none": TEXTBOOK["none"]}, seeds=[4])
    with pytest.raises(KeyError, match=r"no run \('none', 5\); there are 1 runs: \('none', 4\)"):
        runs["none", 5]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in {"KERAS_BACKEND", "JAX_NUM_CPU_DEVICES"}}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=240,
        env=env | environment,
        check=False,
    )


def test_another_backend_is_refused_with_the_line_to_put_first() -> None:
    code = "import kohort; kohort.runtime.check_backend()"
    done = python(code, KERAS_BACKEND="tensorflow")
    assert "Got the backend 'tensorflow'. Put `import kohort` before the first import of keras" in done.stderr


def test_a_backend_that_is_not_installed_is_refused_before_keras_fails_to_load_it() -> None:
    for code in ("import kohort; kohort.fit", "import kohort; kohort.Study"):
        done = python(code, KERAS_BACKEND="torch")
        assert "BackendError: Keras must run on JAX for Kohort. Got the backend 'torch'" in done.stderr


def test_importing_kohort_selects_jax_and_loads_neither_keras_nor_jax() -> None:
    code = (
        "import sys, os, kohort; "
        "assert not {'keras', 'jax', 'scipy', 'sklearn', 'altair'} & set(sys.modules), 'loaded'; "
        "print(os.environ['KERAS_BACKEND'], kohort.__version__)"
    )
    done = python(code)
    assert done.stdout.split() == ["jax", kohort.__version__], done.stderr


@pytest.mark.slow
def test_a_backend_started_before_kohort_works_on_one_device_and_says_so() -> None:
    code = """
import os
import re
os.environ["KERAS_BACKEND"] = "jax"
import jax; jax.devices()
import kohort, numpy as np, keras
def build():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model
run = kohort.fit(build, np.ones((64, 4), "float32"), np.ones((64, 1), "float32"), seeds=2, verbose=0)[1]
print(jax.local_device_count(), len(run.history["loss"]))
"""
    done = python(code)
    assert done.stdout.split() == ["1", "1"], done.stderr
    if (os.cpu_count() or 1) > 1:
        assert "JAX was started before Kohort could ask for" in done.stderr


def test_a_jaxlib_known_to_be_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from kohort import runtime

    monkeypatch.setattr(runtime, "installed", lambda package: "0.10.2")
    monkeypatch.setenv("XLA_FLAGS", "--some_flag=1")
    with pytest.raises(BackendError, match=r"jaxlib 0.10.2 silently computes wrong numbers on CPU.*pip install"):
        runtime.check_backend()
    monkeypatch.setenv("XLA_FLAGS", f"--some_flag=1 {runtime.CURE}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runtime.check_backend()


def test_the_cure_is_added_to_the_users_flags_and_only_where_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from kohort import runtime

    monkeypatch.setitem(sys.modules, "jax", None)
    del sys.modules["jax"]
    monkeypatch.setenv("XLA_FLAGS", "--some_flag=1")
    monkeypatch.setattr(runtime, "installed", lambda package: "0.10.1")
    runtime.prepare()
    assert os.environ["XLA_FLAGS"] == "--some_flag=1"
    monkeypatch.setattr(runtime, "installed", lambda package: "0.10.2")
    runtime.prepare()
    runtime.prepare()
    assert os.environ["XLA_FLAGS"] == f"--some_flag=1 {runtime.CURE}"


def test_a_recipes_own_epochs_and_batch_size_are_for_studies() -> None:
    (recipe,) = recipes_for(["epochs=3+batch=4"], Problem((4,), 2, "multiclass", 3, 8, rows=12))
    x, y = np.zeros((12, 4), np.float32), np.zeros(12, np.int32)
    with pytest.raises(RecipeError, match=r"batch_size=4 of its own.*Pass batch_size=4 and leave it out"):
        kohort.fit({"own": recipe}, x, y, seeds=1, verbose=0)
    with pytest.raises(RecipeError, match=r"'batch 4'.*needs a study.*Got 4"):
        recipes_for(["batch=4"], Problem((4,), 2, "multiclass", 3, 8))
