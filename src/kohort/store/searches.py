"""Searches for a recipe as readers see them, while one goes on perhaps; nothing here writes, or needs Keras or JAX."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohort.store.journal import Tried, read_journal
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
        tried: The candidates of each side, in the order in which they were tried.
        going: Whether a process goes on with it.
    """

    folder: Path
    identity: Mapping[str, Any]
    tried: Mapping[str, tuple[Tried, ...]]
    going: bool

    def best(self, side: str, count: int) -> list[Tried]:
        """The candidates of a side that did best on validation rows, of those that trained to the end."""
        finished = [own for own in self.tried[side] if own.finished]
        return sorted(finished, key=lambda own: own.score, reverse=True)[:count]


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
    tried = {side: tuple(own for line in (found[side][1] if side in found else ()) for own in line) for side in SIDES}
    return StoredSearch(folder, identity, tried, is_locked(folder))


def searches_below(folder: Path) -> Iterator[Path]:
    """Folders of searches: this one, and all below it that are not hidden."""
    return folders_with(folder, journal_of(folder, SIDES[0]).name)
