"""What an experiment measured: numbers by quantity, condition and seed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kohort.errors import DataError
from kohort.statistics.intervals import Interval, mean_interval


class Measured(Mapping[str, np.ndarray]):
    """One quantity under each condition that was tried.

    Args:
        values: Condition -> float64 of shape (seeds,), or (seeds, points) where the quantity is a curve. Element i of
            every condition belongs to the same seed, so that differences between conditions are paired.
        points: Where a curve was measured, of shape (points,): epochs, rates, sizes; None of single numbers.

    Raises:
        DataError: The shapes do not agree.
    """

    def __init__(self, values: Mapping[str, Any], points: Any = None):
        self._values = {condition: np.asarray(own, np.float64) for condition, own in values.items()}
        self.points = None if points is None else np.asarray(points, np.float64)
        axes = 1 if self.points is None else 2
        shapes = {condition: own.shape for condition, own in self._values.items()}
        told = ", ".join(f"{condition!r}: {shape}" for condition, shape in shapes.items())
        if not shapes or any(len(shape) != axes for shape in shapes.values()) or len(set(shapes.values())) > 1:
            raise DataError(f"each condition must have one {'curve' if axes == 2 else 'number'} a seed. Got {told}.")
        if self.points is not None and {shape[1] for shape in shapes.values()} != {len(self.points)}:
            raise DataError(f"curves must have a value at each of {len(self.points)} points. Got {told}.")

    def __getitem__(self, condition: str) -> np.ndarray:
        return self._values[condition]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def seeds(self) -> int:
        """How many seeds it was measured with."""
        return len(next(iter(self._values.values())))

    def at(self, point: float) -> dict[str, np.ndarray]:
        """The numbers of a curve at one point: condition -> array of shape (seeds,).

        Raises:
            DataError: It was not measured there.
        """
        found = [] if self.points is None else np.flatnonzero(np.isclose(self.points, point)).tolist()
        if not found:
            raise DataError(f"the quantity must have been measured at {point:g}. Got the points {self.points}.")
        return {condition: own[:, found[0]] for condition, own in self._values.items()}

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it, to seven digits; what is not finite becomes text."""
        points = None if self.points is None else self.points.tolist()
        return {"points": points, "values": {name: _written(own.tolist()) for name, own in self._values.items()}}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Measured":
        """What `to_json` told."""
        return cls({name: _read(own) for name, own in told["values"].items()}, told["points"])


Evidence = Mapping[str, Measured]
"""Quantity -> what was measured of it."""


def finite_mean(values: np.ndarray) -> Interval | None:
    """The mean of the finite values with its 95 % interval, whose ends are the mean where there is one value.

    Args:
        values: Of shape (seeds,).

    Returns:
        The interval, its n the number of finite values; None where there is none.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    found = mean_interval(finite)
    return replace(found, low=found.mean, high=found.mean) if np.isnan(found.low) else found


def _written(value: Any) -> Any:
    if isinstance(value, list):
        return [_written(one) for one in value]
    return float(f"{value:.7g}") if np.isfinite(value) else str(value)


def _read(value: Any) -> Any:
    return [_read(one) for one in value] if isinstance(value, list) else float(value)
