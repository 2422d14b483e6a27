"""The rows of a study's SQLite file -> what a study is, and its runs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from kohort.errors import StudyError
from kohort.run import Failure, Run
from kohort.store.database import Database
from kohort.store.identity import Identity
from kohort.store.kept import COLUMNS, Kept, cohort_of, revived
from kohort.store.layout import RECORDS

Key = tuple[str, int]


def identity_of(database: Database, generation: int) -> Identity:
    """What a generation is."""
    query = "SELECT dataset, identity, facts FROM generation WHERE id = ?"
    ((dataset, decides, facts),) = database.all(query, (generation,))
    named = database.all("SELECT name, definition FROM recipe WHERE generation = ? ORDER BY place", (generation,))
    return Identity(dataset, json.loads(decides), dict(named), json.loads(facts))


@dataclass(frozen=True, eq=False)
class RunRow:
    """A run as the tables `run`, `log` and `outcome` hold it.

    Attributes:
        generation: The generation's number.
        key: Recipe and seed.
        kept: What was kept of the run; None where the rows cannot be read.
        digest: SHA-256 of that and of where the run's arrays are, as it was written.
        record: The file with its arrays.
        place: Its place in the record.
    """

    generation: int
    key: Key
    kept: Kept | None
    digest: str
    record: str
    place: int

    def whole(self) -> Kept | None:
        """What was kept of the run; None where that is no longer what was written."""
        if self.kept is None or self.kept.digest(self.generation, self.record, self.place) != self.digest:
            return None
        return self.kept


def stored_runs(database: Database, folder: Path, generation: int) -> Iterator[tuple[Key, Run, tuple[str, ...]]]:
    """The runs of a generation: key, run, and the recipes that trained in one program with it.

    Raises:
        StudyError: A row is not what was written.
    """
    for row in run_rows(database, generation):
        own = row.whole()
        if own is None:
            raise StudyError(
                f"{database.path}: the rows of run {row.key} are damaged. Run the study again: it is read from its "
                "record."
            )
        yield row.key, revived(own, folder / RECORDS / row.record, row.place), cohort_of(own)[0]


def run_rows(database: Database, generation: int | None = None) -> Iterator[RunRow]:
    """All runs of a generation, or of all."""
    where, values = ("", ()) if generation is None else ("WHERE generation = ?", (generation,))

    def series(table: str) -> dict[int, dict[str, np.ndarray]]:
        found: dict[int, dict[str, np.ndarray]] = {}
        query = f"SELECT run, name, numbers FROM {table} JOIN run ON run.id = run {where} ORDER BY {table}.rowid"
        for run, name, numbers in database.all(query, values):
            found.setdefault(run, {})[name] = _numbers(numbers, "<f8")
        return found

    logs, measured = series("log"), series("diagnostic") if database.version >= 2 else {}
    columns = ", ".join(f"run.{name}" for name in COLUMNS)
    query = (
        f"SELECT run.id, run.generation, run.sha256, record, place, rows, numbers, {columns} "
        "FROM run JOIN outcome ON run = run.id"
    )
    for run, own, digest, record, place, rows, numbers, *told in database.all(
        f"{query} {where} ORDER BY run.id", values
    ):
        named = dict(zip(COLUMNS, told, strict=True))
        try:
            shown = _numbers(rows, "<i4"), _numbers(numbers, "<f4")
            kept = Kept(named, logs.get(run, {}), *shown, measured.get(run, {}))
        except (TypeError, ValueError):
            kept = None
        yield RunRow(own, (named["recipe"], named["seed"]), kept, digest, record, place)


def failures_of(database: Database, generation: int, now: bool) -> tuple[Failure, ...]:
    """The runs of a generation that have begun and not ended, or that cannot be trained.

    Args:
        database: The SQLite file.
        generation: The generation's number.
        now: Whether a process trains at this moment.
    """
    if database.version < 2:
        return ()
    query = "SELECT recipe, seed, kind, cause, epochs FROM unfinished WHERE generation = ? ORDER BY recipe, seed"
    begun = "running" if now else "interrupted"
    return tuple(
        Failure(recipe, seed, begun if kind == "begun" else kind, cause, epochs if kind == "begun" else None)
        for recipe, seed, kind, cause, epochs in database.all(query, (generation,))
    )


CHECKED = {
    "generation": ("begun", "dataset", "identity", "facts"),
    "recipe": ("generation", "name", "definition", "place"),
    "unfinished": ("generation", "recipe", "seed", "since", "kind", "cause", "epochs"),
}
"""Tables whose rows have a hash of these columns."""


def digest_of_row(values: Sequence[Any]) -> str:
    """SHA-256 of a row's columns, in hexadecimal."""
    return sha256(json.dumps(list(values)).encode()).hexdigest()


def _numbers(blob: bytes, kind: str) -> np.ndarray:
    return np.frombuffer(blob, kind)
