"""Rewritten equations give the numbers of the originals: random bits exactly, sums to rounding."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxpr_as_fun

from kohort.cohort.cpu.rules import CPU_RULES, rewritten
from kohort.cohort.rewrite import replace_equations


def primitives(closed: Any) -> list[str]:
    return [equation.primitive.name for equation in closed.jaxpr.eqns]


def assert_same_bits(function: Callable[..., Any], *inputs: Any) -> None:
    closed = jax.make_jaxpr(function)(*inputs)
    ours = rewritten(closed, "cpu")
    assert "random_bits" not in primitives(ours)
    for mine, theirs in zip(
        jax.jit(jaxpr_as_fun(ours))(*inputs), jax.tree.leaves(jax.jit(function)(*inputs)), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


@pytest.mark.parametrize("seed", [[0, 0], [1, 2], [987654321, 4294967295]])
@pytest.mark.parametrize("shape", [(1,), (7,), (32, 128), (3, 5, 2), ()])
def test_threefry_written_out_gives_jaxs_bits(seed: list[int], shape: tuple[int, ...]) -> None:
    key = np.array(seed, np.uint32)
    assert_same_bits(lambda k: jax.random.bits(jax.random.wrap_key_data(k), shape), key)
    assert_same_bits(lambda k: jax.random.uniform(k, shape), key)
    assert_same_bits(lambda k: jax.random.bernoulli(k, 0.3, shape), key)


def test_bits_used_twice_and_returned() -> None:
    def function(k: Any, x: Any) -> Any:
        mask = jax.random.bernoulli(k, 0.5, x.shape)
        return jnp.where(mask, x, 0.0), mask, jax.random.uniform(k, (3,))

    assert_same_bits(function, np.array([5, 6], np.uint32), np.arange(12, dtype=np.float32))


def test_other_widths_are_left_alone() -> None:
    closed = jax.make_jaxpr(lambda k: jax.random.bits(jax.random.wrap_key_data(k), (4,), "uint8"))(
        np.array([1, 2], np.uint32)
    )
    assert "random_bits" in primitives(rewritten(closed, "cpu"))


def test_other_platforms_are_left_alone() -> None:
    closed = jax.make_jaxpr(lambda k: jax.random.uniform(k, (4,)))(np.array([1, 2], np.uint32))
    assert rewritten(closed, "gpu") is closed


def test_an_equation_can_give_back_its_own_input() -> None:
    closed = jax.make_jaxpr(lambda x: jnp.sin(x) + 1.0)(1.0)
    ours = replace_equations(closed, {"sin": lambda equation: lambda x: x})
    assert primitives(ours) == ["add"]
    assert float(jaxpr_as_fun(ours)(2.0)[0]) == 3.0


def test_rules_are_named_by_primitive() -> None:
    assert set(CPU_RULES) == {"random_bits", "reduce_sum", "conv_general_dilated", "select_and_scatter_add"}


@pytest.mark.parametrize("shape", [(64, 128), (8192,), (2, 4, 64), (512,)])
def test_whole_sums_equal_numpys(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    closed = jax.make_jaxpr(lambda x: jnp.sum(jnp.square(x)))(x)
    ours = rewritten(closed, "cpu")
    assert primitives(ours).count("reduce_sum") == 2
    (total,) = jax.jit(jaxpr_as_fun(ours))(x)
    np.testing.assert_allclose(float(total), np.square(x.astype(np.float64)).sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "shape"), [(lambda x: x.sum(0), (64, 128)), (jnp.sum, (10, 10)), (jnp.sum, (513,)), (jnp.max, (512,))]
)
def test_other_reductions_are_left_alone(function: Callable[..., Any], shape: tuple[int, ...]) -> None:
    closed = jax.make_jaxpr(function)(np.ones(shape, np.float32))
    assert primitives(rewritten(closed, "cpu")) == primitives(closed)
