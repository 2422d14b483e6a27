"""Verdicts: the rule at its edges, the words as one would say them, and the numbers behind them."""

import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import (
    Interval,
    ScoreTable,
    Settlement,
    Verdict,
    holm,
    judge,
    mean_interval,
    probability_of_improvement,
    sign_flips,
)
from kohort.statistics.verdict import _kind

A = [0.9, 0.903, 0.897, 0.891, 0.895, 0.89, 0.901, 0.913, 0.895, 0.894, 0.905, 0.904]
B = [0.907, 0.902, 0.903, 0.903, 0.89, 0.892, 0.892, 0.909, 0.886, 0.898, 0.901, 0.912]
C = [0.898, 0.897, 0.868, 0.882, 0.891, 0.887, 0.882, 0.904, 0.881, 0.882, 0.912, 0.892]


def scores(*rows: list[float], **options) -> ScoreTable:
    return ScoreTable(tuple("abcdef"[: len(rows)]), tuple(range(len(rows[0]))), np.array(rows), **options)


def outcomes(seeds: int = 8, rows: int = 250, shifts: tuple[float, ...] = (0.0, 0.8, 0.1), **options) -> ScoreTable:
    rng = np.random.default_rng(21)
    latent = rng.normal(size=(1, 1, rows)) + 0.6 * rng.normal(size=(len(shifts), seeds, rows)) + 0.8
    latent += 0.3 * rng.normal(size=(len(shifts), 1, rows)) + np.array(shifts)[:, None, None]
    right = (latent > 0).astype(float)
    names = ("none", "dropout 0.3", "l2 0.01", "batchnorm")[: len(shifts)]
    return ScoreTable(names, tuple(range(seeds)), right.mean(axis=2), right, **options)


# The rule ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "seeds", "kind"),
    [
        (-0.004, 0.004, 6, "no difference that matters"),
        (0.001, 0.004, 6, "no difference that matters"),  # positive, and too small to matter
        (-0.004, -0.001, 6, "no difference that matters"),
        (0.001, 0.005, 6, "helps"),  # the ends of (−δ, δ) are not inside it
        (-0.005, -0.001, 6, "hurts"),
        (0.0, 0.02, 6, "not enough evidence"),
        (-0.02, 0.0, 6, "not enough evidence"),
        (-0.005, 0.004, 6, "not enough evidence"),
        (0.02, 0.03, 5, "no verdict"),
        (0.0, 0.0, 6, "no difference that matters"),
        (math.nan, math.nan, 6, "not enough evidence"),
    ],
)
def test_the_rule(low: float, high: float, seeds: int, kind: str) -> None:
    assert _kind(Interval((low + high) / 2, low, high, seeds), 0.005, seeds) == kind


# The words -----------------------------------------------------------------------------------------------------------

SAID = Verdict(
    recipe="dropout 0.3",
    baseline="none",
    kind="helps",
    estimand="P",
    interval=Interval(0.019, 0.012, 0.026, 20),
    seeds_interval=Interval(0.019, 0.013, 0.025, 20),
    p=0.001,
    adjusted_p=0.002,
    holm_p=0.003,
    sign_flip_p=0.004,
    effect_size=1.2,
    probability=Interval(0.9, 0.8, 1.0, 20),
    smallest_effect=0.005,
    components=None,
    settlement=None,
    seeds=20,
    rows=4_000,
)
OPEN = replace(SAID, recipe="l1 0.001", kind="not enough evidence", interval=Interval(0.003, -0.004, 0.011, 20))
SMALL = "no difference that matters"
HURTS = replace(SAID, kind="hurts", interval=Interval(-0.019, -0.026, -0.012, 7, 0.9))
ERRORS = {"metric": "mse", "in_points": False, "greater_is_better": False, "smallest_effect": 0.0312}


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (SAID, "dropout 0.3 helps: +1.9 points of test accuracy (95 % interval 1.2 to 2.6; 20 seeds, 4,000 test rows)"),
        (
            replace(SAID, recipe="batchnorm", kind=SMALL, interval=Interval(-0.001, -0.004, 0.002, 20)),
            "batchnorm: no difference that matters (−0.1, −0.4 to 0.2; half a point, or 20 rows, would)",
        ),
        (
            replace(OPEN, settlement=Settlement(None, 3_012)),
            "l1 0.001: not enough evidence (+0.3, −0.4 to 1.1); "
            "more seeds cannot settle this, about 3,000 more test rows could",
        ),
        (
            replace(OPEN, settlement=Settlement(14, 3_012)),
            "l1 0.001: not enough evidence (+0.3, −0.4 to 1.1); "
            "about 14 more seeds, or about 3,000 more test rows, could settle this",
        ),
        (
            replace(OPEN, settlement=Settlement(1, None)),
            "l1 0.001: not enough evidence (+0.3, −0.4 to 1.1); about 1 more seed could settle this",
        ),
        (
            replace(OPEN, settlement=Settlement(None, None)),
            "l1 0.001: not enough evidence (+0.3, −0.4 to 1.1); "
            "neither more seeds nor more test rows alone can settle this, both together could",
        ),
        (
            replace(OPEN, estimand="S", settlement=Settlement(None, None), rows=None),
            "l1 0.001: not enough evidence on these test rows (+0.3, −0.4 to 1.1); more seeds cannot settle this",
        ),
        (
            replace(HURTS, seeds=7, estimand="S", rows=None),
            "dropout 0.3 hurts on these test rows: −1.9 points of test accuracy (90 % interval −2.6 to −1.2; 7 seeds)",
        ),
        (
            replace(SAID, estimand="S", resplit_test=True),
            "dropout 0.3 helps: +1.9 points of test accuracy "
            "(95 % interval 1.2 to 2.6; 20 seeds, 4,000 test rows drawn for each)",
        ),
        (
            replace(SAID, kind="no verdict", seeds=4),
            "dropout 0.3: no verdict from 4 seeds, 4,000 test rows (+1.9 points, 95 % interval 1.2 to 2.6); "
            "a verdict needs 6 seeds",
        ),
        (
            replace(SAID, kind="no verdict", seeds=1, interval=Interval(0.019, math.nan, math.nan, 1)),
            "dropout 0.3: no verdict from 1 seed, 4,000 test rows (+1.9 points); a verdict needs 6 seeds",
        ),
        (
            replace(SAID, interval=Interval(1.5, 1.25, 1.75, 20), **ERRORS),
            "dropout 0.3 helps: test mse lower by 1.50 (95 % interval 1.25 to 1.75; 20 seeds, 4,000 test rows)",
        ),
        (
            replace(SAID, kind="hurts", interval=Interval(-1.5, -1.85, -1.15, 20), **ERRORS),
            "dropout 0.3 hurts: test mse higher by 1.50 (95 % interval 1.15 to 1.85; 20 seeds, 4,000 test rows)",
        ),
        (
            replace(SAID, kind="no difference that matters", interval=Interval(0.001, -0.02, 0.022, 20), **ERRORS),
            "dropout 0.3: no difference that matters (improvement in mse +0.001, −0.020 to 0.022; 0.0312 would)",
        ),
        (
            replace(OPEN, interval=Interval(-12.0, -1_400.0, 1_376.0, 20), settlement=Settlement(3, None), **ERRORS),
            "l1 0.001: not enough evidence (improvement in mse −12, −1,400 to 1,376); "
            "about 3 more seeds could settle this",
        ),
        (
            replace(SAID, interval=Interval(0.00061, 0.00052, 0.0007, 20), smallest_effect=0.5),
            "dropout 0.3 helps: +0.061 points of test accuracy "
            "(95 % interval 0.052 to 0.070; 20 seeds, 4,000 test rows)",
        ),
        (
            replace(
                SAID,
                kind="no difference that matters",
                interval=Interval(0.0, 0.0, 0.0, 20),
                smallest_effect=0.01,
                rows=60,
                metric="balanced_accuracy",
            ),
            "dropout 0.3: no difference that matters (0.0, 0.0 to 0.0; 1 point, or 1 row, would)",
        ),
        (
            replace(SAID, kind=SMALL, interval=Interval(0.0, 0.0, 0.0, 20), **ERRORS),
            "dropout 0.3: no difference that matters (improvement in mse 0.000, 0.000 to 0.000; 0.0312 would)",
        ),
        (
            replace(SAID, kind=SMALL, interval=Interval(0.0026, -0.0003, 0.0053, 20)),
            "dropout 0.3: no difference that matters (+0.3, 0.0 to 0.5; half a point, or 20 rows, would)",
        ),
        (
            replace(SAID, interval=Interval(0.0031, 0.00065, 0.00555, 20)),
            "dropout 0.3 helps: +0.31 points of test accuracy (95 % interval 0.07 to 0.56; 20 seeds, 4,000 test rows)",
        ),
        (
            replace(SAID, interval=Interval(0.00306, 0.00304, 0.00308, 20)),
            "dropout 0.3 helps: +0.306 points of test accuracy "
            "(95 % interval 0.304 to 0.308; 20 seeds, 4,000 test rows)",
        ),
        (
            replace(SAID, kind=SMALL, smallest_effect=0.0075, rows=None),
            "dropout 0.3: no difference that matters (+1.9, 1.2 to 2.6; 0.75 points would)",
        ),
        (
            replace(SAID, metric="balanced_accuracy", rows=None),
            "dropout 0.3 helps: +1.9 points of test balanced accuracy (95 % interval 1.2 to 2.6; 20 seeds)",
        ),
    ],
)  # fmt: skip
def test_words(verdict: Verdict, words: str) -> None:
    assert verdict.words() == words
    assert str(verdict) == words


def test_the_smallest_effect_in_rows() -> None:
    assert SAID.smallest_effect_rows == 20
    assert replace(SAID, rows=114).smallest_effect_rows == 1
    assert replace(SAID, rows=40).smallest_effect_rows == 1
    assert replace(SAID, rows=460).smallest_effect_rows == 2
    assert replace(SAID, rows=None).smallest_effect_rows is None
    assert replace(SAID, in_points=False).smallest_effect_rows is None


@pytest.mark.parametrize(
    "record",
    [
        SAID,
        SAID.interval,
        Settlement(1, 2),
        judge(scores(A, B), "a", resamples=100, level=0.05),  # the least that is allowed
        judge(scores(A, B), "a").ranks[0],
    ],
)
def test_records_do_not_change(record: object) -> None:
    name = next(iter(vars(record)))
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, None)


def test_what_is_settled() -> None:
    settled = {kind: replace(SAID, kind=kind).settled for kind in ("helps", "hurts", "no difference that matters")}
    assert all(settled.values())
    assert not OPEN.settled
    assert not replace(SAID, kind="no verdict").settled
    assert SAID.estimate == 0.019


# The numbers ---------------------------------------------------------------------------------------------------------


def test_one_comparison_without_rows_is_the_paired_t_test() -> None:
    own = judge(scores(A, B), "a", smallest_effect=0.003)["b"]
    theirs = stats.ttest_rel(B, A)
    interval = theirs.confidence_interval(0.95)
    assert (own.interval.low, own.interval.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert own.interval == own.seeds_interval
    assert own.p == own.holm_p == pytest.approx(theirs.pvalue, rel=1e-10)
    # autorank 1.3.0, autorank(DataFrame(a, b)): its omnibus "ttest" is the paired one
    assert own.p == pytest.approx(0.7761566689101487, abs=1e-10)
    assert own.adjusted_p == own.sign_flip_p == sign_flips(np.array([B]) - A, 0, np.random.default_rng()).p[0]
    assert (own.estimand, own.components, own.rows) == ("S", None, None)
    assert own.kind == "not enough evidence"


def test_autoranks_intervals_are_ours_at_its_level() -> None:
    # autorank 1.3.0, rankdf.ci_lower and ci_upper for two populations: level 1 − 0.05 / 2 each
    for values, low, high in ((A, 0.894035, 0.903965), (B, 0.893515, 0.905652)):
        own = mean_interval(values, 0.975)
        assert (own.low, own.high) == pytest.approx((low, high), abs=5e-7)  # as many digits as were printed


def test_resplit_rows_are_baycomps_correlated_t_test() -> None:
    # baycomp 1.0.3, CorrelatedTTest(B, A, runs=1): n = 12, n_test / n_train = 1 / 11
    own = judge(scores(A, B, train_rows=1_100, test_rows=100), "b", resplit_test=True)["a"]
    mean, var, right, left = -0.0005833333333333338, 8.378156565656581e-06, 0.4219807668739939, 0.5780192331260061
    assert own.estimate == pytest.approx(mean, abs=1e-15)
    half = stats.t.ppf(0.975, 11) * math.sqrt(var)
    assert own.interval.high - own.estimate == pytest.approx(half, abs=1e-10)
    assert own.p == pytest.approx(2 * min(left, right), abs=1e-10)
    assert math.isnan(own.sign_flip_p)
    assert own.resplit_test


def test_resplit_families_are_adjusted_and_rows_are_not_looked_at() -> None:
    own = judge(outcomes(train_rows=1_000), "none", resplit_test=True)
    assert own.estimand == "S"
    assert all(v.components is None for v in own.verdicts)
    assert all(v.p <= v.adjusted_p <= 1 for v in own.verdicts)
    with pytest.raises(ValueError, match="train_rows and test_rows"):
        judge(outcomes(), "none", resplit_test=True)
    with pytest.raises(ValueError, match="train_rows=10, test_rows=None"):
        judge(scores(A, B, train_rows=10), "a", resplit_test=True)


def test_one_comparison_with_rows_by_hand() -> None:
    table = outcomes(shifts=(0.0, 0.8))
    own = judge(table, "none", level=0.9)["dropout 0.3"]
    assert table.rows is not None
    d = table.rows[1] - table.rows[0]
    seeds, rows = d.shape
    by_seed = rows * d.mean(axis=1).var(ddof=1)
    by_row = seeds * d.mean(axis=0).var(ddof=1)
    rest = ((d - d.mean(1)[:, None] - d.mean(0) + d.mean()) ** 2).sum() / ((seeds - 1) * (rows - 1))
    assert by_seed < rest < by_row
    df = by_row**2 / (by_seed**2 / (seeds - 1) + by_row**2 / (rows - 1) + rest**2 / ((seeds - 1) * (rows - 1)))
    half = stats.t.ppf(0.95, df) * math.sqrt(by_row / (seeds * rows))
    assert own.interval.high == pytest.approx(d.mean() + half, abs=1e-12)
    assert own.interval.low == pytest.approx(d.mean() - half, abs=1e-12)
    assert own.components is not None
    assert own.components.seed == pytest.approx((by_seed - rest) / rows)
    assert own.components.row == pytest.approx((by_row - rest) / seeds)
    assert own.components.interaction == pytest.approx(rest)
    assert own.p == pytest.approx(2 * stats.t.sf(d.mean() / math.sqrt(by_row / (seeds * rows)), df), rel=1e-9)
    assert own.p == own.adjusted_p == own.holm_p
    over_seeds = mean_interval(d.mean(axis=1), 0.9)
    assert own.seeds_interval.low == pytest.approx(over_seeds.low, abs=1e-12)
    assert own.seeds_interval.high == pytest.approx(over_seeds.high, abs=1e-12)
    assert (own.kind, own.estimand, own.rows, own.seeds) == ("helps", "P", 250, 8)
    assert own.probability == probability_of_improvement(table.scores[1], table.scores[0], 0.9)


def test_a_family_is_wider_and_its_p_larger() -> None:
    table = outcomes()
    alone = judge(ScoreTable(table.recipes[:2], table.seeds, table.scores[:2], table.rows[:2]), "none")  # type: ignore[index]
    family = judge(table, "none")
    one, two = alone["dropout 0.3"], family["dropout 0.3"]
    assert one.estimate == pytest.approx(two.estimate, abs=1e-12)
    assert one.p == pytest.approx(two.p, rel=1e-9)
    assert two.interval.high > one.interval.high
    assert two.seeds_interval.high > one.seeds_interval.high
    assert two.adjusted_p > two.p
    assert [v.holm_p for v in family.verdicts] == pytest.approx(holm(np.array([v.p for v in family.verdicts])))
    # never wider than Bonferroni but for the noise of 10,000 resamples
    assert one.components is not None
    df = one.components.df(8, 250)
    widest = stats.t.ppf(1 - 0.025 / 2, df) / stats.t.ppf(0.975, df) * (one.interval.high - one.estimate)
    assert two.interval.high - two.estimate < 1.01 * widest


def test_swapping_the_labels_flips_the_sign() -> None:
    table = outcomes(shifts=(0.0, 0.8))
    there, back = judge(table, "none")["dropout 0.3"], judge(table, "dropout 0.3")["none"]
    assert (back.interval.low, back.interval.high) == pytest.approx(
        (-there.interval.high, -there.interval.low), abs=1e-12
    )
    assert back.effect_size == pytest.approx(-there.effect_size)
    assert back.probability.mean == pytest.approx(1 - there.probability.mean)
    assert (there.kind, back.kind) == ("helps", "hurts")


def test_lower_is_better_turns_everything() -> None:
    table = outcomes()
    assert table.rows is not None
    right = judge(table, "none", smallest_effect=0.005)
    wrong = judge(
        ScoreTable(table.recipes, table.seeds, 1 - table.scores, 1 - table.rows, "error", greater_is_better=False),
        "none",
        smallest_effect=0.005,
    )
    for one, two in zip(right.verdicts, wrong.verdicts, strict=True):
        assert two.interval.low == pytest.approx(one.interval.low, abs=1e-5)  # float32 in the draws
        assert two.estimate == pytest.approx(one.estimate, abs=1e-12)
        assert (two.kind, two.in_points) == (one.kind, False)
        assert two.sign_flip_p == pytest.approx(one.sign_flip_p)
        assert two.probability.mean == pytest.approx(one.probability.mean)
    assert [(r.best, r.worst) for r in right.ranks] == [(r.best, r.worst) for r in wrong.ranks]
    assert right.ranks[1].best == right.ranks[1].worst == 1
    swapped = judge(replace(table, metric="error", greater_is_better=False), "none")
    assert swapped["dropout 0.3"].kind == "hurts"
    assert swapped.ranks[1].best == swapped.ranks[1].worst == 3


def test_scale_and_shift_change_units_only() -> None:
    table = outcomes()
    assert table.rows is not None
    own = judge(table, "none", smallest_effect=0.01)
    moved = judge(
        ScoreTable(table.recipes, table.seeds, 10 * table.scores + 3, 10 * table.rows + 3), "none", smallest_effect=0.1
    )
    for one, two in zip(own.verdicts, moved.verdicts, strict=True):
        assert two.estimate == pytest.approx(10 * one.estimate, rel=1e-9)
        assert two.interval.high == pytest.approx(10 * one.interval.high, rel=1e-4)
        assert two.seeds_interval.high == pytest.approx(10 * one.seeds_interval.high, rel=1e-9)
        assert (two.kind, two.effect_size) == (one.kind, pytest.approx(one.effect_size))


def test_the_order_of_seeds_and_rows_changes_no_estimate() -> None:
    table = outcomes(shifts=(0.0, 0.8))
    assert table.rows is not None
    order, rows = [3, 1, 7, 0, 2, 6, 5, 4], np.random.default_rng(0).permutation(250)
    mixed = ScoreTable(table.recipes, tuple(order), table.scores[:, order], table.rows[:, order][:, :, rows])
    one, two = judge(table, "none")["dropout 0.3"], judge(mixed, "none")["dropout 0.3"]
    assert one.interval.low == pytest.approx(two.interval.low, abs=1e-12)
    assert one.adjusted_p == pytest.approx(two.adjusted_p, rel=1e-9)
    assert one.sign_flip_p == two.sign_flip_p


def test_the_same_table_gives_the_same_verdicts() -> None:
    assert judge(outcomes(), "none") == judge(outcomes(), "none")
    assert judge(outcomes(), "none") != judge(outcomes(), "none", seed=1)


def test_the_smallest_effect_has_a_default_with_a_reason() -> None:
    assert judge(outcomes(), "none").smallest_effect == 0.005
    errors = judge(scores([2.0] * 6, [3.0, 2.0] * 3, metric="mse", greater_is_better=False), "a")
    assert errors.smallest_effect == pytest.approx(0.02)
    assert judge(scores([2.0] * 6, [3.0, 2.0] * 3), "b").smallest_effect == pytest.approx(0.025)
    with pytest.raises(ValueError, match="smallest_effect=…"):
        judge(scores([0.0] * 6, [3.0, 2.0] * 3, greater_is_better=False), "a")


def test_a_metric_that_is_no_mean_is_judged_by_its_scores() -> None:
    table = outcomes()
    assert table.rows is not None
    moved = judge(ScoreTable(table.recipes, table.seeds, table.scores * 0.9, table.rows, "auc"), "none")
    d = table.scores[1].mean() - table.scores[0].mean()
    assert moved["dropout 0.3"].estimate == pytest.approx(0.9 * d, abs=1e-12)


def test_few_seeds_have_numbers_and_no_verdict() -> None:
    five, one = judge(outcomes(seeds=5), "none"), judge(outcomes(seeds=1), "none")
    assert {v.kind for v in five.verdicts + one.verdicts} == {"no verdict"}
    assert five.ranks == one.ranks == ()
    assert five["dropout 0.3"].interval.low > 0
    assert five["dropout 0.3"].settlement is None
    assert math.isnan(one["dropout 0.3"].interval.low)
    assert str(one).count("no verdict from 1 seed") == 2
    assert judge(outcomes(seeds=6), "none")["dropout 0.3"].kind == "helps"
    assert len(judge(outcomes(seeds=6), "none").ranks) == 3


def test_what_is_open_says_what_would_settle_it() -> None:
    table = outcomes()
    own = judge(table, "none", smallest_effect=0.03)
    open_ = own["l2 0.01"]
    assert open_.kind == "not enough evidence"
    assert open_.settlement is not None
    more = open_.settlement.seeds
    assert more is not None
    parts = open_.components
    assert parts is not None
    half_now = open_.interval.high - open_.estimate
    critical = half_now / math.sqrt(parts.variance(8, 250))
    alpha = 2 * stats.t.sf(critical, parts.df(8, 250))

    def predicted(n: int) -> float:
        return float(stats.t.ppf(1 - alpha / 2, parts.df(n, 250)) * math.sqrt(parts.variance(n, 250)))

    assert predicted(8 + more) < 0.03 - abs(open_.estimate) <= predicted(7 + more)
    without = judge(scores(A, B), "a", smallest_effect=0.003)["b"]
    assert without.settlement is not None
    assert without.settlement.rows is None
    more = without.settlement.seeds
    assert more is not None
    s = np.std(np.array(B) - A, ddof=1)

    def half(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1) * s / math.sqrt(n))

    assert half(12 + more) < 0.003 - abs(without.estimate) <= half(11 + more)


def test_verdicts_are_found_by_recipe() -> None:
    own = judge(scores(A, B, C), "b")
    assert [v.recipe for v in own.verdicts] == ["a", "c"]
    assert own["c"].estimate == pytest.approx(np.mean(C) - np.mean(B))
    assert str(own) == "\n".join(v.words() for v in own.verdicts)
    with pytest.raises(KeyError, match="no verdict on 'b'; there are verdicts on a, c"):
        own["b"]
    assert (own.baseline, own.level, own.seeds, own.rows, own.metric, own.looks) == (
        "b",
        0.95,
        12,
        None,
        "accuracy",
        None,
    )


def test_recipes_that_do_the_same_make_no_difference() -> None:
    table = outcomes(rows=2_000, shifts=(0.0, 0.0, 0.5))
    assert table.rows is not None
    rows = table.rows.copy()
    rows[1] = rows[0]
    own = judge(ScoreTable(table.recipes, table.seeds, rows.mean(axis=2), rows), "none")["dropout 0.3"]
    assert own.estimate == 0.0
    assert own.kind == "no difference that matters"
    assert own.interval.high > 0.001  # none of 2,000 rows is not none of all
    assert own.adjusted_p == own.sign_flip_p == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "x"}, "must be one of a, b. Got 'x'"),
        ({"smallest_effect": 0.0}, "above 0, in units of the score. Got 0.0"),
        ({"smallest_effect": math.nan}, "Got nan"),
        ({"level": 1.0}, "in (0, 1). Got 1.0"),
        ({"level": 0.0}, "in (0, 1). Got 0.0"),
        ({"resamples": 99}, "100 or more"),
    ],
)
def test_options_outside_their_domain_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        judge(scores(A, B), options.pop("baseline", "a"), **options)
    assert message in str(refused.value)


def test_a_baseline_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="besides the baseline. Got 'a' alone"):
        judge(scores(A), "a")


def test_a_resplit_has_no_looks() -> None:
    from kohort.statistics import Looks

    with pytest.raises(ValueError, match="leave one of the two out"):
        judge(outcomes(seeds=6, train_rows=100), "none", resplit_test=True, looks=Looks.upto(40))
