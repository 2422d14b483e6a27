"""Searches for a recipe as readers see them, while one goes on perhaps; nothing here writes, or needs Keras or JAX."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kohort.store.database import FILE
from kohort.store.journal import Line, Tried, read_journal, rounds_of
from kohort.store.layout import folders_with, is_locked

SIDES = ("space", "plain")
"""The two searches of a folder: for the recipe, and for the plain network that it is compared with."""

FINAL, INGREDIENTS, STRENGTHS = "final", "ingredients", "doses"

STUDIES = {
    FINAL: "The recipe beside the plain network",
    INGREDIENTS: "Without each of its techniques",
    STRENGTHS: "With other strengths",
}
"""The studies that a search ends with, each in a folder of its own below: folder -> what it is."""


@dataclass(frozen=True)
class StoredSearch:
    """A search, as its folder holds it.

    Attributes:
        folder: The folder.
        identity: What decides its numbers.
        lines: What each side has tried, as its journal has it.
        going: Whether a process goes on with it.
    """

    folder: Path
    identity: Mapping[str, Any]
    lines: Mapping[str, Sequence[Line]]
    going: bool

    @cached_property
    def tried(self) -> Mapping[str, tuple[Tried, ...]]:
        """The candidates of each side, in their order."""
        return {side: tuple(own for one in rounds_of(lines) for own in one.tried) for side, lines in self.lines.items()}

    def seconds(self, side: str) -> float:
        """Wall-clock seconds that a side's candidates took."""
        return sum(line.seconds for line in self.lines[side])

    @property
    def state(self) -> str:
        """What it does, in a word or two."""
        if self.going:
            return "judging" if self.studies else "searching"
        return "ended" if self.studies else "interrupted"

    @property
    def studies(self) -> Mapping[str, str]:
        """The studies that it has ended with so far: folder -> what it is."""
        return {name: what for name, what in STUDIES.items() if (self.folder / name / FILE).is_file()}

    @property
    def sign(self) -> float:
        """1 where one wants the metric high, else −1: candidates' scores are what one wants large."""
        return 1.0 if self.identity.get("greater_is_better", True) else -1.0

    def score(self, tried: Tried) -> float:
        """A candidate's score as the metric has it, of a regression in units of the target."""
        return self.sign * float(self.identity.get("unit_of_scores", 1.0)) * tried.score

    def best(self, side: str, count: int) -> list[Tried]:
        """The candidates of a side that did best on validation rows, of those that trained to the end."""
        finished = [own for own in self.tried[side] if own.finished]
        return sorted(finished, key=lambda own: own.score, reverse=True)[:count]


def outcomes_in_words(tried: Sequence[Tried]) -> str:
    """How many candidates there are, and what became of them."""
    finished = sum(own.finished for own in tried)
    failed = sum(not math.isfinite(own.score) for own in tried)
    left = len(tried) - finished - failed
    told = f"{len(tried):,} candidate{'s' if len(tried) != 1 else ''}, {finished:,} trained to the end"
    return told + (f", {left:,} left early" if left else "") + (f", {failed:,} failed" if failed else "")


def journal_of(folder: Path, side: str) -> Path:
    """Where the journal of a side is."""
    return folder / f"search-{side}.jsonl"


def read_search(folder: Path) -> StoredSearch:
    """A search from its folder.

    Args:
        folder: The folder, which has a journal.

    Raises:
        StudyError: A journal is damaged.
        OSError: It cannot be read.
    """
    found = {side: read_journal(path) for side in SIDES if (path := journal_of(folder, side)).is_file()}
    identity = next((own for own, _, _ in found.values() if own), {})
    lines = {side: found[side][1] if side in found else [] for side in SIDES}
    return StoredSearch(folder, identity, lines, is_locked(folder))


def is_search(folder: Path) -> bool:
    """Whether a folder is a search's."""
    return journal_of(folder, SIDES[0]).is_file()


def searches_below(folder: Path) -> Iterator[Path]:
    """Folders of searches: this one, and all below it that are not hidden."""
    return folders_with(folder, journal_of(folder, SIDES[0]).name)
