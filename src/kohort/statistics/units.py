"""How scores are written: shares of 1 as percentages, other metrics in their own units."""

import math
from dataclasses import dataclass

from kohort.statistics.intervals import Interval


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
    """How the scores of a comparison are written.

    Attributes:
        metric: The metric's name.
        in_points: Whether scores are shares.
    """

    metric: str
    in_points: bool

    @classmethod
    def of(cls, metric: str) -> "Units":
        """Those of a metric of which only the name is known: accuracies are shares."""
        return cls(metric, "accuracy" in metric)

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

    def drawn(self, value: float) -> float | None:
        """A score as charts take it, to five digits; None where it is not finite."""
        return float(f"{self.scale * value:.5g}") if math.isfinite(value) else None

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

    def within(self, interval: Interval) -> str:
        """A score with its interval, without its unit."""
        return f"{self.score(interval.mean)} ({self.score(interval.low)} to {self.score(interval.high)})"

    @property
    def unit_of_change(self) -> str:
        """What follows a difference."""
        return " points" if self.in_points else ""

    @property
    def axis_of_change(self) -> str:
        """The unit of differences, for axes."""
        return "percentage points" if self.in_points else self.name
