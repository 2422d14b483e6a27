"""Which recipe is best: the ranks that the data do not exclude."""

from dataclasses import dataclass

import numpy as np

from kohort.statistics.estimates import Estimates


@dataclass(frozen=True)
class RankInterval:
    """The ranks that a recipe may have; 1 is the best.

    Attributes:
        recipe: Its name.
        best: The best rank not excluded.
        worst: The worst rank not excluded.
    """

    recipe: str
    best: int
    worst: int


def rank_intervals(
    recipes: tuple[str, ...], contrasts: np.ndarray, estimates: Estimates, alpha: float
) -> tuple[RankInterval, ...]:
    """Ranks of all recipes, right together with the coverage of the intervals they are read from.

    A recipe ranks below each whose difference from it is wholly positive, and above each with a wholly negative one
    (Mogstad, Romano, Shaikh & Wilhelm 2024; Al Mohamad, Goeman & van Zwet 2022). Improvement is positive.

    Args:
        recipes: Their names.
        contrasts: Every pair of recipes once, (one, other), of shape (contrasts, 2).
        estimates: The differences one − other.
        alpha: The nominal level that makes their intervals simultaneous.
    """
    half = estimates.half_widths(alpha)
    above = np.zeros((len(recipes), len(recipes)), dtype=bool)  # [i, j]: i is better than j
    one, other = contrasts.T
    above[one, other] = estimates.estimate - half > 0.0
    above[other, one] = estimates.estimate + half < 0.0
    return tuple(
        RankInterval(name, 1 + int(above[:, index].sum()), len(recipes) - int(above[index].sum()))
        for index, name in enumerate(recipes)
    )
