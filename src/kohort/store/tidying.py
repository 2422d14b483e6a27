"""What is removed from the disk: a whole study or search, or what no study needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kohort.store import disk
from kohort.store.database import FILE, check_is_study, opened_to_read
from kohort.store.layout import CHECKPOINTS, LOCK, RECORDS, locked
from kohort.store.searches import SIDES, STUDIES, journal_of


def remove_study(folder: Path) -> int:
    """Removes a study's files, and its folder if that is then empty; other files in it stay.

    Args:
        folder: The study's folder.

    Returns:
        How many bytes are free now.

    Raises:
        StudyError: There is no study, or it is being written to.
    """
    with _locked(folder):
        held = [path for own in (RECORDS, CHECKPOINTS) for path in (folder / own).glob("*.safetensors")]
        files = [*_parts_of(folder), *held, *_spoilt(folder)]
        freed = _removed(files)
    _leave(folder, RECORDS, CHECKPOINTS)
    return freed


def remove_search(folder: Path) -> int:
    """Removes a search's journals and the studies that it ended with; other files in its folder stay.

    Args:
        folder: The search's folder.

    Returns:
        How many bytes are free now.

    Raises:
        StudyError: A process searches in it.
    """
    with locked(folder, "nobody may search in the folder meanwhile. Got a process that does."):
        freed = sum(remove_study(folder / name) for name in STUDIES if (folder / name / FILE).is_file())
        freed += _removed([path for side in SIDES if (path := journal_of(folder, side)).is_file()])
    _leave(folder)
    return freed


def collect_garbage(folder: Path) -> int:
    """Removes what was put aside as damaged, half-written files, and records that no run belongs to.

    Args:
        folder: The study's folder.

    Returns:
        How many bytes are free now.

    Raises:
        StudyError: There is no study, it is being written to, or its SQLite file is damaged.
    """
    with _locked(folder), opened_to_read(folder) as database:
        known = {file for (file,) in database.all("SELECT file FROM record")}
        stray = [path for path in (folder / RECORDS).glob("*.safetensors") if path.name not in known]
        return _removed([*_spoilt(folder), *stray])


def _leave(folder: Path, *parts: str) -> None:
    """Removes a folder's lock, then those of its parts that are empty, and itself if it is."""
    disk.remove(folder / LOCK)
    for own in (*(folder / part for part in parts), folder):
        if own.is_dir() and not any(own.iterdir()):
            own.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    check_is_study(folder)
    with locked(folder, "nobody may write to the study meanwhile. Got a process that does."):
        yield


def _parts_of(folder: Path) -> Iterator[Path]:
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        if (folder / name).exists():
            yield folder / name


def _spoilt(folder: Path) -> Iterator[Path]:
    yield from folder.glob(f"{FILE}*.damaged-*")
    yield from (folder / RECORDS).glob("*.damaged")
    yield from (folder / RECORDS).glob("*.part")
    yield from (folder / CHECKPOINTS).glob("*.part")


def _removed(files: list[Path]) -> int:
    freed = 0
    for path in files:
        freed += path.stat().st_size
        disk.remove(path)
    return freed
