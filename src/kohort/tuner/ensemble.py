"""An ensemble of the networks that were trained anyway, chosen greedily on validation rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MOST = 20
"""Networks of an ensemble, those counted twice that were chosen twice; more changed little in Caruana et al. 2004."""


@dataclass(frozen=True)
class Greedy:
    """An ensemble: a mean of predictions in which a network may count several times.

    Attributes:
        counts: How often each network was chosen, whole numbers of shape (networks,).
        scores: The validation score after each network that was added; one wants it large.
    """

    counts: np.ndarray
    scores: tuple[float, ...]

    @property
    def weights(self) -> np.ndarray:
        """How much each network counts, of shape (networks,); they sum to 1."""
        return self.counts / self.counts.sum()


def greedy(predictions: Sequence[np.ndarray], score: Callable[[np.ndarray], float], most: int = MOST) -> Greedy:
    """Adds, again and again, the network that makes the mean of predictions best (Caruana et al. 2004, §2.1–2.3).

    Networks may be added several times, and the best of all sizes is kept, so that the ensemble is never worse on these
    rows than the best network. It is chosen on them, so its score there flatters.

    Args:
        predictions: Of each network, arrays of one shape.
        score: From predictions to what one wants large.
        most: Networks at the most, counted as often as they are chosen.

    Raises:
        ValueError: There are no networks.
    """
    if not len(predictions):
        raise ValueError("an ensemble needs networks. Got none.")
    every = np.stack(predictions).astype(np.float64)
    total, counts = np.zeros(every.shape[1:]), np.zeros(len(every), int)
    scores: list[float] = []
    kept: list[np.ndarray] = []
    for size in range(1, most + 1):
        tried = [score((total + own) / size) for own in every]
        best = int(np.argmax(tried))
        total, counts[best] = total + every[best], counts[best] + 1
        scores.append(float(tried[best]))
        kept.append(counts.copy())
    return Greedy(kept[int(np.argmax(scores))], tuple(scores))
