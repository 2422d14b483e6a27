"""What "the best validation epoch of one seed" promises too much, and what choosing by it costs."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from kohort.statistics.intervals import LEVEL, Interval, mean_interval


def optimism(
    best_validation: np.ndarray, test: np.ndarray, level: float = LEVEL, *, greater_is_better: bool = True
) -> Interval:
    """How much the best validation epoch of one seed promises above that run's honest test score.

    Args:
        best_validation: The best epoch's validation score of each run of one recipe, of shape (seeds,).
        test: The same runs' test scores with their final weights, of shape (seeds,).
        level: Coverage.
        greater_is_better: Whether a high score is good; optimism is positive either way.

    Returns:
        Its mean over seeds, with Student's interval.
    """
    gap = np.asarray(best_validation, dtype=np.float64) - np.asarray(test, dtype=np.float64)
    return mean_interval(gap if greater_is_better else -gap, level)


@dataclass(frozen=True)
class Regret:
    """What the naive pick, the recipe with the best validation epoch of one seed, costs on fresh seeds.

    Attributes:
        cost: The test score lost against the recipe chosen by test score over many seeds, both scored on seeds that
            chose neither.
        best: The recipe with the best mean test score over all seeds.
        picks: Recipe -> on how many seeds the naive pick was it.
        differs: The share of seeds whose naive pick is not `best`.
        plug_in: The cost against `best` on the same seeds, where best is best partly by luck: too large on average.
    """

    cost: Interval
    best: str
    picks: dict[str, int]
    differs: float
    plug_in: float


def regret(
    recipes: tuple[str, ...],
    best_validation: np.ndarray,
    test: np.ndarray,
    level: float = LEVEL,
    *,
    greater_is_better: bool = True,
    splits: int = 20,
    resamples: int = 2_000,
    seed: int = 0,
) -> Regret:
    """The regret of the naive pick on fresh seeds.

    The best of noisy means is above its truth, and a pick looks well on the seed that picked it. Both are avoided by
    cross-fitting: seeds are halved; on one half each seed makes its naive pick and the half together chooses by mean
    test score; the other half scores them; then the halves change places, and all of it is repeated over random
    halvings. Since the chosen recipe is at most as good as the truly best one, the regret is, if anything, understated.
    The interval is Student's, with the standard deviation of the Bayesian bootstrap over seeds (Rubin 1981), whose
    weights keep a seed within its half and whose variance of a mean is (J − 1) / (J + 1) of the unbiased one.

    Args:
        recipes: Their names.
        best_validation: The best epoch's validation score of each run, of shape (recipes, seeds).
        test: Test scores with the final weights, of shape (recipes, seeds); four seeds or more.
        level: Coverage.
        greater_is_better: Whether high scores are good.
        splits: How many random halvings.
        resamples: How many weightings of the seeds.
        seed: Fixes both.
    """
    validation, score = (np.asarray(a, dtype=np.float64) for a in (best_validation, test))
    if validation.shape != score.shape or score.shape[0] != len(recipes) or score.shape[1] < 4:
        raise ValueError(
            f"scores must be of shape (recipes, seeds), {len(recipes)} recipes and 4 seeds or more, to be halved. "
            f"Got {validation.shape} and {score.shape}."
        )
    if not (np.isfinite(validation).all() and np.isfinite(score).all()):
        raise ValueError("scores must be finite. Leave out the seeds in which a run diverged.")
    if not greater_is_better:
        validation, score = -validation, -score
    seeds = score.shape[1]
    pick = validation.argmax(axis=0)  # (seeds,)
    best = int(score.mean(axis=1).argmax())
    generator = np.random.default_rng(seed)
    weights = np.concatenate([np.ones((1, seeds)), generator.standard_exponential((resamples, seeds))])
    weights /= weights.sum(axis=1, keepdims=True)
    cost = np.zeros(len(weights))
    for _ in range(splits):
        chosen_by = np.isin(np.arange(seeds), generator.permutation(seeds)[: seeds // 2])
        for half in (chosen_by, ~chosen_by):
            cost += _cost(score, pick, weights * half, weights * ~half)
    cost /= splits
    spread = float(cost[1:].std()) * ((seeds + 1) / (seeds - 1)) ** 0.5
    half = float(special.stdtrit(seeds - 1, (1.0 + level) / 2.0)) * spread
    return Regret(
        cost=Interval(float(cost[0]), float(cost[0]) - half, float(cost[0]) + half, seeds, level),
        best=recipes[best],
        picks={name: int((pick == index).sum()) for index, name in enumerate(recipes)},
        differs=float((pick != best).mean()),
        plug_in=float(np.mean([_others(score[best], j) - _others(score[pick[j]], j) for j in range(seeds)])),
    )


def _cost(score: np.ndarray, pick: np.ndarray, choosing: np.ndarray, scoring: np.ndarray) -> np.ndarray:
    """Σ weight · (fresh score of the recipe chosen by mean − that of a seed's naive pick), of shape (weightings,).

    The sum is over the seeds of the half that chooses; their weights, with those of the other half, add up to 1.
    """
    chosen = (choosing @ score.T).argmax(axis=1)
    fresh = scoring @ score.T / scoring.sum(axis=1, keepdims=True)  # (weightings, recipes)
    best = fresh[np.arange(len(fresh)), chosen]
    return (choosing * (best[:, None] - fresh[:, pick])).sum(axis=1)


def _others(scores: np.ndarray, seed: int) -> float:
    return float(np.delete(scores, seed).mean())
