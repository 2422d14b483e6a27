"""What is measured of a run besides its logs: norms, zeros, and how its weights are spread."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kohort.cohort.capture import parts_of
from kohort.cohort.train import Trained
from kohort.run import NEAR_ZERO, WEIGHT_EDGES


def measured(model: keras.Model, result: Trained) -> Mapping[str, np.ndarray]:
    """What `run.DIAGNOSTICS` names, but for dead units, which need rows to be seen; empty where nothing was measured.

    Args:
        model: The member's model, for which array is what.
        result: How it came out.
    """
    if result.norms is None:
        return {}
    kernels = [values for values in result.state[: parts_of(model).trainable] if np.ndim(values) >= 2]
    zeros, near = shares_of_zeros(kernels)
    return {
        "weight_norm": result.norms[:, 0],
        "gradient_norm": result.norms[:, 1],
        "zeros": np.array([zeros]),
        "near_zeros": np.array([near]),
        "weights": histogram(kernels),
        "seconds": np.array([result.seconds]),
    }


def shares_of_zeros(kernels: Sequence[np.ndarray]) -> tuple[float, float]:
    """The shares of exact zeros, and of what is nearer to zero than `NEAR_ZERO`; NaN where there are no kernels."""
    count = sum(values.size for values in kernels)
    if not count:
        return float("nan"), float("nan")
    exact = sum(int(np.count_nonzero(values == 0)) for values in kernels)
    near = sum(int(np.count_nonzero(np.abs(values) < NEAR_ZERO)) for values in kernels)
    return exact / count, near / count


def histogram(kernels: Sequence[np.ndarray]) -> np.ndarray:
    """How many weights lie between any two neighbours of `WEIGHT_EDGES`; what is not finite lies nowhere."""
    counts = np.zeros(len(WEIGHT_EDGES) - 1)
    for values in kernels:
        flat = np.ravel(values).astype(np.float32)
        flat = flat[np.isfinite(flat)]
        bins = np.searchsorted(WEIGHT_EDGES, flat, side="right") - 1
        counts += np.bincount(np.clip(bins, 0, len(counts) - 1), minlength=len(counts))
    return counts
