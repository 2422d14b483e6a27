"""Scores of any framework and the verdicts on them, as a table in a terminal and in words."""

import numpy as np
from rich.table import Table
from rich.text import Text

from kohort.statistics.table import ScoreTable
from kohort.statistics.units import Units
from kohort.statistics.verdict import Verdicts


def scores_table(table: ScoreTable, verdicts: Verdicts) -> Table:
    """A row per recipe: mean and spread over seeds, the improvement on the baseline, and the verdict."""
    units = Units(table.metric, table.is_share)
    n = len(table.seeds)
    counted = f"{n} seed{'s' if n > 1 else ''}" + (f", {verdicts.rows:,} test rows" if verdicts.rows else "")
    shown = Table(title=Text(f"{units.heading}: {counted}"), title_justify="left", box=None)
    shown.add_column("recipe")
    for heading in ("mean ± sd", f"improvement on {verdicts.baseline} ({100 * verdicts.level:g} %)"):
        shown.add_column(Text(heading), justify="right")
    shown.add_column("verdict")
    judged = {verdict.recipe: verdict for verdict in verdicts.verdicts}
    for recipe, scores in zip(table.recipes, table.scores, strict=True):
        verdict = judged.get(recipe)
        spread = float(np.std(scores, ddof=1)) if n > 1 else float("nan")
        shown.add_row(
            Text(recipe),  # a name is data, never markup
            f"{units.score(float(scores.mean()))} ± {units.score(spread)}",
            "baseline" if verdict is None else units.span(verdict.interval),
            "" if verdict is None else verdict.kind,
        )
    return shown


def ranks_in_words(verdicts: Verdicts) -> str:
    """Which recipe is best, as far as the data tell."""
    if not verdicts.ranks:
        return f"Which recipe is best is not said of {verdicts.seeds} seed{'s' if verdicts.seeds > 1 else ''}."
    first = [rank.recipe for rank in verdicts.ranks if rank.best == 1]
    if len(first) == 1:
        return f"{first[0]} is the best of {len(verdicts.ranks)}."
    return f"The best of {len(verdicts.ranks)} may be any of {len(first)}: {', '.join(first)}."
