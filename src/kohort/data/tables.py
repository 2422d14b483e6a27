"""Tables -> datasets: what each column is, and what is learnt, is found and said."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from kohort.data.classes import are_classes, check_task, names_of
from kohort.data.columns import Column
from kohort.data.dataset import Dataset
from kohort.data.pandas_frames import from_pandas
from kohort.data.remarks import giveaways
from kohort.data.table_files import check_width, read_table
from kohort.data.written_numbers import read_numbers
from kohort.errors import DataError

MOST_LEVELS = 10_000
MOST_CLASSES = 1_000
MIXED = 0.9  # of the cells; where so many are numbers, the others are slips, and not names
ID = re.compile(
    r"(^|[_\s.-])(id|ids|index|idx|uuid|guid|key|row|rownum|nr|no|number)$|^unnamed|[a-z](Id|ID)$", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Table:
    """What errors say of a table.

    Attributes:
        title: Its name.
        rows: Of each row that has a target its number in the whole table, from 1.
    """

    title: str
    rows: np.ndarray


def load(
    source: Any,
    target: str | None = None,
    *,
    task: Literal["classification", "regression"] | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    name: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
) -> Dataset:
    """A dataset from a table.

    Args:
        source: A path of a `.csv`, `.tsv`, `.txt` (also `.gz`) or `.parquet` file, or a polars or pandas data frame.
        target: The column to learn; the last one if None.
        task: What is learnt; found from the target if None: names, booleans and whole numbers of at most 20 values are
            classes, other numbers a regression.
        group: A column that says which rows belong together; no group is cut, and it is no input.
        time: A column that says when a row was; the latest rows are the test, and it is no input.
        drop: Columns to leave out.
        name: What reports call it; the file's name if None.
        separator: Between cells; found from the header if None.
        encoding: Of the text; UTF-8, with or without a mark, UTF-16 with one, or else Windows-1252 if None.

    Raises:
        DataError: The table cannot be read or learnt from, with the column or the line and what to do.
    """
    frame, title, remarks = _frame(source, separator, encoding)
    title = name or title
    frame = _without(frame, drop, title)
    target = frame.columns[-1] if target is None else _column(frame, target, title)
    special = [_column(frame, own, title) for own in (group, time) if own is not None]
    _check_roles(target, group, time, special, title)
    frame = frame.with_columns(
        with_numbers(column, column.name == target, title, remarks)
        for column in frame.iter_columns()
        if column.name not in special and is_text(column.dtype)
    )
    gone = frame[target].is_null()
    if frame[target].dtype.is_float():
        gone = gone | frame[target].is_nan()
    if gone.any():
        remarks.append(f"{int(gone.sum()):,} rows without {target!r} are left out.")
        frame = frame.filter(~gone)
    if frame.is_empty():
        raise DataError(f"{title}: the table must have rows with a target. Got none. Is {target!r} the right column?")
    table = Table(title, np.flatnonzero(~gone.to_numpy()) + 1)
    y, classes, told = _target(frame[target], task, table)
    remarks.append(told)
    inputs = [column for column in frame.iter_columns() if column.name not in (target, *special)]
    columns, cells, left_out = typed(inputs, table)
    if not columns:
        raise DataError(
            f"{title}: the table must have a column to learn from besides {target!r}. Got none: "
            f"{' '.join(left_out[:5]) or 'there is no other.'}{' …' if len(left_out) > 5 else ''} "
            "Add a column, or name another target."
        )
    remarks += left_out
    x = np.stack(cells, axis=1)
    remarks.append(_counted(columns))
    remarks += giveaways(x, columns, y, bool(classes))
    copies = len(y) - frame.select(target, *(column.name for column in columns)).n_unique()
    if copies:
        remarks.append(f"{copies:,} of {len(y):,} rows are copies of others, which may fall into other parts.")
    return Dataset(
        title,
        x,
        y,
        classes,
        source=f"{title}, {len(y):,} rows, target {target!r}",
        columns=tuple(columns),
        groups=None if group is None else _labels(frame[special[0]], group, table),
        times=None if time is None else _moments(frame[special[-1]], time, table),
        remarks=tuple(remarks),
    )


# reading


def _frame(source: Any, separator: str | None, encoding: str | None) -> tuple[pl.DataFrame, str, list[str]]:
    remarks: list[str] = []
    if isinstance(source, pl.DataFrame):
        frame, title = source, "table"
    elif type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        check_width(len(source.columns), "table")
        frame, title = from_pandas(source), "table"
    elif isinstance(source, str | Path):
        title = Path(source).name
        frame = read_table(Path(source), separator, encoding, remarks)
    else:
        raise DataError(
            f"a table must be a path, a polars or a pandas data frame. Got {type(source).__name__}. For arrays there "
            "is kohort.data.Dataset."
        )
    check_width(frame.width, title)
    if frame.width < 2 or frame.is_empty():
        what = f"{frame.height} rows and {frame.width} columns"
        raise DataError(f"{title}: a table must have rows, a target and a column to learn it from. Got {what}.")
    return frame, title, remarks


def _column(frame: pl.DataFrame, name: str, title: str) -> str:
    if name in frame.columns:
        return name
    small = {column.lower(): column for column in frame.columns}
    near = [small[found] for found in get_close_matches(name.lower(), small, cutoff=0.5)]
    guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    shown = ", ".join(frame.columns[:20]) + (", …" if frame.width > 20 else "")
    raise DataError(f"{title}: there is no column {name!r}. {guess}There are: {shown}.")


def _without(frame: pl.DataFrame, drop: Sequence[str], title: str) -> pl.DataFrame:
    return frame.drop([_column(frame, name, title) for name in drop]) if drop else frame


# cells


def typed(inputs: Iterable[pl.Series], table: Table) -> tuple[list[Column], list[np.ndarray], list[str]]:
    """The columns that can be learnt from, their cells, and a sentence on each that cannot."""
    columns: list[Column] = []
    cells: list[np.ndarray] = []
    left_out: list[str] = []
    for column in inputs:
        values, levels, why = _cells(column, table)
        if why:
            left_out.append(f"{column.name!r} is left out: {why}.")
            continue
        columns.append(Column(column.name, levels, bool(np.isnan(values).any())))
        cells.append(values)
    return columns, cells, left_out


def _cells(column: pl.Series, table: Table) -> tuple[np.ndarray, tuple[str, ...], str]:
    """Numbers, or numbers of levels and the levels' names; or why the column is left out."""
    empty: tuple[np.ndarray, tuple[str, ...]] = (np.zeros(0), ())
    if column.null_count() == len(column):
        return *empty, "all its cells are missing"
    kind = column.dtype
    if kind == pl.String:
        return _levels(column)
    numbers = numbers_of(column, table)
    seen = numbers[~np.isnan(numbers)]
    if not len(seen):
        return *empty, "all its cells are missing"
    if len(seen) == len(numbers) and (seen == seen[0]).all():
        return *empty, "it is constant"
    whole = kind.is_integer() and len(seen) == len(numbers)
    if whole and len(np.unique(seen)) == len(seen) and (ID.search(column.name) or (np.diff(seen) == 1).all()):
        return *empty, "it numbers the rows"
    return numbers, (), ""


def numbers_of(column: pl.Series, table: Table) -> np.ndarray:
    """A column of numbers, booleans or times, float64 of shape (rows,); NaN where missing."""
    kind = column.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        numbers = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 86_400e6  # days
    elif isinstance(kind, pl.Duration):
        numbers = column.dt.total_microseconds().cast(pl.Float64) / 86_400e6
    elif kind == pl.Time:
        numbers = column.cast(pl.Int64).cast(pl.Float64) / 3_600e9  # hours
    elif kind == pl.Boolean or kind.is_numeric():
        numbers = column.cast(pl.Float64)
    else:
        raise DataError(
            f"{table.title}: column {column.name!r} must hold numbers, names, dates or booleans. Got {kind}. "
            f"Leave it out with {_drop(column.name)}."
        )
    found = numbers.to_numpy().astype(np.float64)
    endless = np.isinf(found)
    if endless.any():
        raise DataError(
            f"{table.title}: column {column.name!r} must hold finite numbers. Got an infinite one in row "
            f"{table.rows[endless.argmax()]}. Mend the cell or leave it empty."
        )
    return found


def is_text(kind: pl.DataType) -> bool:
    """Whether a column of this type holds texts."""
    return kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum)


def text_of(column: pl.Series) -> pl.Series:
    """A column as text without blanks around it; null where nothing is left."""
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def with_numbers(column: pl.Series, is_target: bool, title: str, remarks: list[str]) -> pl.Series:
    """A column of text as numbers where they are written in it, else as text.

    A target of plain digits stays as it is: they may be names of classes.
    """
    text = text_of(column)
    written = read_numbers(text)
    told = len(text) - text.null_count()
    wrong = written.numbers.is_null() & text.is_not_null()
    share = 1.0 - int(wrong.sum()) / max(told, 1)
    if not told or (is_target and not (written.how and share == 1.0)):
        return text
    advice = "Write the numbers plainly" + ("." if is_target else f", or leave the column out with {_drop(text.name)}.")
    if share == 1.0 and written.doubtful is not None:
        row = int((text == written.doubtful).arg_max() or 0) + 1
        other = written.doubtful.replace(",", ".")
        raise DataError(
            f"{title}: column {text.name!r} must hold numbers that can be read in one way. Got {written.doubtful!r} in "
            f"row {row}, which is {written.doubtful.replace(',', '')} or {other}. {advice}"
        )
    if share == 1.0:
        if written.how:
            remarks.append(f"{text.name!r} holds numbers: {written.how}.")
        return written.numbers.alias(text.name)
    if share >= MIXED and told >= 20:
        row = int(wrong.arg_max() or 0)
        raise DataError(
            f"{title}: column {text.name!r} must hold numbers or names. Got {text[row]!r} in row {row + 1} among "
            f"{share:.0%} numbers. Mend the cells, or leave the column out with {_drop(text.name)}."
        )
    return text


def _drop(name: str) -> str:
    return f"drop=[{name!r}] (--drop {name})"


def _levels(text: pl.Series) -> tuple[np.ndarray, tuple[str, ...], str]:
    names = text.drop_nulls().unique().sort()
    told = len(text) - text.null_count()
    empty: tuple[np.ndarray, tuple[str, ...]] = (np.zeros(0), ())
    if len(names) == 1 and told == len(text):
        return *empty, "it is constant"
    if len(names) == told and told > 20:
        return *empty, "each row has another name, as an identifier or free text has"
    if len(names) > max(50, told // 2) or len(names) > MOST_LEVELS:
        return *empty, f"it has {len(names):,} names in {told:,} rows, as free text has"
    codes = text.replace_strict(names, np.arange(len(names)), default=None, return_dtype=pl.Float64)
    return codes.fill_null(float("nan")).to_numpy().astype(np.float64), tuple(names.to_list()), ""


# target, groups, times


def _target(column: pl.Series, task: str | None, table: Table) -> tuple[np.ndarray, tuple[str, ...], str]:
    check_task(task)
    kind, where = column.dtype, f"{table.title}: target {column.name!r}"
    values: np.ndarray | None = None
    if kind == pl.String:
        numbers = column.cast(pl.Float64, strict=False)
        if task == "regression" and numbers.null_count():
            row = int(numbers.is_null().arg_max() or 0)
            raise DataError(
                f"{where} must hold numbers for a regression. Got {column[row]!r} in row {table.rows[row]}."
            )
        if task == "regression":
            values = numbers.to_numpy()
    elif kind != pl.Boolean:
        values = numbers_of(column, table)
    distinct = column.n_unique()
    if task is None:
        task = "classification" if values is None or are_classes(values) else "regression"
    if task == "regression":
        if values is None:
            raise DataError(f"{where} must hold numbers for a regression. Got {kind}.")
        with np.errstate(over="ignore"):  # said below
            y = values.astype(np.float32)
        if not np.isfinite(y).all():
            raise DataError(f"{where} must hold numbers that float32 can hold. Got {values[~np.isfinite(y)][0]:g}.")
        if (y == y[0]).all():
            raise DataError(f"{where} must vary. Got {y[0]:g} in every row. Is it the right column?")
        return y, (), f"A regression of {column.name!r}, from {y.min():g} to {y.max():g}."
    if distinct < 2:
        raise DataError(
            f"{where} must have two classes at least. Got {column[0]!r} in every row. Is it the right column?"
        )
    if distinct > MOST_CLASSES:
        raise DataError(
            f"{where} may have {MOST_CLASSES:,} classes at the most. Got {distinct:,}. For numbers pass "
            "task='regression' (--task regression)."
        )
    names = column.unique().sort()
    counts = column.value_counts().sort("count")
    if counts["count"][0] < 3:
        rare, count = counts[column.name][0], counts["count"][0]
        raise DataError(
            f"{where}: each class must have 3 rows at least, one for each part. Got {count} of {rare!r}. Remove the "
            "class, or pass task='regression' (--task regression) if it is a number."
        )
    codes = column.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int32).to_numpy()
    classes = names_of(names.to_list())
    shown = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
    return codes.astype(np.int32), classes, f"A classification of {column.name!r} into {len(classes)} classes: {shown}."


def _check_roles(target: str, group: str | None, time: str | None, special: Sequence[str], title: str) -> None:
    if group is not None and time is not None:
        raise DataError(
            f"{title}: rows are cut by group or by time. Got group={group!r} and time={time!r}. Pass one of them."
        )
    if target in special:
        raise DataError(
            f"{title}: the target must be another column than the group or the time. Got {target!r} as both. Pass "
            "another target, or none of the two."
        )


def _labels(column: pl.Series, name: str, table: Table) -> np.ndarray:
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        raise DataError(f"{table.title}: {name!r} must hold names, numbers or dates of groups. Got {column.dtype}.")
    _check_complete(column, name, "group", table)
    return column.rank("dense").cast(pl.Int64).to_numpy()


def _moments(column: pl.Series, name: str, table: Table) -> np.ndarray:
    _check_complete(column, name, "time", table)
    if column.dtype == pl.String:
        raise DataError(
            f"{table.title}: {name!r} must hold dates or numbers. Got text such as {column[0]!r}. "
            "Write dates as 2024-12-31."
        )
    return numbers_of(column, table)


def _check_complete(column: pl.Series, name: str, what: str, table: Table) -> None:
    gone = column.is_null()
    if column.dtype.is_float():
        gone = gone | column.is_nan()
    if gone.any():
        raise DataError(
            f"{table.title}: each row must have a {what}. Got {int(gone.sum()):,} without {name!r}, first row "
            f"{table.rows[int(gone.arg_max() or 0)]}. Fill it in, or leave these rows out."
        )


def _counted(columns: Sequence[Column]) -> str:
    numbers = sum(not column.levels for column in columns)
    vectors = sum(column.is_embedded for column in columns)
    gaps = sum(column.missing for column in columns)
    told = [f"{numbers} of numbers", f"{len(columns) - numbers} of categories"]
    told += [f"{vectors} of these with so many levels that they are embedded"] if vectors else []
    told += [f"{gaps} with missing cells"] if gaps else []
    return f"{len(columns)} columns: {', '.join(told)}."
