"""Differences between two recipes, seed by seed."""

from collections.abc import Mapping

import numpy as np

from kohort.statistics.intervals import LEVEL, Interval, mean_interval


def paired_difference(
    scores: Mapping[int, float], baseline: Mapping[int, float], level: float = LEVEL
) -> Interval | None:
    """The mean of score − baseline over the seeds that both have, with Student's interval over seeds.

    Recipes share splits and batch orders at equal seed, so the differences vary less than the scores. The interval
    answers: on this data and these test rows, what would more seeds give? It says nothing of other test rows.

    Args:
        scores: Seed -> score of a recipe.
        baseline: Seed -> score of the baseline.
        level: Coverage.

    Returns:
        The interval; None where no seed has a finite score in both.
    """
    shared = [seed for seed in scores if seed in baseline and np.isfinite(scores[seed]) and np.isfinite(baseline[seed])]
    if not shared:
        return None
    return mean_interval(np.array([scores[seed] - baseline[seed] for seed in shared]), level)
