"""The same chance for every recipe: learning rate and epoch are chosen for each, on rows that do not judge it."""

import numpy as np


def chosen_by_others(scores: np.ndarray, greater_is_better: bool = True) -> np.ndarray:
    """Each seed's score at the setting and epoch that do best, on average, under all other seeds.

    A maximum over settings and epochs promises too much of the seed it was found with. Here a seed has no say in
    what it is judged at: its validation rows, which its own run did not train on, only judge (leave-one-out choice). A
    recipe that is tried with more settings thus gains nothing but a better setting.

    Args:
        scores: Validation scores of shape (settings, seeds, epochs), 2 seeds at least; what is not finite counts as
            worse than everything.
        greater_is_better: Whether one wants them high.

    Returns:
        The scores, of shape (seeds,); NaN where the chosen run has none.

    >>> chosen_by_others(np.array([[[0.5, 0.7], [0.6, 0.8]]]))
    array([0.7, 0.8])
    """
    worst = -np.inf if greater_is_better else np.inf
    usable = np.where(np.isfinite(scores), scores, worst)
    settings, seeds, epochs = scores.shape
    chosen = np.empty(seeds)
    for seed in range(seeds):
        mean = np.delete(usable, seed, axis=1).mean(axis=1).reshape(settings * epochs)
        best = int(np.argmax(mean) if greater_is_better else np.argmin(mean))
        chosen[seed] = scores[best // epochs, seed, best % epochs]
    return chosen
