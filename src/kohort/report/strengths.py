"""Dose and response: recipes that differ in one number alone, and how the score follows it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kohort.statistics.comparison import Comparison, RecipeSummary
from kohort.statistics.ranks import RankInterval

FEWEST = 3
"""Strengths that make a curve; two make a comparison."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")


@dataclass(frozen=True)
class Strengths:
    """Recipes that are one technique at several strengths.

    Attributes:
        technique: What their names have in common, with … for the number.
        values: The strengths, rising.
        recipes: The recipe of each.
        best: The strength with the best mean test score.
        candidates: The strengths that may be the best, by the intervals of all recipes' ranks; all of them below six
            seeds.
    """

    technique: str
    values: tuple[float, ...]
    recipes: tuple[RecipeSummary, ...]
    best: float
    candidates: tuple[float, ...]


def strengths_of(comparison: Comparison, baseline: Mapping[str, float] | None = None) -> tuple[Strengths, ...]:
    """The groups of recipes whose names differ in one number, each of three strengths at the least.

    Args:
        comparison: The recipes.
        baseline: The baseline's own strength in groups that its name does not tell: what the names of a group have
            before the number -> its strength there.
    """
    groups: dict[tuple[str, str], dict[float, RecipeSummary]] = {}
    for summary in comparison.recipes:
        for found in _NUMBER.finditer(summary.recipe):
            around = (summary.recipe[: found.start()], summary.recipe[found.end() :])
            groups.setdefault(around, {})[float(found.group())] = summary
    own = next(summary for summary in comparison.recipes if summary.recipe == comparison.baseline)
    for before, strength in (baseline or {}).items():
        groups.get((f"{before} ", ""), {}).setdefault(strength, own)
    return tuple(
        _strengths(f"{before}…{after}", dict(sorted(own.items())), comparison)
        for (before, after), own in groups.items()
        if len(own) >= FEWEST
    )


def _strengths(technique: str, own: dict[float, RecipeSummary], comparison: Comparison) -> Strengths:
    sign = 1.0 if comparison.greater_is_better else -1.0
    best = max(own, key=lambda value: _or_worst(sign * own[value].test_mean.mean))
    ranks = () if comparison.verdicts is None else comparison.verdicts.ranks
    may_be_best = _may_be_best([summary.recipe for summary in own.values()], ranks)
    candidates = tuple(value for value, summary in own.items() if summary.recipe in may_be_best)
    return Strengths(technique.strip(), tuple(own), tuple(own.values()), best, candidates or tuple(own))


def _may_be_best(names: Sequence[str], ranks: Sequence[RankInterval]) -> set[str]:
    """Those that no other of them is shown to beat: whose best rank is above the worst rank of each other."""
    own = {rank.recipe: rank for rank in ranks if rank.recipe in names}
    if not own:
        return set()
    least = min(rank.worst for rank in own.values())
    return {name for name, rank in own.items() if rank.best <= least}


def _or_worst(score: float) -> float:
    return score if score == score else float("-inf")
