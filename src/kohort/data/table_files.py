"""Files with tables -> data frames: separators, encodings, missing cells and types of columns are found."""

import csv
import gzip
import io
import re
from pathlib import Path

import polars as pl

from kohort.errors import DataError

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "-", "#N/A")
SEPARATORS = (",", ";", "\t", "|")
MOST_COLUMNS = 10_000
DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y", "%Y/%m/%d")
"""How dates are written; 03/04/2024 is not among them, since it is another day in another country."""


def read_table(path: Path, separator: str | None, encoding: str | None, remarks: list[str]) -> pl.DataFrame:
    """The table in a file.

    Args:
        path: CSV or the like, `.parquet`, or either of the former with `.gz`.
        separator: What parts the cells; found if None.
        encoding: The text's, as Python calls it; UTF-8, UTF-16 with its mark, or else Windows-1252 if None.
        remarks: What is found is added to them, in sentences.

    Raises:
        DataError: The file cannot be read as a table.
    """
    if path.is_dir():
        raise DataError(f"{path}: a table must be a file. Got a folder.")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: a table must be readable. Got: {error.strerror or error}. Is the path right?"
        ) from error
    if separator is not None and len(separator.encode()) != 1:
        raise DataError(f"separator must be one plain character, such as ';'. Got {separator!r}.")
    ends = [suffix.lower() for suffix in path.suffixes]
    try:
        if ends[-1:] == [".parquet"]:
            check_width(len(pl.read_parquet_schema(io.BytesIO(raw))), path.name)
            return pl.read_parquet(io.BytesIO(raw))
        if ends[-1:] == [".gz"]:
            raw = gzip.decompress(raw)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path.name}: the file is damaged or no {ends[-1]} file: {_first_line(error)}.") from error
    text = _decoded(raw, path.name, encoding, remarks)
    if not text.strip():
        raise DataError(f"{path.name}: a table must have a header and lines. Got an empty file.")
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as on old Macs
    text = text.lstrip("\r\n")
    header = re.sub('"[^"]*"', "", text.split("\n", 1)[0])  # what is in quotes parts no cells
    cut = separator or max(SEPARATORS, key=header.count)
    check_width(header.count(cut) + 1, path.name)
    try:
        cells = pl.read_csv(io.BytesIO(text.encode()), separator=cut, infer_schema=False, null_values=list(MISSING))
    except (pl.exceptions.PolarsError, ValueError) as error:
        where = _longest_line(text, cut)
        raise DataError(
            f"{path.name}{where}: each line must have as many cells as the header, parted by {cut!r}. "
            f"Got: {_first_line(error)}. Name another separator (--separator), or mend the line."
        ) from error
    names = set(cells.columns)
    twice = [own for own in cells.columns if own and f"{own}_duplicated_0" in names]  # so polars calls the second
    if twice:
        raise DataError(
            f"{path.name}: each column must have a name of its own. Got {twice[0]!r} twice in the first line. Rename "
            "one, or give the columns names if there are none."
        )
    return cells.with_columns(_typed(column) for column in cells.iter_columns())


def _longest_line(text: str, separator: str) -> str:
    """Where the first line with more cells than the header is, in words; empty if there is none."""
    lines = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        columns = len(next(lines))
        for cells in lines:
            if len(cells) > columns:
                return f", line {lines.line_num}"
    except csv.Error:
        pass  # another defect, which the message tells
    return ""


def _typed(text: pl.Series) -> pl.Series:
    """A column of text as whole numbers, numbers, booleans or dates, whichever all its cells are; else as it is.

    polars can tell by itself, but looks at every cell for every type: ten times as long.
    """
    text = text.str.strip_chars()
    text = text.set(text.is_in(list(MISSING)), None)
    told = text.drop_nulls()
    if told.is_empty():
        return text
    for kind in (pl.Int64, pl.Float64):
        if not told.head(100).cast(kind, strict=False).null_count():
            numbers = text.cast(kind, strict=False)
            if numbers.null_count() == text.null_count():
                return numbers
    if not set(told.head(100).str.to_lowercase()) - {"true", "false"}:
        lower = text.str.to_lowercase()
        if lower.drop_nulls().is_in(["true", "false"]).all():
            return (lower == "true").alias(text.name)
    for written in DATES:
        if not told.head(100).str.to_datetime(written, strict=False).null_count():
            dates = text.str.to_datetime(written, strict=False)
            if dates.null_count() == text.null_count():
                return dates
    return text


def _decoded(raw: bytes, title: str, encoding: str | None, remarks: list[str]) -> str:
    if encoding is None and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        return raw.decode(encoding or "utf-8-sig")
    except LookupError:
        raise DataError(f"{title}: encoding must be one that Python knows. Got {encoding!r}.") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        if encoding is not None:
            raise DataError(f"{title}, line {line}: the text must be {encoding}. Got other bytes.") from None
    if b"\0" in raw[:4096]:
        raise DataError(f"{title}: a table must be text or Parquet. Got bytes that are neither.")
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{title}, line {line}: the text must be UTF-8, or Windows-1252. Got the byte {raw[error.start]:#x}. "
            "Save it as UTF-8, or pass its encoding (--encoding)."
        ) from None
    remarks.append(f"The text is not UTF-8 (line {line}), so it is read as Windows-1252.")
    return text


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def check_width(width: int, title: str) -> None:
    """Refuses a table of very many columns.

    Raises:
        DataError: There are more than `MOST_COLUMNS`.
    """
    if width > MOST_COLUMNS:
        raise DataError(
            f"{title}: a table may have {MOST_COLUMNS:,} columns at the most. Got {width:,}. Select some, or "
            "bring the numbers as an array (kohort.data.Dataset)."
        )
