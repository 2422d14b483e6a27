"""Runs as tidy tables, a row for each run or for each epoch, and as CSV, Parquet, Markdown or LaTeX."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import polars as pl

from kohort.errors import DataError
from kohort.run import ONE_NUMBER, Run

BY_EPOCH = ("weight_norm", "gradient_norm")


def runs_table(runs: Mapping[Any, Run] | Iterable[Run], to: Literal["polars", "pandas"] = "polars") -> Any:
    """A row for each run: recipe, seed, how it ended, epochs, its test score, each log's last value, diagnostics.

    Args:
        runs: The runs: `result.runs`, what `kohort.fit` returns, or some of them.
        to: What kind of data frame to make.

    Returns:
        A `polars.DataFrame` or `pandas.DataFrame`.

    Raises:
        DataError: There are no such data frames, or pandas is not installed.
    """
    rows = []
    for run in _each(runs):
        test = {} if run.test is None else {f"test_{run.test.metric}": run.test.score}
        logs = {name: values[-1] for name, values in run.history.items() if values}
        ended = "finished" if run.outcome.finished else "diverged"
        epochs = {"epochs": len(run.epoch), "diverged_at": run.outcome.diverged_at}
        measured = {name: float(run.diagnostics[name][-1]) for name in ONE_NUMBER if len(run.diagnostics.get(name, ()))}
        rows.append({"recipe": run.recipe, "seed": run.seed, "outcome": ended, **epochs, **test, **logs, **measured})
    return _frame(rows, to)


def logs_table(runs: Mapping[Any, Run] | Iterable[Run], to: Literal["polars", "pandas"] = "polars") -> Any:
    """A row for each epoch of each run: recipe, seed, epoch, each log, and the norms of weights and gradients.

    Args:
        runs: As `runs_table` takes them.
        to: As there, and so are what is returned and raised.
    """
    rows = []
    for run in _each(runs):
        series = run.history | {name: run.diagnostics[name].tolist() for name in BY_EPOCH if name in run.diagnostics}
        for epoch, *values in zip(run.epoch, *series.values(), strict=False):
            named = dict(zip(series, values, strict=True))
            rows.append({"recipe": run.recipe, "seed": run.seed, "epoch": epoch, **named})
    return _frame(rows, to)


def _each(runs: Mapping[Any, Run] | Iterable[Run]) -> Iterable[Run]:
    return runs.values() if isinstance(runs, Mapping) else runs


def _frame(rows: list[dict[str, Any]], to: str) -> Any:
    table = pl.DataFrame(rows, infer_schema_length=None)
    if to == "polars":
        return table
    if to != "pandas":
        raise DataError(f"to must be 'polars' or 'pandas'. Got {to!r}.")
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError as error:
        raise DataError("to='pandas' needs pandas. Got no such package. Install it, or take a polars frame.") from error
    return pandas.DataFrame(table.to_dict(as_series=False))


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
