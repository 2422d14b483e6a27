"""Does JAX compute rightly here? Patterns that some jaxlib got silently wrong, against NumPy in float64.

jaxlib 0.10.2 gives wrong numbers on CPU for a vectorised matrix-vector product followed by a reduction, for inputs of
some tens of thousands of elements, without a word (https://github.com/jax-ml/jax/issues/39103). A list of versions
would lag behind, so the patterns themselves are run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

TOLERANCE = 1e-3  # relative; float32 sums of 33,000 terms err by some 1e-5, the known faults by 1e-1 and more


@dataclass(frozen=True)
class Check:
    """A pattern that was computed twice.

    Attributes:
        name: What it computes.
        error: The largest error relative to the largest right value; NaN counts as infinite.
    """

    name: str
    error: float

    @property
    def right(self) -> bool:
        """Whether JAX and NumPy agree."""
        return self.error <= TOLERANCE


def selfcheck() -> list[Check]:
    """Compiles each known pattern and compares it with NumPy in float64."""
    draw = np.random.default_rng(0)
    matrices = draw.standard_normal((3, 32_769, 4)).astype(np.float32)
    vectors = draw.standard_normal((3, 4)).astype(np.float32)
    batch = draw.standard_normal((5, 32, 64)).astype(np.float32)
    kernels = draw.standard_normal((5, 64, 128)).astype(np.float32)
    weights = draw.standard_normal((5, 32, 128)).astype(np.float32)
    wide = draw.standard_normal((40_000,)).astype(np.float32)
    poisoned = np.array([np.nan, -1.0, 2.0], np.float32)
    return [
        _check(
            "vectorised matrix-vector product, squared and summed",
            jax.vmap(lambda m, v: jnp.sum(jnp.square(m @ v))),
            lambda m, v: np.square(np.einsum("bij,bj->bi", m, v)).sum(axis=1),
            matrices,
            vectors,
        ),
        _check(
            "batched matrix product, weighted and summed",
            lambda x, k, w: jnp.sum((x @ k) * w, axis=(1, 2)),
            lambda x, k, w: ((x @ k) * w).sum(axis=(1, 2)),
            batch,
            kernels,
            weights,
        ),
        _check(
            "gradient of a sum over a broadcast",
            jax.grad(lambda v: jnp.sum(jnp.tanh(jnp.broadcast_to(v, (8, v.size))) * jnp.arange(8.0)[:, None])),
            lambda v: 28.0 * (1.0 - np.tanh(v) ** 2),
            wide,
        ),
        _check(
            "column sums of a broadcast product",
            lambda a, b: jnp.sum(a[:, None, :] * b[None, :, :], axis=(0, 1)),
            lambda a, b: (a[:, None, :] * b[None, :, :]).sum(axis=(0, 1)),
            batch[0],
            batch[1],
        ),
        _check(
            "a NaN passes through max(x, 0)",
            lambda x: jnp.isnan(jax.nn.relu(x)).astype(jnp.float32),
            lambda x: np.isnan(np.maximum(x, 0.0)).astype(np.float64),
            poisoned,
        ),
    ]


def _check(name: str, by_jax: Callable[..., Any], by_numpy: Callable[..., Any], *inputs: np.ndarray) -> Check:
    got = np.asarray(jax.jit(by_jax)(*inputs), np.float64)
    right = by_numpy(*(value.astype(np.float64) for value in inputs))
    error = float(np.max(np.abs(got - right)) / max(np.max(np.abs(right)), 1e-30))
    return Check(name, error if np.isfinite(error) else float("inf"))
