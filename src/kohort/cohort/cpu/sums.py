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
    if array.ndim >= 3 and axes == tuple(range(array.ndim - 1)) and array.size >= MANY and array.shape[0] > 1:
        return lambda x: added(_apart(added(x, (0,))), axes[:-1])
    return None


def channel_sums(x: Any) -> Any:
    """The sums over all axes but the last."""
    return _apart(x.sum(0)).sum(tuple(range(x.ndim - 2)))


def _apart(partial: Any) -> Any:
    return lax.optimization_barrier(partial)  # else XLA makes one sum of the two again
