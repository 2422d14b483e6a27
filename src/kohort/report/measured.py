"""What was measured of the runs of each recipe: weights, how far probabilities can be believed, mistakes, seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kohort.report.curves import grouped
from kohort.run import WEIGHT_EDGES, FitPace, Run


@dataclass(frozen=True, eq=False)
class Weights:
    """How the weights of a recipe's kernels are spread at the end, over all seeds.

    Attributes:
        recipe: The recipe.
        shares: The share of weights in each decade of magnitude, of which `decades` are the lower ends.
        decades: Exponents of ten; the first holds all that is smaller.
        zeros: The share of exact zeros.
        near_zeros: The share nearer to zero than 0.001.
        norm: The mean L2 norm of all trainable weights.
    """

    recipe: str
    shares: tuple[float, ...]
    decades: tuple[float, ...]
    zeros: float
    near_zeros: float
    norm: float


@dataclass(frozen=True, eq=False)
class Reliable:
    """How often a recipe's networks are right, by how sure they are, over all seeds.

    Attributes:
        recipe: The recipe.
        confidence: The mean probability of the class chosen, in each bin that has rows.
        accuracy: The share of right answers in it.
        rows: How many answers are in it.
        error: The expected calibration error: the mean of |accuracy − confidence| over all answers.
    """

    recipe: str
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    rows: tuple[int, ...]
    error: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """Which classes a recipe's networks take for which, over all seeds.

    Attributes:
        recipe: The recipe.
        classes: The classes' names.
        shares: Of the test rows of each class (rows of the matrix), the share that was given each class.
        counts: How many answers that is, over all seeds.
    """

    recipe: str
    classes: tuple[str, ...]
    shares: np.ndarray
    counts: np.ndarray

    def worst(self, most: int = 3) -> list[tuple[str, str, float]]:
        """The commonest mistakes: true class, given class, its share of the true class' rows."""
        wrong = np.where(np.eye(len(self.classes), dtype=bool), 0.0, self.shares)
        places = np.argsort(-wrong, axis=None, kind="stable")[:most]
        found = [(int(i), int(j)) for i, j in zip(*np.unravel_index(places, wrong.shape), strict=True)]
        return [(self.classes[i], self.classes[j], float(wrong[i, j])) for i, j in found if wrong[i, j] > 0]


@dataclass(frozen=True, eq=False)
class Residuals:
    """How far a recipe's networks are off, over all seeds: percentiles of prediction − target.

    Attributes:
        recipe: The recipe.
        percentiles: The percentiles 0, 1, …, 100, each the mean over seeds.
    """

    recipe: str
    percentiles: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What a recipe took.

    Attributes:
        recipe: The recipe.
        runs: How many runs.
        epochs: The epochs that they trained, together.
        seconds: The seconds of training, compiling included, that fall to them; NaN where they were not measured.
        by_fit: The seconds that plain `model.fit` would have taken for the same runs and epochs, one after another; NaN
            where that was not timed.
    """

    recipe: str
    runs: int
    epochs: int
    seconds: float
    by_fit: float


def weights_of(runs: Mapping[tuple[str, int], Run]) -> tuple[Weights, ...]:
    """The weights of each recipe, where they were measured."""
    found = []
    for recipe, own in grouped(runs).items():
        counts = [run.diagnostics["weights"] for run in own if "weights" in run.diagnostics]
        if len(counts) == len(own) and np.sum(counts) > 0:
            decades, shares = _by_decade(np.sum(counts, axis=0))
            zeros, near = (_mean(own, name) for name in ("zeros", "near_zeros"))
            found.append(Weights(recipe, shares, decades, zeros, near, _mean(own, "weight_norm")))
    return tuple(found)


def _by_decade(counts: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quarter decades of magnitude, both signs together; zeros lie in the first."""
    half = len(WEIGHT_EDGES) // 2
    both = np.concatenate([counts[half - 1 : half], counts[half:] + counts[: half - 1][::-1]])
    lower = np.concatenate([[-np.inf], np.log10(WEIGHT_EDGES[half:-1])])
    seen = np.flatnonzero(both)
    first, last = (seen[0], seen[-1] + 1) if len(seen) else (0, 1)
    finite = np.where(np.isinf(lower), lower[1] - 0.25, lower)
    return tuple(finite[first:last].round(2)), tuple(both[first:last] / both.sum())


def reliable_of(runs: Mapping[tuple[str, int], Run]) -> tuple[Reliable, ...]:
    """How far the probabilities of each recipe can be believed, where they were measured."""
    found = []
    for recipe, own in grouped(runs).items():
        told = [run.diagnostics["reliability"] for run in own if "reliability" in run.diagnostics]
        if told:
            rows, confidence, right = np.sum(told, axis=0).reshape(3, -1)
            seen = rows > 0
            error = float(np.abs(right - confidence).sum() / rows.sum())
            sure, share = (tuple((own[seen] / rows[seen]).tolist()) for own in (confidence, right))
            found.append(Reliable(recipe, sure, share, tuple(rows[seen].astype(int).tolist()), error))
    return tuple(found)


def confusion_of(recipe: str, own: Sequence[Run], classes: Sequence[str]) -> Confusion | None:
    """Which classes a recipe takes for which; None where that was not kept.

    Args:
        recipe: The recipe.
        own: Its runs.
        classes: The classes' names; their numbers where they are not known.
    """
    kept = [run.diagnostics["confusion"] for run in own if "confusion" in run.diagnostics]
    if not kept:
        return None
    counts = np.sum(kept, axis=0)
    size = int(np.sqrt(len(counts)))
    counts = counts.reshape(size, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = tuple(classes) if len(classes) == size else tuple(map(str, range(size)))
    return Confusion(recipe, names, shares, counts)


def residuals_of(runs: Mapping[tuple[str, int], Run]) -> tuple[Residuals, ...]:
    """How far each recipe is off, where that was kept."""
    found = []
    for recipe, own in grouped(runs).items():
        kept = [run.diagnostics["residuals"] for run in own if "residuals" in run.diagnostics]
        if kept:
            found.append(Residuals(recipe, tuple(np.mean(kept, axis=0).tolist())))
    return tuple(found)


def costs_of(runs: Mapping[tuple[str, int], Run], by_fit: Mapping[str, FitPace]) -> tuple[Cost, ...]:
    """What each recipe took, and would have taken."""
    found = []
    for recipe, own in grouped(runs).items():
        epochs = sum(len(run.epoch) for run in own)
        pace = by_fit.get(recipe, FitPace(np.nan, np.nan))
        loop = len(own) * pace.first + (epochs - len(own)) * pace.epoch
        found.append(Cost(recipe, len(own), epochs, len(own) * _mean(own, "seconds"), loop))
    return tuple(found)


def _mean(runs: Sequence[Run], name: str) -> float:
    """The mean over runs of a measure's last value; NaN where one has none."""
    values = [run.diagnostics[name][-1] if len(run.diagnostics.get(name, ())) else np.nan for run in runs]
    return float(np.mean(values))
