"""How commands tell: tables on standard output, and numbers that JSON can hold."""

import _thread
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer


def print_table(table: Any) -> None:
    """Prints a Rich table; 120 columns wide where standard output is no terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows that have the same names as a table; numbers to four digits."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(Text(name), justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(
            *(Text("" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v)) for v in row.values())
        )
    print_table(table)


def command_of(name: str, dataset: str, options: Mapping[str, Any], flags: Sequence[str] = ()) -> str:
    """The command line that makes a report again.

    Args:
        name: The command.
        dataset: What it is given.
        options: Its options by name; those that were not told are None or empty.
        flags: Its flags.

    >>> command_of("compare", "my data.csv", {"target": "y", "batch_size": 32, "metric": None}, ["--quiet"])
    "kohort compare 'my data.csv' --target y --batch-size 32 --quiet"
    """
    given = {own: value for own, value in options.items() if value is not None and value != ""}
    words = [word for own, value in given.items() for word in (f"--{own.replace('_', '-')}", str(value))]
    return shlex.join(["kohort", name, dataset, *words, *flags])


@contextmanager
def told_if_interrupted(folder: Path | None) -> Iterator[None]:
    """Says what is kept if somebody presses Ctrl-C meanwhile, and ends with exit code 130.

    Args:
        folder: Where it is kept; None: nowhere.
    """
    usual = sys.unraisablehook

    def swallowed(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:  # within a callback of the garbage collector, such as JAX's
            threading.Timer(0.01, _thread.interrupt_main).start()
        else:
            usual(unraisable)

    sys.unraisablehook = swallowed
    try:
        yield
    except KeyboardInterrupt:
        kept = (
            f"What had ended is kept in {folder}; typed again, the command goes on."
            if folder
            else "Nothing is kept: --study FOLDER keeps what has ended, and goes on from there."
        )
        print(f"kohort: interrupted. {kept}", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        sys.unraisablehook = usual


def finite(value: Any) -> Any:
    """The same value with null for every number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
