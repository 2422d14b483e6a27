"""What must not be computed again wherever it is used."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def computed_once(function: Callable[..., Any], witness: Any, *operands: Any) -> Any:
    """A function's results as arrays in memory.

    Cheap results XLA:CPU computes again in each kernel that reads them, and once for every read; an
    optimization_barrier is removed before it decides that. Behind a condition that it cannot see through they stay.

    Args:
        function: Computes an array, or a tuple of arrays.
        witness: A uint32 that is known at run time only.
        *operands: What the function is given.
    """
    shapes = jax.eval_shape(function, *operands)

    def never(*_: Any) -> Any:
        return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)

    return lax.cond(witness | np.uint32(1) != 0, function, never, *operands)


def witness_of(array: Any) -> Any:
    """A number of an array of 32 or 64 bits that the compiler cannot know."""
    first = lax.bitcast_convert_type(lax.slice(array.reshape(-1), [0], [1]), np.uint32)
    return first.reshape(-1)[0]
