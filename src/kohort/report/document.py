"""What a report says, as plain records; how it looks is decided elsewhere."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kohort.run import Run
from kohort.statistics.comparison import Comparison, RecipeSummary


@dataclass(frozen=True)
class Curve:
    """A learning curve over the seeds of one recipe.

    Attributes:
        recipe: The recipe.
        part: `"training"` or `"validation"`.
        mean: The mean accuracy at each epoch.
        low: The lower edge of the band: the 10th percentile over seeds.
        high: The upper edge: the 90th percentile.
    """

    recipe: str
    part: str
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: What was compared on what.
        lead: The one sentence to take away: numbers, no verdict.
        textbook: What the textbook's loop would have said.
        comparison: The numbers.
        curves: The learning curves.
        how: How it was made: name -> value.
        command: The command that makes it again.
    """

    title: str
    lead: str
    textbook: str
    comparison: Comparison
    curves: tuple[Curve, ...]
    how: Mapping[str, str]
    command: str


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 as a percentage.

    >>> percent(0.97763)
    '97.76'
    """
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}"


def points(share: float) -> str:
    """A difference of shares as signed percentage points.

    >>> points(-0.0063), points(-0.00001)
    ('−0.63', '0.00')
    """
    if math.isnan(share):
        return "–"
    value = round(100 * share, 2)
    return "0.00" if value == 0 else f"{value:+.2f}".replace("-", "−")


def difference_in_words(summary: RecipeSummary) -> str:
    """A recipe's difference from the baseline with its interval, in percentage points."""
    gap = summary.difference
    if gap is None:
        return "baseline"
    if math.isnan(gap.low):
        return f"{points(gap.mean)} (one seed: no interval)"
    return f"{points(gap.mean)} ({points(gap.low)} to {points(gap.high)})"


def document(
    comparison: Comparison,
    runs: Mapping[tuple[str, int], Run],
    *,
    dataset: str,
    how: Mapping[str, str],
    command: str,
) -> Document:
    """Writes the report of a comparison.

    Args:
        comparison: The numbers.
        runs: The runs they were made from.
        dataset: The name of the data.
        how: Facts on how it was made.
        command: The command that made it.
    """
    names = ", ".join(summary.recipe for summary in comparison.recipes)
    return Document(
        title=f"{names} on {dataset}",
        lead=_lead(comparison),
        textbook=textbook_sentence(comparison),
        comparison=comparison,
        curves=tuple(_curves(runs)),
        how=how,
        command=command,
    )


def _lead(comparison: Comparison) -> str:
    best = max(comparison.recipes, key=lambda summary: summary.test_mean.mean)
    n = best.test_mean.n
    seeds = f"{n} seed{'s' if n > 1 else ''}"
    said = (
        f"{best.recipe} has the highest mean test accuracy, {percent(best.test_mean.mean)} % "
        f"({seeds}, {comparison.test_rows} test rows)"
    )
    if best.difference is None:
        return f"{said}; no other recipe's mean is above the baseline's."
    return f"{said}: {difference_in_words(best)} points against {comparison.baseline}, 95 % interval over seeds."


def textbook_sentence(comparison: Comparison) -> str:
    """What the loop over `fit` with one seed and `max(val_accuracy)` would have printed and picked."""
    first = comparison.recipes[0].seeds[0]
    shown = ", ".join(f"{s.recipe} {s.best_validation[0]:.4f}" for s in comparison.recipes)
    pick = comparison.naive_pick
    return (
        f"The textbook's loop (seed {first} alone, best validation epoch) would have printed {shown}, "
        f"and picked {pick.recipe}; that run's accuracy on the test rows is {percent(pick.test[0])} %."
    )


def _curves(runs: Mapping[tuple[str, int], Run]) -> list[Curve]:
    grouped: dict[str, list[Run]] = {}
    for (recipe, _), run in runs.items():
        grouped.setdefault(recipe, []).append(run)
    curves = []
    for recipe, own in grouped.items():
        for part, log in (("training", "accuracy"), ("validation", "val_accuracy")):
            values = np.array([run.history[log] for run in own])
            low, high = np.nanpercentile(values, [10, 90], axis=0)
            curves.append(Curve(recipe, part, tuple(values.mean(axis=0)), tuple(low), tuple(high)))
    return curves
