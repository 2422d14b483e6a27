"""Effect sizes and ranks by hand and by SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import cohens_d, probability_of_improvement
from kohort.statistics.estimates import FEW_ROWS, Estimates
from kohort.statistics.ranks import rank_intervals
from kohort.statistics.table import all_contrasts

DIFFERENCES = np.array([1.0, 2.0, 4.0, 5.0])


def test_d_by_hand() -> None:
    assert cohens_d(DIFFERENCES, corrected=False) == pytest.approx(3.0 / math.sqrt(10.0 / 3.0), rel=1e-14)
    assert cohens_d(-DIFFERENCES) == -cohens_d(DIFFERENCES)


def test_hedges_correction() -> None:
    # m = 3: Γ(1.5) / (√1.5 Γ(1)) = (√π / 2) / √1.5
    assert cohens_d(DIFFERENCES) == pytest.approx(3.0 / math.sqrt(10 / 3) * math.sqrt(math.pi) / 2 / math.sqrt(1.5))
    wide = np.resize(DIFFERENCES, 11)
    assert cohens_d(wide) / cohens_d(wide, corrected=False) == pytest.approx(0.9228, abs=1e-4)  # Hedges 1981, table 1


def test_hedges_correction_of_the_fewest_seeds() -> None:
    three, two = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0])
    assert cohens_d(three) == pytest.approx(cohens_d(three, corrected=False) / math.sqrt(math.pi), rel=1e-12)
    assert cohens_d(two) == cohens_d(two, corrected=False) == pytest.approx(1.5 / math.sqrt(0.5))


def test_d_has_no_unit() -> None:
    for unit in (1e-13, 1e13):
        assert cohens_d(unit * DIFFERENCES) == pytest.approx(cohens_d(DIFFERENCES), rel=1e-10)


def test_hedges_estimate_is_unbiased() -> None:
    drawn = np.random.default_rng(3).normal(0.8, 1.0, (20_000, 6))
    assert np.mean([cohens_d(d) for d in drawn]) == pytest.approx(0.8, abs=0.02)  # standard error 0.004


def test_d_without_spread() -> None:
    assert math.isnan(cohens_d(np.zeros(4)))
    assert math.isnan(cohens_d(np.array([1.0])))
    assert cohens_d(np.array([0.3, 0.3, 0.1 + 0.2])) == math.inf
    assert cohens_d(np.array([-0.2, -0.2])) == -math.inf


def test_probability_is_mann_whitneys() -> None:
    x, y = np.array([3.0, 1.0, 4.0, 1.0, 5.0]), np.array([2.0, 1.0, 3.0, 0.0, 1.0])
    own = probability_of_improvement(x, y)
    assert own.mean == pytest.approx(stats.mannwhitneyu(x, y).statistic / 25, abs=1e-14)
    assert probability_of_improvement(y, x).mean == pytest.approx(1 - own.mean, abs=1e-14)
    assert 0.0 <= own.low < own.mean < own.high <= 1.0


def test_its_interval_is_the_paired_percentile_bootstrap() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(0.5, 1.0, 15), rng.normal(0.0, 1.0, 15)
    theirs = stats.bootstrap(
        (x, y),
        lambda x, y: float((np.sign(x[:, None] - y) / 2 + 0.5).mean()),
        paired=True,
        vectorized=False,
        n_resamples=5_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    own = probability_of_improvement(x, y, 0.9, resamples=20_000)
    assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=0.015)  # standard error 0.003


def test_one_seed_has_a_probability_and_no_interval() -> None:
    own = probability_of_improvement(np.array([1.0]), np.array([0.0]))
    assert own.mean == 1.0
    assert math.isnan(own.low)


def test_ranks_by_hand() -> None:
    # a = 0, b = 0.03, c = 0.035, d = 0.1, each difference ± 0.0196: b and c are not told apart.
    mean = np.array([0.0, 0.03, 0.035, 0.1])
    pairs = all_contrasts(4)
    estimates = Estimates(
        mean[pairs[:, 0]] - mean[pairs[:, 1]], np.full(6, 0.01), np.full(6, 1e9), np.zeros((1, 6)), np.full(6, FEW_ROWS)
    )
    ranks = rank_intervals(("a", "b", "c", "d"), pairs, estimates, 0.05)
    assert [(r.recipe, r.best, r.worst) for r in ranks] == [("a", 4, 4), ("b", 2, 3), ("c", 2, 3), ("d", 1, 1)]
    assert [(r.best, r.worst) for r in rank_intervals(("a", "b", "c", "d"), pairs, estimates, 1e-30)] == [(1, 4)] * 4


def test_equal_recipes_share_their_ranks() -> None:
    none = Estimates(np.zeros(1), np.zeros(1), np.full(1, 5.0), np.zeros((1, 1)), np.full(1, FEW_ROWS))
    assert [(r.best, r.worst) for r in rank_intervals(("a", "b"), all_contrasts(2), none, 0.05)] == [(1, 2), (1, 2)]
