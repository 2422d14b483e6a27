"""What a report says, as plain records; how it looks is decided elsewhere."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kohort.run import Run
from kohort.statistics.comparison import Comparison, RecipeSummary
from kohort.statistics.intervals import Interval


@dataclass(frozen=True)
class Curve:
    """A learning curve over the seeds of one recipe.

    Attributes:
        recipe: The recipe.
        part: `"training"` or `"validation"`.
        mean: The mean of the metric at each epoch.
        low: The lower edge of the band: the 10th percentile over seeds.
        high: The upper edge: the 90th percentile.
    """

    recipe: str
    part: str
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


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


@dataclass(frozen=True)
class Units:
    """How the scores of a comparison are written: shares as percentages, other metrics in their own units.

    Attributes:
        metric: The metric's name.
        in_points: Whether scores are shares.
    """

    metric: str
    in_points: bool

    @property
    def name(self) -> str:
        """The metric as a word."""
        return self.metric.replace("_", " ")

    @property
    def heading(self) -> str:
        """The metric with its unit, for headings and axes."""
        return f"{self.name} in %" if self.in_points else self.name

    @property
    def scale(self) -> float:
        """What a score is multiplied with where it is drawn."""
        return 100.0 if self.in_points else 1.0

    def score(self, value: float) -> str:
        """A score without its unit."""
        if self.in_points:
            return percent(value)
        return "–" if math.isnan(value) else f"{value:.4g}".replace("-", "−")

    def said(self, value: float) -> str:
        """A score with its unit."""
        return f"{self.score(value)} %" if self.in_points else self.score(value)

    def change(self, value: float) -> str:
        """A difference of scores without its unit, signed."""
        if self.in_points:
            return points(value)
        return "–" if math.isnan(value) else f"{value:+.3g}".replace("-", "−")

    def span(self, interval: Interval) -> str:
        """A difference with its interval."""
        return f"{self.change(interval.mean)} ({self.change(interval.low)} to {self.change(interval.high)})"

    @property
    def unit_of_change(self) -> str:
        """What follows a difference."""
        return " points" if self.in_points else ""


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: What was compared on what.
        lead: The one sentence to take away.
        verdicts: What is to be said of each recipe, a sentence each.
        textbook: What the textbook's loop would have said.
        honesty: How far the best validation epoch of one seed can be believed; empty where that is not known.
        comparison: The numbers.
        units: How its scores are written.
        curves: The learning curves of the metric; none where it was not logged.
        how: How it was made: name -> value.
        command: The command that makes it again.
    """

    title: str
    lead: str
    verdicts: tuple[str, ...]
    textbook: str
    honesty: str
    comparison: Comparison
    units: Units
    curves: tuple[Curve, ...]
    how: Mapping[str, str]
    command: str


def units_of(comparison: Comparison) -> Units:
    """How the scores of a comparison are written."""
    return Units(comparison.metric, comparison.in_points)


def improvement_in_words(summary: RecipeSummary, units: Units) -> str:
    """A recipe's improvement on the baseline with its interval."""
    if summary.verdict is None:
        return "baseline" if all(map(math.isfinite, summary.test)) else "no score"
    gap = summary.verdict.interval
    if math.isnan(gap.low):
        return f"{units.change(gap.mean)} (one seed: no interval)"
    return units.span(gap)


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
    units = units_of(comparison)
    return Document(
        title=f"{names} on {dataset}",
        lead=_lead(comparison, units),
        verdicts=verdict_sentences(comparison),
        textbook=textbook_sentence(comparison),
        honesty=honesty_sentence(comparison),
        comparison=comparison,
        units=units,
        curves=tuple(_curves(runs, comparison.metric)),
        how=how,
        command=command,
    )


def _lead(comparison: Comparison, units: Units) -> str:
    verdicts = [] if comparison.verdicts is None else comparison.verdicts.verdicts
    if any(verdict.kind == "no verdict" for verdict in verdicts) or not verdicts:
        best = comparison.best
        n = best.test_mean.n
        seeds = f"{n} seed{'s' if n > 1 else ''}"
        return (
            f"{best.recipe} has the {'highest' if comparison.greater_is_better else 'lowest'} mean test {units.name}, "
            f"{units.said(best.test_mean.mean)} ({seeds}, {comparison.test_rows} test rows)."
        )
    helping = sorted((v for v in verdicts if v.kind == "helps"), key=lambda verdict: -verdict.estimate)
    if helping:
        others = [verdict.recipe for verdict in helping[1:]]
        also = f" So {'does' if len(others) == 1 else 'do'} {_listed(others)}." if others else ""
        return f"{helping[0].words()}.{also}"
    hurting = [verdict.recipe for verdict in verdicts if verdict.kind == "hurts"]
    alike = [verdict.recipe for verdict in verdicts if verdict.kind == "no difference that matters"]
    open_ = [verdict.recipe for verdict in verdicts if verdict.kind == "not enough evidence"]
    said = [f"{_listed(hurting)} hurt{'s' if len(hurting) == 1 else ''}"] if hurting else []
    said += [f"{_listed(alike)} make{'s' if len(alike) == 1 else ''} no difference that matters"] if alike else []
    said += [f"of {_listed(open_)} there is not enough evidence"] if open_ else []
    return f"Nothing is shown to help against {comparison.baseline}: {'; '.join(said)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def verdict_sentences(comparison: Comparison) -> tuple[str, ...]:
    """What is to be said of each recipe, the runs without a score included."""
    said = [] if comparison.verdicts is None else [verdict.words() for verdict in comparison.verdicts.verdicts]
    lost = [
        f"{name}: no verdict, since the {comparison.metric} of a run that diverged is no finite number"
        for name in comparison.unjudged
    ]
    return (*said, *lost)


def textbook_sentence(comparison: Comparison) -> str:
    """What the loop over `fit` with one seed and the best validation epoch would have printed and picked."""
    first = comparison.recipes[0].seeds[0]
    if any(math.isnan(summary.best_validation[0]) for summary in comparison.recipes):
        return f"Validation {comparison.metric} was not logged, so the textbook's loop has nothing to pick by."
    shown = ", ".join(f"{s.recipe} {s.best_validation[0]:.4f}" for s in comparison.recipes)
    pick, units = comparison.naive_pick, units_of(comparison)
    return (
        f"The textbook's loop (seed {first} alone, best validation epoch) would have printed {shown}, "
        f"and picked {pick.recipe}; that run's {units.name} on the test rows is {units.said(pick.test[0])}."
    )


def honesty_sentence(comparison: Comparison) -> str:
    """How optimistic the best validation epoch is, and what choosing by it on one seed costs; empty if not known."""
    known = [summary for summary in comparison.recipes if summary.optimism is not None]
    if comparison.regret is None or len(known) < len(comparison.recipes):
        return ""
    units, lost = units_of(comparison), comparison.regret
    optimism = ", ".join(f"{s.recipe} {units.span(s.optimism)}" for s in known if s.optimism is not None)
    seeds = comparison.recipes[0].test_mean.n
    wrong = round(lost.differs * seeds)
    unit = units.unit_of_change or f" {units.name}"
    return (
        f"The best validation epoch of one seed against that run's test score, in{unit}: {optimism}. "
        f"Picked by it, {wrong} of {seeds} seeds choose another recipe than {lost.best}, the best on average; "
        f"on fresh seeds such picks cost {units.span(lost.cost)}{units.unit_of_change}."
    )


def _curves(runs: Mapping[tuple[str, int], Run], metric: str) -> list[Curve]:
    grouped: dict[str, list[Run]] = {}
    for (recipe, _), run in runs.items():
        grouped.setdefault(recipe, []).append(run)
    curves = []
    for recipe, own in grouped.items():
        for part, log in (("training", metric), ("validation", f"val_{metric}")):
            if not all(run.history.get(log) for run in own):
                continue
            longest = max(len(run.history[log]) for run in own)
            # a run that was stopped keeps its last value, so that a mean is of the same runs at each epoch
            values = np.array([[*h, *h[-1:] * (longest - len(h))] for h in (run.history[log] for run in own)])
            low, high = np.nanpercentile(values, [10, 90], axis=0)
            curves.append(Curve(recipe, part, tuple(values.mean(axis=0)), tuple(low), tuple(high)))
    return curves
