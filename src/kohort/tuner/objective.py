"""What a search goes by: a metric on validation rows, of a curve over epochs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kohort.errors import DataError
from kohort.parts import BalancedAccuracy
from kohort.recipes.design import Problem

WINDOW = 3
"""Epochs over which a curve is smoothed before its best epoch is looked for: the best single one is mostly luck."""


@dataclass(frozen=True)
class Objective:
    """A metric that a search goes by.

    Attributes:
        metric: Its name, as a study takes it.
        log: What networks log of it on validation rows.
        greater_is_better: Whether one wants it high.
        logged: Make it, where the recipes of the catalogue do not log it anyway.
    """

    metric: str
    log: str
    greater_is_better: bool
    logged: tuple[Callable[[Problem], keras.metrics.Metric], ...] = ()

    def curve(self, history: Mapping[str, Sequence[float]]) -> np.ndarray:
        """What to make large, by epoch: the metric, its negative where one wants it low; −∞ from where it diverged."""
        values = np.asarray(history[self.log], np.float64)
        values = values if self.greater_is_better else -values
        losses = np.asarray(history.get("val_loss", values), np.float64)
        bad = ~np.isfinite(values) | ~np.isfinite(losses)
        return np.where(np.maximum.accumulate(bad), -np.inf, values)

    @property
    def balanced(self) -> bool:
        """Whether each class counts alike, however rare it is."""
        return self.metric == "balanced_accuracy"

    def in_units(self, score: float) -> float:
        """A score as the metric has it."""
        return score if self.greater_is_better else -score


def best_epoch(curve: np.ndarray, last: bool = False) -> tuple[float, int]:
    """The best place of a curve that is smoothed over three epochs.

    Args:
        curve: What to make large, by epoch.
        last: Look at the end alone: of a schedule that is planned for all epochs.

    Returns:
        The smoothed value, and after how many epochs it is reached.

    >>> best_epoch(np.array([0.1, 0.9, 0.2, 0.5, 0.6, 0.7]))
    (0.6, 6)
    """
    width = min(WINDOW, len(curve))
    smooth = np.lib.stride_tricks.sliding_window_view(curve, width).mean(axis=1)
    place = len(smooth) - 1 if last else int(np.argmax(smooth))
    return float(smooth[place]), place + width


def _balanced(problem: Problem) -> keras.metrics.Metric:
    return BalancedAccuracy(problem.outputs)


def _crossentropy(problem: Problem) -> keras.metrics.Metric:
    return keras.metrics.SparseCategoricalCrossentropy(name="crossentropy")


def _absolute_error(problem: Problem) -> keras.metrics.Metric:
    return keras.metrics.MeanAbsoluteError(name="mae")


OF_CLASSES = {
    "accuracy": Objective("accuracy", "val_accuracy", True),
    "balanced_accuracy": Objective("balanced_accuracy", "val_balanced_accuracy", True, (_balanced,)),
    "sparse_categorical_crossentropy": Objective(
        "sparse_categorical_crossentropy", "val_crossentropy", False, (_crossentropy,)
    ),
}
OF_NUMBERS = {
    "root_mean_squared_error": Objective("root_mean_squared_error", "val_rmse", False),
    "mean_absolute_error": Objective("mean_absolute_error", "val_mae", False, (_absolute_error,)),
}


def objective_of(metric: str | None, classes: bool) -> Objective:
    """The objective that a metric's name means.

    Args:
        metric: The name; None: accuracy of classes, the root mean squared error of numbers.
        classes: Whether classes are learnt.

    Raises:
        DataError: A search cannot go by it.
    """
    known = OF_CLASSES if classes else OF_NUMBERS
    name = metric or next(iter(known))
    if name not in known:
        raise DataError(
            f"a search goes by one of {', '.join(map(repr, known))} where {'classes' if classes else 'numbers'} are "
            f"learnt. Got {metric!r}."
        )
    return known[name]
