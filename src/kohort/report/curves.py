"""Learning curves over the seeds of a recipe, and where runs stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kohort.run import Run
from kohort.statistics.units import Units

Part = Literal["training", "validation", "training − validation"]


@dataclass(frozen=True)
class Curve:
    """What a metric does by epoch, over the seeds of one recipe.

    Attributes:
        recipe: The recipe.
        part: Of which rows; or how far the two are apart.
        mean: The mean at each epoch.
        low: The lower edge of the band: the 10th percentile over seeds.
        high: The upper edge: the 90th percentile.
    """

    recipe: str
    part: Part
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Stop:
    """Where a run was stopped before the last epoch that was asked for.

    Attributes:
        recipe: Its recipe.
        seed: Its seed.
        epoch: How many epochs it trained.
        score: The metric on its validation rows in the last of them.
    """

    recipe: str
    seed: int
    epoch: int
    score: float


def grouped(runs: Mapping[tuple[str, int], Run]) -> dict[str, list[Run]]:
    """The runs of each recipe."""
    found: dict[str, list[Run]] = {}
    for (recipe, _), run in runs.items():
        found.setdefault(recipe, []).append(run)
    return found


MOST_EPOCHS = 200
"""Of a curve that is drawn; of longer ones every second epoch is, or third, …: more take time and look the same."""


def drawn_epochs(length: int) -> list[int]:
    """The epochs of a curve that are drawn, counted from 1, the last one among them.

    >>> len(drawn_epochs(150)), len(drawn_epochs(400)), drawn_epochs(401)[-3:]
    (150, 200, [396, 399, 401])
    """
    step = max(1, -(-length // MOST_EPOCHS))
    return [epoch for epoch in range(1, length + 1) if epoch % step == 0 or epoch == length]


def drawn_rows(curve: Curve, units: Units) -> list[dict[str, Any]]:
    """A curve as the rows of a chart: recipe, part, epoch from 1, mean, low, high."""
    return [
        {
            "recipe": curve.recipe,
            "part": curve.part,
            "epoch": epoch,
            "mean": units.drawn(curve.mean[epoch - 1]),
            "low": units.drawn(curve.low[epoch - 1]),
            "high": units.drawn(curve.high[epoch - 1]),
        }
        for epoch in drawn_epochs(len(curve.mean))
    ]


def curves_of(runs: Mapping[tuple[str, int], Run], metric: str) -> tuple[Curve, ...]:
    """The curves of training and validation, and how far they are apart; none where the metric was not logged."""
    found = []
    for recipe, own in grouped(runs).items():
        logged: dict[Part, np.ndarray] = {
            part: _padded([run.history[log] for run in own])
            for part, log in parts_of(metric)
            if all(run.history.get(log) for run in own)
        }
        if len(logged) == 2:
            logged["training − validation"] = logged["training"] - logged["validation"]
        found += [_curve(recipe, part, values) for part, values in logged.items()]
    return tuple(found)


def stops_of(runs: Mapping[tuple[str, int], Run], metric: str) -> tuple[Stop, ...]:
    """The runs that were stopped early, but for those that diverged."""
    return tuple(
        Stop(recipe, seed, run.first_epoch + len(values), values[-1])
        for (recipe, seed), run in runs.items()
        if (values := run.history.get(f"val_{metric}"))
        and run.outcome.finished
        and run.first_epoch + len(values) < run.params.get("epochs", 0)
    )


def parts_of(metric: str) -> tuple[tuple[Part, str], ...]:
    """Of which rows a metric is logged, and under which name."""
    return ("training", metric), ("validation", f"val_{metric}")


def _padded(histories: Sequence[Sequence[float]]) -> np.ndarray:
    """(runs, epochs); a run that was stopped keeps its last value, so that a mean is of the same runs at each epoch."""
    longest = max(map(len, histories))
    return np.array([[*own, *own[-1:] * (longest - len(own))] for own in map(list, histories)], np.float64)


def _curve(recipe: str, part: Part, values: np.ndarray) -> Curve:
    low, high = np.percentile(values, [10, 90], axis=0)
    return Curve(recipe, part, tuple(values.mean(axis=0)), tuple(low), tuple(high))
