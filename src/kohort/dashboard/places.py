"""Folders that pages tell of, by keys that name no path, read when they have changed and not before."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from kohort.progress import Pace

T = TypeVar("T")

NO_FILE = "0"
"""The stamp of a file that is not there."""

SECONDS = 2.0
"""Between two looks at folders: a browser that draws takes time from a training on the same cores."""


class Places(Generic[T]):
    """Folders of one kind, in a folder and below it.

    Args:
        folder: The folder.
        look: Finds them.
    """

    def __init__(self, folder: Path, look: Callable[[Path], Iterator[Path]]):
        self.folder = folder.resolve()
        self._look = look
        self._known: dict[str, Path] = {}
        self._pace = Pace(SECONDS, share=0.05)  # a home folder takes seconds to be searched
        self._read: dict[str, tuple[str, T]] = {}
        self._lock = threading.Lock()  # requests are answered in threads

    def keys(self) -> list[str]:
        """What pages call the folders: hashes of where they are, so that no address names a path."""
        self._pace(self._search)
        return list(self._known)

    def _search(self) -> None:
        self._known = {key_of(path): path for path in self._look(self.folder)}

    def of(self, key: str) -> Path:
        """The folder of a key.

        Raises:
            KeyError: There is none.
        """
        if key not in self._known:
            self.keys()
        return self._known[key]

    def read(self, key: str, version: str, look: Callable[[], T]) -> T:
        """What a folder holds.

        Args:
            key: Which folder.
            version: Changes when that does.
            look: Reads it.
        """
        with self._lock:
            if key not in self._read or self._read[key][0] != version:
                self._read[key] = (version, look())
            return self._read[key][1]

    def seen(self, path: Path) -> str:
        """A folder as it is seen from where was looked."""
        return str(path.relative_to(self.folder)) if path != self.folder else path.name


def key_of(folder: Path) -> str:
    """What pages call a folder."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]


def stamp(path: Path) -> str:
    """Changes when a file does."""
    try:
        found = path.stat()
    except OSError:
        return NO_FILE
    return f"{found.st_mtime_ns:x}.{found.st_size:x}"
