"""Predictions: inequalities about means over seeds that are written before anything is trained, and can fail."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from kohort.lab.evidence import Evidence
from kohort.statistics.intervals import LEVEL, Interval, mean_interval

Outcome = Literal["met", "not met", "undecided"]


@dataclass(frozen=True)
class Prediction:
    """An inequality about one number per seed.

    Attributes:
        name: A few words, unique within the claim; verdicts name it: "momentum needs fewer epochs than SGD".
        of: Evidence -> one number per seed, of shape (seeds,).
        above: The mean must lie above this,
        below: and below this. At least one of them is finite; the other, infinite, asks for nothing.
        kind: What of the numbers is judged: `"mean"`, Student's interval; `"ratio"`, the geometric mean of positive
            ratios, Student's interval of their logarithms; `"share"`, of numbers that are 0 or 1 the share of ones, by
            the exact interval of Clopper and Pearson (1934).
        unit: Of the number, where it has one: `" points"`, `" epochs"`, `" %"`; a ratio has `" times"`.
        scale: What a number is multiplied by to be told in that unit: 100 for points.
        beside: Whether it stands beside the claim: about a mechanism, a remedy, theory or the experiment itself, of
            which the chapter's words say nothing. It is judged and told as the others are, and does not decide.
    """

    name: str
    of: Callable[[Evidence], np.ndarray]
    above: float = -math.inf
    below: float = math.inf
    kind: Literal["mean", "ratio", "share"] = "mean"
    unit: str = ""
    scale: float = 1.0
    beside: bool = False

    def __post_init__(self) -> None:
        if not (self.above < self.below and (math.isfinite(self.above) or math.isfinite(self.below))):
            raise ValueError(f"{self.name}: a prediction must be able to fail. Got {self.above} to {self.below}.")

    @property
    def bound(self) -> str:
        """The inequality in words: "above 0 points"."""
        above, below = self.written(self.above), self.written(self.below)
        if math.isfinite(self.above) and math.isfinite(self.below):
            return f"between {above} and {below}{self.unit}"
        return f"above {above}{self.unit}" if math.isfinite(self.above) else f"below {below}{self.unit}"

    def written(self, value: float) -> str:
        """A number in the prediction's unit, without it."""
        return f"{self.scale * value:.3g}" if math.isfinite(value) else "not known"


@dataclass(frozen=True)
class Judged:
    """A prediction and what was found.

    Attributes:
        prediction: The prediction.
        found: The mean (or share, or geometric mean) with its interval; all intervals of a claim hold together at 95 %.
        outcome: `"met"`: all of the interval agrees with the prediction; `"not met"`: none of it does;
            `"undecided"`: some does, or a number is not finite or, as a ratio, not above 0.
    """

    prediction: Prediction
    found: Interval
    outcome: Outcome

    @property
    def measured(self) -> str:
        """What was found, in words."""
        write, found = self.prediction.written, self.found
        return f"{write(found.mean)}{self.prediction.unit} ({write(found.low)} to {write(found.high)})"


def judge(predictions: Sequence[Prediction], evidence: Evidence) -> tuple[Judged, ...]:
    """Holds each prediction against the evidence.

    The intervals' levels are 1 − 0.05 / k for k predictions (Bonferroni), so that all hold together at 95 %.

    Args:
        predictions: The predictions of one claim.
        evidence: What was measured.
    """
    level = 1.0 - (1.0 - LEVEL) / len(predictions)
    return tuple(_judged(prediction, evidence, level) for prediction in predictions)


def _judged(prediction: Prediction, evidence: Evidence, level: float) -> Judged:
    values = np.asarray(prediction.of(evidence), np.float64)
    if values.ndim != 1:
        raise ValueError(f"{prediction.name}: there must be one number a seed. Got an array of shape {values.shape}.")
    if not np.isfinite(values).all() or (prediction.kind == "ratio" and values.min() <= 0.0):
        unknown = float("nan")
        return Judged(prediction, Interval(unknown, unknown, unknown, values.size, level), "undecided")
    found = _interval(values, prediction.kind, level)
    if prediction.above < found.low and found.high < prediction.below:
        return Judged(prediction, found, "met")
    missed = found.high <= prediction.above or found.low >= prediction.below
    return Judged(prediction, found, "not met" if missed else "undecided")


def _interval(values: np.ndarray, kind: str, level: float) -> Interval:
    if kind == "ratio":
        logs = mean_interval(np.log(values), level)
        return Interval(math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high), logs.n, level)
    if kind == "share":
        ones = round(float(values.sum()))
        exact = stats.binomtest(ones, values.size).proportion_ci(level, method="exact")
        return Interval(ones / values.size, float(exact.low), float(exact.high), values.size, level)
    return mean_interval(values, level)
