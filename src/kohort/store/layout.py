"""What lies where in a study's folder, and who may change it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kohort.errors import StudyError

RECORDS = "records"
CHECKPOINTS = "checkpoints"
LOCK = "study.lock"

SECONDS_FOR_A_LOOK = 2.0
"""A reader that asks whether somebody writes holds the lock for a moment; a writer waits so long for it."""


@contextmanager
def locked(folder: Path, told: str) -> Iterator[None]:
    """Nobody else writes to a study meanwhile.

    Args:
        folder: The study's folder.
        told: What an error says where somebody does.

    Raises:
        StudyError: Another process writes to it.
    """
    lock = FileLock(folder / LOCK, timeout=SECONDS_FOR_A_LOOK)
    try:
        lock.acquire()
    except Timeout:
        raise StudyError(f"{folder}: {told}") from None
    try:
        yield
    finally:
        lock.release()


def folders_with(folder: Path, name: str) -> Iterator[Path]:
    """This folder and all below it that have a file of a name and are not hidden."""
    for path in sorted(folder.rglob(name)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path.parent


def is_locked(folder: Path) -> bool:
    """Whether a process writes to a study at this moment."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that may only be read
        return False
