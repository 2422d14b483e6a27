"""What a comparison says, in sentences."""

import math
from collections.abc import Sequence

from kohort.report.measured import Cost
from kohort.statistics.comparison import Comparison, RecipeSummary
from kohort.statistics.units import Units


def lead_sentence(comparison: Comparison) -> str:
    """The one sentence to take away."""
    units = comparison.units
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
    pick, units = comparison.naive_pick, comparison.units
    return (
        f"The textbook's loop (seed {first} alone, best validation epoch) would have printed {shown}, "
        f"and picked {pick.recipe}; that run's {units.name} on the test rows is {units.said(pick.test[0])}."
    )


def honesty_sentence(comparison: Comparison) -> str:
    """How optimistic the best validation epoch is, and what choosing by it on one seed costs; empty if not known."""
    known = [summary for summary in comparison.recipes if summary.optimism is not None]
    if comparison.regret is None or len(known) < len(comparison.recipes):
        return ""
    units, lost = comparison.units, comparison.regret
    optimism = ", ".join(f"{s.recipe} {units.span(s.optimism)}" for s in known if s.optimism is not None)
    seeds = comparison.recipes[0].test_mean.n
    wrong = round(lost.differs * seeds)
    unit = units.unit_of_change or f" {units.name}"
    return (
        f"The best validation epoch of one seed against that run's test score, in{unit}: {optimism}. "
        f"Picked by it, {wrong} of {seeds} seeds choose another recipe than {lost.best}, the best on average; "
        f"on fresh seeds such picks cost {units.span(lost.cost)}{units.unit_of_change}."
    )


def cost_sentence(costs: Sequence[Cost], seconds: float | None) -> str:
    """What a study took, and would have taken by a loop over `model.fit`.

    Args:
        costs: What each recipe took.
        seconds: What all of it took; None where only the training is known.
    """
    loop = sum(cost.by_fit for cost in costs)
    if seconds is None or seconds < sum(cost.seconds for cost in costs):  # of a study whose runs were there already
        return ""
    took = f"Building, compiling, training and testing took {seconds:.0f} s."
    if math.isnan(loop):
        return took
    return (
        f"{took} The same runs one after another by model.fit would take about {loop:.0f} s, {loop / seconds:.1f} "
        "times as long: a loop that builds and compiles each model, by the pace of three epochs of each recipe here."
    )


def improvement_in_words(summary: RecipeSummary, units: Units) -> str:
    """A recipe's improvement on the baseline with its interval."""
    if summary.verdict is None:
        return "baseline" if all(map(math.isfinite, summary.test)) else "no score"
    gap = summary.verdict.interval
    if math.isnan(gap.low):
        return f"{units.change(gap.mean)} (one seed: no interval)"
    return units.span(gap)
