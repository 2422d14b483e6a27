"""The searches in a folder, and what pages are told of them: plain values for JSON."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohort.dashboard.places import Places, key_of, stamp
from kohort.errors import StudyError
from kohort.report.charts.searching import PLAIN, RECIPE
from kohort.statistics.units import Units
from kohort.store.database import FILE
from kohort.store.journal import Tried
from kohort.store.layout import is_locked
from kohort.store.searches import (
    SIDES,
    STUDIES,
    StoredSearch,
    journal_of,
    outcomes_in_words,
    read_search,
    searches_below,
)

BEST = 10
"""Candidates that a page lists."""

LONGEST = 400
"""Characters of a fact."""

OWN, BESIDE = SIDES
PARTS: dict[str, str] = {OWN: RECIPE, BESIDE: PLAIN}


@dataclass(frozen=True)
class WatchedSearch:
    """A search as it is now.

    Attributes:
        key: What pages call it.
        place: Its folder, seen from where searches were looked for.
        search: What its folder holds; None where it cannot be read.
        trouble: Why it cannot be read; empty where it can.
        judged: The studies that it has ended with so far: key -> what it is.
        version: Changes when any of this does.
    """

    key: str
    place: str
    search: StoredSearch | None
    trouble: str
    judged: dict[str, str]
    version: str

    @property
    def state(self) -> str:
        """What it does, in a word or two."""
        return "cannot be read" if self.search is None else self.search.state

    @property
    def units(self) -> Units:
        """How its scores are written."""
        return Units.of("" if self.search is None else str(self.search.identity.get("metric", "")))


class Searches(Places[tuple[StoredSearch | None, str]]):
    """The searches in a folder and below it.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path):
        super().__init__(folder, searches_below)

    def version(self, key: str) -> str:
        """Changes when a search's files do.

        Raises:
            KeyError: There is no such search.
        """
        folder = self.of(key)
        return "-".join([_version(folder), *(stamp(folder / name / FILE) for name in STUDIES)])

    def get(self, key: str) -> WatchedSearch:
        """A search as it is now.

        Raises:
            KeyError: There is no such search.
        """
        folder, version = self.of(key), self.version(key)
        search, trouble = self.read(key, _version(folder), lambda: _read(folder))
        judged = {} if search is None else {key_of(folder / name): what for name, what in search.studies.items()}
        return WatchedSearch(key, self.seen(folder), search, trouble, judged, version)


def _version(folder: Path) -> str:
    """Changes when what was tried does, or who goes on with it."""
    return "-".join([*(stamp(journal_of(folder, side)) for side in SIDES), str(is_locked(folder))])


def _read(folder: Path) -> tuple[StoredSearch | None, str]:
    try:
        return read_search(folder), ""
    except (StudyError, OSError) as error:
        return None, str(error)


def search_overview(watched: WatchedSearch) -> dict[str, Any]:
    """A search as a line of a list."""
    search = watched.search
    told: dict[str, Any] = {"key": watched.key, "place": watched.place, "state": watched.state, "lead": ""}
    if search is None:
        return {**told, "data": watched.trouble, "candidates": None, "best": ""}
    best = search.best(OWN, 1)
    return {
        **told,
        "data": search.identity.get("dataset", ""),
        "candidates": len(search.tried[OWN]),
        "best": watched.units.said(search.score(best[0])) if best else "",
        "lead": best[0].recipe if best else "",
    }


def told_of_search(watched: WatchedSearch) -> dict[str, Any]:
    """All that a search's page shows."""
    search, units = watched.search, watched.units
    told: dict[str, Any] = {"version": watched.version, "state": watched.state, "trouble": watched.trouble}
    if search is None:
        return told
    return {
        **told,
        "wanted_low": search.sign < 0,
        "lead": _lead(watched, search),
        "counts": [f"{PARTS[side]}: {outcomes_in_words(search.tried[side])}" for side in SIDES if search.tried[side]],
        "best": [
            [own.recipe, units.score(search.score(own)), own.epochs, own.number + 1] for own in search.best(OWN, BEST)
        ],
        "points": [row for side in SIDES for row in _points(search, units, side)],
        "facts": {name: _shortened(str(value)) for name, value in search.identity.items()},
    }


def _shortened(text: str) -> str:
    """A text of which the beginning says enough: a space is written with all that it has."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _lead(watched: WatchedSearch, search: StoredSearch) -> str:
    best = {side: own[0] for side in SIDES if (own := search.best(side, 1))}
    if OWN not in best:
        return ""
    said = {side: watched.units.said(search.score(own)) for side, own in best.items()}
    beside = f"; of a plain network {said[BESIDE]}" if BESIDE in said else ""
    return f"The best so far on validation rows: {said[OWN]}{beside}. It owes part of that to luck."


def _points(search: StoredSearch, units: Units, side: str) -> Iterator[dict[str, Any]]:
    """Candidates of a side as a chart takes them; those that failed have no score and are not drawn."""
    best: Tried | None = None
    for own in search.tried[side]:
        if not math.isfinite(own.score):
            continue
        best = own if own.finished and (best is None or own.score > best.score) else best
        yield {
            "part": PARTS[side],
            "number": own.number + 1,
            "recipe": own.recipe,
            "score": units.drawn(search.score(own)),
            "best": None if best is None else units.drawn(search.score(best)),
            "kind": "to the end" if own.finished else "left early",
            "epochs": len(own.curve),
        }
