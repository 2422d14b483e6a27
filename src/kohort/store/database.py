"""A study's SQLite file: opened by one writer or by any number of readers, checked before it is believed.

SQLite before 3.51.3 can damage a file that two connections write to at once (its WAL-reset bug), so there is one
writer, and a lock beside the file sees to it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kohort.errors import StudyError
from kohort.store import disk
from kohort.store.schema import APPLICATION, MIGRATIONS, SCHEMA, VERSION

FILE = "study.sqlite"

SECONDS_FOR_A_LOCK = 30.0  # that another process holds for a moment, such as a backup


class DamagedError(Exception):
    """The file is no longer what was written."""


class Database:
    """An open SQLite file of a study.

    Args:
        folder: The study's folder.
        write: Whether to write; else nothing is ever written.

    Raises:
        DamagedError: SQLite finds the file damaged.
        StudyError: It belongs to something else, to a later version of Kohort, or cannot be opened.
    """

    def __init__(self, folder: Path, *, write: bool):
        self.path = folder / FILE
        self._writes = write
        mode = "rwc" if write else "ro"
        disk.point("connect")
        try:
            # no transactions but those that are asked for
            self.connection = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                timeout=SECONDS_FOR_A_LOCK,
            )
            self._prepare(write)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise StudyError(
                    f"{self.path}: the study must be there and open. Got: {error}. Does another program hold it, or is "
                    "the disk full?"
                ) from error
            raise DamagedError(f"{self.path}: {error}") from error

    def _prepare(self, write: bool) -> None:
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.execute("PRAGMA trusted_schema = OFF")
        if not write:
            self.connection.execute("PRAGMA query_only = ON")
        found = self.version
        owner = self.one("PRAGMA application_id")
        if found > VERSION:
            raise StudyError(
                f"{self.path}: the study must be of schema {VERSION} or earlier. Got {found}, which a later Kohort "
                "wrote. Update Kohort."
            )
        empty = not self.one("SELECT count(*) FROM sqlite_schema")
        if not empty and owner != APPLICATION:
            raise StudyError(f"{self.path}: the file must be a study of Kohort. Got another. Name another folder.")
        if not empty and (wrong := self.one("PRAGMA integrity_check(1)")) != "ok":
            raise DamagedError(f"{self.path}: {wrong}")
        if write:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")  # what was committed survives a power cut
            self._migrate(0 if empty else found)

    @property
    def version(self) -> int:
        """The version of its schema; 0 where it is empty."""
        return int(self.one("PRAGMA user_version"))

    def _migrate(self, found: int) -> None:
        """Makes the tables, or makes those of an earlier version into today's."""
        if found == VERSION:
            return
        with self.transaction():
            if found == 0:
                self._script(SCHEMA)
                self.execute(f"PRAGMA application_id = {APPLICATION}")
            for version in range(found, VERSION) if found else ():
                self._script(MIGRATIONS[version])
            self.execute(f"PRAGMA user_version = {VERSION}")

    def _script(self, statements: str) -> None:
        """Several statements; `executescript` would end the transaction."""
        text = ""
        for line in statements.splitlines(keepends=True):
            text += line
            if sqlite3.complete_statement(text):
                self.execute(text)
                text = ""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        disk.point("begin")
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            disk.point("commit")
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """A statement that writes."""
        disk.point("execute")
        return self.connection.execute(statement, values)

    def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query.

        Raises:
            DamagedError: SQLite finds the file damaged.
        """
        try:
            return self.connection.execute(query, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DamagedError(f"{self.path}: {error}") from error

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first value of a query's first row; None if there is none."""
        rows = self.all(query, values)
        return rows[0][0] if rows else None

    def close(self) -> None:
        """Closes it; a writer's file is then a single one, which readers need no other files for."""
        if self._writes:
            with suppress(sqlite3.Error):  # a reader has it open, or the disk is full: nothing is lost
                self.connection.execute("PRAGMA journal_mode = DELETE")
        self.connection.close()


def check_is_study(folder: Path) -> None:
    """Refuses a folder without a study.

    Raises:
        StudyError: It is one.
    """
    if not (folder / FILE).is_file():
        raise StudyError(f"{folder}: there must be a study. Got no {FILE} in it. Is the path right?")


@contextmanager
def opened_to_read(folder: Path) -> Iterator[Database]:
    """A study's SQLite file, open for reading.

    Raises:
        StudyError: There is no study, or it is damaged.
    """
    check_is_study(folder)
    try:
        database = Database(folder, write=False)
        try:
            yield database
        finally:
            database.close()
    except DamagedError as error:
        raise StudyError(
            f"{error}: the file is damaged. Run the study again: it is made anew from its records."
        ) from error
