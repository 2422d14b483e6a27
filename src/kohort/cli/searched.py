"""What `kohort studies`, `show` and others take from a search's folder; nothing here loads Keras, JAX or Optuna."""

import json
from pathlib import Path
from typing import Any

from kohort.cli.printing import finite
from kohort.errors import StudyError
from kohort.statistics.units import Units
from kohort.store.searches import (
    FINAL,
    SIDES,
    StoredSearch,
    is_search,
    outcomes_in_words,
    read_search,
    searches_below,
)

BEST = 10
"""Candidates that are listed."""


def searches_in(folder: Path) -> list[dict[str, Any]]:
    """The searches in a folder and below it, a row each."""
    rows = []
    for own in map(read_search, searches_below(folder)):
        best = own.best(SIDES[0], 1)
        rows.append(
            {
                "search": str(own.folder),
                "data": own.identity.get("dataset", ""),
                "state": own.state,
                "candidates": len(own.tried[SIDES[0]]),
                "of the plain network": len(own.tried[SIDES[1]]),
                "metric": own.identity.get("metric", ""),
                "best on validation rows": own.score(best[0]) if best else None,
            }
        )
    return rows


def show_search(folder: Path, *, as_json: bool) -> None:
    """Prints what was tried, the best so far, and the studies that it has ended with.

    Args:
        folder: The search's folder.
        as_json: Print JSON instead.
    """
    search = read_search(folder)
    units = Units.of(str(search.identity.get("metric", "")))
    rows = [
        {"recipe": own.recipe, f"validation {units.name}": search.score(own), "best after epochs": own.epochs}
        for own in search.best(SIDES[0], BEST)
    ]
    told = _told(search)
    if as_json:
        print(json.dumps(finite({"kohort_json": 1, "facts": told, "best": rows}), indent=2))
        return
    for name, value in told.items():
        print(f"{name}: {value}")
    if rows:
        print(f"\nThe best {units.name} on validation rows so far, which owes part of its height to luck:")
        for own in search.best(SIDES[0], BEST):
            print(f"{units.said(search.score(own))} after {own.epochs} epochs: {own.recipe}")


def _told(search: StoredSearch) -> dict[str, str]:
    identity, (own, beside) = search.identity, SIDES
    return {
        "search": f"{identity.get('dataset', '')}, by {identity.get('metric', '')}, seed {identity.get('seed', '')}",
        "space": str(identity.get("called", "")),
        "state": search.state,
        "recipe": f"{outcomes_in_words(search.tried[own])} in {search.seconds(own):.0f} s",
        "plain network": f"{outcomes_in_words(search.tried[beside])} in {search.seconds(beside):.0f} s",
        **{what: str(search.folder / name) for name, what in search.studies.items()},
    }


def study_in(folder: Path) -> Path:
    """A study's folder: itself, and of a search that of its final comparison.

    Args:
        folder: A folder that a command was given.

    Raises:
        StudyError: It is the folder of a search that has not come to its final comparison.
    """
    if not is_search(folder):
        return folder
    search = read_search(folder)
    if FINAL not in search.studies:
        raise StudyError(
            f"{folder}: a search must have ended for its final comparison. Got one that is {search.state}. "
            "Type its command again: it goes on."
        )
    return folder / FINAL
