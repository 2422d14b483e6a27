"""How a study goes on while it trains: a small file beside it, for whoever follows it, and nothing that must last.

It is written whole into its place about once a second, without waiting for the disk, so that neither a reader nor the
disk can hold up a training; it is gone when the training has ended.
"""

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kohort.progress import Band, CohortNow, Cohorts, Pace, Remaining, Stage
from kohort.store.layout import is_locked

LIVE = "live.json"
SECONDS = 1.0  # between two versions of the file, at the least


@dataclass(frozen=True)
class LiveNow:
    """How a study goes on.

    Attributes:
        doing: In words.
        run_epochs: Epochs trained so far in this process, over all runs.
        total: How many these will be.
        seconds: For how long it has trained.
        left: How many seconds are left, by the pace so far; None before the first epoch.
        cohorts: The cohorts that have begun, those that ended included.
    """

    doing: str
    run_epochs: int
    total: int
    seconds: float
    left: float | None
    cohorts: tuple[CohortNow, ...]


class LiveFile:
    """Writes how a study goes on.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: Path):
        self._path = folder / LIVE
        self._pace = Pace(SECONDS)
        self._began = time.monotonic()
        self._remaining = Remaining()
        self._cohorts = Cohorts()

    def __call__(self, stage: Stage) -> None:
        """Writes it, if it is time."""
        self._remaining.hear(stage)
        self._cohorts.hear(stage)
        self._pace(lambda: self._write(stage))

    def _write(self, stage: Stage) -> None:
        seconds, left = time.monotonic() - self._began, self._remaining.seconds(stage)
        told = LiveNow(stage.doing, stage.run_epochs, stage.total, seconds, left, self._cohorts.look())
        beside = self._path.with_suffix(".part")
        with suppress(OSError):  # a full disk must not end a training for the sake of who looks at it
            beside.write_text(json.dumps(_plain(asdict(told)), allow_nan=False), encoding="utf-8")
            os.replace(beside, self._path)

    def remove(self) -> None:
        """Removes it: nothing trains any more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._path.with_suffix(".part").unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """A value as JSON holds it: numbers to five digits, null for what is not finite."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return value


def read_live(folder: Path) -> LiveNow | None:
    """How a study goes on; None where nobody trains it.

    Args:
        folder: The study's folder.
    """
    try:
        told = json.loads((folder / LIVE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not is_locked(folder):  # its process was killed
        return None
    cohorts = [
        CohortNow(
            **{
                **own,
                "recipes": tuple(own["recipes"]),
                "logs": {
                    recipe: {log: _band(band) for log, band in logs.items()} for recipe, logs in own["logs"].items()
                },
            }
        )
        for own in told.pop("cohorts")
    ]
    return LiveNow(**told, cohorts=tuple(cohorts))


def _band(told: Mapping[str, Sequence[float | None]]) -> Band:
    return Band(**{name: [math.nan if one is None else one for one in own] for name, own in told.items()})
