"""Estimand S. The oracles are SciPy's t test and permutation test, and an enumeration of signs written out."""

import itertools

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import sign_flips
from kohort.statistics.paired import seed_estimates
from kohort.statistics.table import contrasts_with

SCORES = np.array(
    [
        [0.90, 0.91, 0.88, 0.93, 0.90, 0.89, 0.92],
        [0.92, 0.90, 0.91, 0.96, 0.90, 0.93, 0.95],
        [0.85, 0.93, 0.84, 0.92, 0.91, 0.83, 0.90],
        [0.93, 0.92, 0.91, 0.94, 0.94, 0.90, 0.94],
    ]
)
DIFFERENCES = SCORES[1:] - SCORES[0]


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def test_estimates_are_those_of_the_paired_t_test() -> None:
    own = seed_estimates(SCORES, contrasts_with(0, 4), 100, generator())
    theirs = [stats.ttest_rel(scores, SCORES[0]) for scores in SCORES[1:]]
    assert own.p() == pytest.approx([t.pvalue for t in theirs], rel=1e-10)
    assert own.estimate / own.standard_error == pytest.approx([t.statistic for t in theirs], rel=1e-10)
    half = own.half_widths(0.02)
    intervals = [t.confidence_interval(0.98) for t in theirs]
    assert own.estimate - half == pytest.approx([i.low for i in intervals], abs=1e-12)
    assert own.estimate + half == pytest.approx([i.high for i in intervals], abs=1e-12)


def test_resplit_rows_widen_by_nadeau_and_bengio() -> None:
    plain = seed_estimates(SCORES, contrasts_with(0, 4), 100, generator())
    wide = seed_estimates(SCORES, contrasts_with(0, 4), 100, generator(), test_to_train=0.25)
    assert wide.standard_error == pytest.approx(plain.standard_error * np.sqrt(1 + 7 * 0.25), rel=1e-12)
    assert wide.df.tolist() == [6.0] * 3


def test_draws_go_together_as_the_differences_do() -> None:
    own = seed_estimates(SCORES, contrasts_with(0, 4), 40_000, generator())
    assert np.corrcoef(own.draws.T) == pytest.approx(np.corrcoef(DIFFERENCES), abs=0.02)  # standard error 0.005
    assert own.draws.std(axis=0) == pytest.approx(np.ones(3), abs=0.02)
    assert own.draws.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.02)


def test_equal_differences_have_no_spread_for_rounding_to_show() -> None:
    own = seed_estimates(
        np.array([[0.1, 0.2, 0.7], [0.4, 0.5, 1.0], [0.1, 0.2, 0.7]]), contrasts_with(0, 3), 10, generator()
    )
    assert own.standard_error.tolist() == [0.0, 0.0]
    assert own.p().tolist() == [0.0, 1.0]
    assert not own.draws.any()


def test_small_units_are_no_rounding() -> None:
    own = seed_estimates(1e-13 * SCORES, contrasts_with(0, 4), 10, generator())
    assert own.p() == pytest.approx(seed_estimates(SCORES, contrasts_with(0, 4), 10, generator()).p(), rel=1e-9)


def test_one_seed_tells_no_spread() -> None:
    own = seed_estimates(SCORES[:, :1], contrasts_with(0, 4), 10, generator())
    assert np.isnan(own.standard_error).all()
    assert own.estimate == pytest.approx(DIFFERENCES[:, 0])


@pytest.mark.parametrize("recipe", [1, 2, 3])
def test_one_difference_is_scipys_permutation_test(recipe: int) -> None:
    theirs = stats.permutation_test(
        (SCORES[recipe], SCORES[0]),
        lambda x, y, axis: np.abs(stats.ttest_rel(x, y, axis=axis).statistic),
        permutation_type="samples",
        alternative="greater",
        n_resamples=1_000,
    )
    own = sign_flips(DIFFERENCES[recipe - 1 : recipe], 0, generator())
    assert own.p == pytest.approx([theirs.pvalue], abs=1e-12)
    assert own.adjusted == pytest.approx([theirs.pvalue], abs=1e-12)
    assert (own.exact, own.patterns) == (True, 64)


def students_t(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=1) / (x.std(axis=1, ddof=1) / np.sqrt(x.shape[1]))


def test_the_family_shares_one_sign_per_seed() -> None:
    def largest(signs: tuple[float, ...]) -> float:
        return float(np.abs(students_t(DIFFERENCES * np.array(signs))).max())

    drawn = np.array([largest(signs) for signs in itertools.product((1.0, -1.0), repeat=7)])
    seen = np.abs(students_t(DIFFERENCES))
    own = sign_flips(DIFFERENCES, 0, generator())
    assert own.adjusted == pytest.approx([(drawn >= t * (1 - 1e-9)).mean() for t in seen], abs=1e-12)
    assert (own.adjusted >= own.p).all()
    assert len(set(own.adjusted)) == 3


def test_no_p_is_below_two_to_the_one_minus_seeds() -> None:
    for seeds in (2, 5, 9):
        assert sign_flips(np.ones((1, seeds)), 0, generator()).p.tolist() == [2.0 ** (1 - seeds)]


def test_many_seeds_are_sampled_and_never_give_zero() -> None:
    differences = np.random.default_rng(0).normal(0.6, 1.0, (2, 20))
    own = sign_flips(differences, 4_000, generator())
    exact = stats.permutation_test(
        (differences[0],),
        lambda x, axis: np.abs(x.mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=50_000,
        rng=np.random.default_rng(2),
    )
    assert not own.exact
    assert own.patterns == 4_000
    assert own.p[0] == pytest.approx(exact.pvalue, abs=0.006)
    assert sign_flips(np.ones((1, 20)), 199, generator()).p.tolist() == [1 / 200]
    assert sign_flips(np.ones((2, 20)), 199, generator()).adjusted.tolist() == [1 / 200] * 2
    assert (own.adjusted >= own.p).all()


def test_enumeration_ends_where_it_says() -> None:
    assert sign_flips(np.ones((1, 15)), 7, generator()).patterns == 2**14
    assert sign_flips(np.ones((1, 16)), 7, generator()).patterns == 7


def test_no_difference_at_all_is_no_evidence() -> None:
    own = sign_flips(np.array([[0.0] * 6, [0.1, 0.2, 0.1, 0.3, 0.1, 0.1]]), 0, generator())
    assert own.p.tolist() == [1.0, 2.0**-5]
    assert own.adjusted.tolist() == [1.0, 2.0**-5]
