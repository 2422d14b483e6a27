"""The oracle is SciPy, or arithmetic by hand, on numbers for which the plausible mistakes differ."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.run import Evaluation, Outcome, Run
from kohort.statistics import compare, mean_interval, paired_difference

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
    correct = np.arange(100) < right
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
    assert none.difference is None
    assert l2.difference is not None
    assert l2.difference.mean == pytest.approx(0.04, abs=1e-12)
    assert none.test_mean.mean == pytest.approx(0.91, abs=1e-12)
    assert l2.test_spread == pytest.approx(0.04 / math.sqrt(2), abs=1e-12)
    assert (none.best_validation, l2.best_validation) == ((0.8, 0.9), (0.85, 0.4))
    assert (none.train, l2.train) == ((0.9, 0.8), (0.6, 0.7))
    assert (none.diverged, l2.diverged) == (0, 1)
    assert comparison.naive_pick.recipe == "l2"  # by the first seed alone


def test_the_baseline_must_be_there() -> None:
    with pytest.raises(ValueError, match="one of none, l2. Got 'dropout'"):
        compare(runs(), "dropout")
