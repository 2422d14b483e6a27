"""A study's folder: who writes to it, what is in it, and how damage is found and mended."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np

from kohort.errors import StudyError
from kohort.run import Run, best_validated
from kohort.store import disk
from kohort.store.checkpoint import Checkpoint
from kohort.store.database import FILE, DamagedError, Database
from kohort.store.identity import Identity
from kohort.store.kept import COLUMNS, Kept, keep, revived
from kohort.store.layout import CHECKPOINTS, RECORDS, locked
from kohort.store.live import LiveFile
from kohort.store.records import read_record, write_record
from kohort.store.rows import CHECKED, Key, digest_of_row, identity_of, run_rows, stored_runs
from kohort.store.searches import is_search

Weights = Literal["all", "best", "none"]
"""Which runs' weights are kept: `"best"` are those of each recipe's run that is best on its own validation rows, of the
runs that end together; of a recipe whose runs have no score there, all."""

IN_USE = "one process may write to a study. Got another that does. Wait for it, or name another folder."


class StudyFolder:
    """A study's folder, open for writing.

    Args:
        path: The folder; it is made if it is not there.
        identity: What the study is.
        weights: Which runs' weights are kept.
        force: Begin a new generation where the folder holds another study; what it holds is kept.

    Raises:
        StudyError: Another process writes to it, it is of another study, or it cannot be used.
    """

    def __init__(self, path: Path, identity: Identity, *, weights: Weights = "all", force: bool = False):
        if path.exists() and not path.is_dir():
            raise StudyError(f"{path}: a study must be a folder. Got a file. Name another.")
        if is_search(path):
            raise StudyError(f"{path}: a study needs a folder of its own. Got that of a search. Name another.")
        self.path, self.identity, self.weights = path, identity, weights
        self.remarks: list[str] = []
        self.follow = LiveFile(path)
        self._held = ExitStack()
        with self._told_of_errors("the study could not be opened"):
            disk.make_folder(path / RECORDS)
            self._held.enter_context(locked(path, IN_USE))
            try:
                self._database = self._opened()
                self._mend()
                self.generation = self._generation(identity, force)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "StudyFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets others write."""
        self.follow.remove()
        if hasattr(self, "_database"):
            self._database.close()
        self._held.close()

    def runs(self) -> dict[Key, tuple[Run, tuple[str, ...]]]:
        """The runs of this generation that have ended, and with which recipes they trained in one program."""
        return {key: (run, cohort) for key, run, cohort in stored_runs(self._database, self.path, self.generation)}

    def add(self, runs: Sequence[Run], cohort: Sequence[str]) -> list[Run]:
        """Keeps runs that ended together; when this returns, they survive whatever comes.

        Args:
            runs: Tested runs.
            cohort: The recipes that trained in one program with them.

        Returns:
            The runs as they were kept.

        Raises:
            StudyError: They cannot be kept: the disk is full, or the file is locked.
        """
        now = _now()
        with_weights = self._with_weights(runs)
        kept = [keep(run, cohort, now, weights) for run, weights in zip(runs, with_weights, strict=True)]
        arrays: dict[str, np.ndarray] = {}
        for place, (run, own) in enumerate(zip(runs, kept, strict=True)):
            arrays |= own.arrays(place)
            if with_weights[place]:
                arrays |= {f"{place}/weights/{position}": array for position, array in enumerate(run.weights)}
        told = {"study": asdict(self.identity), "runs": [dict(own.columns) for own in kept]}
        with self._told_of_errors("runs that have ended could not be kept"):
            file, size, digest = write_record(self.path / RECORDS, told, arrays)
            with self._database.transaction():
                self._note(file, size, digest, kept)
        record = self.path / RECORDS / file
        return [revived(own, record, place) for place, own in enumerate(kept)]

    def _with_weights(self, runs: Sequence[Run]) -> list[bool]:
        """For each of runs that ended together, whether its weights are kept."""
        if self.weights != "best":
            return [self.weights == "all"] * len(runs)
        best = {name: best_validated(run for run in runs if run.recipe == name) for name in {r.recipe for r in runs}}
        return [best[run.recipe] is None or best[run.recipe] is run for run in runs]

    @contextmanager
    def _told_of_errors(self, what: str) -> Iterator[None]:
        """Makes of a full disk, a locked file or a lack of memory one error that says what now."""
        try:
            yield
        except (OSError, MemoryError, sqlite3.Error) as error:
            raise StudyError(
                f"{self.path}: {what}: {str(error) or type(error).__name__}. Those kept before are safe. Mend it and "
                "run the study again: it goes on with the others."
            ) from error

    def _note(self, file: str, size: int, digest: str, kept: Sequence[Kept]) -> None:
        """Writes into the SQLite file what a record holds."""
        execute = self._database.execute
        execute("INSERT INTO record (file, bytes, sha256, runs) VALUES (?, ?, ?, ?)", (file, size, digest, len(kept)))
        columns = ("generation", *COLUMNS, "record", "place", "sha256")
        marks = ", ".join("?" * len(columns))
        for place, own in enumerate(kept):
            values = [own.columns[name] for name in COLUMNS]
            cursor = execute(
                f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks})",
                (self.generation, *values, file, place, own.digest(self.generation, file, place)),
            )
            run = cursor.lastrowid
            for table, series in (("log", own.logs), ("diagnostic", own.diagnostics)):
                for name, numbers in series.items():
                    values = (run, name, numbers.tobytes())
                    execute(f"INSERT INTO {table} (run, name, numbers) VALUES (?, ?, ?)", values)
            outcome = (run, own.rows.tobytes(), own.outcomes.tobytes())
            execute("INSERT INTO outcome (run, rows, numbers) VALUES (?, ?, ?)", outcome)
            ended = (self.generation, own.columns["recipe"], own.columns["seed"])
            execute("DELETE FROM unfinished WHERE generation = ? AND recipe = ? AND seed = ?", ended)

    def begin(self, runs: Sequence[Key], epochs: int = 0) -> None:
        """Notes that runs have begun, or how far they are: should the process end, they are known as interrupted.

        Args:
            runs: Recipes and seeds.
            epochs: How many epochs their checkpoint holds; 0: none, or what is known of it.

        Raises:
            StudyError: That cannot be written.
        """
        query = "SELECT recipe, seed FROM unfinished WHERE generation = ? AND kind = 'begun'"
        known = set() if epochs else set(self._database.all(query, (self.generation,)))
        self._note_unfinished([run for run in runs if run not in known], "begun", "", epochs)

    def fail(self, run: Key, kind: Literal["out of memory", "refused"], cause: str) -> None:
        """Notes that a run cannot be trained. The study, run again, tries again.

        Args:
            run: Recipe and seed.
            kind: What it failed for.
            cause: Why, in words.

        Raises:
            StudyError: That cannot be written.
        """
        self._note_unfinished([run], kind, cause, 0)

    def _note_unfinished(self, runs: Sequence[Key], kind: str, cause: str, epochs: int) -> None:
        with self._told_of_errors("runs that have begun could not be noted"), self._database.transaction():
            for recipe, seed in runs:
                values = (self.generation, recipe, seed, _now(), kind, cause, epochs)
                self._database.execute(
                    "INSERT OR REPLACE INTO unfinished (generation, recipe, seed, since, kind, cause, epochs, sha256) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, digest_of_row(values)),
                )

    def checkpoint(self, recipes: Sequence[str], seeds: Sequence[int]) -> Checkpoint:
        """The checkpoints of a cohort of this generation.

        Args:
            recipes: Its recipes.
            seeds: Its seeds.
        """
        own = self.identity
        decides = {"decides": dict(own.decides), "recipes": [own.recipes.get(name) for name in recipes]}
        identity = json.dumps(decides, sort_keys=True)
        return Checkpoint(self.path / CHECKPOINTS, identity, recipes, seeds, self.remarks)

    # opening

    def _opened(self) -> Database:
        """The SQLite file; a new one, filled from the records, where it is damaged."""
        try:
            return Database(self.path, write=True)
        except DamagedError as error:
            return self._made_anew(str(error))

    def _made_anew(self, why: str) -> Database:
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            found = self.path / name
            if found.exists():
                disk.point("replace")
                found.replace(self.path / f"{name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        self.remarks.append(f"{why}: the file is damaged, so it was put aside and made anew from the records.")
        return Database(self.path, write=True)

    def _mend(self) -> None:
        """Finds records and rows that are damaged, and takes in records that the SQLite file does not know."""
        try:
            known = dict(self._database.all("SELECT file, sha256 FROM record"))
            spoilt = self._spoilt(known)
        except DamagedError as error:
            self._database.close()
            self._database = self._made_anew(str(error))
            known, spoilt = {}, []
        for file in spoilt:
            path = self.path / RECORDS / file
            self.remarks.append(f"{path}: the record is damaged or gone, so its runs are trained again.")
            self._forget(file)
            if path.is_file():
                self._put_aside(path)
        for part in (self.path / RECORDS).glob("*.part"):
            disk.remove(part)
        for path in sorted((self.path / RECORDS).glob("*.safetensors")):
            if path.name not in known:
                self._take_in(path)

    def _spoilt(self, known: Mapping[str, str]) -> list[str]:
        """The records that are damaged or gone; all rows are checked, as SQLite notices no other number in a row.

        Raises:
            DamagedError: A row is not what was written.
        """
        for table, columns in CHECKED.items():
            for *values, digest in self._database.all(f"SELECT {', '.join(columns)}, sha256 FROM {table}"):
                if digest_of_row(values) != digest:
                    raise DamagedError(f"{self._database.path}: a row of the table {table} is not what was written")
        held = dict(self._database.all("SELECT file, runs FROM record"))
        for row in run_rows(self._database):
            if row.whole() is None or row.record not in known:
                raise DamagedError(f"{self._database.path}: the rows of run {row.key} are not what was written")
            held[row.record] -= 1
        if any(held.values()):
            raise DamagedError(f"{self._database.path}: rows of runs are gone")
        paths = {file: self.path / RECORDS / file for file in known}
        spoilt = [file for file, digest in known.items() if not _is(paths[file], digest)]
        for file in spoilt:
            if _is_whole(paths[file]):
                raise DamagedError(f"{self._database.path}: what it says of {file} is not what was written")
        return spoilt

    def _put_aside(self, record: Path) -> None:
        disk.point("replace")
        record.replace(record.with_name(f"{record.name}.damaged"))

    def _forget(self, file: str) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM run WHERE record = ?", (file,))
            self._database.execute("DELETE FROM record WHERE file = ?", (file,))

    def _take_in(self, path: Path) -> None:
        """Writes a record that the SQLite file does not know into it: the process died between the two writes."""
        try:
            told, arrays = read_record(path)
        except StudyError as error:
            self.remarks.append(f"{error}")
            self._put_aside(path)
            return
        kept = [Kept.of(columns, arrays, place) for place, columns in enumerate(told["runs"])]
        contents = path.read_bytes()
        identity = Identity(**told["study"])
        with self._database.transaction():
            self.generation = self._generation_of(identity) or self._new_generation(identity)
            self._note(path.name, len(contents), sha256(contents).hexdigest(), self._not_known(kept))

    def _not_known(self, kept: Sequence[Kept]) -> list[Kept]:
        query = "SELECT recipe, seed FROM run WHERE generation = ?"
        known = set(self._database.all(query, (self.generation,)))
        return [own for own in kept if (own.columns["recipe"], own.columns["seed"]) not in known]

    # generations

    def _generation(self, identity: Identity, force: bool) -> int:
        """The generation that an identity belongs to; the last one's if nothing differs."""
        found = self._generation_of(identity)
        if found is not None:
            self._add_recipes(found, identity)
            return found
        last = self._database.one("SELECT max(id) FROM generation")
        if last is not None and not force:
            told = "; ".join(identity.differences(identity_of(self._database, last)))
            raise StudyError(
                f"{self.path}: the study that is there must be the one that is asked for. Got {told}. Name another "
                "folder, or begin a new generation in this one with force=True (--force)."
            )
        with self._database.transaction():
            return self._new_generation(identity)

    def _generation_of(self, identity: Identity) -> int | None:
        """The latest generation from which an identity does not differ."""
        for (own,) in self._database.all("SELECT id FROM generation ORDER BY id DESC"):
            if not identity.differences(identity_of(self._database, own)):
                return own
        return None

    def _new_generation(self, identity: Identity) -> int:
        decides, facts = json.dumps(dict(identity.decides)), json.dumps(dict(identity.facts))
        values = (_now(), identity.dataset, decides, facts)
        cursor = self._database.execute(
            "INSERT INTO generation (begun, dataset, identity, facts, sha256) VALUES (?, ?, ?, ?, ?)",
            (*values, digest_of_row(values)),
        )
        own = int(cursor.lastrowid or 0)
        self._insert_recipes(own, identity.recipes, 0)
        return own

    def _add_recipes(self, generation: int, identity: Identity) -> None:
        known = identity_of(self._database, generation).recipes
        new = {name: what for name, what in identity.recipes.items() if name not in known}
        if new:
            with self._database.transaction():
                self._insert_recipes(generation, new, len(known))

    def _insert_recipes(self, generation: int, recipes: Mapping[str, str], first: int) -> None:
        for place, (name, what) in enumerate(recipes.items(), first):
            values = (generation, name, what, place)
            self._database.execute(
                "INSERT INTO recipe (generation, name, definition, place, sha256) VALUES (?, ?, ?, ?, ?)",
                (*values, digest_of_row(values)),
            )


def _is(path: Path, digest: str) -> bool:
    """Whether a file is there and as it was written."""
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == digest


def _is_whole(path: Path) -> bool:
    """Whether a record is there and agrees with its own hash."""
    try:
        read_record(path)
    except StudyError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
