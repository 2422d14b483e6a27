"""Jaxprs equal up to numbers become one; each recipe's numbers give its own result back."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun

from kohort.cohort.logs import logs_from_metrics
from kohort.cohort.unify import Different, flat, unify

pytestmark = pytest.mark.optimised

X = np.linspace(-1.0, 2.0, 12, dtype=np.float32).reshape(3, 4)


def traced(function: Callable[..., Any], *inputs: Any) -> Any:
    return jax.make_jaxpr(function)(*(inputs or (X,)))


def assert_unifies(functions: list[Callable[..., Any]], lifted: int) -> None:
    unified = unify([traced(function) for function in functions])
    assert len(unified.lifted) == lifted
    for index, function in enumerate(functions):
        (ours,) = jax.jit(unified.__call__)([values[index] for values in unified.lifted], X)
        # a product and a sum may be fused into one rounding or not: one unit in the last place
        np.testing.assert_array_max_ulp(np.asarray(ours), np.asarray(jax.jit(function)(X)), maxulp=1)


def test_a_literal_that_differs_is_lifted_once_for_each_place_and_value() -> None:
    assert_unifies([lambda x, c=c: x * c + c for c in (0.3, 0.5, 0.1)], lifted=1)
    assert_unifies([lambda x, c=c: x * c + 2 * c for c in (0.3, 0.5, 0.1)], lifted=2)


def test_equal_programs_lift_nothing() -> None:
    assert_unifies([lambda x: jnp.tanh(x) + 1.0] * 3, lifted=0)


def test_literals_inside_nested_calls_are_found() -> None:
    def build(c: float) -> Callable[..., Any]:
        inner = jax.jit(lambda x: jax.nn.relu(x) * c)
        return lambda x: jax.jit(lambda t: inner(t) - 1.0)(x)

    assert_unifies([build(c) for c in (2.0, 3.0)], lifted=1)


def test_custom_derivatives_are_looked_into() -> None:
    assert_unifies([lambda x, c=c: jax.grad(lambda t: (jax.nn.silu(t) * c).sum())(x) for c in (2.0, 3.0)], lifted=1)


def test_nan_literals_are_no_difference() -> None:
    assert_unifies([lambda x, c=c: jnp.where(x > 0, x, jnp.nan) * c for c in (2.0, 3.0)], lifted=1)


def test_scalar_constants_count_as_literals_and_arrays_are_lifted() -> None:
    scalars = [jnp.float32(2.0), jnp.float32(3.0)]
    assert_unifies([lambda x, c=c: x * c for c in scalars], lifted=1)
    assert_unifies([lambda x, c=c: x * np.full(4, c, np.float32) for c in (2.0, 3.0)], lifted=1)


def test_negative_zero_is_another_number() -> None:
    assert_unifies([lambda x, c=c: x / c for c in (0.0, -0.0)], lifted=1)


@pytest.mark.parametrize(
    ("own", "other", "reason"),
    [
        (lambda x: x + 1.0, lambda x: x * 1.0, "computes add, another computes mul"),
        (lambda x: x + 1.0, lambda x: jnp.tanh(x + 1.0), "more than another: 2 equations against 1"),
        (lambda x: x**2, lambda x: x**3, "integer_pow has y=2 in one and y=3 in another"),
        (lambda x: x - jnp.sin(x), lambda x: jnp.sin(x) - x, "."),
        (lambda x: x.sum(0), lambda x: x.sum(1), "reduce_sum has axes"),
        (
            lambda x: lax.scan(lambda c, r: (c + 2.0 * r, None), x[0], x)[0],
            lambda x: lax.scan(lambda c, r: (c + 3.0 * r, None), x[0], x)[0],
            r"scan \(control flow\) holds other numbers",
        ),
        (
            lambda x: lax.cond(x[0, 0] > 0, lambda t: t * 2.0, lambda t: t, x),
            lambda x: lax.cond(x[0, 0] > 0, lambda t: t * 3.0, lambda t: t, x),
            "control flow",
        ),
        (
            lambda x: lax.while_loop(lambda t: t.sum() < 9.0, lambda t: t + 1.0, x),
            lambda x: lax.while_loop(lambda t: t.sum() < 9.0, lambda t: t + 2.0, x),
            "control flow",
        ),
    ],
)
def test_other_differences_are_refused_with_a_reason(own: Any, other: Any, reason: str) -> None:
    with pytest.raises(Different, match=reason):
        unify([traced(own), traced(other)])


def test_wiring_is_compared() -> None:
    functions = [lambda x, y: jnp.sin(x) * y - x, lambda x, y: jnp.sin(x) * y - y]
    with pytest.raises(Different, match="input 1 of sub .* is wired differently"):
        unify([traced(function, X, X + 1) for function in functions])


def test_equal_control_flow_unifies() -> None:
    functions = [lambda x, c=c: lax.scan(lambda s, r: (s + r, s), x[0], x)[0] * c for c in (2.0, 3.0)]
    assert_unifies(functions, lifted=1)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(Different, match=r"float32\[3, 4\] in one and float32\[2, 4\] in another"):
        unify([traced(jnp.sin, X), traced(jnp.sin, X[:2])])


def test_other_numbers_of_results_are_refused() -> None:
    with pytest.raises(Different, match=r"different numbers of results: \[1, 2\]"):
        unify([traced(lambda x: [x + 1.0]), traced(lambda x: [x + 1.0, x])])


def test_flattening_keeps_the_result() -> None:
    def function(x: Any) -> Any:
        return jax.jit(jax.nn.gelu)(x) + jax.nn.relu(x)

    ours = jax.jit(jaxpr_as_fun(flat(traced(function)).closed()))(X)[0]
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(jax.jit(function)(X)))


def step(logs_of: Callable[..., Any]) -> Any:
    """A step whose state is one weight and two metric arrays, as (weight, total, count)."""

    def function(weight: Any, total: Any, count: Any, batch: Any) -> list[Any]:
        new = [weight - 0.1 * batch.mean(), total + batch.sum(), count + batch.size]
        return [logs_of(*new, batch), *new]

    return traced(function, np.float32(1), np.float32(2), np.float32(3), X)


def test_logs_that_depend_on_metrics_alone_leave_the_loop() -> None:
    logs = logs_from_metrics(step(lambda weight, total, count, batch: total / count), 1, range(1, 3))
    assert logs is not None
    assert float(jaxpr_as_fun(logs)(np.float32(6), np.float32(4))[0]) == 1.5


@pytest.mark.parametrize(
    "logs_of",
    [lambda weight, total, count, batch: weight * total, lambda weight, total, count, batch: batch.max()],
)
def test_logs_that_depend_on_more_stay(logs_of: Callable[..., Any]) -> None:
    assert logs_from_metrics(step(logs_of), 1, range(1, 3)) is None
