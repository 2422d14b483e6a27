"""What layouts have taken, remembered by program and machine, so that each is measured once."""

import json
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Literal

import numpy as np

from kohort.errors import DataError

NAME = "layouts.json"

AtOnce = int | Literal["fastest"] | None
"""How many members at once on a device: a number, as many as is measured to be fastest, or as the platform suits."""

Seconds = Mapping[int, float]
"""Members at once on a device -> seconds that an epoch of the whole cohort takes."""


def usual_place() -> Path:
    """The file of this machine's user.

    It lies in `XDG_CACHE_HOME` or, on Windows, `LOCALAPPDATA`, else in `~/.cache`; of a user without a home, among
    temporary files.
    """
    told = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    try:
        cache = Path(told) if told else Path.home() / ".cache"
    except RuntimeError:
        cache = Path(gettempdir())
    return cache / "kohort" / NAME


@dataclass(frozen=True)
class KnownLayouts:
    """What has been measured.

    Attributes:
        place: The file that knows it.
        beside: Another that may know it too, and learns it: of the machine, where `place` is of a study.
    """

    place: Path
    beside: Path | None = None

    def find(self, key: str) -> Seconds | None:
        """What was measured of a program; None if nothing was."""
        for place in self._places:
            if key in (known := _read(place)):
                if place != self.place:
                    _add(self.place, key, known[key])
                return known[key]
        return None

    def keep(self, key: str, seconds: Seconds) -> None:
        """Notes what was measured. Where that cannot be written, a warning says so and nothing is lost but time."""
        for place in self._places:
            _add(place, key, {at_once: round(own, 9) for at_once, own in seconds.items()})

    @property
    def _places(self) -> tuple[Path, ...]:
        return (self.place,) if self.beside is None else (self.place, self.beside)


def check_at_once(at_once: Any) -> None:
    """Refuses what is no number of members.

    Raises:
        DataError: It is none.
    """
    number = isinstance(at_once, int | np.integer) and not isinstance(at_once, bool) and at_once >= 1
    if not (at_once is None or at_once == "fastest" or number):
        raise DataError(f"at_once must be a whole number of at least 1, or 'fastest'. Got {at_once!r}.")


def resolved(at_once: AtOnce, folder: Path | None = None) -> int | KnownLayouts | None:
    """What a cohort is asked: a number, or where it is known which is fastest.

    Args:
        at_once: What the user asks.
        folder: A study's folder, which keeps what its cohorts were measured to take.
    """
    if at_once != "fastest":
        return at_once
    return KnownLayouts(usual_place()) if folder is None else KnownLayouts(folder / NAME, usual_place())


def _read(place: Path) -> dict[str, Seconds]:
    try:
        known = json.loads(place.read_text("utf-8"))
        return {key: {int(n): float(own) for n, own in seconds.items()} for key, seconds in known.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        warnings.warn(f"{place} cannot be read, so layouts are measured again: {error}", stacklevel=2)
        return {}


def _add(place: Path, key: str, seconds: Seconds) -> None:
    """Writes a file whole or not at all, since other processes read it."""
    known = _read(place) | {key: seconds}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=".layouts-") as folder:
            beside = Path(folder) / place.name
            beside.write_text(json.dumps(known, indent=1), "utf-8")
            beside.replace(place)
    except OSError as error:
        warnings.warn(f"{place} cannot be written, so layouts will be measured again: {error}", stacklevel=2)
