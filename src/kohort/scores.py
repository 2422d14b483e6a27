"""Scores of runs from any framework: a text file with a line per run, or per run and test row, as a score table."""

import io
import sys
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import polars as pl

from kohort.errors import DataError
from kohort.statistics.table import Column, Paired, table_of_columns

COLUMNS = ("recipe", "seed", "score")
ROW = "row"
SEPARATORS = (",", ";", "\t")

LOWER_IS_BETTER = frozenset(
    {
        "loss",
        "error",
        "err",
        "mse",
        "mae",
        "rmse",
        "mape",
        "msle",
        "nll",
        "brier",
        "deviance",
        "perplexity",
        "logloss",
        "crossentropy",
        "entropy",
        "regret",
    }
)
"""Words in the name of a metric that one wants low."""


def wants_low(metric: str) -> bool:
    """Whether a metric, by its name, is one that one wants low.

    >>> wants_low("val_mse"), wants_low("log loss"), wants_low("accuracy")
    (True, True, False)
    """
    return not LOWER_IS_BETTER.isdisjoint(metric.lower().replace("_", " ").replace("-", " ").split())


def read_scores(
    file: str,
    *,
    metric: str,
    greater_is_better: bool,
    train_rows: int | None = None,
    test_rows: int | None = None,
) -> Paired:
    """Reads a file of scores.

    Args:
        file: A path, or `-` for standard input. Columns `recipe`, `seed`, `score`, in any order and beside others, with
            a header; with a column `row`, a line is one test row's outcome. Commas, semicolons (then decimal commas are
            understood) or tabs; UTF-8. Seeds and rows are numbers or names: only equal ones belong together.
        metric: What the score is.
        greater_is_better: Whether a recipe wants it high.
        train_rows: How many rows a run trained on.
        test_rows: How many rows a score is taken from, where there is no column `row`.

    Raises:
        DataError: The file cannot be read, a column is missing, a score is no finite number, a line appears twice or is
            missing, or recipes share no seed.
    """
    frame = _frame(_text(file), file)
    rows = Column(*_names(frame, ROW, file)) if ROW in frame.columns else None
    recipe, seed = (Column(*_names(frame, name, file)) for name in COLUMNS[:2])
    scores = _scores(frame, file, recipe, seed)
    try:
        return table_of_columns(
            recipe,
            seed,
            scores,
            rows,
            metric=metric,
            greater_is_better=greater_is_better,
            train_rows=train_rows,
            test_rows=test_rows,
        )
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error


def _text(file: str) -> bytes:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise DataError(f"{file}: a file of scores must be readable. Got: {error.strerror or error}.") from error
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}, line {line}: text must be UTF-8. Got other bytes. Save the file as UTF-8.") from None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip():
        raise DataError(f"{file}: a file of scores must have a header and lines. Got an empty file.")
    return raw


def _frame(raw: bytes, file: str) -> pl.DataFrame:
    """All columns as text."""
    header = raw.split(b"\n", 1)[0].decode("utf-8")
    separator = max(SEPARATORS, key=header.count)
    try:
        frame = pl.read_csv(io.BytesIO(raw), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{file}: lines must have as many cells as the header. Got: {first}") from error
    frame = frame.rename({name: name.strip() for name in frame.columns})
    for name in COLUMNS:
        if name not in frame.columns:
            near = get_close_matches(name, [found.lower() for found in frame.columns], cutoff=0.5)
            meant = next((found for found in frame.columns if near and found.lower() == near[0]), None)
            guess = f" Is it {meant!r}?" if meant else ""
            raise DataError(
                f"{file}: the columns must be recipe, seed, score, and row where each test row is a line. "
                f"Got {', '.join(map(repr, frame.columns))}, without {name!r}.{guess} Rename the column."
            )
    if frame.is_empty():
        raise DataError(f"{file}: a file of scores must have a line for each run. Got a header alone.")
    if separator == ";":
        frame = frame.with_columns(pl.col("score").str.replace(",", ".", literal=True))
    return frame.with_columns(pl.col(name).str.strip_chars() for name in {*COLUMNS, ROW} & {*frame.columns})


def _names(frame: pl.DataFrame, name: str, file: str) -> tuple[tuple[int | str, ...], np.ndarray]:
    """The names of a column, whole numbers as numbers where all are, and each line's position among them."""
    column = frame[name]
    empty = column.is_null() | (column == "")
    if empty.any():
        raise DataError(
            f"{file}, line {_line(empty)}: each line must name its {name}. Got an empty cell. Fill it in, or delete "
            "the line."
        )
    names = column.unique(maintain_order=True)
    codes = column.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    numbers = names.cast(pl.Int64, strict=False)
    if name == "recipe" or numbers.null_count() or numbers.n_unique() < len(names):
        return tuple(names.to_list()), codes
    return tuple(numbers.to_list()), codes


def _scores(frame: pl.DataFrame, file: str, recipe: Column, seed: Column) -> np.ndarray:
    text = frame["score"]
    numbers = text.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() | ~numbers.fill_null(0.0).is_finite()
    if wrong.any():
        at = int(wrong.arg_max() or 0)
        got = "an empty cell" if text[at] in (None, "") else repr(text[at])
        run = f"recipe {recipe.names[recipe.codes[at]]!r}, seed {seed.names[seed.codes[at]]}"
        raise DataError(
            f"{file}, line {_line(wrong)}: a score must be a finite number. Got {got} of {run}. "
            "Give the score that its weights have, or leave that seed out for every recipe."
        )
    return numbers.to_numpy()


def _line(which: pl.Series) -> int:
    """The line of the file, with its header as line 1, at which something first holds."""
    return int(which.arg_max() or 0) + 2
