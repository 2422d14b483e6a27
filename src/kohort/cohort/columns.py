"""Logs as columns of one row of numbers: how a step's logs lie in a program's results, and how they are read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Columns:
    """The logs of a training or test step.

    Attributes:
        names: What they are called, in the order of the step's outputs.
        shapes: The shape of each; () for the usual number, (classes,) for `F1Score(average=None)`.
    """

    names: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()

    @cached_property
    def count(self) -> int:
        """How many columns there are."""
        return sum(map(prod, self.shapes))

    def of(self, name: str) -> int | None:
        """The first column of a log; None if there is no such log."""
        if name not in self.names:
            return None
        return sum(map(prod, self.shapes[: self.names.index(name)]))

    def read(self, row: Sequence[Any] | np.ndarray, prefix: str = "") -> dict[str, Any]:
        """The logs of a row by name, in the order in which Keras hands them on: numbers as float, others as arrays."""
        values, begin = np.asarray(row, np.float32), 0
        found: dict[str, Any] = {}
        for name, shape in zip(self.names, self.shapes, strict=True):
            end = begin + prod(shape)
            found[prefix + name] = values[begin:end].reshape(shape).copy() if shape else float(values[begin])
            begin = end
        return {name: found[name] for name in sorted(found)}
