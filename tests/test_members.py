"""Members that are redrawn instead of built have, to the bit, the weights that Keras would have given them."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from kohort.cohort import members
from kohort.cohort.arrays import fit_arrays
from kohort.cohort.capture import Traced, state_of, trace
from kohort.cohort.configuration import configuration
from kohort.cohort.members import Recipients, Redraw, Training, build_member, keras_randomness_restored
from kohort.seeds import packed_python_state
from tests.networks import TEXTBOOK

pytestmark = pytest.mark.optimised

layers: Any = keras.layers  # Keras' own annotations are too narrow
initializers: Any = keras.initializers

X = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
Y = (np.arange(64) % 10).astype(np.int32)


def training(shuffle: bool = True) -> Training:
    arrays, _ = fit_arrays(X, Y)
    return Training(arrays, 32, shuffle)


def recipients(build: Callable[[], keras.Model], name: str, seeds: Any, options: Training) -> Recipients:
    def traced(model: keras.Model) -> Traced:
        return trace(model, name, options.arrays, None, options.batch_size)

    return Recipients(build, name, seeds, options, traced)


def compiled(*stack: Any, optimizer: str = "adam") -> keras.Model:
    model = keras.Sequential([*stack, layers.Dense(10, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def twice_the_same() -> keras.Model:
    shared = initializers.HeNormal()
    return compiled(
        layers.Input((64,)), layers.Dense(8, kernel_initializer=shared), layers.Dense(8, kernel_initializer=shared)
    )


BUILDERS: dict[str, Callable[[], keras.Model]] = {
    **TEXTBOOK,
    "not built yet": lambda: compiled(layers.Dense(8), layers.Dropout(0.5)),
    "orthogonal and recurrent": lambda: compiled(layers.Reshape((8, 8)), layers.LSTM(4, recurrent_dropout=0.1)),
    "attention": lambda: compiled(
        layers.Input((64,)),
        layers.Reshape((8, 8)),
        layers.Conv1D(4, 3, kernel_initializer="glorot_normal"),
        layers.GlobalAveragePooling1D(),
        layers.GaussianNoise(0.1),
    ),
    "a fixed seed": lambda: compiled(layers.Input((64,)), layers.Dropout(0.5, seed=7), layers.Dense(4)),
    "a shared initialiser": twice_the_same,
    "sgd": lambda: compiled(layers.Input((64,)), layers.Dense(4), optimizer="sgd"),
}


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_states_and_orders_equal_those_of_real_builds(name: str, shuffle: bool) -> None:
    members = recipients(BUILDERS[name], name, [3, 1, 0, 12345], training(shuffle))
    for index, seed in enumerate([3, 1, 0, 12345]):
        with keras_randomness_restored():
            model, orders = build_member(BUILDERS[name], name, seed, training(shuffle))
            assert members.python_states[index] == packed_python_state(random.getstate())
        for ours, theirs in zip(members.states[index], state_of(model), strict=True):
            assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()
        np.testing.assert_array_equal(members.orders[index].next_epoch(), orders.next_epoch())


def count_builds(build: Callable[[], keras.Model]) -> tuple[Callable[[], keras.Model], list[int]]:
    calls: list[int] = []

    def counting() -> keras.Model:
        calls.append(1)
        return build()

    return counting, calls


def test_only_two_members_are_really_built() -> None:
    build, calls = count_builds(TEXTBOOK["dropout"])
    recipients(build, "dropout", range(30), training())
    assert len(calls) == 2


class Doubled(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2 * inputs


@pytest.mark.parametrize(
    ("build", "traced"),
    [
        (TEXTBOOK["batchnorm"], 0),
        (lambda: compiled(layers.Input((64,)), layers.Dropout(0.5), layers.Dense(4)), 0),
        (lambda: compiled(layers.Input((64,)), Doubled()), 1),  # a configuration tells nothing of its code
        (lambda: compiled(layers.Input((64,)), layers.Lambda(lambda x: 2 * x)), 1),
        (lambda: compiled(layers.Input((64,)), layers.Dense(4, activation=lambda x: 2 * x)), 1),
    ],
)
def test_a_second_build_is_traced_where_its_configuration_does_not_say_all(
    build: Callable[[], keras.Model], traced: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = members.trace_step

    def counted(*given: Any) -> Any:
        calls.append(1)
        return original(*given)

    monkeypatch.setattr(members, "trace_step", counted)
    recipients(build, "a", range(4), training())
    assert len(calls) == traced


def test_configurations_tell_numbers_and_leave_names_out() -> None:
    def build(rate: float) -> keras.Model:
        return compiled(layers.Input((64,)), layers.Dropout(rate), layers.Dense(4))

    texts = [configuration(build(rate)) for rate in (0.5, 0.5, 0.4)]
    assert texts[0] is not None
    assert texts[0] == texts[1] != texts[2]


def test_a_builder_that_draws_for_itself_is_really_built_for_each_seed() -> None:
    def drawing() -> keras.Model:
        start = np.random.normal(size=4).astype(np.float32)
        bias = initializers.Constant(start)
        return compiled(layers.Input((64,)), layers.Dense(4, bias_initializer=bias))

    build, calls = count_builds(drawing)
    members = recipients(build, "own", range(5), training())
    assert len(calls) == 5
    for seed in range(5):
        expected = np.random.RandomState(seed).normal(size=4).astype(np.float32)
        np.testing.assert_array_equal(np.asarray(members.states[seed][1]), expected)


def test_a_redraw_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    build, calls = count_builds(TEXTBOOK["none"])
    right = Redraw.__call__

    def wrong(self: Redraw, seed: int) -> object:
        state, *rest = right(self, seed)
        return [np.asarray(state[0]) + 1e-7, *state[1:]], *rest

    monkeypatch.setattr(Redraw, "__call__", wrong)
    members = recipients(build, "none", range(4), training())
    assert len(calls) == 4
    with keras_randomness_restored():
        model, _ = build_member(TEXTBOOK["none"], "none", 3, training())
    np.testing.assert_array_equal(np.asarray(members.states[3][0]), np.asarray(state_of(model)[0]))
