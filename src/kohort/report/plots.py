"""A report's charts one by one, for notebooks and papers."""

from dataclasses import dataclass
from typing import Any

from kohort.errors import DataError
from kohort.report.charts.drawn import PAPER_INK
from kohort.report.charts.style import styled
from kohort.report.document import Document
from kohort.report.figures import figures


@dataclass(frozen=True, repr=False)
class Plots:
    """Charts as `altair.Chart` objects: a notebook shows them, `.save("chart.svg")` writes one.

    Attributes:
        document: What they show.
    """

    document: Document

    def forest(self) -> Any:
        """Improvements on the baseline with both intervals, and the zone of no importance."""
        return self._chart("forest", "two recipes that ran under the same seeds")

    def scores(self) -> Any:
        """The test scores of all runs, with means and intervals."""
        return self._chart("scores", "runs")

    def curves(self) -> Any:
        """Training and validation scores by epoch, with bands over seeds and marks where runs were stopped."""
        return self._chart("curves", "runs that logged the metric")

    def gap(self) -> Any:
        """Training less validation score by epoch."""
        return self._chart("gap", "runs that logged the metric in training and validation")

    def dose_response(self, technique: str | None = None) -> Any:
        """The test score by strength.

        Args:
            technique: Which, where several were tried at three strengths or more: `"l2"`, or what recipes' names have
                in common, with … for the number; the first if None.
        """
        found = self.document.strengths
        for number, own in enumerate(found):
            if technique is None or technique in (own.technique, own.technique.replace("…", "").strip(" =")):
                return self._chart(f"dose-response-{number + 1}" if number else "dose-response", "")
        known = ", ".join(own.technique for own in found) or "none"
        raise DataError(
            f"there must be recipes that differ in one number alone, at three values or more. Got "
            f"{technique or 'none'}; there are: {known}. Compare for instance l2=0.0001, l2=0.001 and l2=0.01."
        )

    def weights(self) -> Any:
        """How the magnitudes of weights are spread."""
        return self._chart("weights", "diagnostics, which a study measures unless it is told not to")

    def calibration(self) -> Any:
        """How often networks are right, by how sure they are."""
        return self._chart("calibration", "probabilities of classes, and diagnostics")

    def confusion(self) -> Any:
        """Which classes the best recipe takes for which."""
        return self._chart("confusion", "classes, 50 at the most, and diagnostics")

    def residuals(self) -> Any:
        """How far predictions of a regression are off."""
        return self._chart("residuals", "a regression, and diagnostics")

    def optimism(self) -> Any:
        """What the best validation epoch of one seed promises too much."""
        return self._chart("optimism", "runs that logged the metric in validation")

    @property
    def names(self) -> tuple[str, ...]:
        """The charts for which there are numbers."""
        return tuple(figure.name for figure in figures(self.document))

    def _chart(self, name: str, needed: str) -> Any:
        for figure in figures(self.document):
            if figure.name == name:
                return styled(figure.chart(), PAPER_INK)
        raise DataError(f"the chart of {name} needs {needed}. Got none. There are: {', '.join(self.names)}.")

    def __repr__(self) -> str:
        return f"<charts: {', '.join(self.names)}>"
