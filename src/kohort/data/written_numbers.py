"""Numbers that people wrote: with decimal commas, or with thousands apart; read where there is one way to read them."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

MARKED = r"[.,]"
COMMA_IS_DECIMAL = r"^[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?$"  # 1,5 and 1.234,5
COMMA_IS_THOUSANDS = r"^[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?$"  # 1,234 and 1,234.5


Comma = Literal["", "decimal", "thousands"]
"""What commas of a column are: there are none, decimal marks, or what parts thousands."""


@dataclass(frozen=True, eq=False)
class Written:
    """Cells of text, read as numbers.

    Attributes:
        numbers: Float64; null where a cell is missing or is no number.
        how: What commas were taken for, in words; empty where there are none.
        doubtful: A cell that may be either of two numbers, although the column tells which no more than the cell does.
        comma: What commas were taken for.
    """

    numbers: pl.Series
    how: str = ""
    doubtful: str | None = None
    comma: Comma = ""


def read_numbers(text: pl.Series) -> Written:
    """The numbers in a column of text.

    A comma means the same in every cell of a column, so one cell such as `1,5` or `1,234,567` settles all the others.
    Where every cell can be read both ways (`1,234` alone), the column is doubtful.

    Args:
        text: String; null where missing.

    >>> read_numbers(pl.Series(["1.234,5", "7"])).numbers.to_list()
    [1234.5, 7.0]
    >>> read_numbers(pl.Series(["1,234", "999"])).doubtful
    '1,234'
    """
    marked = text.drop_nulls().filter(text.drop_nulls().str.contains(MARKED))
    commas = marked.filter(marked.str.contains(",", literal=True))
    decimal = bool(marked.str.contains(COMMA_IS_DECIMAL).all())
    thousands = bool(marked.str.contains(COMMA_IS_THOUSANDS).all())
    if commas.is_empty() or not (decimal or thousands):
        return Written(text.cast(pl.Float64, strict=False))
    shown = commas[0]
    if decimal and not thousands:
        return Written(_plain(text, "decimal"), f"commas are decimal marks, as in {shown!r}", comma="decimal")
    told = f"commas part thousands, as in {shown!r}"
    return Written(_plain(text, "thousands"), told, shown if decimal else None, "thousands")


def read_alike(text: pl.Series, comma: Comma) -> pl.Series:
    """The numbers in a column of text, read as another was.

    Args:
        text: String; null where missing.
        comma: What commas are.

    Returns:
        Float64; null where a cell is missing, or no number when it is read so.

    >>> read_alike(pl.Series(["1.234", "1,5", "1,234.5"]), "decimal").to_list()
    [1234.0, 1.5, None]
    """
    if comma:
        form = COMMA_IS_DECIMAL if comma == "decimal" else COMMA_IS_THOUSANDS
        text = text.set(text.str.contains(MARKED) & ~text.str.contains(form), None)
    return _plain(text, comma)


def _plain(text: pl.Series, comma: Comma) -> pl.Series:
    if comma == "decimal":
        text = text.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
    elif comma == "thousands":
        text = text.str.replace_all(",", "", literal=True)
    return text.cast(pl.Float64, strict=False)
