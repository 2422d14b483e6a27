"""Data frames without a target -> cells and what their columns are; and later frames by the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kohort.data.columns import Column
from kohort.data.pandas_frames import from_pandas
from kohort.data.tables import Table, is_text, numbers_of, text_of, typed, with_numbers
from kohort.data.written_numbers import Comma, read_alike, read_numbers
from kohort.errors import DataError

UNKNOWN = -1.0
"""The number of a category that the first frame did not have."""


@dataclass(frozen=True, eq=False)
class Features:
    """The columns of a frame that a network can learn from.

    Attributes:
        columns: What they are.
        remarks: What was found, in sentences: columns that are left out, and why.
        commas: Of each column, what commas are in numbers that are written in it.
    """

    columns: tuple[Column, ...]
    remarks: tuple[str, ...]
    commas: tuple[Comma, ...]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [column.name for column in self.columns]

    def cells(self, source: Any) -> np.ndarray:
        """The cells of another frame.

        Args:
            source: A polars or pandas data frame with these columns.

        Returns:
            float64 of shape (rows, columns): numbers, or numbers of categories, −1 for a category that is not known;
            NaN where missing.

        Raises:
            DataError: A column holds other things than it did.
        """
        frame = _frame(source)
        table = _table(frame)
        own = zip(self.columns, self.commas, strict=True)
        return np.stack([_again(frame[column.name], column, comma, table) for column, comma in own], axis=1)


def is_table(source: Any) -> bool:
    """Whether it is a polars or pandas data frame with a column that holds no numbers."""
    if isinstance(source, pl.DataFrame):
        return not all(kind.is_numeric() or kind in (pl.Boolean, pl.Null) for kind in source.dtypes)
    if type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        return not all(getattr(kind, "kind", "O") in "iufb" for kind in source.dtypes)
    return False


def features(source: Any) -> tuple[Features, np.ndarray]:
    """What the columns of a frame are, as `kohort.data.load` finds it, and its cells.

    Args:
        source: A polars or pandas data frame of inputs alone.

    Raises:
        DataError: A column cannot be read, or none can be learnt from.
    """
    frame = _frame(source)
    table = _table(frame)
    remarks: list[str] = []
    texts = [column for column in frame.iter_columns() if is_text(column.dtype)]
    commas: dict[str, Comma] = {column.name: read_numbers(text_of(column)).comma for column in texts}
    frame = frame.with_columns(with_numbers(column, False, table.title, remarks) for column in texts)
    columns, cells, left_out = typed(frame.iter_columns(), table)
    remarks += left_out
    if not columns:
        raise DataError(f"the frame must have a column to learn from. Got none: {' '.join(remarks[:5])} Add a column.")
    known: tuple[Comma, ...] = tuple(commas.get(column.name, "") for column in columns)
    return Features(tuple(columns), tuple(remarks), known), np.stack(cells, axis=1)


def _frame(source: Any) -> pl.DataFrame:
    return source if isinstance(source, pl.DataFrame) else from_pandas(source)


def _table(frame: pl.DataFrame) -> Table:
    return Table("table", np.arange(1, frame.height + 1))


def _again(series: pl.Series, column: Column, comma: Comma, table: Table) -> np.ndarray:
    if series.null_count() == len(series):
        return np.full(len(series), np.nan)
    if column.levels:
        return _codes(text_of(series), column.levels)
    if is_text(series.dtype):
        series = _written(text_of(series), comma, table)
    return numbers_of(series, table)


def _codes(text: pl.Series, levels: Sequence[str]) -> np.ndarray:
    names = pl.Series(levels, dtype=pl.String)
    codes = text.replace_strict(names, np.arange(len(levels)), default=UNKNOWN, return_dtype=pl.Float64)
    return np.where(text.is_null().to_numpy(), np.nan, codes.to_numpy())


def _written(text: pl.Series, comma: Comma, table: Table) -> pl.Series:
    numbers = read_alike(text, comma)
    wrong = numbers.is_null() & text.is_not_null()
    if wrong.any():
        cell = text[int(wrong.arg_max() or 0)]
        raise DataError(
            f"{table.title}: column {text.name!r} must hold numbers, as it did where the network learnt. "
            f"Got {cell!r}. Write the numbers plainly."
        )
    return numbers.alias(text.name)
