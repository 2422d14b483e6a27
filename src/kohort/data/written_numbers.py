"""Numbers that people wrote: with decimal commas, or with thousands apart; read where there is one way to read them."""

from dataclasses import dataclass

import polars as pl

MARKED = r"[.,]"
COMMA_IS_DECIMAL = r"^[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?$"  # 1,5 and 1.234,5
COMMA_IS_THOUSANDS = r"^[+-]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?$"  # 1,234 and 1,234.5


@dataclass(frozen=True, eq=False)
class Written:
    """Cells of text, read as numbers.

    Attributes:
        numbers: Float64; null where a cell is missing or is no number.
        how: What commas were taken for, in words; empty where there are none.
        doubtful: A cell that may be either of two numbers, although the column tells which no more than the cell does.
    """

    numbers: pl.Series
    how: str = ""
    doubtful: str | None = None


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
        plain = text.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
        return Written(plain.cast(pl.Float64, strict=False), f"commas are decimal marks, as in {shown!r}")
    plain = text.str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False)
    return Written(plain, f"commas part thousands, as in {shown!r}", shown if decimal else None)
