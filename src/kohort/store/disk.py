"""The few ways in which a study touches the disk. What they have done survives a power cut.

Each passes `point` first, which does nothing: there a test lets the disk be full or the process die.
"""

import os
from pathlib import Path


def point(call: str) -> None:
    """What comes before each call that changes the disk.

    Args:
        call: Which.
    """


def make_folder(path: Path) -> None:
    """Makes a folder where there is none, and its parents."""
    if not path.is_dir():
        point("make folder")
        path.mkdir(parents=True, exist_ok=True)
        sync_folder(path.parent)


def write(path: Path, contents: bytes) -> None:
    """Writes a file whole or not at all: first beside its place, then into it."""
    beside = path.with_name(f"{path.name}.part")
    try:
        point("open")
        with beside.open("wb") as file:
            point("write")
            file.write(contents)
            file.flush()
            point("sync file")
            os.fsync(file.fileno())
        point("replace")
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Removes a file."""
    point("remove")
    path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    if os.name == "nt":
        return  # a folder cannot be opened there
    point("sync folder")
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
