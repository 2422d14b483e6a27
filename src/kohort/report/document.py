"""What a report says, as plain records; how it looks is decided elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kohort.report.curves import Curve, Stop, curves_of, grouped, stops_of
from kohort.report.measured import (
    Confusion,
    Cost,
    Reliable,
    Residuals,
    Weights,
    confusion_of,
    costs_of,
    reliable_of,
    residuals_of,
    weights_of,
)
from kohort.report.sentences import cost_sentence, honesty_sentence, lead_sentence, textbook_sentence, verdict_sentences
from kohort.report.strengths import Strengths, strengths_of
from kohort.run import Failure, FitPace, Run
from kohort.statistics.comparison import Comparison
from kohort.statistics.units import Units

MOST_IN_TITLE = 8
"""Recipes that a title names; of more it tells the number."""


@dataclass(frozen=True)
class Search:
    """Where a recipe comes from that was searched for.

    Attributes:
        sentences: What was searched, tried and chosen.
        heads: Headings of the candidates that came last into question.
        rows: These, the chosen one first.
    """

    sentences: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
        stops: The runs that were stopped early.
        strengths: Where recipes are one technique at several strengths: how the score follows.
        weights: How each recipe's weights are spread, where that was measured.
        reliable: How far each recipe's probabilities can be believed, where that was measured.
        confusion: Which classes the best recipe takes for which; None of a regression and where it was not kept.
        residuals: How far each recipe of a regression is off.
        costs: What each recipe took.
        cost: What all of it took, beside plain `model.fit` where that was timed; empty where it is not known.
        failures: The runs that gave no usable network.
        how: How it was made: name -> value.
        code: The recipes as code: name -> source.
        command: The command that makes it again; empty where there is none.
        search: The search that a recipe comes from; None where there was none.
    """

    title: str
    lead: str
    verdicts: tuple[str, ...]
    textbook: str
    honesty: str
    comparison: Comparison
    units: Units
    curves: tuple[Curve, ...]
    stops: tuple[Stop, ...]
    strengths: tuple[Strengths, ...]
    weights: tuple[Weights, ...]
    reliable: tuple[Reliable, ...]
    confusion: Confusion | None
    residuals: tuple[Residuals, ...]
    costs: tuple[Cost, ...]
    cost: str
    failures: tuple[str, ...]
    how: Mapping[str, str]
    code: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    search: Search | None = None


def document(
    comparison: Comparison,
    runs: Mapping[tuple[str, int], Run],
    *,
    dataset: str,
    how: Mapping[str, str],
    command: str = "",
    classes: Sequence[str] = (),
    failures: Sequence[Failure] = (),
    code: Mapping[str, str] | None = None,
    by_fit: Mapping[str, FitPace] | None = None,
    seconds: float | None = None,
    strengths: Mapping[str, float] | None = None,
) -> Document:
    """Writes the report of a comparison.

    Args:
        comparison: The numbers.
        runs: The runs they were made from.
        dataset: The name of the data.
        how: Facts on how it was made.
        command: The command that made it; empty where none did.
        classes: The classes' names.
        failures: The runs that gave no usable network.
        code: The recipes as code: name -> source.
        by_fit: What each recipe costs by plain `model.fit`, where that was timed.
        seconds: What all of it took, where that is known.
        strengths: The baseline's own strength of techniques that other recipes vary, as `Study` takes it.
    """
    costs = costs_of(runs, by_fit or {})
    names = comparison.names
    told = ", ".join(names) if len(names) <= MOST_IN_TITLE else f"{len(names)} recipes"
    best = comparison.best.recipe
    return Document(
        title=f"{told} on {dataset}",
        lead=lead_sentence(comparison),
        verdicts=verdict_sentences(comparison),
        textbook=textbook_sentence(comparison),
        honesty=honesty_sentence(comparison),
        comparison=comparison,
        units=comparison.units,
        curves=curves_of(runs, comparison.metric),
        stops=stops_of(runs, comparison.metric),
        strengths=strengths_of(comparison, strengths),
        weights=weights_of(runs),
        reliable=reliable_of(runs),
        confusion=confusion_of(best, grouped(runs)[best], classes),
        residuals=residuals_of(runs),
        costs=costs,
        cost=cost_sentence(costs, seconds),
        failures=tuple(map(str, failures)),
        how=how,
        code=code or {},
        command=command,
    )
