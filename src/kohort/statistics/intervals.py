"""Intervals for a mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Attributes:
        mean: The mean of the values.
        low: The lower end; NaN where one value alone tells nothing of the spread.
        high: The upper end.
        n: How many values.
        level: The share of such intervals that hold the true mean.
    """

    mean: float
    low: float
    high: float
    n: int
    level: float = LEVEL


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """Student's interval for the mean of independent values.

    mean ± t · s / √n with s² = Σ(x − mean)² / (n − 1) and t the quantile of Student's distribution with n − 1
    degrees of freedom (Student 1908).

    Args:
        values: At least one finite value, of shape (n,).
        level: Coverage in (0, 1); 0.95, the custom of the field.

    Raises:
        ValueError: There is no value, one is not finite, or the level is outside (0, 1).

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.484..., high=4.484..., n=3, level=0.95)
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"values must be a sequence of at least one number. Got shape {list(given.shape)}.")
    if not np.isfinite(given).all():
        raise ValueError(f"values must be finite. Got {given[~np.isfinite(given)][0]} among {given.size}.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1). Got {level}.")
    mean = float(given.mean())
    if given.size == 1:
        return Interval(mean, float("nan"), float("nan"), 1, level)
    half = float(stats.t.ppf(0.5 + level / 2.0, given.size - 1) * given.std(ddof=1) / np.sqrt(given.size))
    return Interval(mean, mean - half, mean + half, int(given.size), level)
