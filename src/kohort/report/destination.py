"""Where a report can be written; asked before anything is trained, or loaded."""

import os
from pathlib import Path

from kohort.errors import DataError

KINDS = (".html", ".md")
"""How a report's name may end."""


def check_report(path: Path) -> None:
    """Refuses a report that could not be written, before anything is trained.

    Raises:
        DataError: Its folder does not exist, it is a folder, or its name ends otherwise than in `KINDS`.
    """
    beside = path.resolve().parent
    if not beside.is_dir():
        raise DataError(f"the report's folder must exist. Got {beside}. Create it, or name another file.")
    if path.is_dir():
        raise DataError(f"the report must be a file. Got the folder {path.resolve()}. Name a file in it.")
    if path.suffix not in KINDS:
        raise DataError(f"the report's name must end in {' or '.join(KINDS)}. Got {path.name!r}.")


def check_folder(path: Path) -> None:
    """Refuses a folder for reports that could not be made or written to, before anything is trained; makes nothing.

    Raises:
        DataError: A file is in its way, or it may not be written to.
    """
    there = next(own for own in (path.resolve(), *path.resolve().parents) if own.exists())
    if not there.is_dir():
        raise DataError(f"{path}: the reports' folder cannot be made: {there} is a file. Name another.")
    if not os.access(there, os.W_OK):
        raise DataError(f"{path}: the reports' folder must be one to write to. Name another, or change its rights.")
