"""Without seeds, `kohort.fit(models)` stands for the loop `for model in models: model.fit(...)`, draw by draw."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kohort
from tests.networks import TEXTBOOK
from tests.test_equality import assert_same_history, largest_gap

pytestmark = [pytest.mark.slow, pytest.mark.optimised]

Arrays = tuple[np.ndarray, np.ndarray]


def unbuilt() -> keras.Model:
    """The textbook's BatchNorm network: it has no input shape, so `fit` builds it from the data."""
    model = keras.Sequential(
        [
            layers.Dense(32, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def models() -> dict[str, keras.Model]:
    return {"none": TEXTBOOK["none"](), "batchnorm": unbuilt(), "dropout": TEXTBOOK["dropout"]()}


def in_a_loop(given: dict[str, keras.Model], *data: Any, **options: Any) -> dict[str, Any]:
    return {name: model.fit(*data, **options) for name, model in given.items()}


def run_both(
    train: Callable[..., Any], other: Callable[..., Any], *data: Any, **options: Any
) -> list[tuple[dict[str, keras.Model], Any, tuple[float, float]]]:
    outcomes = []
    for function in (train, other):
        keras.backend.clear_session()
        keras.utils.set_random_seed(11)
        given = models()
        result = function(given, *data, **options)
        outcomes.append((given, result, (random.random(), float(np.random.rand()))))
    return outcomes


@pytest.mark.parametrize("shuffle", [True, "batch", False])
def test_it_equals_the_loop_and_leaves_the_generators_where_the_loop_does(shuffle: Any, digits: Arrays) -> None:
    options: dict[str, Any] = {"epochs": 3, "validation_split": 0.2, "verbose": 0, "shuffle": shuffle}
    ours, theirs = run_both(kohort.fit, in_a_loop, *digits, **options)
    assert ours[2] == theirs[2]
    for name, model in ours[0].items():
        assert_same_history(ours[1][name], theirs[0][name], 384, 96)
        assert largest_gap(model.get_weights(), theirs[0][name].get_weights()) <= 1e-5
        assert ours[1][name].model() is model
        assert model.history.history == ours[1][name].history


def test_builders_without_seeds_are_called_as_a_loop_would(digits: Arrays) -> None:
    """Building, what `fit` still builds and the batch orders draw in turn, recipe by recipe."""
    options: dict[str, Any] = {"epochs": 2, "verbose": 0}
    builders = {"batchnorm": unbuilt, "dropout": TEXTBOOK["dropout"], "again": unbuilt}
    keras.utils.set_random_seed(4)
    runs = kohort.fit(builders, *digits, **options)
    ours = (random.random(), float(np.random.rand()))
    keras.utils.set_random_seed(4)
    for name, build in builders.items():
        model = build()
        model.fit(*digits, **options)
        assert largest_gap(runs[name].weights, model.get_weights()) <= 1e-5
    assert ours == (random.random(), float(np.random.rand()))


def test_training_goes_on_from_the_weights_given(digits: Arrays) -> None:
    model = TEXTBOOK["dropout"]()
    first = kohort.fit(model, *digits, epochs=3, shuffle=False, verbose=0)
    second = kohort.fit(model, *digits, epochs=3, shuffle=False, verbose=0)
    assert second.history["loss"][0] < first.history["loss"][-1]
    assert int(np.asarray(model.optimizer.iterations.value)) == 6 * 15


@pytest.mark.parametrize("name", ["l2", "dropout", "batchnorm"])
def test_late_epochs_from_the_state_of_fit_equal_fit(name: str, digits: Arrays) -> None:
    """Adam with Keras' own epsilon, whose steps in late epochs make much of a gradient's last bits."""
    keras.utils.set_random_seed(3)
    theirs, ours = TEXTBOOK[name](), TEXTBOOK[name]()
    options: dict[str, Any] = {"validation_split": 0.2, "verbose": 0}
    assert isinstance(ours.optimizer, keras.optimizers.Adam)
    assert ours.optimizer.epsilon == 1e-7
    for model, epochs in ((theirs, 7), (ours, 1)):  # the first `fit` of a model draws an order more than later ones
        model.fit(*digits, epochs=epochs, **options)
    for epoch in range(7, 10):
        for variable, given in zip(state(ours), state(theirs), strict=True):
            variable.assign(given.value)
        keras.utils.set_random_seed(epoch)
        run = kohort.fit(ours, *digits, epochs=1, **options)
        keras.utils.set_random_seed(epoch)
        theirs.fit(*digits, epochs=1, **options)
        assert_same_history(run, theirs, 384, 96)
        for variable, own in zip(state(theirs), state(ours), strict=True):
            np.testing.assert_allclose(np.asarray(own.value), np.asarray(variable.value), atol=1e-5, err_msg=f"{epoch}")


def state(model: keras.Model) -> list[Any]:
    """Weights, the generators of masks, moments and the count of steps."""
    return [*model.variables, *model.optimizer.variables]


def test_the_loop_of_the_textbook(digits: Arrays) -> None:
    x, y = digits
    for name, h in kohort.fit(models(), x, y, epochs=2, validation_split=0.2, verbose=0).items():
        assert name in ("none", "batchnorm", "dropout")
        assert 0.1 < max(h.history["val_accuracy"]) <= 1.0


def test_a_frozen_base_stays_as_it_was(digits: Arrays) -> None:
    base = keras.Sequential([layers.Input((64,)), layers.Dense(16, activation="relu")], name="base")
    base.trainable = False
    model = keras.Sequential([layers.Input((64,)), base, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    before = [weight.copy() for weight in model.get_weights()]
    kohort.fit(model, *digits, epochs=2, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[2] - before[2]).max() > 1e-3
