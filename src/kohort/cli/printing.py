"""How commands tell: tables on standard output, and numbers that JSON can hold."""

import sys
from typing import Any


def print_table(table: Any) -> None:
    """Prints a Rich table; 120 columns wide where standard output is no terminal."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def finite(value: Any) -> Any:
    """The same value with null for every number that is not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value
