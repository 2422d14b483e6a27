"""The gradient of max pooling, which XLA scatters to each window's largest cell, in scalar loops.

Here each window's largest cell is found as a number, the first of equals as XLA takes it, and every cell then asks the
windows that cover it whether it is the one: comparisons of whole arrays, which vectorise. Where windows lie side by
side one covers each cell, else as many as the window is longer than the stride, per axis.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from kohort.cohort.rewrite import Replacement

MOST_CELLS = 64  # of a window; each is a slice of its own


def largest_of_windows_gradient(equation: JaxprEqn) -> Replacement | None:
    """`select_and_scatter_add`, where it selects the largest."""
    given, source = equation.params, _aval(equation, 0)
    window, strides = tuple(given["window_dimensions"]), tuple(given["window_strides"])
    if str(given["select_prim"]) != "ge" or source.dtype not in (np.float32, np.float64):
        return None
    if int(np.prod(window)) > MOST_CELLS:
        return None
    padding = [tuple(pair) for pair in given["padding"]]
    cells = list(np.ndindex(*window))
    shape = _aval(equation, 1).shape

    def scattered(source: Any, operand: Any) -> Any:
        number = _largest(operand, cells, source.shape, strides, padding)
        return _asked(source, number, shape, window, strides, padding)

    return scattered


def _aval(equation: JaxprEqn, position: int) -> Any:
    return equation.invars[position].aval


def _largest(
    operand: Any,
    cells: Sequence[tuple[int, ...]],
    windows: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, ...]],
) -> Any:
    """The number of the first of the largest cells of each window, as float32, which is compared fastest."""
    if np.any(padding):
        operand = lax.pad(operand, np.asarray(-np.inf, operand.dtype), [(*pair, 0) for pair in padding])
    best: Any = None
    number: Any = None
    for place, cell in enumerate(cells):
        end = [first + (count - 1) * stride + 1 for first, count, stride in zip(cell, windows, strides, strict=True)]
        value = lax.slice(operand, cell, end, strides)
        if best is None:
            best, number = value, jnp.zeros(value.shape, jnp.float32)
        else:
            keeps = best >= value
            number = jnp.where(keeps, number, np.float32(place))
            best = jnp.where(keeps, best, value)
    return lax.optimization_barrier(number)  # else it is found again for each cell


def _asked(
    source: Any,
    number: Any,
    shape: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, ...]],
) -> Any:
    """What each cell gets from the windows that cover it.

    Along an axis the cells are cut into runs as long as the stride: cell r of run u is cell a · stride + r of window
    u − a, for every a for which the window is that long.
    """
    axes = range(len(shape))
    runs = [-(-(shape[i] + sum(padding[i])) // strides[i]) for i in axes]
    apart = [part for i in axes for part in (runs[i], strides[i])]
    wide = [part for i in axes for part in (runs[i], 1)]
    total: Any = None
    for ago in product(*(range(-(-window[i] // strides[i])) for i in axes)):
        moved = [(ago[i], runs[i] - source.shape[i] - ago[i], 0) for i in axes]
        values = lax.pad(source, np.zeros((), source.dtype), moved).reshape(wide)
        theirs = lax.pad(number, np.float32(-1), moved).reshape(wide)
        got = jnp.where(theirs == _numbers(ago, window, strides), values, np.zeros((), source.dtype))
        total = got if total is None else total + got
    whole = jnp.broadcast_to(total, apart).reshape([runs[i] * strides[i] for i in axes])
    first = [padding[i][0] for i in axes]
    return lax.slice(whole, first, [first[i] + shape[i] for i in axes])


def _numbers(ago: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> Any:
    """The number that each cell of a run has in the window that began so many runs ago; −2 beyond its end."""
    number: Any = np.zeros((1,) * 2 * len(window), np.float32)
    for axis, length in enumerate(window):
        places = ago[axis] * strides[axis] + np.arange(strides[axis])
        along = np.where(places < length, places, -np.inf).astype(np.float32)
        number = number * np.float32(length) + along.reshape(
            [-1 if i == 2 * axis + 1 else 1 for i in range(2 * len(window))]
        )
    return jnp.asarray(np.where(np.isfinite(number), number, np.float32(-2)))
