"""Many comparisons: statsmodels' Holm, Dunnett's and Šidák's levels, and counting by hand."""

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import holm
from kohort.statistics.estimates import FEW_ROWS, Estimates
from kohort.statistics.multiplicity import adjusted_p, nominal_level


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def estimates(draws: np.ndarray, df: float = 1e9, estimate: list[float] | None = None) -> Estimates:
    contrasts = draws.shape[1]
    return Estimates(
        np.array(estimate or [0.0] * contrasts),
        np.ones(contrasts),
        np.full(contrasts, df),
        draws,
        np.full(contrasts, FEW_ROWS),
    )


def test_holm_is_statsmodels() -> None:
    # statsmodels 0.15.0, multipletests([0.011, 0.02, 0.04, 0.0049, 0.5, 0.03], method="holm")[1]
    p = np.array([0.011, 0.02, 0.04, 0.0049, 0.5, 0.03])
    assert holm(p) == pytest.approx([0.05499999999999999, 0.08, 0.09, 0.0294, 0.5, 0.09], abs=1e-15)
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


def test_correlated_comparisons_have_dunnetts_level() -> None:
    shared = np.random.default_rng(0).standard_normal((100_000, 4))
    own = nominal_level(estimates((shared[:, 1:] - shared[:, :1]) / np.sqrt(2)), 0.05, generator())
    covariance = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    c = -stats.norm.ppf(own / 2)
    inside = stats.multivariate_normal.cdf(np.full(3, c), np.zeros(3), covariance, lower_limit=np.full(3, -c))  # type: ignore[arg-type]
    assert inside == pytest.approx(0.95, abs=0.003)  # standard error 0.0007


@pytest.mark.parametrize("df", [4.0, 30.0])
def test_independent_comparisons_have_sidaks_level(df: float) -> None:
    draws = np.random.default_rng(0).standard_normal((100_000, 5))
    own = nominal_level(estimates(draws, df), 0.1, generator())
    assert own == pytest.approx(1 - 0.9**0.2, rel=0.04)  # standard error 1 %


def test_a_single_comparison_needs_no_adjustment() -> None:
    one = estimates(np.zeros((10, 1)), 5.0, [2.0])
    assert nominal_level(one, 0.05, generator()) == 0.05
    assert adjusted_p(one, generator()) == pytest.approx([2 * stats.t.sf(2.0, 5)], rel=1e-12)


def test_null_p_is_uniform_with_denominators_of_its_own() -> None:
    draws = np.repeat(np.random.default_rng(0).standard_normal((20_000, 1)), 2, 1)
    p = estimates(draws, 5.0).null_p(generator())
    assert stats.kstest(p[:, 0], "uniform").pvalue > 0.01
    assert stats.kstest(p[:, 1], "uniform").pvalue > 0.01
    assert not np.allclose(p[:, 0], p[:, 1])


def test_adjusted_p_counts_the_smallest() -> None:
    draws = np.random.default_rng(0).standard_normal((5_000, 3))
    own = estimates(draws, 7.0, [3.0, -4.0, 0.5])
    smallest = own.null_p(generator()).min(axis=1)
    assert adjusted_p(own, generator()) == pytest.approx([(1 + (smallest <= p).sum()) / 5_001 for p in own.p()])
    assert adjusted_p(own, generator())[1] < adjusted_p(own, generator())[0]


def test_interval_and_adjusted_p_agree() -> None:
    draws = np.random.default_rng(0).standard_normal((4_000, 3))
    for size in np.linspace(2.0, 4.5, 40):
        own = estimates(draws, 9.0, [size, 0.0, 0.0])
        half = own.half_widths(nominal_level(own, 0.05, generator()))[0]
        adjusted = adjusted_p(own, generator())[0]
        assert (size > half) == (adjusted <= 0.05) or abs(adjusted - 0.05) < 0.001


def test_few_discordant_rows_give_no_less_than_a_sign_test_on_them() -> None:
    own = Estimates(np.full(6, 9.0), np.ones(6), np.full(6, 50.0), np.zeros((1, 6)), np.arange(6), 100)
    signs = [1.0, 1.0, *(stats.binomtest(m, m).pvalue for m in (2, 3, 4))]
    assert own.p()[:5] == pytest.approx(signs, rel=1e-12)
    assert own.p()[5] == pytest.approx(2 * stats.t.sf(9.0, 50), rel=1e-9)
    bounds = [stats.binomtest(m, 100).proportion_ci(0.9).high for m in range(5)]
    small = Estimates(np.zeros(6), np.full(6, 1e-6), np.full(6, 50.0), np.zeros((1, 6)), np.arange(6), 100)
    assert small.half_widths(0.1)[:5] == pytest.approx(bounds, rel=1e-9)
    assert small.half_widths(0.1)[5] == pytest.approx(1e-6 * stats.t.ppf(0.95, 50), rel=1e-9)
    assert own.half_widths(0.1)[3] == pytest.approx(stats.t.ppf(0.95, 50), rel=1e-9)
