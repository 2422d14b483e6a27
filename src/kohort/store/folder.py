"""A study's folder: who writes to it, what is in it, and how damage is found and mended."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from kohort.errors import StudyError
from kohort.run import Run
from kohort.store import disk
from kohort.store.checkpoint import Checkpoint
from kohort.store.database import DATABASE_ERRORS, FILE, DamagedError, Database
from kohort.store.kept import COLUMNS, Kept, keep, revived
from kohort.store.records import read_record, write_record

RECORDS = "records"
CHECKPOINTS = "checkpoints"
LOCK = "study.lock"

Weights = Literal["all", "none"]
"""Which runs' weights are kept."""

Key = tuple[str, int]


@dataclass(frozen=True)
class Identity:
    """What a study is.

    Attributes:
        dataset: The data's name.
        decides: Name -> value of all that decides a run's numbers, but for recipe and seed.
        recipes: Recipe -> what it does, as text that changes when the recipe does.
        facts: Name -> value of what else a reader wants to know.
    """

    dataset: str
    decides: Mapping[str, str]
    recipes: Mapping[str, str]
    facts: Mapping[str, Any]

    def differences(self, other: "Identity") -> list[str]:
        """How another study is not this one, in words; recipes that only one of them has are no difference."""
        names = dict.fromkeys([*self.decides, *other.decides])
        told = [
            f"{name} {_short(self.decides.get(name))} instead of {_short(other.decides.get(name))}"
            for name in names
            if self.decides.get(name) != other.decides.get(name)
        ]
        changed = [name for name in self.recipes if other.recipes.get(name, self.recipes[name]) != self.recipes[name]]
        return told + [f"another recipe {name!r}" for name in changed]


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
        self.path, self.weights = path, weights
        self.remarks: list[str] = []
        self._lock = FileLock(path / LOCK, timeout=0)
        with self._told_of_errors("the study could not be opened"):
            disk.make_folder(path / RECORDS)
            self._lock_it()
            try:
                self._database = self._opened()
                self._mend()
                self.generation = self._generation(identity, force)
            except BaseException:
                self.close()
                raise

    def _lock_it(self) -> None:
        try:
            self._lock.acquire()
        except Timeout:
            raise StudyError(
                f"{self.path}: one process may write to a study. Got another that does. Wait for it, or name another "
                "folder."
            ) from None

    def __enter__(self) -> "StudyFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets others write."""
        if hasattr(self, "_database"):
            self._database.close()
        self._lock.release()

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
        kept = [keep(run, cohort, now, self.weights == "all") for run in runs]
        arrays: dict[str, np.ndarray] = {}
        for place, (run, own) in enumerate(zip(runs, kept, strict=True)):
            arrays |= own.arrays(place)
            if self.weights == "all":
                arrays |= {f"{place}/weights/{position}": array for position, array in enumerate(run.weights)}
        told = {"study": self._told, "runs": [dict(own.columns) for own in kept]}
        with self._told_of_errors("runs that have ended could not be kept"):
            file, size, digest = write_record(self.path / RECORDS, told, arrays)
            with self._database.transaction():
                self._note(file, size, digest, kept)
        record = self.path / RECORDS / file
        return [revived(own, record, place) for place, own in enumerate(kept)]

    @contextmanager
    def _told_of_errors(self, what: str) -> Iterator[None]:
        """Makes of a full disk, a locked file or a lack of memory one error that says what now."""
        try:
            yield
        except (OSError, MemoryError, *DATABASE_ERRORS) as error:
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
            for name, numbers in own.logs.items():
                execute("INSERT INTO log (run, name, numbers) VALUES (?, ?, ?)", (run, name, numbers.tobytes()))
            outcome = (run, own.rows.tobytes(), own.outcomes.tobytes())
            execute("INSERT INTO outcome (run, rows, numbers) VALUES (?, ?, ?)", outcome)

    def checkpoint(self, recipes: Sequence[str], seeds: Sequence[int]) -> Checkpoint:
        """The checkpoints of a cohort of this generation.

        Args:
            recipes: Its recipes.
            seeds: Its seeds.
        """
        decides = {"decides": self._told["decides"], "recipes": [self._told["recipes"].get(name) for name in recipes]}
        identity = json.dumps(decides, sort_keys=True)
        return Checkpoint(self.path / CHECKPOINTS, identity, recipes, seeds)

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
            self._check_rows(known)
        except DamagedError as error:
            self._database.close()
            self._database = self._made_anew(str(error))
            known = {}
        for file, digest in known.items():
            path = self.path / RECORDS / file
            if not _is(path, digest):
                self.remarks.append(f"{path}: the record is damaged or gone, so its runs are trained again.")
                self._forget(file)
                if path.is_file():
                    disk.point("replace")
                    path.replace(path.with_name(f"{file}.damaged"))
        for part in (self.path / RECORDS).glob("*.part"):
            disk.remove(part)
        for path in sorted((self.path / RECORDS).glob("*.safetensors")):
            if path.name not in known:
                self._take_in(path)

    def _check_rows(self, known: Mapping[str, str]) -> None:
        """Whether all rows are what was written; SQLite itself notices no other number in a row.

        Raises:
            DamagedError: One is not.
        """
        for table, columns in CHECKED.items():
            for *values, digest in self._database.all(f"SELECT {', '.join(columns)}, sha256 FROM {table}"):
                if _digest(values) != digest:
                    raise DamagedError(f"{self._database.path}: a row of the table {table} is not what was written")
        held = dict(self._database.all("SELECT file, runs FROM record"))
        for generation, key, own, digest, file, place in _kept_runs(self._database, None):
            if own is None or own.digest(generation, file, place) != digest or file not in known:
                raise DamagedError(f"{self._database.path}: the rows of run {key} are not what was written")
            held[file] -= 1
        if any(held.values()):
            raise DamagedError(f"{self._database.path}: rows of runs are gone")
        for file, digest in known.items():
            path = self.path / RECORDS / file
            if not _is(path, digest) and _is_whole(path):
                raise DamagedError(f"{self._database.path}: what it says of {file} is not what was written")

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
            disk.point("replace")
            path.replace(path.with_name(f"{path.name}.damaged"))
            return
        kept = []
        for place, columns in enumerate(told["runs"]):
            start = f"{place}/log/"
            logs = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
            kept.append(Kept(columns, logs, arrays[f"{place}/rows"], arrays[f"{place}/outcomes"]))
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
        self._told = {
            "dataset": identity.dataset,
            "decides": dict(identity.decides),
            "recipes": dict(identity.recipes),
            "facts": dict(identity.facts),
        }
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
            (*values, _digest(values)),
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
                (*values, _digest(values)),
            )


def identity_of(database: Database, generation: int) -> Identity:
    """What a generation is."""
    query = "SELECT dataset, identity, facts FROM generation WHERE id = ?"
    ((dataset, decides, facts),) = database.all(query, (generation,))
    named = database.all("SELECT name, definition FROM recipe WHERE generation = ? ORDER BY place", (generation,))
    return Identity(dataset, json.loads(decides), dict(named), json.loads(facts))


def stored_runs(database: Database, folder: Path, generation: int) -> Iterator[tuple[Key, Run, tuple[str, ...]]]:
    """The runs of a generation: key, run, and the recipes that trained in one program with it.

    Raises:
        StudyError: A row is not what was written.
    """
    for _, key, own, digest, file, place in _kept_runs(database, generation):
        if own is None or own.digest(generation, file, place) != digest:
            raise StudyError(
                f"{database.path}: the rows of run {key} are damaged. Run the study again: it is read from its record."
            )
        yield key, revived(own, folder / RECORDS / file, place), tuple(json.loads(own.columns["cohort"]))


def _kept_runs(database: Database, generation: int | None) -> Iterator[tuple[int, Key, Kept | None, str, str, int]]:
    """All runs of a generation, or of all: generation, key, what was kept, its hash, its record and place in that."""
    where, values = ("", ()) if generation is None else ("WHERE generation = ?", (generation,))
    logs: dict[int, dict[str, np.ndarray]] = {}
    for run, name, numbers in database.all(
        f"SELECT run, name, numbers FROM log JOIN run ON run.id = run {where}", values
    ):
        logs.setdefault(run, {})[name] = _numbers(numbers, "<f8")
    columns = ", ".join(f"run.{name}" for name in COLUMNS)
    query = (
        f"SELECT run.id, run.generation, run.sha256, record, place, rows, numbers, {columns} "
        "FROM run JOIN outcome ON run = run.id"
    )
    for run, own_generation, digest, file, place, rows, numbers, *told in database.all(
        f"{query} {where} ORDER BY run.id", values
    ):
        named = dict(zip(COLUMNS, told, strict=True))
        key = (named["recipe"], named["seed"])
        try:
            own = Kept(named, logs.get(run, {}), _numbers(rows, "<i4"), _numbers(numbers, "<f4"))
        except (TypeError, ValueError):
            own = None
        yield own_generation, key, own, digest, file, place


CHECKED = {
    "generation": ("begun", "dataset", "identity", "facts"),
    "recipe": ("generation", "name", "definition", "place"),
}
"""Tables whose rows have a hash of these columns."""


def _digest(values: Sequence[Any]) -> str:
    return sha256(json.dumps(list(values)).encode()).hexdigest()


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


def _numbers(blob: bytes, kind: str) -> np.ndarray:
    return np.frombuffer(blob, kind)


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 60 else f"{value[:57]}…"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
