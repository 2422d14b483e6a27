"""The report's figures in their order: what each is called, shows and says in words, and its numbers as a table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from kohort.report.charts import dose, lines, matrix, rows
from kohort.report.charts.style import OVERLAID, Look
from kohort.report.document import Document
from kohort.report.strengths import Strengths
from kohort.statistics.units import percent


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: What it is called in files and pages.
        title: Its heading.
        caption: What is seen, in a sentence or two.
        said: What it shows, in words and numbers, for readers who do not see it.
        chart: Makes it.
        overlaid: Whether recipes lie over one another, so that a reader may hide some.
        heads: Headings of its numbers.
        numbers: Its numbers as text, a row for each recipe or class.
    """

    name: str
    title: str
    caption: str
    said: str
    chart: Callable[[], Any]
    overlaid: bool = False
    heads: tuple[str, ...] = ()
    numbers: tuple[tuple[str, ...], ...] = ()


def hidden_at_first(document: Document) -> tuple[str, ...]:
    """The recipes that charts with a line each do not show at first: all but the baseline and the best few."""
    comparison = document.comparison
    if len(comparison.recipes) <= OVERLAID:
        return ()
    sign = -1.0 if comparison.greater_is_better else 1.0

    def place(summary: Any) -> tuple[bool, float]:
        mean = summary.test_mean.mean
        return summary.recipe != comparison.baseline, math.inf if math.isnan(mean) else sign * mean

    return tuple(summary.recipe for summary in sorted(comparison.recipes, key=place)[OVERLAID:])


def figures(document: Document, *, legend: bool = True, hover: bool = True) -> Iterator[Figure]:
    """All figures for which there are numbers.

    Args:
        document: The report.
        legend: Whether charts bear legends; a page that has one for all does without.
        hover: Whether curves answer to a pointer; pictures need not.
    """
    look = Look(legend, hover, hidden_at_first(document))
    if document.comparison.verdicts is not None:
        yield _forest(document)
    yield _scores(document)
    for number, own in enumerate(document.strengths):
        yield _dose_response(document, own, number)
    if document.curves:
        yield _curves(document, look)
    if any(curve.part == "training − validation" for curve in document.curves):
        yield _gap(document, look)
    if document.weights:
        yield _weights(document, look)
    if document.reliable:
        yield _calibration(document, look)
    if document.confusion is not None:
        yield _confusion(document)
    if document.residuals:
        yield _residuals(document)
    if any(summary.optimism is not None for summary in document.comparison.recipes):
        yield _optimism(document)


def _together(heads: Sequence[str], numbers: Sequence[Sequence[str]]) -> str:
    """A table in words."""
    own = [f"{row[0]}: {', '.join(f'{h} {n}' for h, n in zip(heads[1:], row[1:], strict=True))}" for row in numbers]
    return "; ".join(own)


def _forest(document: Document) -> Figure:
    units, comparison = document.units, document.comparison
    heads = (
        "recipe",
        "population, 95 %, all recipes together",
        "over seeds, these rows, 95 %",
        "adjusted p",
        "verdict",
    )
    verdicts = [summary.verdict for summary in comparison.recipes if summary.verdict is not None]
    numbers = tuple(
        (v.recipe, units.span(v.interval), units.span(v.seeds_interval), _p(v.adjusted_p), v.kind) for v in verdicts
    )
    delta = units.change(verdicts[0].smallest_effect).lstrip("+")
    return Figure(
        "forest",
        f"Improvement on {comparison.baseline}",
        "The diamond is the mean difference at equal seed. The thick bar is its 95 % interval for the population "
        "behind the test rows, all recipes together, from which the verdict comes; the thin one below is that over "
        f"seeds on these test rows alone. The grey zone holds what is too small to matter, ±{delta}"
        f"{units.unit_of_change}; n = {verdicts[0].seeds} seeds.",
        f"Improvements on {comparison.baseline}. {'; '.join(document.verdicts)}.",
        lambda: rows.forest(document),
        heads=heads,
        numbers=numbers,
    )


def _p(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _scores(document: Document) -> Figure:
    units = document.units
    heads = ("recipe", f"mean test {units.heading}, 95 % over seeds", "sd", "lowest", "median", "highest", "seeds")
    numbers = []
    for s in document.comparison.recipes:
        spread = [units.score(own) for own in (s.test_spread, min(s.test), median(s.test), max(s.test))]
        numbers.append((s.recipe, units.within(s.test_mean), *spread, str(s.test_mean.n)))
    return Figure(
        "scores",
        "Every run",
        "Each point is one seed; the box holds the middle half of them. The diamond is the mean with its 95 % interval "
        "over seeds.",
        f"Test {units.name} of every run. {_together(heads, numbers)}.",
        lambda: rows.scores(document),
        heads=heads,
        numbers=tuple(numbers),
    )


def _dose_response(document: Document, own: Strengths, number: int) -> Figure:
    units = document.units
    heads = ("strength", f"mean test {units.heading}, 95 % over seeds", "may be the best")
    numbers = tuple(
        (f"{value:g}", units.within(s.test_mean), "yes" if value in own.candidates else "no")
        for value, s in zip(own.values, own.recipes, strict=True)
    )
    baseline = document.comparison.baseline
    at = next((value for value, s in zip(own.values, own.recipes, strict=True) if s.recipe == baseline), None)
    beside = "dashed, the baseline" if at is None else f"{at:g} is the baseline, {baseline}"
    if len(own.candidates) == 1:
        candidates = "no other strength that was tried may be the best"
    else:
        candidates = f"{', '.join(f'{value:g}' for value in own.candidates)} may be the best"
    return Figure(
        f"dose-response-{number + 1}" if number else "dose-response",
        f"How strong: {own.technique}",
        f"The mean test {units.name} by strength, with its 95 % interval over seeds; {beside}. "
        f"{own.best:g} does best; by the intervals of all recipes together {candidates}.",
        f"Test {units.name} by strength. {_together(heads, numbers)}.",
        lambda: dose.dose_response(document, own),
        heads=heads,
        numbers=numbers,
    )


def _curves(document: Document, look: Look) -> Figure:
    units = document.units
    heads = ("recipe", "of", "epochs", f"last epoch, {units.heading}", "best epoch of the mean", "there")
    numbers = []
    for curve in document.curves:
        if curve.part == "training − validation":
            continue
        better = max if document.comparison.greater_is_better else min
        finite = [value for value in curve.mean if math.isfinite(value)]
        best = better(finite, default=math.nan)
        at = str(curve.mean.index(best) + 1) if finite else "–"
        last = units.score(curve.mean[-1])
        numbers.append((curve.recipe, curve.part, str(len(curve.mean)), last, at, units.score(best)))
    seeds = document.comparison.recipes[0].test_mean.n
    stopped = (
        f" Triangles show where {len(document.stops)} runs were stopped, on their own validation score."
        if document.stops
        else ""
    )
    return Figure(
        "curves",
        "Learning curves",
        f"Mean over {seeds} seeds; the band holds the middle 80 % of them. Training figures are measured during "
        f"training, with dropout at work where there is any.{stopped} Runs that were stopped keep their last value.",
        f"{units.name} by epoch, mean and band over seeds. {_together(heads, numbers)}.",
        lambda: lines.curves(document, look),
        overlaid=True,
        heads=heads,
        numbers=tuple(numbers),
    )


def _gap(document: Document, look: Look) -> Figure:
    units = document.units
    heads = ("recipe", f"last epoch, in {units.axis_of_change}", "10th percentile of seeds", "90th")
    numbers = tuple(
        (curve.recipe, *(units.change(values[-1]) for values in (curve.mean, curve.low, curve.high)))
        for curve in document.curves
        if curve.part == "training − validation"
    )
    return Figure(
        "gap",
        "Training against validation",
        f"The {units.name} on the training rows less that on validation rows, mean over seeds with the middle 80 %: "
        "what a network knows by heart. Dropout makes it too small, for it is at work where training is measured.",
        f"Training less validation {units.name}. {_together(heads, numbers)}.",
        lambda: lines.gap(document, look),
        overlaid=True,
        heads=heads,
        numbers=numbers,
    )


def _weights(document: Document, look: Look) -> Figure:
    heads = ("recipe", "exact zeros, %", "below 0.001, %", "mean L2 norm of all weights")
    numbers = tuple(
        (own.recipe, percent(own.zeros), percent(own.near_zeros), f"{own.norm:.3g}") for own in document.weights
    )
    return Figure(
        "weights",
        "Weights",
        "How the magnitudes of the kernels' weights are spread at the end, all seeds together. Penalties move them to "
        "the left; only proximal L1 makes exact zeros. A step is a quarter of a decade, the first holds all "
        "that is smaller.",
        f"Weights at the end. {_together(heads, numbers)}.",
        lambda: lines.weights(document, look),
        overlaid=True,
        heads=heads,
        numbers=numbers,
    )


def _calibration(document: Document, look: Look) -> Figure:
    heads = ("recipe", "expected calibration error, points", "answers")
    numbers = tuple((own.recipe, percent(own.error), f"{sum(own.rows):,}") for own in document.reliable)
    return Figure(
        "calibration",
        "How far probabilities can be believed",
        "How often a network is right on test rows, by how sure it is; all seeds together, larger points hold more "
        "answers, and those of fewer than 10 are not drawn. On the dashed line probabilities are true; below it they "
        "promise too much.",
        f"Calibration. {_together(heads, numbers)}.",
        lambda: lines.calibration(document, look),
        overlaid=True,
        heads=heads,
        numbers=numbers,
    )


def _confusion(document: Document) -> Figure:
    own = document.confusion
    assert own is not None
    worst = own.worst(10)
    heads = ("true class", "taken for", "% of the true class")
    numbers = tuple((true, given, percent(share)) for true, given, share in worst)
    return Figure(
        "confusion",
        f"Mistakes of {own.recipe}",
        f"What the networks of {own.recipe}, the recipe with the best mean test score, take test rows for; all seeds "
        f"together, in % of the true class.",
        f"The commonest mistakes of {own.recipe}. "
        + "; ".join(f"{true} taken for {given}: {share} %" for true, given, share in numbers[:3]),
        lambda: matrix.confusion(document),
        heads=heads,
        numbers=numbers,
    )


def _residuals(document: Document) -> Figure:
    heads = ("recipe", "5 %", "25 %", "median", "75 %", "95 %")
    numbers = tuple(
        (own.recipe, *(f"{own.percentiles[at]:.4g}".replace("-", "−") for at in (5, 25, 50, 75, 95)))
        for own in document.residuals
    )
    return Figure(
        "residuals",
        "How far predictions are off",
        "Prediction less target on the test rows, percentiles averaged over seeds: the bar holds the middle half, the "
        "line the middle 90 %, the tick is the median.",
        f"Residuals. {_together(heads, numbers)}.",
        lambda: rows.residuals(document),
        heads=heads,
        numbers=numbers,
    )


def _optimism(document: Document) -> Figure:
    units = document.units
    heads = ("recipe", f"promised above the test {units.name}, 95 % over seeds", "seeds")
    numbers = tuple(
        (s.recipe, units.span(s.optimism), str(s.optimism.n))
        for s in document.comparison.recipes
        if s.optimism is not None
    )
    return Figure(
        "optimism",
        "What the best validation epoch promises too much",
        "The best validation epoch of a run, which the textbook's loop prints, against the same run's score on test "
        "rows: mean over seeds with its 95 % interval. Right of zero it promises too much.",
        f"Optimism. {_together(heads, numbers)}.",
        lambda: rows.optimism(document),
        heads=heads,
        numbers=numbers,
    )
