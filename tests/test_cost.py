"""What a step costs, read from its jaxpr."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax import lax
from keras import layers

import kohort
from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import TASKS
from kohort.cohort import memory, order
from kohort.cohort.arrays import fit_arrays
from kohort.cohort.capture import trace
from kohort.cohort.cost import bytes_of, most_alive, operations
from kohort.cohort.free_memory import SHARE, free_memory
from kohort.cohort.plan import plan_for
from tests.networks import TEXTBOOK

pytestmark = pytest.mark.optimised


def step_of(model: keras.Model, x: np.ndarray, batch: int) -> Any:
    arrays, _ = fit_arrays(x, np.zeros(len(x), np.int32))
    model._symbolic_build(data_batch=(x[:batch], np.zeros(batch, np.int32)))
    return trace(model, "a", arrays, None, batch).train[batch].jaxpr


def compiled(*stack: Any) -> keras.Model:
    model = keras.Sequential(list(stack))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model

    model = compiled(layers.Input((64,)), layers.Dense(16, "relu"), layers.Dense(10))
    first, second = 2 * 32 * 64 * 16, 2 * 32 * 16 * 10
    # forward, both gradients of the kernels, and the second layer's with respect to its inputs
    assert operations(step_of(model, np.zeros((64, 64), np.float32), 32)) == 2 * first + 3 * second

    convolution: Any = layers.Conv2D(4, 3, padding="same")
    model = compiled(layers.Input((8, 8, 3)), convolution, layers.GlobalAveragePooling2D())
    once = 2 * 16 * 64 * 9 * 3 * 4
    assert operations(step_of(model, np.zeros((16, 8, 8, 3), np.float32), 16)) == 2 * once
    depthwise: Any = layers.DepthwiseConv2D(3, padding="same")
    assert operations(jax.make_jaxpr(depthwise)(np.zeros((2, 8, 8, 3), np.float32))) == 2 * 2 * 64 * 9 * 3


@pytest.mark.parametrize(
    ("function", "products"),
    [
        (lambda x: lax.scan(lambda s, _: (s @ s, None), x, None, length=7)[0], 7),
        (lambda x: lax.cond(x.sum() > 0, lambda x: x @ x @ x, lambda x: x @ x, x), 2),
        (lambda x: lax.fori_loop(0, x[0, 0].astype(int), lambda _, s: s @ s, x), 1),  # nobody knows how often
        (lambda x: jax.jit(lambda x: x @ x)(x) + 1.0, 1),
        (lambda x: x + 1.0, 0),
    ],
)
def test_operations_within_control_flow(function: Callable[..., Any], products: int) -> None:
    assert operations(jax.make_jaxpr(function)(np.ones((5, 5), np.float32))) == products * 2 * 5**3


def test_memory_that_is_needed_at_once() -> None:
    x = np.ones(1000, np.float32)
    assert most_alive(jax.make_jaxpr(lambda x: jnp.sin(jnp.cos(jnp.exp(x))))(x)) == 2 * 4000
    assert most_alive(jax.make_jaxpr(lambda x: jnp.sin(x) + jnp.cos(x) + jnp.exp(x))(x)) == 3 * 4000
    assert most_alive(jax.make_jaxpr(lambda x: jnp.sin(x).sum())(x)) == 4000 + 4
    assert most_alive(jax.make_jaxpr(lambda x: x)(x)) == 0
    assert bytes_of([x, np.zeros((2, 3), np.int8)]) == 4006


def test_a_cohort_that_would_not_fit_is_taken_apart_before_it_trains(
    digits: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    needed: list[tuple[int, int]] = []

    def noted(asked: Any, plan: Any) -> int:
        needed.append((len(asked.members), memory_of(asked, plan)))
        return needed[-1][1]

    memory_of = order.memory_of
    options: dict[str, Any] = {"seeds": 6, "epochs": 2, "verbose": 0}
    whole = kohort.fit(TEXTBOOK["none"], *digits, **options)
    monkeypatch.setattr(memory, "memory_of", noted)
    monkeypatch.setattr(memory, "free_memory", lambda: 0)
    alone = kohort.fit(TEXTBOOK["none"], *digits, **options)
    assert [members for members, _ in needed] == [6, 3, 2, 3, 2]  # who is alone is tried in any case
    by_size = dict(needed)
    assert by_size[2] < by_size[3] < by_size[6]
    needed.clear()
    monkeypatch.setattr(memory, "free_memory", lambda: int(by_size[3] / SHARE) + 1)
    halves = kohort.fit(TEXTBOOK["none"], *digits, **options)
    assert [members for members, _ in needed] == [6, 3, 3]
    for seed, run in whole.items():
        for other in (alone[seed], halves[seed]):
            assert run.history == other.history
            for ours, theirs in zip(run.weights, other.weights, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_free_memory_is_known_here() -> None:
    free = free_memory()
    assert free is not None
    assert 2**26 < free < 2**50


def test_explained(digits: tuple[np.ndarray, np.ndarray]) -> None:
    recipes = {"none": TEXTBOOK["none"], "dropout": TEXTBOOK["dropout"]}
    runs = kohort.fit(recipes, *digits, seeds=2, verbose=0)
    first, second, why = runs.explain().splitlines()
    assert first.startswith("none: 2 runs: 2 of 2 cpu devices, one member after another on each (each fits into")
    assert second.startswith("dropout: 2 runs: ")
    assert "MFLOP a step and member; at most" in first
    assert why == runs.separate[0]
    assert plan_for(2, 1, 10).reason in first


@pytest.mark.parametrize(
    ("task", "recipe"), [("digits-mlp", "batchnorm"), ("mnist-cnn", "cnn"), ("mnist1d-cnn", "none")]
)
def test_the_benchmarks_count_the_same_operations(task: str, recipe: str) -> None:
    network, batch = TASKS[task].recipes[recipe], 8
    step = step_of(builder(network)(), np.zeros((16, *network.inputs), np.float32), batch)
    assert operations(step) == network.flops(batch)
