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
    _, seeds, epochs = scores.shape
    chosen = np.empty(seeds)
    for seed in range(seeds):
        setting, epoch = divmod(choice_of_others(scores, seed, greater_is_better), epochs)
        chosen[seed] = scores[setting, seed, epoch]
    return chosen


def choice_of_others(scores: np.ndarray, seed: int, greater_is_better: bool = True) -> int:
    """The setting that does best on average under all other seeds.

    Args:
        scores: Of shape (settings, seeds), or (settings, seeds, epochs), where each setting and epoch can be chosen;
            what is not finite counts as worse than everything.
        seed: Whose setting it is.
        greater_is_better: Whether one wants them high.

    Returns:
        Its position; with epochs that of (setting, epoch), row after row.

    >>> choice_of_others(np.array([[0.9, 0.5], [0.1, 0.8]]), 0)
    1
    """
    usable = np.where(np.isfinite(scores), scores, -np.inf if greater_is_better else np.inf)
    mean = np.delete(usable, seed, axis=1).mean(axis=1)
    return int(mean.argmax() if greater_is_better else mean.argmin())
