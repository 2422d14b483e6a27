"""Random bits as straight-line code.

On CPU JAX lowers Threefry to a loop over rounds, each of which passes through memory: some 10 ns a number, most of what
dropout adds to a step. Written out, the twenty rounds become one vectorised kernel, 1.4 ns a number, and the bits are
the same.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from kohort.cohort.cpu.once import computed_once
from kohort.cohort.rewrite import Replacement

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry_bits(equation: JaxprEqn) -> Replacement | None:
    """`random_bits` of a Threefry key, 32 bits a number, as straight-line code (Salmon et al. 2011, Threefry-2x32-20).

    In JAX's partitionable mode number i is the hash of the 64-bit counter i, its two halves combined by exclusive or.
    """
    key: Any = equation.invars[0]
    shape = tuple(equation.params["shape"])
    size = int(np.prod(shape))
    plain = str(key.aval.dtype) == "key<fry>" and key.aval.shape == () and equation.params["bit_width"] == 32
    if not plain or not jax.config.jax_threefry_partitionable or not 0 < size < 2**32:  # pyright: ignore
        return None

    def bits(key: Any) -> Any:
        first, second = jax.random.key_data(key)
        keys = (first, second, first ^ second ^ PARITY)
        low = lax.iota(np.uint32, size)
        x, y = jnp.full(size, keys[0]), low + keys[1]
        for group in range(5):
            for rotation in ROTATIONS[group % 2]:
                x = x + y
                y = x ^ ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation)))
            x = x + keys[(group + 1) % 3]
            y = y + keys[(group + 2) % 3] + np.uint32(group + 1)
        return (x ^ y).reshape(shape)

    # else the backward pass computes them once more
    return lambda key: computed_once(bits, jax.random.key_data(key)[1], key)
