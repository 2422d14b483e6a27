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

from kohort.cohort.cpu.halves import HALVES
from kohort.cohort.cpu.once import computed_once, witness_of
from kohort.cohort.rewrite import Replacement

MOST_CELLS = 64  # of a window; each is a slice of its own


def largest_of_windows_gradient(equation: JaxprEqn) -> Replacement | None:
    """`select_and_scatter_add`, where it selects the largest."""
    given, dtype = equation.params, _aval(equation, 0).dtype
    window, strides = tuple(given["window_dimensions"]), tuple(given["window_strides"])
    if str(given["select_prim"]) != "ge" or dtype not in (np.float32, np.float64, *HALVES):
        return None
    if int(np.prod(window)) > MOST_CELLS:
        return None
    padding = [(int(before), int(behind)) for before, behind in given["padding"]]
    cells = list(np.ndindex(*window))
    shape = _aval(equation, 1).shape

    runs = [-(-(length + sum(pair)) // stride) for length, pair, stride in zip(shape, padding, strides, strict=True)]
    agos = list(product(*(range(-(-length // stride)) for length, stride in zip(window, strides, strict=True))))

    def covering(source: Any, operand: Any) -> list[tuple[Any, Any]]:
        number = _largest(operand, cells, source.shape, strides, padding)
        return [(_moved(source, ago, runs, 0.0), _moved(number, ago, runs, -1.0)) for ago in agos]

    def scattered(source: Any, operand: Any) -> Any:
        if dtype in HALVES:
            source, operand = source.astype(np.float32), operand.astype(np.float32)
        found = computed_once(covering, witness_of(source), source, operand)
        numbers = [_numbers(ago, window, strides) for ago in agos]
        whole = _asked(found, numbers, runs, strides)
        first = [before for before, _ in padding]
        end = [place + length for place, length in zip(first, shape, strict=True)]
        return lax.slice(whole, first, end).astype(dtype)

    return scattered


def _aval(equation: JaxprEqn, position: int) -> Any:
    return equation.invars[position].aval


def _largest(
    operand: Any,
    cells: Sequence[tuple[int, ...]],
    windows: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
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
    return number


def _moved(array: Any, ago: Sequence[int], runs: Sequence[int], empty: float) -> Any:
    """Values by window, laid out by run, of the windows that began so many runs ago."""
    moved = [(past, count - have - past, 0) for past, count, have in zip(ago, runs, array.shape, strict=True)]
    return lax.pad(array, np.asarray(empty, array.dtype), moved)


def _asked(
    found: Sequence[tuple[Any, Any]], numbers: Sequence[Any], runs: Sequence[int], strides: Sequence[int]
) -> Any:
    """What each cell gets from the windows that cover it.

    Along an axis the cells are cut into runs as long as the stride: cell r of run u is cell a · stride + r of the
    window that began a runs ago, for every a for which windows are that long.

    Args:
        found: For each a the gradients of these windows, and the number of the largest cell.
        numbers: For each a the number of each cell of a run in that window.
        runs: How many runs, along each axis.
        strides: Cells of a run.
    """
    apart = [part for count, stride in zip(runs, strides, strict=True) for part in (count, stride)]
    wide = [part for count in runs for part in (count, 1)]
    total: Any = None
    for (values, largest), number in zip(found, numbers, strict=True):
        nothing = np.zeros((), values.dtype)
        got = jnp.where(largest.reshape(wide) == number, values.reshape(wide), nothing)
        total = got if total is None else total + got
    return jnp.broadcast_to(total, apart).reshape([count * stride for count, stride in zip(runs, strides, strict=True)])


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
