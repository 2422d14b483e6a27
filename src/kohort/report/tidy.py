"""Runs as tidy tables, a row for each run or for each epoch, and as CSV, Parquet, Markdown or LaTeX."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kohort.errors import DataError
from kohort.run import Run


def runs_table(runs: Iterable[Run]) -> pl.DataFrame:
    """A row for each run: recipe, seed, how it ended, epochs, its test score, and each log's last value."""
    rows = []
    for run in runs:
        test = {} if run.test is None else {f"test_{run.test.metric}": run.test.score}
        logs = {name: values[-1] for name, values in run.history.items() if values}
        ended = "finished" if run.outcome.finished else "diverged"
        epochs = {"epochs": len(run.epoch), "diverged_at": run.outcome.diverged_at}
        rows.append({"recipe": run.recipe, "seed": run.seed, "outcome": ended, **epochs, **test, **logs})
    return pl.DataFrame(rows, infer_schema_length=None)


def logs_table(runs: Iterable[Run]) -> pl.DataFrame:
    """A row for each epoch of each run: recipe, seed, epoch, and each log."""
    rows = [
        {"recipe": run.recipe, "seed": run.seed, "epoch": epoch, **dict(zip(run.history, values, strict=True))}
        for run in runs
        for epoch, *values in zip(run.epoch, *run.history.values(), strict=False)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Writes a table as the file's name says: `.csv`, `.parquet`, `.md` or `.tex`.

    Raises:
        DataError: The name ends otherwise, or the file cannot be written.
    """
    if path.suffix not in WRITERS:
        raise DataError(f"the file must end in {', '.join(WRITERS)}. Got {path.name!r}.")
    try:
        WRITERS[path.suffix](table, path)
    except OSError as error:
        raise DataError(f"{path}: the file cannot be written: {error}. Name another.") from error


def _markdown(table: pl.DataFrame, path: Path) -> None:
    lines = [table.columns, ["---"] * table.width, *(map(_cell, row) for row in table.iter_rows())]
    text = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines]
    path.write_text("".join(text), encoding="utf-8")


def _latex(table: pl.DataFrame, path: Path) -> None:
    kinds = "".join("r" if kind.is_numeric() else "l" for kind in table.dtypes)
    rows = [table.columns, *(map(_cell, row) for row in table.iter_rows())]
    head, *body = [f"{' & '.join(map(_escaped, row))} \\\\\n" for row in rows]
    text = f"\\begin{{tabular}}{{{kinds}}}\n\\hline\n{head}\\hline\n{''.join(body)}\\hline\n\\end{{tabular}}\n"
    path.write_text(text, encoding="utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_SPECIAL = {"\\": "\\textbackslash{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"}, "~": "\\textasciitilde{}"}


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.write_csv(path),
    ".parquet": lambda table, path: table.write_parquet(path),
    ".md": _markdown,
    ".tex": _latex,
}
"""How a file of each ending is written."""
