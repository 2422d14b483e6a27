"""Whether probabilities can be believed: reliability, calibration error, and one temperature that mends them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

BINS = 15
"""Bins of confidence; what Guo et al. (2017) use, and most who cite them."""

COLDEST, HOTTEST = 0.01, 100.0
"""Between these a temperature is looked for; one at an end says that validation rows set no bound."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often a network is right, by how sure it is. The confidence is the probability of the class it chooses.

    Attributes:
        edges: Edges of the bins of confidence, (bins + 1,).
        confidence: The mean confidence in each bin, (bins,); NaN in an empty one.
        accuracy: The share of right answers in each bin; NaN in an empty one.
        rows: How many rows are in each bin.
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    rows: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over rows of |accuracy − confidence| of their bins.

        With few rows a bin it is too large even where probabilities are right: chance alone parts the two (Kumar et
        al. 2019, section 4). Compare it between recipes on the same rows, rather than with 0.
        """
        filled = self.rows > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gaps, weights=self.rows[filled]))


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> Reliability:
    """How often a network is right, by how sure it is (Guo et al. 2017, On Calibration of Modern Neural Networks, §2).

    Args:
        probabilities: Of each class, (rows, classes), finite.
        labels: Class numbers, (rows,).
        bins: How many bins of equal width between 0 and 1.

    Raises:
        ValueError: They are no probabilities and labels of the same rows, or there are no bins.

    >>> sure = reliability(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 1, 1]), bins=2)
    >>> sure.rows.tolist(), round(sure.error, 3)
    ([0, 3], 0.133)
    """
    _check(probabilities, labels)
    if bins < 1:
        raise ValueError(f"there must be at least 1 bin. Got {bins}.")
    sure, right = probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, bins + 1)
    which = np.clip(np.searchsorted(edges, sure, side="left") - 1, 0, bins - 1)  # (low, high], as Guo et al. have it
    rows = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(which, sure, bins) / rows
        accuracy = np.bincount(which, right, bins) / rows
    return Reliability(edges, confidence, accuracy, rows)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative log-likelihood of the labels, in nats: a proper score, which no false probabilities improve."""
    _check(probabilities, labels)
    return float(-np.mean(_logs(probabilities)[np.arange(len(labels)), labels]))


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logits are divided by a temperature; above 1 they are less sure. The order stays.

    >>> with_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    return special.softmax(_logs(probabilities) / temperature, axis=1)


def fitted_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the best log loss on held-out rows (Guo et al. 2017, §4.2).

    Log loss is convex in 1 / temperature, so that there is one best; where every label is the most probable class it
    is `COLDEST`, where no class is told from another `HOTTEST`.

    Args:
        probabilities: Of each class, (rows, classes).
        labels: Class numbers, (rows,).

    Raises:
        ValueError: They are no probabilities and labels of the same rows.
    """
    _check(probabilities, labels)
    logits = _logs(probabilities)
    own = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        weights = special.softmax(inverse * logits, axis=1)
        return float(np.mean((weights * logits).sum(axis=1) - own))

    low, high = 1.0 / HOTTEST, 1.0 / COLDEST
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    found: Any = optimize.brentq(slope, low, high, xtol=1e-10)
    return 1.0 / float(found)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How far the probabilities of a recipe's networks can be believed, before and after a temperature is fitted.

    Attributes:
        recipe: The recipe.
        seeds: The seeds of its networks.
        temperatures: Each network's temperature, fitted on its own validation rows, (seeds,).
        errors: The expected calibration error of each on the test rows, without and with its temperature, (seeds, 2).
        log_losses: The log loss of each on the test rows, without and with its temperature, (seeds, 2).
        curves: The reliability of all networks together, without and with their temperatures.
    """

    recipe: str
    seeds: tuple[int, ...]
    temperatures: np.ndarray
    errors: np.ndarray
    log_losses: np.ndarray
    curves: tuple[Reliability, Reliability]

    def __str__(self) -> str:
        (error, mended), (loss, mended_loss) = self.errors.mean(axis=0), self.log_losses.mean(axis=0)
        return (
            f"{self.recipe}: expected calibration error {error:.3f}, with a temperature of "
            f"{np.median(self.temperatures):.2f} {mended:.3f}; log loss {loss:.3f} and {mended_loss:.3f} "
            f"({len(self.seeds)} networks)"
        )


def calibration(
    recipe: str,
    seeds: Sequence[int],
    validation: Sequence[tuple[np.ndarray, np.ndarray]],
    test: Sequence[tuple[np.ndarray, np.ndarray]],
    bins: int = BINS,
) -> Calibration:
    """How far the probabilities of some networks can be believed.

    Args:
        recipe: The recipe's name.
        seeds: The networks' seeds.
        validation: For each network the probabilities and labels of the rows on which its temperature is fitted.
        test: For each network those of the rows on which it is judged.
        bins: Bins of confidence.

    Raises:
        ValueError: They are no probabilities and labels of the same rows.
    """
    temperatures = np.array([fitted_temperature(*own) for own in validation])
    both = [
        (probabilities, with_temperature(probabilities, temperature))
        for (probabilities, _), temperature in zip(test, temperatures, strict=True)
    ]
    labels = [own for _, own in test]
    errors = [[reliability(p, y, bins).error for p in pair] for pair, y in zip(both, labels, strict=True)]
    losses = [[log_loss(p, y) for p in pair] for pair, y in zip(both, labels, strict=True)]
    before, after = (
        reliability(np.concatenate([pair[which] for pair in both]), np.concatenate(labels), bins) for which in (0, 1)
    )
    return Calibration(recipe, tuple(seeds), temperatures, np.array(errors), np.array(losses), (before, after))


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities; one of 0 in float32 stands for less than the smallest that float32 has."""
    return np.log(np.maximum(probabilities.astype(np.float64), float(np.finfo(np.float32).tiny)))


def _check(probabilities: np.ndarray, labels: np.ndarray) -> None:
    shapes = f"Got probabilities {list(probabilities.shape)} and labels {list(labels.shape)} of {labels.dtype}."
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(f"there must be probabilities (rows, classes) and labels (rows,). {shapes}")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(f"labels must be class numbers from 0 to {probabilities.shape[1] - 1}. {shapes}")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if not (np.isfinite(sums).all() and (probabilities >= 0).all() and np.allclose(sums, 1.0, atol=1e-3)):
        raise ValueError("the probabilities of a row must be at least 0, finite, and sum up to 1. Got others.")
