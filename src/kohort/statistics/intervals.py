"""Intervals for the centre of independent values: mean, median, interquartile mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes:
        mean: The estimate: the mean of the values unless the function that made it says otherwise.
        low: The lower end; NaN where the values are too few to tell.
        high: The upper end.
        n: How many values.
        level: The share of such intervals that hold the truth.
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
    given = _checked(values, level)
    mean = float(given.mean())
    if given.size == 1:
        return Interval(mean, float("nan"), float("nan"), 1, level)
    half = float(stats.t.ppf(0.5 + level / 2.0, given.size - 1) * given.std(ddof=1) / np.sqrt(given.size))
    return Interval(mean, mean - half, mean + half, int(given.size), level)


def share_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """The exact interval for the share of ones among independent zeros and ones (Clopper & Pearson 1934).

    It lies within 0 and 1, and holds the share at least as often as `level` says; of few values it is wide.

    Args:
        values: At least one value, each 0 or 1, of shape (n,).
        level: Coverage in (0, 1), at least attained.

    Raises:
        ValueError: There is no value, one is neither 0 nor 1, or the level is outside (0, 1).

    >>> share_interval([1.0, 1.0, 1.0, 0.0])
    Interval(mean=0.75, low=0.194..., high=0.993..., n=4, level=0.95)
    """
    given = _checked(values, level)
    if not np.isin(given, (0.0, 1.0)).all():
        raise ValueError(f"values must be 0 or 1. Got {given[~np.isin(given, (0.0, 1.0))][0]}.")
    ones = int(given.sum())
    exact = stats.binomtest(ones, given.size).proportion_ci(level, method="exact")
    return Interval(ones / given.size, float(exact.low), float(exact.high), int(given.size), level)


def median_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Interval:
    """The median with an interval between two order statistics.

    x₍ₖ₎ to x₍ₙ₊₁₋ₖ₎ with the largest k for which P(Binomial(n, ½) < k) ≤ (1 − level) / 2: it holds the median of any
    continuous distribution with at least that probability (David & Nagaraja 2003, §7.1). Where even the
    smallest and the largest value are not enough (fewer than 6 values at 0.95), the ends are NaN.

    Args:
        values: At least one finite value, of shape (n,).
        level: Coverage in (0, 1), at least attained.

    >>> median_interval([3.0, 1.0, 2.0, 9.0, 5.0, 4.0])
    Interval(mean=3.5, low=1.0, high=9.0, n=6, level=0.95)
    """
    given = np.sort(_checked(values, level))
    n = given.size
    k = int(np.searchsorted(stats.binom.cdf(np.arange(n), n, 0.5), (1.0 - level) / 2.0, side="right"))
    low, high = (float(given[k - 1]), float(given[n - k])) if k else (float("nan"), float("nan"))
    return Interval(float(np.median(given)), low, high, n, level)


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half: ⌊n/4⌋ values are left out at either end (Agarwal et al. 2021, §4.3).

    Args:
        values: Of shape (..., n).

    Returns:
        Of shape (...).

    >>> float(interquartile_mean(np.array([0.0, 1.0, 5.0, 100.0])))
    3.0
    """
    n = values.shape[-1]
    return np.sort(values, axis=-1)[..., n // 4 : n - n // 4].mean(axis=-1)


def iqm_interval(
    values: Sequence[float] | np.ndarray, level: float = LEVEL, *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The interquartile mean with the percentile bootstrap's interval over values (Agarwal et al. 2021, §4.1).

    Like any percentile interval it is too narrow for few values; below six its ends are NaN.

    Args:
        values: At least one finite value, of shape (n,).
        level: Coverage in (0, 1).
        resamples: How many; 10,000 leave its ends uncertain by about 2 % of its width.
        seed: Fixes the resamples, so that a report says the same twice.
    """
    given = _checked(values, level)
    centre = float(interquartile_mean(given))
    if given.size < 6:
        return Interval(centre, float("nan"), float("nan"), int(given.size), level)
    drawn = np.random.default_rng(seed).integers(0, given.size, (resamples, given.size))
    low, high = np.quantile(interquartile_mean(given[drawn]), [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(centre, float(low), float(high), int(given.size), level)


def _checked(values: Sequence[float] | np.ndarray, level: float) -> np.ndarray:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"values must be a sequence of at least one number. Got shape {list(given.shape)}.")
    if not np.isfinite(given).all():
        raise ValueError(f"values must be finite. Got {given[~np.isfinite(given)][0]} among {given.size}.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1). Got {level}.")
    return given
