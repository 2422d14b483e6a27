"""Convolutions and max pooling for XLA:CPU, in forms that it is fast at inside a loop.

XLA lays the operands of a convolution out for its fast kernel only outside of loops; inside, as in a cohort's program,
one that is not already in the form NHWC × HWIO -> NHWC becomes a naive nest of loops (openxla/xla, its pass for that
looks at the entry computation alone; jax-ml/jax#12868). A network's own convolutions have that form, their gradients
never. So operands are transposed explicitly, which is what XLA does elsewhere: a step of a small network for MNIST
took 140 ms and takes 8 to 14.

The gradient of max pooling scatters each window's gradient to its largest cell, in scalar loops. Where windows do not
overlap, comparing each cell's number with that of the largest is the same and vectorises.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

Replacement = Callable[..., Any]


def laid_out(equation: JaxprEqn) -> Replacement | None:
    """`conv_general_dilated` with its operands in the form that XLA:CPU has a fast kernel for."""
    given = dict(equation.params)
    numbers = given["dimension_numbers"]
    lhs: Any = equation.invars[0].aval
    axes = lhs.ndim - 2
    batch_first = (0, axes + 1, *range(1, axes + 1))  # where batch, features and the spatial axes stand
    kernel_last = (axes + 1, axes, *range(axes))
    whole = given["feature_group_count"] == given["batch_group_count"] == 1
    already = numbers.lhs_spec == numbers.out_spec == batch_first and numbers.rhs_spec == kernel_last
    if lhs.dtype != np.float32 or not 1 <= axes <= 3 or not whole or already:
        return None
    spatial = "WHD"[:axes][::-1]
    form = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    options = {
        name: given[name]
        for name in ("window_strides", "padding", "lhs_dilation", "rhs_dilation", "precision", "preferred_element_type")
    }
    from_lhs = (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1])
    from_rhs = (*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0])
    to_out = _inverse((numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1]))

    def convolved(lhs: Any, rhs: Any) -> Any:
        out = lax.conv_general_dilated(
            lax.transpose(lhs, from_lhs), lax.transpose(rhs, from_rhs), dimension_numbers=form, **options
        )
        return lax.transpose(out, to_out)

    return convolved


def pooled_gradient(equation: JaxprEqn) -> Replacement | None:
    """`select_and_scatter_add`, the gradient of max pooling, where windows lie side by side."""
    given, operand = equation.params, equation.invars[1].aval
    source: Any = equation.invars[0].aval
    shape: Sequence[int] = operand.shape  # pyright: ignore[reportAttributeAccessIssue]
    window = tuple(given["window_dimensions"])
    apart = window == tuple(given["window_strides"]) and not np.any(given["padding"])
    if not apart or str(given["select_prim"]) != "ge" or source.dtype != np.float32 or np.prod(window) > 64:
        return None
    covered = [cells * size for cells, size in zip(source.shape, window, strict=True)]
    split = [part for cells, size in zip(source.shape, window, strict=True) for part in (cells, size)]
    inside = range(1, 2 * len(window), 2)
    spare = [(0, whole - part, 0) for whole, part in zip(shape, covered, strict=True)]

    def scattered(source: Any, operand: Any) -> Any:
        cells = lax.slice(operand, [0] * len(window), covered).reshape(split)
        number = _numbers(split, inside)
        largest = jnp.max(cells, axis=tuple(inside), keepdims=True)
        # the first of equals, as XLA takes it
        first = jnp.min(jnp.where(cells == largest, number, np.float32(np.inf)), axis=tuple(inside), keepdims=True)
        wide = jnp.expand_dims(source, tuple(inside))
        spread = jnp.where(number == first, wide, np.float32(0)).reshape(covered)
        return lax.pad(spread, np.float32(0), spare)

    return scattered


def _numbers(split: Sequence[int], inside: Sequence[int]) -> Any:
    """Each cell's number in its window, float32, to be broadcast."""
    number: Any = np.float32(0)
    for axis in inside:
        shape = [split[axis] if own == axis else 1 for own in range(len(split))]
        number = number * np.float32(split[axis]) + jnp.arange(split[axis], dtype=jnp.float32).reshape(shape)
    return number


def _inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(place) for place in np.argsort(permutation))
