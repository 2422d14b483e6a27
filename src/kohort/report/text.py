"""The comparison as a table in a terminal."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from kohort.report.sentences import improvement_in_words
from kohort.statistics.comparison import Comparison


def table(comparison: Comparison) -> Table:
    """The comparison, a row per recipe; accuracies in percent."""
    units = comparison.units
    n = max(summary.test_mean.n for summary in comparison.recipes)
    shown = Table(
        title=Text(f"Test {units.heading}: {n} seed{'s' if n > 1 else ''}, {comparison.test_rows} test rows"),
        title_justify="left",
        box=None,
    )
    shown.add_column("recipe")
    for heading in (
        "test mean ± sd",
        f"improvement on {comparison.baseline} (95 %)",
        "best val epoch",
        "train, last epoch",
    ):
        shown.add_column(Text(heading), justify="right")
    shown.add_column("verdict")
    if any(summary.diverged for summary in comparison.recipes):
        shown.add_column("diverged", justify="right")
    for summary in comparison.recipes:
        cells = [
            Text(summary.recipe),  # a name is data, never markup
            f"{units.score(summary.test_mean.mean)} ± {units.score(summary.test_spread)}",
            improvement_in_words(summary, units),
            units.score(mean(summary.best_validation)),
            units.score(mean(summary.train)),
            "" if summary.verdict is None else summary.verdict.kind,
        ]
        if len(shown.columns) > len(cells):
            cells.append(f"{summary.diverged} of {summary.test_mean.n}")
        shown.add_row(*cells)
    return shown


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def seconds(value: float) -> str:
    """Seconds with one digit; a dash where they are not known."""
    return "–" if math.isnan(value) else f"{value:.1f}"
