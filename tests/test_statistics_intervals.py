"""Median and interquartile mean against SciPy, on numbers for which mean, median and IQM differ."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import interquartile_mean, iqm_interval, median_interval

VALUES = [0.1, 9.0, 0.4, 0.2, 5.0, 0.3, 7.0, 0.8, 0.5, 2.0, 0.6]


def test_the_interquartile_mean_is_the_trimmed_mean_of_a_quarter() -> None:
    for n in range(1, 12):
        assert interquartile_mean(np.array(VALUES[:n])) == pytest.approx(stats.trim_mean(VALUES[:n], 0.25), abs=1e-14)


def test_its_interval_is_the_percentile_bootstrap() -> None:
    ours = iqm_interval(VALUES, 0.9, resamples=20_000)
    theirs = stats.bootstrap(
        (np.array(VALUES),),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours.mean == pytest.approx(stats.trim_mean(VALUES, 0.25), abs=1e-14)
    assert ours.low == pytest.approx(theirs.low, abs=0.02)  # its quantile's standard error is 0.003
    assert ours.high == pytest.approx(theirs.high, abs=0.2)  # 0.03
    assert (ours.n, ours.level) == (11, 0.9)
    assert iqm_interval(VALUES) == iqm_interval(VALUES)


def test_few_values_have_no_bootstrap_interval() -> None:
    five = iqm_interval(VALUES[:5])
    assert five.mean == stats.trim_mean(VALUES[:5], 0.25)
    assert math.isnan(five.low)
    assert math.isnan(five.high)
    assert not math.isnan(iqm_interval(VALUES[:6]).low)


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (20, 6)])  # Conover 1999, table A3
def test_the_medians_interval_is_between_order_statistics(n: int, rank: int) -> None:
    values = np.arange(1.0, n + 1.0) ** 2
    own = median_interval(np.random.default_rng(0).permutation(values))
    assert (own.low, own.high) == (rank**2, (n + 1 - rank) ** 2)
    assert own.mean == np.median(values)


def test_the_medians_interval_covers_by_the_binomial() -> None:
    ranks = median_interval(np.arange(15.0), 0.8)
    k = int(ranks.low) + 1
    assert stats.binom.cdf(k - 1, 15, 0.5) <= 0.1 < stats.binom.cdf(k, 15, 0.5)


def test_five_values_have_no_interval_of_the_median() -> None:
    five = median_interval(VALUES[:5])
    assert five.mean == 0.4
    assert math.isnan(five.low)
    assert math.isnan(five.high)


def test_what_is_not_finite_is_refused_everywhere() -> None:
    for interval in (median_interval, iqm_interval):
        with pytest.raises(ValueError, match="finite"):
            interval([1.0, math.inf])


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 1.2])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="in \\(0, 1\\)"):
        median_interval(VALUES, level)


def test_low_levels_are_levels() -> None:
    assert median_interval(VALUES, 0.05).low <= 0.6 <= median_interval(VALUES, 0.05).high
