"""Optimism and regret by hand, and where the truth is known."""

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import mean_interval, optimism, regret

VALIDATION = [0.95, 0.97, 0.90, 0.99]
TEST = [0.91, 0.96, 0.91, 0.90]


def test_optimism_is_the_promise_less_the_test_score() -> None:
    own = optimism(np.array(VALIDATION), np.array(TEST), 0.9)
    theirs = stats.ttest_rel(VALIDATION, TEST).confidence_interval(0.9)
    assert own.mean == pytest.approx(0.0325, abs=1e-15)
    assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_optimism_of_errors_is_positive_too() -> None:
    errors = optimism(1 - np.array(VALIDATION), 1 - np.array(TEST), greater_is_better=False)
    assert errors.mean == pytest.approx(0.0325, abs=1e-15)


# Recipe b is better by 0.1 at every seed; validation says so at two seeds of six.
SCORES = np.array([[0.7, 0.72, 0.74, 0.7, 0.72, 0.74], [0.8, 0.82, 0.84, 0.8, 0.82, 0.84]])
PROMISED = np.array([[0.9, 0.9, 0.9, 0.9, 0.9, 0.9], [0.8, 0.95, 0.8, 0.8, 0.8, 0.95]])


def test_regret_without_noise_is_the_share_of_wrong_picks_times_what_they_cost() -> None:
    own = regret(("a", "b"), PROMISED, SCORES, resamples=40_000)
    assert own.cost.mean == pytest.approx(0.1 * 4 / 6, abs=1e-12)
    assert own.plug_in == pytest.approx(0.1 * 4 / 6, abs=1e-12)
    assert own.best == "b"
    assert own.picks == {"a": 4, "b": 2}
    assert own.differs == pytest.approx(4 / 6)
    # without noise of the scores it is Student's interval of the six costs
    theirs = mean_interval(np.array([0.1, 0.0, 0.1, 0.1, 0.1, 0.0]))
    assert (own.cost.low, own.cost.high) == pytest.approx(
        (theirs.low, theirs.high), abs=0.0008
    )  # standard error 0.0002
    assert own.cost.n == 6


def test_regret_of_errors_is_the_same() -> None:
    own = regret(("a", "b"), PROMISED, SCORES)
    errors = regret(("a", "b"), 1 - PROMISED, 1 - SCORES, greater_is_better=False)
    assert errors.best == "b"
    assert errors.cost.mean == pytest.approx(own.cost.mean, abs=1e-12)
    assert errors.cost.high == pytest.approx(own.cost.high, abs=1e-12)
    assert errors.plug_in == pytest.approx(own.plug_in, abs=1e-12)


def test_four_seeds_are_the_fewest() -> None:
    assert regret(("a", "b"), PROMISED[:, :4], SCORES[:, :4]).cost.mean == pytest.approx(0.1 * 3 / 4, abs=1e-12)


def test_a_test_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        regret(("a", "b"), PROMISED, np.where(SCORES > 0.83, np.inf, SCORES))


def test_a_right_pick_costs_nothing() -> None:
    own = regret(("a", "b"), PROMISED[::-1] * [[1.0], [1.0]], SCORES[::-1])
    assert own.best == "a"
    assert own.cost.mean == pytest.approx(0.1 * 4 / 6, abs=1e-12)
    right = regret(("a", "b"), SCORES, SCORES)
    assert right.cost.mean == pytest.approx(0.0, abs=1e-12)
    assert right.differs == 0.0


def test_equal_recipes_have_no_regret_although_the_best_of_many_looks_better() -> None:
    rng = np.random.default_rng(0)
    costs, naive = [], []
    for _ in range(200):
        score = rng.normal(0.8, 0.02, (8, 10))
        own = regret(tuple("abcdefgh"), rng.normal(0.8, 0.02, (8, 10)), score, resamples=10, splits=10)
        costs.append(own.cost.mean)
        naive.append(own.plug_in)
    assert np.mean(costs) == pytest.approx(0.0, abs=0.0015)  # standard error 0.0004
    assert np.mean(naive) > 0.005


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    truth = np.array([0.8, 0.84, 0.88])
    validation_noise, held = 0.05, []
    deep = rng.normal(truth[:, None], validation_noise, (3, 200_000)).argmax(axis=0)
    cost = float((truth.max() - truth[deep]).mean())
    for _ in range(150):
        score = rng.normal(truth[:, None], 0.005, (3, 20))
        own = regret(
            ("a", "b", "c"), rng.normal(truth[:, None], validation_noise, (3, 20)), score, resamples=300, splits=10
        )
        held.append(own.cost.low <= cost <= own.cost.high)
    assert 0.91 <= np.mean(held) <= 0.99


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (PROMISED[:, :3], "4 seeds or more"),
        (PROMISED[:1], "2 recipes"),
        (np.where(PROMISED > 0.9, np.nan, PROMISED), "finite"),
    ],
)
def test_what_has_no_regret_is_refused(validation: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regret(("a", "b"), validation, SCORES[:, : validation.shape[1]] if "4" in message else SCORES)
