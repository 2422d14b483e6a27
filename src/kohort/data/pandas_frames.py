"""pandas' data frames as polars': column by column, without pyarrow and without importing pandas."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from kohort.errors import DataError


def from_pandas(frame: Any) -> pl.DataFrame:
    """The same table as a polars data frame; its index is left out.

    Args:
        frame: A `pandas.DataFrame`.

    Raises:
        DataError: Two columns have the same name, or one holds things that no table can.
    """
    names = [str(name) for name in frame.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"each column of a data frame must have a name of its own. Got {twice[0]!r} twice. Rename one.")
    return pl.DataFrame([_series(name, frame.iloc[:, place]) for place, name in enumerate(names)])


def _series(name: str, column: Any) -> pl.Series:
    gaps = column.isna().to_numpy()
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iufb":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan) if gaps.any() else np.asarray(column.tolist())
        return pl.Series(name, values, nan_to_null=True)
    if kind in "mM":
        plain = column.dt.tz_convert(None) if getattr(column.dtype, "tz", None) is not None else column
        return pl.Series(name, plain.to_numpy(dtype=f"{'datetime' if kind == 'M' else 'timedelta'}64[us]"))
    cells = [None if gap else cell for gap, cell in zip(gaps, column.tolist(), strict=True)]
    if {type(cell) for cell in cells if cell is not None} == {int, float}:
        cells = [None if cell is None else float(cell) for cell in cells]
    try:
        return pl.Series(name, cells)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        kinds = sorted({type(cell).__name__ for cell in cells if cell is not None})
        raise DataError(
            f"column {name!r} must hold cells of one kind. Got {', '.join(kinds[:5])}. Write them as text, or drop it."
        ) from error
