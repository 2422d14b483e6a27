"""The comparison as a table in a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from kohort.report.document import difference_in_words, percent
from kohort.statistics.comparison import Comparison


def table(comparison: Comparison) -> Table:
    """The comparison, a row per recipe; accuracies in percent."""
    n = max(summary.test_mean.n for summary in comparison.recipes)
    shown = Table(
        title=f"Test accuracy in %: {n} seeds, {comparison.test_rows} test rows",
        title_justify="left",
        box=None,
    )
    shown.add_column("recipe")
    for heading in (
        "test mean ± sd",
        f"difference from {comparison.baseline} (95 %)",
        "best val epoch",
        "train, last epoch",
    ):
        shown.add_column(Text(heading), justify="right")
    if any(summary.diverged for summary in comparison.recipes):
        shown.add_column("diverged", justify="right")
    for summary in comparison.recipes:
        cells = [
            Text(summary.recipe),  # a name is data, never markup
            f"{percent(summary.test_mean.mean)} ± {percent(summary.test_spread)}",
            difference_in_words(summary),
            percent(mean(summary.best_validation)),
            percent(mean(summary.train)),
        ]
        if len(shown.columns) > len(cells):
            cells.append(f"{summary.diverged} of {summary.test_mean.n}")
        shown.add_row(*cells)
    return shown


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)
