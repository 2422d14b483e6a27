"""How a network sees the cells of a table: fitted on its training rows, and kept apart from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kohort.data.columns import Column

FAR = 1e6  # standard deviations; a number beyond, where training rows hardly vary, would drown all others


@dataclass(frozen=True)
class Scale:
    """How the numbers of a column are centred and divided.

    Attributes:
        unit: The largest magnitude; numbers are divided by it first, so that no square overflows.
        median: What a missing number is taken for.
        mean: The mean, in that unit.
        spread: The standard deviation, in that unit.
    """

    unit: float
    median: float
    mean: float
    spread: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Values as a network sees them, NaN where missing, of shape (rows,)."""
        with np.errstate(over="ignore"):
            centred = np.where(np.isnan(values), self.median, values) / self.unit - self.mean
            if self.spread <= 1e-12:
                return np.where(np.abs(centred) <= 1e-9, 0.0, np.sign(centred))
            return np.clip(centred / self.spread, -FAR, FAR)


@dataclass(frozen=True, eq=False)
class Encoding:
    """How a network sees cells.

    Attributes:
        columns: What the columns are.
        fitted: Of each column what the training rows say: a scale; which levels they have, bool of shape (levels,); or
            None where no number is known.
    """

    columns: tuple[Column, ...]
    fitted: tuple[Scale | np.ndarray | None, ...]

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Cells as the network sees them.

        Args:
            cells: float64 of shape (rows, columns); numbers of categories from 0, −1 for one that is not known; NaN
                where missing.

        Returns:
            float32 of shape (rows, inputs), finite.
        """
        found = np.zeros((len(cells), sum(column.width for column in self.columns)), np.float32)
        position = 0
        for column, fitted, values in zip(self.columns, self.fitted, cells.T, strict=True):
            own = found[:, position : position + column.width]
            position += column.width
            gone = np.isnan(values)
            if isinstance(fitted, np.ndarray):
                codes = np.where(gone, -1, values).astype(np.int64)
                known = (codes >= 0) & fitted[codes]
                if column.is_embedded:
                    own[:, 0] = np.where(known, codes + 1, 0)
                    continue
                own[np.flatnonzero(known), codes[known]] = 1.0
            elif fitted is not None:
                own[:, 0] = fitted(values)
            if column.missing:
                own[:, -1] = gone
        return found


def inputs(cells: np.ndarray, columns: Sequence[Column], training_rows: np.ndarray) -> np.ndarray:
    """All rows as a network sees them that is trained on some of them.

    Numbers are centred by the training rows' mean and divided by their standard deviation; a missing one is the
    training rows' median, and a further input says that it is missing. A category of few levels is a 0/1 input for
    each level, and one for missing; of many levels its number, from 1. A level that no training row has is no level:
    all 0.

    Args:
        cells: float64 of shape (rows, columns); numbers of categories from 0; NaN where missing.
        columns: What the columns are.
        training_rows: The rows that are trained on.

    Returns:
        float32 of shape (rows, inputs), finite; the same inputs for every choice of training rows.
    """
    return encoding_of(cells[training_rows], columns)(cells)


def encoding_of(cells: np.ndarray, columns: Sequence[Column]) -> Encoding:
    """The encoding of a network that is trained on these rows.

    Args:
        cells: Its training rows, as `Encoding` takes them.
        columns: What the columns are.
    """
    pairs = zip(columns, cells.T, strict=True)
    fitted = [_levels(column, own) if column.levels else _scale(own) for column, own in pairs]
    return Encoding(tuple(columns), tuple(fitted))


def _levels(column: Column, values: np.ndarray) -> np.ndarray:
    seen = np.zeros(len(column.levels), bool)
    seen[values[~np.isnan(values)].astype(np.int64)] = True
    return seen


def _scale(values: np.ndarray) -> Scale | None:
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    unit = max(float(np.abs(values).max()), np.finfo(float).tiny)
    return Scale(unit, float(np.median(values)), float(np.mean(values / unit)), float(np.std(values / unit)))
