"""The studies in a folder, and what is known of each."""

from dataclasses import dataclass
from pathlib import Path

from kohort.dashboard.places import NO_FILE, Places, stamp
from kohort.errors import StudyError
from kohort.report.document import Document, document
from kohort.statistics.comparison import Comparison, compare
from kohort.statistics.verdict import RESAMPLES
from kohort.store.database import FILE
from kohort.store.layout import is_locked
from kohort.store.live import LIVE, LiveNow, read_live
from kohort.store.reading import StoredStudy, read_study, studies_below

RESAMPLES_WHILE_TRAINING = 1_000
"""A tenth of the usual, for verdicts that the next cohort changes anyway: a core that trains must not wait for them."""


@dataclass(frozen=True)
class Watched:
    """A study as it is now.

    Attributes:
        key: What pages call it.
        place: Its folder, seen from where studies were looked for.
        study: What its folder holds; None where it cannot be read.
        trouble: Why it cannot be read; empty where it can.
        live: How it goes on; None where nobody trains it.
        comparison: Its recipes side by side, as far as they have run; None where there is nothing to compare yet.
        version: Changes when any of this does.
    """

    key: str
    place: str
    study: StoredStudy | None
    trouble: str
    live: LiveNow | None
    comparison: Comparison | None
    version: str


class Studies(Places[tuple[StoredStudy | None, str, Comparison | None]]):
    """The studies in a folder and below it.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path):
        super().__init__(folder, studies_below)

    def version(self, key: str) -> str:
        """Changes when a study's files do.

        Raises:
            KeyError: There is no such study.
        """
        folder = self.of(key)
        stamps = [stamp(folder / name) for name in (FILE, f"{FILE}-wal", LIVE)]
        return "-".join([*stamps, str(stamps[-1] != NO_FILE and is_locked(folder))])

    def get(self, key: str) -> Watched:
        """A study as it is now.

        Raises:
            KeyError: There is no such study.
        """
        folder, version = self.of(key), self.version(key)
        live = read_live(folder)
        kept = f"{'-'.join(version.split('-')[:2])} {live is not None}"
        study, trouble, comparison = self.read(key, kept, lambda: _read(folder, live is not None))
        return Watched(key, self.seen(folder), study, trouble, live, comparison, version)

    def document(self, key: str) -> Document | None:
        """The report of a study as far as it has run; None where there is nothing to compare yet.

        Raises:
            KeyError: There is no such study.
        """
        watched = self.get(key)
        study, comparison = watched.study, watched.comparison
        if study is None or comparison is None:
            return None
        return document(comparison, study.comparable, **study.reported)


def _read(folder: Path, live: bool) -> tuple[StoredStudy | None, str, Comparison | None]:
    try:
        study = read_study(folder)
    except (StudyError, OSError) as error:
        return None, str(error), None
    return study, "", _compared(study, RESAMPLES_WHILE_TRAINING if live else RESAMPLES)


def _compared(study: StoredStudy, resamples: int) -> Comparison | None:
    """The recipes side by side, if they can be."""
    baseline = study.compared_with
    return None if baseline is None else compare(study.comparable, baseline, resamples=resamples)
