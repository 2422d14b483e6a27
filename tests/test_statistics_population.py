"""Estimand P: mean squares by hand and by loops, the bootstrap against its closed form, degrees of freedom by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import Components
from kohort.statistics.estimates import FEW_ROWS
from kohort.statistics.population import (
    MeanSquares,
    mean_squares,
    population_estimates,
    product_weight_draws,
)
from kohort.statistics.table import all_contrasts, contrasts_with

ONE = np.array([[1, 0]])


def table(recipes: int = 3, seeds: int = 5, rows: int = 7) -> np.ndarray:
    rng = np.random.default_rng(11)
    effect = rng.normal(size=(recipes, seeds, 1)) + 0.7 * rng.normal(size=(recipes, 1, rows))
    return effect + 0.5 * rng.normal(size=(recipes, seeds, rows)) + np.arange(recipes)[:, None, None]


def of_difference(d: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of one table of differences (seeds, rows), written as sums."""
    seeds, rows = d.shape
    grand = d.mean()
    by_seed = sum(rows * (d[j].mean() - grand) ** 2 for j in range(seeds)) / (seeds - 1)
    by_row = sum(seeds * (d[:, i].mean() - grand) ** 2 for i in range(rows)) / (rows - 1)
    rest = sum((d[j, i] - d[j].mean() - d[:, i].mean() + grand) ** 2 for j in range(seeds) for i in range(rows))
    return by_seed, by_row, rest / ((seeds - 1) * (rows - 1))


def test_mean_squares_by_hand() -> None:
    # d = (0 0 6; 2 4 6): row means 2 4, column means 1 2 6, mean 3.
    d = np.array([[0.0, 0.0, 6.0], [2.0, 4.0, 6.0]])
    squares = mean_squares(np.stack([np.zeros((2, 3)), d]))
    assert squares.seed[1, 1] == pytest.approx(3 * (1 + 1) / 1, abs=1e-12)
    assert squares.row[1, 1] == pytest.approx(2 * (4 + 1 + 9) / 2, abs=1e-12)
    assert squares.interaction[1, 1] == pytest.approx((0 + 1 + 1 + 0 + 1 + 1) / 2, abs=1e-12)
    seed, row, rest = squares.components(ONE)
    assert (seed[0], row[0], rest[0]) == pytest.approx((4 / 3, 6.0, 2.0), abs=1e-12)
    own = population_estimates(np.stack([np.zeros((2, 3)), d]), ONE, np.zeros((1, 2)))
    assert own.estimate[0] == pytest.approx(3.0, abs=1e-12)
    # V = 4/3/2 + 6/3 + 2/6 = 3; J n V = 6 + 14 − 2 = 18; df = 18² / (6²/1 + 14²/2 + 2²/2)
    assert own.standard_error[0] ** 2 == pytest.approx(3.0, abs=1e-12)
    assert own.df[0] == pytest.approx(324 / (36 + 98 + 2), abs=1e-12)


def test_mean_squares_of_every_difference_are_those_of_its_own_table() -> None:
    outcomes, pairs = table(), all_contrasts(3)
    own = mean_squares(outcomes).components(pairs)
    for index, (a, b) in enumerate(pairs):
        seed, row, rest = of_difference(outcomes[a] - outcomes[b])
        assert own[0][index] == pytest.approx((seed - rest) / 7, abs=1e-12)
        assert own[1][index] == pytest.approx((row - rest) / 5, abs=1e-12)
        assert own[2][index] == pytest.approx(rest, abs=1e-12)


def test_the_variance_is_unbiased() -> None:
    rng = np.random.default_rng(4)
    seen, means = [], []
    for _ in range(4_000):
        d = rng.normal(size=(6, 1)) * 0.5 + rng.normal(size=(1, 9)) + rng.normal(size=(6, 9))
        squares = mean_squares(np.stack([np.zeros((6, 9)), d]))
        seen.append((squares.seed + squares.row - squares.interaction)[1, 1] / 54)
        means.append(d.mean())
    truth = 0.25 / 6 + 1 / 9 + 1 / 54
    assert Components(0.25, 1.0, 1.0).variance(6, 9) == pytest.approx(truth, rel=1e-14)
    assert np.mean(seen) == pytest.approx(truth, rel=0.03)  # standard error 0.8 %
    assert np.var(means) == pytest.approx(truth, rel=0.1)  # 2.2 %


def test_a_component_below_zero_counts_as_none_but_its_mean_square_stays() -> None:
    squares = MeanSquares(np.array([0.0, 1.0]), np.diag([0.0, 2.0]), np.diag([0.0, 9.0]), np.diag([0.0, 3.0]), 6, 10)
    assert [float(c[0]) for c in squares.components(ONE)] == pytest.approx([-0.1, 1.0, 3.0])
    own = population_estimates(np.zeros((2, 6, 10)), ONE, np.zeros((1, 2)), squares)
    assert own.standard_error[0] ** 2 == pytest.approx(9 / 60)  # MS_row / (J n)
    assert own.df[0] == pytest.approx(81 / (2**2 / 5 + 9**2 / 9 + 3**2 / 45))
    parts = Components(-0.1, 1.0, 3.0)
    assert (parts.variance(6, 10), parts.df(6, 10)) == pytest.approx((9 / 60, own.df[0]))
    turned = Components(1.0, -0.1, 3.0)  # MS 13 and 3 − 0.6
    assert turned.variance(6, 10) == pytest.approx(13 / 60)
    assert turned.df(6, 10) == pytest.approx(169 / (13**2 / 5 + 2.4**2 / 9 + 3**2 / 45))
    assert Components(-1.0, 1.0, 3.0).df(6, 10) == pytest.approx(81 / (9**2 / 9 + 3**2 / 45))  # no MS below 0
    assert Components(1.0, -1.0, 3.0).df(6, 10) == pytest.approx(169 / (13**2 / 5 + 3**2 / 45))


@pytest.mark.parametrize(
    ("components", "df"),
    [
        (Components(1.0, 0.0, 0.0), 5.0),
        (Components(0.0, 1.0, 0.0), 9.0),
        (Components(0.0, 0.0, 1.0), 1 / (1 / 5 + 1 / 9 + 1 / 45)),
        (Components(0.5, 0.0, 2.0), 49 / (49 / 5 + 4 / 9 + 4 / 45)),
        (Components(0.0, 0.0, 0.0), 5.0),
        (Components(0.5, 0.25, 2.0), (7 + 3.5 - 2) ** 2 / (49 / 5 + 3.5**2 / 9 + 4 / 45)),
    ],
)
def test_degrees_of_freedom(components: Components, df: float) -> None:
    assert components.df(6, 10) == pytest.approx(df, rel=1e-12)


def test_endless_seeds_leave_the_rows() -> None:
    components = Components(0.5, 0.25, 2.0)
    assert components.variance(math.inf, 10) == pytest.approx(0.025)
    assert components.variance(6, math.inf) == pytest.approx(0.5 / 6)


def closed_form(a: np.ndarray, b: np.ndarray) -> float:
    """Cov of Σ u_j v_i a_ji / (J n) and the same of b, both centred, with E(u uᵀ) = I + 11ᵀ, and alike for v."""
    seeds, rows = a.shape
    a, b = a - a.mean(), b - b.mean()
    total = (a * b).sum() + (a.sum(1) * b.sum(1)).sum() + (a.sum(0) * b.sum(0)).sum()
    return float(total / (seeds**2 * rows**2))


def test_the_product_weight_bootstrap_has_its_closed_form() -> None:
    outcomes, pairs = table(), contrasts_with(0, 3)
    draws = product_weight_draws(outcomes, 40_000, np.random.default_rng(0))
    differences = draws[:, [1, 2]] - draws[:, [0]]
    for k, own in enumerate((1, 2)):
        for m, other in enumerate((1, 2)):
            expected = closed_form(outcomes[own] - outcomes[0], outcomes[other] - outcomes[0])
            assert (differences[:, k] * differences[:, m]).mean() == pytest.approx(expected, rel=0.05)
    assert differences.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.01)
    own = population_estimates(outcomes, pairs, draws)
    for k in (0, 1):
        theirs = stats.norm.ppf(stats.rankdata(differences[:, k]) / 40_001)
        assert own.draws[:, k] == pytest.approx(theirs, abs=1e-9)


def test_the_bootstrap_draws_both_seeds_and_rows() -> None:
    only_seeds = np.stack([np.zeros((4, 50)), np.repeat(np.arange(4.0)[:, None], 50, 1)])
    only_rows = np.stack([np.zeros((50, 4)), np.repeat(np.arange(4.0)[None], 50, 0)])
    for outcomes in (only_seeds, only_rows):
        draws = product_weight_draws(outcomes, 20_000, np.random.default_rng(0))
        assert (draws[:, 1] - draws[:, 0]).var() == pytest.approx(
            1.25 / 4 * 51 / 50, rel=0.04
        )  # σ̂² / 4, and as much again over 50


def test_chunks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product_weight_draws(table(), 3, np.random.default_rng(0)).shape == (3, 3)
    monkeypatch.setattr("kohort.statistics.population.CHUNK", 64)
    small = product_weight_draws(table(), 5_000, np.random.default_rng(0))
    monkeypatch.setattr("kohort.statistics.population.CHUNK", 5_000)
    large = product_weight_draws(table(), 5_000, np.random.default_rng(0))
    assert small.std(axis=0) == pytest.approx(large.std(axis=0), rel=0.05)
    assert np.unique(small[:, 0]).size == 5_000


def test_scale_and_shift() -> None:
    outcomes, pairs = table(), contrasts_with(0, 3)
    draws = product_weight_draws(outcomes, 500, np.random.default_rng(0))
    own = population_estimates(outcomes, pairs, draws)
    moved = population_estimates(
        3.0 * outcomes + 5.0, pairs, product_weight_draws(3.0 * outcomes + 5.0, 500, np.random.default_rng(0))
    )
    assert moved.estimate == pytest.approx(3.0 * own.estimate, rel=1e-10)
    assert moved.standard_error == pytest.approx(3.0 * own.standard_error, rel=1e-10)
    assert moved.df == pytest.approx(own.df, rel=1e-10)
    assert moved.draws == pytest.approx(own.draws, abs=0.05)  # neighbours change places in float32


def test_the_order_of_seeds_and_rows_is_nothing() -> None:
    outcomes = table()
    shuffled = outcomes[:, [3, 0, 4, 1, 2]][:, :, [6, 2, 0, 1, 5, 3, 4]]
    own = population_estimates(outcomes, ONE, np.zeros((1, 3)))
    other = population_estimates(shuffled, ONE, np.zeros((1, 3)))
    for field in ("estimate", "standard_error", "df"):
        assert getattr(own, field) == pytest.approx(getattr(other, field), rel=1e-12)


def test_recipes_that_never_differ() -> None:
    outcomes = np.random.default_rng(0).integers(0, 2, (1, 6, 100)).astype(float)
    outcomes = np.concatenate([outcomes, outcomes])
    own = population_estimates(outcomes, ONE, product_weight_draws(outcomes, 50, np.random.default_rng(0)))
    assert (own.estimate[0], own.standard_error[0], own.discordant[0], own.p()[0]) == (0.0, 0.0, 0, 1.0)
    assert not own.draws.any()
    # none of 100 rows differ: 1 − (α/2)^(1/100), the exact bound
    assert own.half_widths(0.05)[0] == pytest.approx(1 - 0.025**0.01, rel=1e-10)


def test_few_discordant_rows_are_not_taken_for_certainty() -> None:
    outcomes = np.zeros((2, 6, 100))
    outcomes[1, :, :3] = 1.0  # three rows, at every seed
    outcomes[1, 2, 1] = 0.0
    own = population_estimates(outcomes, ONE, np.zeros((1, 2)))
    assert own.discordant[0] == 3
    bound = stats.binomtest(3, 100).proportion_ci(0.95).high
    assert own.half_widths(0.05)[0] == pytest.approx(max(bound, stats.t.ppf(0.975, own.df[0]) * own.standard_error[0]))
    assert own.half_widths(0.05)[0] == pytest.approx(bound)
    assert own.p()[0] >= 0.25
    outcomes[1, 0, 50:52] = 1.0
    assert population_estimates(outcomes, ONE, np.zeros((1, 2))).discordant[0] == FEW_ROWS
    assert population_estimates(2 * outcomes, ONE, np.zeros((1, 2))).discordant[0] == FEW_ROWS  # not 0 or 1
