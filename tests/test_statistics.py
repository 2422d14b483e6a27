"""The oracle is SciPy, or arithmetic by hand, on numbers for which the plausible mistakes differ."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.run import Evaluation, Outcome, Run
from kohort.statistics import compare, mean_interval, paired_difference, share_interval

VALUES = [0.91, 0.93, 0.97, 0.90]


def test_the_interval_is_students() -> None:
    ours = mean_interval(VALUES)
    theirs = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.mean == pytest.approx(0.9275, abs=1e-15)
    assert ours.n == 4


def test_the_level_is_heeded() -> None:
    wide, narrow = mean_interval(VALUES, 0.99), mean_interval(VALUES, 0.5)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    theirs = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.99)
    assert wide.high == pytest.approx(theirs.high, abs=1e-12)


def test_one_value_has_a_mean_and_no_interval() -> None:
    alone = mean_interval([0.5])
    assert alone.mean == 0.5
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_the_interval_of_a_share_is_exact_and_within_0_and_1() -> None:
    ours = share_interval([1.0] * 118 + [0.0] * 3)
    low, high = stats.beta.ppf([0.025, 0.975], [118, 119], [4, 3])  # Clopper & Pearson by the beta distribution
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)
    assert (ours.mean, ours.n) == (118 / 121, 121)
    assert share_interval([1.0, 1.0]).high == 1.0
    with pytest.raises(ValueError, match="values must be 0 or 1. Got 0.5"):
        share_interval([1.0, 0.5])


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        ([], 0.95, "at least one"),
        ([1.0, float("nan")], 0.95, "finite. Got nan among 2"),
        ([1.0], 1.0, "level must be in"),
        ([[1.0]], 0.95, r"Got shape \[1, 1\]"),
    ],
)
def test_what_has_no_mean_is_refused(values: list[float], level: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_interval(values, level)


def test_differences_are_paired_by_seed_and_signed() -> None:
    scores, baseline = {0: 0.9, 1: 0.8, 2: 0.7}, {2: 0.6, 1: 0.5, 0: 0.4, 9: 0.0}
    gap = paired_difference(scores, baseline)
    assert gap is not None
    theirs = stats.ttest_rel([0.9, 0.8, 0.7], [0.4, 0.5, 0.6]).confidence_interval(0.95)
    assert gap.mean == pytest.approx(0.3, abs=1e-15)
    assert (gap.low, gap.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_no_seed_in_common_is_no_difference() -> None:
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def run(recipe: str, seed: int, right: int, val: list[float], train: list[float], diverged: bool = False) -> Run:
    correct = (np.arange(100) < right).astype(np.float32)
    history = {"accuracy": train, "val_accuracy": val}
    return Run(
        recipe, seed, history, Outcome(0 if diverged else None), (), {}, test=Evaluation(np.arange(100), correct)
    )


def runs() -> dict[tuple[str, int], Run]:
    made = [
        run("none", 5, 90, [0.2, 0.8, 0.7], [0.5, 0.9]),
        run("none", 6, 92, [0.1, 0.6, 0.9], [0.5, 0.8]),
        run("l2", 5, 93, [0.3, 0.85, 0.1], [0.4, 0.6]),
        run("l2", 6, 97, [0.4, float("nan"), 0.3], [0.4, 0.7], diverged=True),
    ]
    return {(r.recipe, r.seed): r for r in made if r.seed is not None}


def test_a_comparison_by_hand() -> None:
    comparison = compare(runs(), "none")
    none, l2 = comparison.recipes
    assert comparison.test_rows == 100
    assert (none.test, l2.test) == ((0.90, 0.92), (0.93, 0.97))
    assert none.verdict is None
    assert l2.verdict is not None
    assert l2.verdict.interval.mean == pytest.approx(0.04, abs=1e-7)  # outcomes are float32
    assert l2.verdict.kind == "no verdict"  # two seeds
    assert none.test_mean.mean == pytest.approx(0.91, abs=1e-12)
    assert l2.test_spread == pytest.approx(0.04 / math.sqrt(2), abs=1e-12)
    assert (none.best_validation, l2.best_validation) == ((0.8, 0.9), (0.85, 0.4))
    assert (none.train, l2.train) == ((0.9, 0.8), (0.6, 0.7))
    assert (none.diverged, l2.diverged) == (0, 1)
    assert comparison.naive_pick.recipe == "l2"  # by the first seed alone
    assert comparison.best.recipe == "l2"
    assert none.optimism is not None
    assert none.optimism.mean == pytest.approx(((0.8 - 0.90) + (0.9 - 0.92)) / 2, abs=1e-7)
    assert comparison.regret is None  # seeds are too few to be halved
    assert (comparison.metric, comparison.in_points, comparison.unjudged) == ("accuracy", True, ())


def lower_is_better() -> dict[tuple[str, int], Run]:
    draw = np.random.default_rng(3)
    made = {}
    for recipe, shift in (("none", 0.0), ("l2", -0.4), ("huge", 0.5)):
        for seed in range(8):
            test = Evaluation(
                np.arange(50), (4.0 + shift + 0.1 * draw.normal(size=50)).astype(np.float32), "mse", False
            )
            history = {"mse": [9.0, 3.0], "val_mse": [3.5 + shift + seed, 3.9 + shift + seed]}
            made[recipe, seed] = Run(recipe, seed, history, Outcome(), (), {}, test=test)
    return made


def test_where_lower_is_better_an_improvement_is_positive() -> None:
    comparison = compare(lower_is_better(), "none")
    none, l2, huge = comparison.recipes
    assert l2.verdict is not None
    assert huge.verdict is not None
    assert (l2.verdict.kind, huge.verdict.kind) == ("helps", "hurts")
    assert l2.verdict.interval.mean == pytest.approx(0.4, abs=0.05)
    assert comparison.best.recipe == "l2"
    assert comparison.naive_pick.recipe == "l2"
    assert not comparison.in_points
    assert none.best_validation == tuple(3.5 + seed for seed in range(8))
    assert none.optimism is not None
    assert none.optimism.mean == pytest.approx(np.mean(none.test) - np.mean(none.best_validation), abs=1e-6)
    assert none.train == (3.0,) * 8
    assert comparison.regret is not None
    assert comparison.regret.picks == {"none": 0, "l2": 8, "huge": 0}


def test_the_smallest_effect_is_heeded() -> None:
    comparison = compare(lower_is_better(), "none", smallest_effect=2.0)
    assert [v.kind for v in comparison.verdicts.verdicts] == ["no difference that matters"] * 2  # type: ignore[union-attr]


def test_a_recipe_without_a_finite_score_gets_no_verdict_and_spoils_no_other() -> None:
    made = lower_is_better()
    whole = compare({key: run for key, run in made.items() if key[0] != "huge"}, "none")
    bad = made["huge", 3]
    test = Evaluation(np.arange(50), np.full(50, np.nan, np.float32), "mse", False)
    made["huge", 3] = Run("huge", 3, bad.history, Outcome(1), (), {}, test=test)
    comparison = compare(made, "none")
    assert comparison.unjudged == ("huge",)
    assert comparison.recipes[2].verdict is None
    assert comparison.recipes[1].verdict == whole.recipes[1].verdict
    assert comparison.regret is None
    assert comparison.best.recipe == "l2"
    made["none", 3] = Run("none", 3, bad.history, Outcome(1), (), {}, test=test)
    assert compare(made, "none").verdicts is None


def test_recipes_must_share_their_seeds() -> None:
    made = lower_is_better()
    del made["l2", 7]
    with pytest.raises(ValueError, match="the same seeds"):
        compare(made, "none")


def test_runs_must_have_been_tested() -> None:
    with pytest.raises(ValueError, match="each run must have been tested. Got one of recipe 'none', seed 0"):
        compare({("none", 0): Run("none", 0, {"val_accuracy": [1.0]}, Outcome(), (), {})}, "none")


def test_the_baseline_must_be_there() -> None:
    with pytest.raises(ValueError, match="one of none, l2. Got 'dropout'"):
        compare(runs(), "dropout")
