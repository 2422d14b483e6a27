"""Sums of many numbers in vector registers. The order of adding differs from XLA's, hence the last bits.

Of a whole array, as in L1 and L2 penalties, XLA adds one number after another, or squares into memory and sums in
windows: some 7 µs for 8,192 numbers. Column sums first run in vector registers.

Of each channel, as in batch normalisation and in gradients of biases after convolutions, it sums in windows along the
rows. Sums over the first axis, a whole row of numbers at a time, and then over what is left take a third to a fifth.
"""

from typing import Any

import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from kohort.cohort.rewrite import Replacement

LANES = 64  # partial sums kept side by side; four AVX-512 registers of float32
IN_ONE_GO = 32  # rows; XLA sums more of them in windows, fewer number after number
MANY = 2**14  # numbers; fewer are summed in no time


def large_sum(equation: JaxprEqn) -> Replacement | None:
    """`reduce_sum` of a large float32 array, whole or along all axes but the last, as sums of sums."""
    array: Any = equation.invars[0].aval
    axes = tuple(equation.params["axes"])
    if array.dtype != np.float32:
        return None
    options = {name: value for name, value in equation.params.items() if name != "axes"}

    def added(x: Any, axes: tuple[int, ...]) -> Any:
        return equation.primitive.bind(x, axes=axes, **options)

    if len(axes) == array.ndim and array.size >= 8 * LANES and not array.size % LANES:
        return lambda x: added(_apart(added(x.reshape(-1, LANES), (0,))), (0,))
    if array.ndim >= 3 and axes == tuple(range(array.ndim - 1)) and array.size >= MANY:
        return lambda x: added(_apart(added(_by_rows(x), (0,))), (0,))
    return None


def _by_rows(x: Any) -> Any:
    """The same numbers as (rows, what is left of each, channels), of more rows than XLA would sum in one go."""
    axes = 1
    while axes < x.ndim - 1 and np.prod(x.shape[:axes]) <= IN_ONE_GO:
        axes += 1
    return x.reshape(int(np.prod(x.shape[:axes])), -1, x.shape[-1])


def _apart(partial: Any) -> Any:
    return lax.optimization_barrier(partial)  # else XLA makes one sum of the two again
