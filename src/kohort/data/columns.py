"""Columns of a table, and how a network sees them: fitted on the training rows only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ONE_HOT_AT_MOST = 12  # levels; more are embedded, since a column each would outnumber the other inputs


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        levels: The names of its categories, by number; empty where it holds numbers.
        missing: Whether cells are missing.
    """

    name: str
    levels: tuple[str, ...] = ()
    missing: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether a network learns a vector for each of its categories."""
        return len(self.levels) > ONE_HOT_AT_MOST

    @property
    def width(self) -> int:
        """How many inputs it becomes."""
        if self.is_embedded:
            return 1
        return (len(self.levels) or 1) + self.missing


def embedded(columns: Sequence[Column]) -> tuple[tuple[int, int], ...]:
    """Where among the inputs numbers of a category stand, and how many there are: 0 stands for missing and unseen."""
    found, position = [], 0
    for column in columns:
        if column.is_embedded:
            found.append((position, len(column.levels) + 1))
        position += column.width
    return tuple(found)


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
    found = np.zeros((len(cells), sum(column.width for column in columns)), np.float32)
    position = 0
    for column, values in zip(columns, cells.T, strict=True):
        own = found[:, position : position + column.width]
        position += column.width
        gone = np.isnan(values)
        if not column.levels:
            own[:, 0] = _standardised(values, training_rows)
        else:
            codes = np.where(gone, -1, values).astype(np.int64)
            seen = np.zeros(len(column.levels) + 1, bool)  # the last for missing cells
            seen[codes[training_rows]] = True
            known = seen[codes] & ~gone
            if column.is_embedded:
                own[:, 0] = np.where(known, codes + 1, 0)
                continue
            own[np.flatnonzero(known), codes[known]] = 1.0
        if column.missing:
            own[:, -1] = gone
    return found


FAR = 1e6  # standard deviations; a number beyond, where training rows hardly vary, would drown all others


def _standardised(values: np.ndarray, training_rows: np.ndarray) -> np.ndarray:
    trained = values[training_rows]
    trained = trained[~np.isnan(trained)]
    if not len(trained):
        return np.zeros(len(values))
    scale = max(float(np.abs(trained).max()), np.finfo(float).tiny)  # so that no square overflows
    with np.errstate(over="ignore"):  # numbers far beyond the training rows' are cut off below
        filled = np.where(np.isnan(values), np.median(trained), values) / scale
    spread = float(np.std(trained / scale))
    centred = filled - float(np.mean(trained / scale))
    if spread <= 1e-12:
        return np.where(np.abs(centred) <= 1e-9, 0.0, np.sign(centred))
    with np.errstate(over="ignore"):
        return np.clip(centred / spread, -FAR, FAR)
