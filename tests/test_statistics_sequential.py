"""Looking several times: joint normal boundaries by SciPy, the confidence sequence by numerical integration."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from scipy.stats import multivariate_normal

from kohort.statistics import Components, Decision, Looks, ScoreTable, confidence_sequence, judge, next_round
from kohort.statistics.estimates import FEW_ROWS, Estimates
from kohort.statistics.population import mean_squares
from kohort.statistics.power import Settlement, settlement, settling_seeds
from kohort.statistics.spending import LookDraws, look_draws
from kohort.statistics.verdict import _information, _nominal_at_look

X = np.array([0.3, 1.4, 0.9, -0.2, 1.1, 0.8, 0.5, 1.9])


def test_a_schedule_ends_with_its_budget() -> None:
    assert Looks.upto(40).seeds == (6, 10, 20, 40)
    assert Looks.upto(25).seeds == (6, 10, 20, 25)
    assert Looks.upto(100).seeds == (6, 10, 20, 40, 80, 100)
    assert Looks.upto(6).seeds == (6,)


def test_what_is_spent_is_the_squared_share_of_the_budget() -> None:
    looks = Looks((6, 10, 40))
    assert [looks.spent(0.04, look) for look in (-1, 0, 1, 2)] == pytest.approx([0.0, 0.0009, 0.0025, 0.04])


def test_looks_are_taken_in_turn() -> None:
    looks = Looks((6, 10))
    assert looks.now == 6
    looks = looks.taken(0.01)
    assert (looks.now, looks.nominal) == (10, (0.01,))
    with pytest.raises(ValueError, match="last look, at 10 seeds, has been taken"):
        _ = looks.taken(0.02).now


def test_two_seeds_are_the_fewest_to_look_at() -> None:
    assert Looks((2, 3)).now == 2
    assert hash(Looks((2, 3))) == hash(Looks((2, 3)))  # frozen


@pytest.mark.parametrize("seeds", [(), (1, 5), (6, 6), (10, 6)])
def test_a_schedule_that_is_none_is_refused(seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="increasing"):
        Looks(seeds)


def test_boundaries_are_those_of_the_joint_normal_law() -> None:
    draws = np.random.default_rng(0).standard_normal((40_000, 1))
    normal = Estimates(np.zeros(1), np.ones(1), np.full(1, 1e9), draws, np.full(1, FEW_ROWS))
    looks = Looks((10, 40), (0.0125,))
    information, df = np.array([[0.01], [0.03]]), np.full((2, 1), 1e9)
    seen = look_draws(looks, normal, information, df, np.random.default_rng(1))
    first = stats.norm.ppf(1 - 0.0125 / 2)
    law: Any = multivariate_normal([0, 0], np.array([[1, 3**-0.5], [3**-0.5, 1]]))  # type: ignore[arg-type]

    def late(c: float) -> float:  # the first look stays inside, the second leaves
        inside = law.cdf([first, c], lower_limit=[-first, -c])
        return float(1 - 0.0125 - inside)

    c: Any = optimize.brentq(lambda c: late(c) - 0.0375, 1.5, 4.0)
    assert float(np.quantile(seen.smallest, 0.0375)) == pytest.approx(2 * stats.norm.sf(c), rel=0.04)
    assert seen.before == pytest.approx(0.0125, abs=0.001)


def table(seeds: int, effect: float, rows: int = 300, recipes: int = 3, of: int = 40) -> ScoreTable:
    rng = np.random.default_rng(9)
    shift = np.array([0.0, effect, 0.0][:recipes])[:, None, None]
    y = (rng.normal(size=(1, 1, rows)) + 0.7 * rng.normal(size=(recipes, of, rows)) + 1 + shift > 0).astype(float)
    y = y[:, :seeds]
    return ScoreTable(("none", "a", "b")[:recipes], tuple(range(seeds)), y.mean(axis=2), y)


def test_looks_widen_the_interval_and_are_recorded() -> None:
    plain = judge(table(6, 0.5), "none", resamples=2_000)
    first = judge(table(6, 0.5), "none", looks=Looks.upto(40))
    assert first.looks is not None
    assert len(first.looks.nominal) == 1
    assert first["a"].interval.high > plain["a"].interval.high
    assert first["a"].adjusted_p >= plain["a"].adjusted_p - 1e-3
    # the first look spends (6/40)² of 5 %, of two comparisons
    assert 0.001125 / 2 * 0.4 < first.looks.nominal[0] < 0.001125 * 1.2
    second = judge(table(10, 0.5), "none", resamples=2_000, looks=first.looks)
    assert second.looks is not None
    assert second.looks.nominal[0] == first.looks.nominal[0]
    assert len(second.looks.nominal) == 2
    assert second.looks.now == 20


def test_a_single_comparison_spends_its_first_share_exactly() -> None:
    own = judge(table(6, 0.5, recipes=2), "none", resamples=500, looks=Looks.upto(40))
    assert own.looks is not None
    assert own.looks.nominal == pytest.approx((0.001125,), rel=1e-12)
    each = confidence_sequence(table(6, 0.5, recipes=2).scores[1] - table(6, 0.5, recipes=2).scores[0], 0.95)
    assert own["a"].seeds_interval == each


def test_adjusted_p_after_looks_counts_what_was_spent() -> None:
    looks = Looks((6, 10), (0.02,))
    own = judge(table(10, 3.0), "none", resamples=2_000, looks=looks)
    assert own["a"].adjusted_p == pytest.approx(0.035, abs=0.02)  # about two comparisons at 0.02 had been called before
    assert own["a"].adjusted_p > 0.01


def test_a_look_spends_what_is_due() -> None:
    smallest = np.arange(1, 1_000) / 1_000
    seen = LookDraws(np.random.default_rng(0).permutation(smallest), 0.0)
    first, second = Looks((10, 20)), Looks((10, 20), (0.01,))
    assert _nominal_at_look(first, seen, 0.2, 3) == pytest.approx(0.05, abs=1e-12)
    assert _nominal_at_look(first, seen, 0.2, 1) == pytest.approx(0.05, abs=1e-12)
    assert _nominal_at_look(second, seen, 0.2, 3) == pytest.approx(0.15, abs=1e-12)
    assert _nominal_at_look(second, LookDraws(smallest / 2, 0.0), 0.2, 1) == pytest.approx(0.075, abs=1e-12)


def test_without_rows_information_grows_with_seeds() -> None:
    draws = np.zeros((1, 2))
    own = Estimates(np.zeros(2), np.ones(2), np.ones(2), draws, np.full(2, FEW_ROWS))
    information, df = _information(Looks((6, 10, 20), (0.1,)), None, own, np.array([[1, 0], [2, 0]]))
    assert information.tolist() == [[6.0, 6.0], [10.0, 10.0]]
    assert df.tolist() == [[5.0, 5.0], [9.0, 9.0]]


def test_with_rows_information_is_one_over_the_variance_at_each_look() -> None:
    given = table(10, 0.5)
    assert given.rows is not None
    rows = given.rows.copy()
    rows[2] = rows[0]
    squares = mean_squares(rows)
    contrasts = np.array([[1, 0], [2, 0]])
    own = Estimates(np.zeros(2), np.ones(2), np.ones(2), np.zeros((1, 2)), np.full(2, FEW_ROWS))
    information, df = _information(Looks((6, 10, 20), (0.1,)), squares, own, contrasts)
    seed, row, rest = (float(part[0]) for part in squares.components(contrasts))
    parts = Components(seed, row, rest)
    for look, seeds in enumerate((6, 10)):
        assert information[look, 0] == pytest.approx(1 / parts.variance(seeds, 300))
        assert df[look, 0] == pytest.approx(parts.df(seeds, 300))
    assert information[:, 1].tolist() == [6.0, 10.0]  # equal recipes: no variance, and nothing to find


def test_equal_recipes_can_be_looked_at() -> None:
    given = table(6, 0.5)
    assert given.rows is not None
    rows = given.rows.copy()
    rows[2] = rows[0]
    own = judge(ScoreTable(given.recipes, given.seeds, rows.mean(axis=2), rows), "none", looks=Looks.upto(40))
    assert own["b"].adjusted_p == pytest.approx(1.0)
    assert own["b"].estimate == 0.0


def test_adjusted_p_of_no_difference_is_not_small() -> None:
    own = judge(table(10, 0.0), "none", resamples=2_000, looks=Looks((6, 10), (0.02,)))
    for verdict in own.verdicts:
        assert verdict.adjusted_p > max(verdict.p * 0.9, 0.03)
    first = judge(table(6, 0.0), "none", resamples=2_000, looks=Looks((6, 10)))
    plain = judge(table(6, 0.0), "none", resamples=2_000)
    for one, two in zip(first.verdicts, plain.verdicts, strict=True):
        assert one.adjusted_p == pytest.approx(two.adjusted_p, abs=0.03)  # nothing was looked at before


def test_confidence_sequences_are_a_family_by_bonferroni() -> None:
    given = table(6, 0.5)
    own = judge(given, "none", resamples=500, looks=Looks.upto(40))
    for index, name in ((1, "a"), (2, "b")):
        assert own[name].seeds_interval == confidence_sequence(given.scores[index] - given.scores[0], 0.975)


def test_scores_without_rows_can_be_looked_at_too() -> None:
    given = table(6, 0.5)
    own = judge(ScoreTable(given.recipes, given.seeds, given.scores), "none", looks=Looks((6, 12)))
    assert own.looks is not None
    assert own.looks.nominal[0] == pytest.approx(0.0125 / 2, rel=0.25)


def test_a_look_with_another_number_of_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="look that is due has 6 seeds. Got a table with 7"):
        judge(table(7, 0.5), "none", looks=Looks.upto(40))


def test_rounds_go_on_until_settled() -> None:
    large = judge(table(6, 3.0, 2_000, recipes=2), "none", looks=Looks.upto(40), resamples=500)
    assert next_round(large) == Decision(None, "every verdict is settled with 6 seeds")
    open_ = judge(table(6, 0.03, 2_000, recipes=2), "none", looks=Looks.upto(40), resamples=500)
    assert next_round(open_) == Decision(10, "a open after 6 seeds")


def test_rounds_end_with_the_budget_or_without_hope() -> None:
    last = judge(table(6, 0.03, 2_000), "none", looks=Looks((6,)), resamples=500)
    assert next_round(last) == Decision(None, "the budget of 6 seeds has ended, a, b open")
    rng = np.random.default_rng(1)
    rows = (rng.normal(size=(2, 1, 60)) + 0.3 * rng.normal(size=(2, 6, 60)) > -0.5).astype(float)
    few = ScoreTable(("none", "a"), tuple(range(6)), rows.mean(axis=2), rows)
    hopeless = judge(few, "none", looks=Looks.upto(40), resamples=500)
    assert next_round(hopeless) == Decision(None, "more seeds cannot settle a")


def test_verdicts_of_a_single_look_know_no_rounds() -> None:
    with pytest.raises(ValueError, match="looks=Looks.upto"):
        next_round(judge(table(6, 0.5), "none", resamples=500))


@pytest.mark.parametrize(("c", "level"), [(1.0, 0.95), (0.5, 0.9)])
def test_the_confidence_sequence_ends_where_the_likelihood_ratio_is_one_over_alpha(c: float, level: float) -> None:
    n = len(X)
    own = confidence_sequence(X, level, c=c)
    assert own.mean == pytest.approx(X.mean(), abs=1e-15)
    for end in (own.low, own.high):
        t = (X.mean() - end) / (X.std(ddof=1) / math.sqrt(n))

        def mixed(effect: float, t: float = t) -> float:
            return float(stats.nct.pdf(t, n - 1, math.sqrt(n) * effect) * stats.norm.pdf(effect, scale=1 / c))

        ratio = integrate.quad(mixed, -12, 12, limit=400)[0] / stats.t.pdf(t, n - 1)
        assert ratio == pytest.approx(1 / (1 - level), rel=1e-5)


def test_few_values_leave_the_whole_line() -> None:
    assert confidence_sequence(X[:2], 0.95).high == math.inf
    assert confidence_sequence(X[:1], 0.5).low == -math.inf
    assert confidence_sequence(X, 0.95).n == 8
    assert confidence_sequence(X) == confidence_sequence(X, 0.95, c=1.0)


def test_it_holds_at_every_number_of_seeds() -> None:
    drawn = np.random.default_rng(2).normal(1.0, 2.0, (800, 60))
    missed = 0
    for x in drawn:
        ends = [confidence_sequence(x[:n], 0.9) for n in range(2, 61)]
        missed += any(not end.low <= 1.0 <= end.high for end in ends)
    assert 0.01 < missed / 800 < 0.1  # α = 0.1 over all n without end


@pytest.mark.parametrize("with_rows", [True, False])
def test_a_forecast_is_made_at_the_level_of_the_last_look(with_rows: bool) -> None:
    """The first of four looks errs with 0.1 %: at that level nothing seems within reach, at the last look's it is."""
    draw = np.random.default_rng(4)
    rate = np.array([0.80, 0.83])[:, None, None] + 0.02 * draw.normal(size=(2, 6, 1))
    rows = (draw.random((2, 6, 250)) < rate).astype(float)
    table = ScoreTable(("none", "a"), tuple(range(6)), rows.mean(axis=2), rows if with_rows else None)
    looks = Looks((6, 10, 20, 40))
    assert looks.left_for_last(0.05) == pytest.approx(0.05 * (1 - 0.25))
    assert Looks((6,)).left_for_last(0.05) == 0.05
    verdict = judge(table, "none", looks=looks, resamples=500)["a"]
    assert verdict.kind == "not enough evidence"
    if with_rows:
        assert verdict.components is not None
        expected = settlement(verdict.estimate, 0.005, verdict.components, 6, 250, 0.0375)
    else:
        spread = float((table.scores[1] - table.scores[0]).var(ddof=1))
        expected = Settlement(settling_seeds(verdict.estimate, 0.005, spread, 6, 0.0375), None)
    assert verdict.settlement == expected
    assert expected.seeds is not None
    single = judge(table, "none", resamples=500)["a"].settlement
    assert single is not None
    assert single != expected  # at 5 % rather than what is left for the last look
