"""What a study's folder keeps, it gives back as it was; damage is found, named and mended; nothing ended is lost."""

import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohort.errors import StudyError
from kohort.run import Evaluation, Outcome, Run
from kohort.store import disk, schema
from kohort.store.database import FILE, Database
from kohort.store.folder import StudyFolder
from kohort.store.identity import Identity
from kohort.store.layout import RECORDS
from kohort.store.reading import read_study
from kohort.store.tidying import collect_garbage, remove_study

ASKED = Identity("digits", {"epochs": "3", "data": "abc"}, {"none": "none", "l2": "l2 0.01"}, {"source": "somewhere"})


def run(recipe: str, seed: int, diverged: bool = False) -> Run:
    generator = np.random.default_rng([seed, len(recipe)])
    loss = [0.1 + seed, 1 / 3, float("nan") if diverged else 1e-30]
    return Run(
        recipe,
        seed,
        {"loss": loss, "val_loss": [float("inf"), -0.0, 2.5]},
        Outcome(2 if diverged else None),
        (
            generator.normal(size=(3, 4)).astype(np.float32),
            np.asarray(generator.integers(0, 2**32), np.uint32),
            generator.normal(size=2).astype(np.float16),
        ),
        {"epochs": 3, "steps": 7, "verbose": 0},
        test=Evaluation(np.arange(5, dtype=np.int32), generator.integers(0, 2, 5).astype(np.float32)),
        first_epoch=0,
        why_by_fit="",
        diagnostics={"weight_norm": np.array([1.5, np.nan, 0.1 + seed]), "zeros": np.array([0.25])},
    )


COHORTS = [[run("none", 0), run("none", 1)], [run("l2", 0), run("l2", 1, diverged=True)]]


def told(run: Run) -> str:
    """All of a run, to the bit."""
    weights = [(array.dtype.str, array.shape, np.asarray(array).tobytes().hex()) for array in run.weights]
    test = run.test
    assert test is not None
    measured = {name: values.tolist() for name, values in run.diagnostics.items()}
    return repr((run.recipe, run.seed, run.history, run.outcome, weights, run.params, run.first_epoch)) + repr(
        (test.rows.tolist(), test.outcomes.tobytes(), test.metric, test.greater_is_better, measured)
    )


EXPECTED = {(own.recipe, own.seed): told(own) for cohort in COHORTS for own in cohort}


def kept(folder: StudyFolder) -> dict[Any, str]:
    return {key: told(own) for key, (own, _) in folder.runs().items()}


def add_missing(folder: StudyFolder, reported: Callable[[str], None] = lambda _: None) -> None:
    for cohort in COHORTS:
        there = kept(folder)
        if missing := [own for own in cohort if (own.recipe, own.seed) not in there]:
            folder.begin([(own.recipe, own.seed or 0) for own in missing])
            folder.add(missing, [cohort[0].recipe])
            reported(cohort[0].recipe)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    with StudyFolder(tmp_path / "study", ASKED) as folder:
        add_missing(folder)
    return tmp_path / "study"


def test_runs_come_back_as_they_were(study: Path) -> None:
    with StudyFolder(study, ASKED) as folder:
        assert kept(folder) == EXPECTED
        assert folder.runs()["l2", 0][1] == ("l2",)
        assert not folder.remarks
    assert not list(study.glob("*-wal"))


def test_weights_are_read_when_they_are_asked_for(study: Path) -> None:
    with StudyFolder(study, ASKED) as folder:
        found, _ = folder.runs()["none", 1]
    (record,) = [path for path in (study / RECORDS).iterdir() if path.stat().st_size and _holds(path, "none")]
    assert len(found.weights) == 3
    record.write_bytes(record.read_bytes().replace(COHORTS[0][1].weights[0].tobytes(), bytes(48)))
    with pytest.raises(StudyError, match="the record is damaged: the hash of its weights is another"):
        found.weights[0]


def _holds(path: Path, recipe: str) -> bool:
    return f'\\"recipe\\": \\"{recipe}\\"'.encode() in path.read_bytes()


def test_weights_that_are_not_kept_are_not_given(tmp_path: Path) -> None:
    with StudyFolder(tmp_path, ASKED, weights="none") as folder:
        (found,) = folder.add(COHORTS[0][:1], ["none"])
        assert found.history["loss"] == COHORTS[0][0].history["loss"]
        with pytest.raises(StudyError, match="the weights of this run of 'none' must have been kept"):
            list(found.weights)


def test_another_study_is_refused_with_what_differs(study: Path) -> None:
    other = Identity("digits", {"epochs": "4", "data": "abc"}, {"none": "none", "l2": "l2 0.1"}, {})
    with pytest.raises(
        StudyError, match="Got epochs 4 instead of 3; another recipe 'l2'. Name another folder, or begin"
    ):
        StudyFolder(study, other)
    with StudyFolder(study, other, force=True) as folder:
        assert folder.runs() == {}
    with StudyFolder(study, ASKED) as folder:  # the earlier generation is still there
        assert kept(folder) == EXPECTED


def test_recipes_may_be_added(study: Path) -> None:
    more = Identity("digits", ASKED.decides, {"none": "none", "dropout": "dropout 0.3"}, {})
    with StudyFolder(study, more) as folder:
        assert kept(folder) == EXPECTED
        folder.add([run("dropout", 0)], ["dropout"])
    changed = Identity("digits", ASKED.decides, {"dropout": "dropout 0.5"}, {})
    with pytest.raises(StudyError, match="another recipe 'dropout'"):
        StudyFolder(study, changed)


def test_runs_that_have_not_ended_are_known(study: Path) -> None:
    with StudyFolder(study, ASKED) as folder:
        folder.begin([("none", 5), ("none", 6), ("l2", 5)])
        folder.fail(("l2", 5), "out of memory", "1 GiB")
        folder.begin([("none", 5), ("none", 6)], epochs=2)
        folder.begin([("none", 5)])
        assert [own.kind for own in read_study(study).failures] == ["diverged", "out of memory", "running", "running"]
    told = [str(failure) for failure in read_study(study).failures]
    assert told == [
        "l2, seed 1: diverged at epoch 2",
        "l2, seed 5: out of memory: 1 GiB",
        "none, seed 5: interrupted at epoch 2",
        "none, seed 6: interrupted at epoch 2",
    ]
    with StudyFolder(study, ASKED) as folder:
        folder.add([run("none", 5), run("l2", 5)], ["none", "l2"])
    assert [(own.recipe, own.seed) for own in read_study(study).unfinished] == [("none", 6)]


def test_a_folder_that_may_only_be_read_is_read(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # what the lock meets there; root may write anywhere

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    assert len(read_study(study).runs) == 4


def test_a_study_of_the_first_schema_becomes_one_of_this(tmp_path: Path) -> None:
    old = Path(__file__).parent / "fixtures" / "study-1"
    shutil.copytree(old, tmp_path / "study")
    before = read_study(old)
    with StudyFolder(tmp_path / "study", before.identity) as folder:
        assert not folder.remarks
        assert folder.runs().keys() == before.runs.keys()
        folder.begin([("none", 99)])
    after = read_study(tmp_path / "study")
    assert {key: told(own) for key, own in after.runs.items()} == {key: told(own) for key, own in before.runs.items()}
    assert [own.seed for own in after.unfinished] == [99]
    database = Database(tmp_path / "study", write=False)
    new = Database(old, write=False)
    assert (new.version, database.version) == (1, schema.VERSION)
    tables = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    with StudyFolder(tmp_path / "new", ASKED) as folder:
        assert database.all(tables) == folder._database.all(tables)
    database.close()
    new.close()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyError, match="a study must be a folder. Got a file. Name another"):
        StudyFolder(tmp_path / "file", ASKED)
    assert (tmp_path / "file").read_text() == "mine"


def test_one_process_writes(study: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kohort.errors import StudyError\n"
        "from tests.test_store import ASKED, StudyFolder\n"
        "try: StudyFolder(Path(sys.argv[1]), ASKED)\n"
        "except StudyError as error: print(error)"
    )
    with StudyFolder(study, ASKED):
        done = subprocess.run([sys.executable, "-c", code, str(study)], capture_output=True, text=True, check=True)
    assert "one process may write to a study. Got another that does" in done.stdout


def test_other_files_and_later_schemas_are_refused(study: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(study / FILE)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    with pytest.raises(
        StudyError, match=f"schema {schema.VERSION} or earlier. Got {schema.VERSION + 1}.*Update Kohort"
    ):
        StudyFolder(study, ASKED)
    other = tmp_path / "other"
    other.mkdir()
    connection = sqlite3.connect(other / FILE)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StudyError, match="must be a study of Kohort. Got another"):
        StudyFolder(other, ASKED)


def test_readers_write_nothing(study: Path) -> None:
    database = Database(study, write=False)
    assert database.one("SELECT count(*) FROM run") == 4
    with pytest.raises(sqlite3.OperationalError, match="readonly|query_only"):
        database.execute("DELETE FROM run")
    database.close()
    with pytest.raises(StudyError, match="the study must be there and open"):
        Database(study / "nowhere", write=False)


def test_every_column_has_a_comment() -> None:
    for line in schema.SCHEMA.splitlines():
        if line.startswith("  ") and not line.strip().startswith(("PRIMARY", "UNIQUE")):
            assert "-- " in line, line


# damage


def damages(contents: bytes) -> list[bytes]:
    """A file cut off at some places, and with a bit flipped at 50."""
    size = len(contents)
    generator = random.Random(size)
    cut = [contents[:length] for length in (0, 1, size // 2, size - 1)]
    for place in sorted(generator.sample(range(size), 50)):
        flipped = bytearray(contents)
        flipped[place] ^= 1 << generator.randrange(8)
        cut.append(bytes(flipped))
    return cut


@pytest.mark.parametrize("which", ["database", "record"])
def test_damage_is_found_named_and_mended(study: Path, tmp_path: Path, which: str) -> None:
    name = study / FILE if which == "database" else sorted((study / RECORDS).iterdir())[0]
    trial, unnoticed = tmp_path / "trial", 0
    for damaged in damages(name.read_bytes()):
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(study, trial)
        (trial / name.relative_to(study)).write_bytes(damaged)
        with StudyFolder(trial, ASKED) as folder:
            found = kept(folder)
            assert all(EXPECTED[key] == own for key, own in found.items())  # whatever is there is right
            if which == "database":
                assert found == EXPECTED  # the records have it all
            elif found != EXPECTED:
                assert name.name in folder.remarks[0]
            unnoticed += not folder.remarks
            add_missing(folder)
            assert kept(folder) == EXPECTED
        with StudyFolder(trial, ASKED) as folder:
            assert kept(folder) == EXPECTED
            assert not folder.remarks
    assert which == "database" or not unnoticed  # SQLite's free space holds nothing


def test_a_lost_database_is_made_anew_with_all_generations(study: Path) -> None:
    other = Identity("digits", {"epochs": "4", "data": "abc"}, {"none": "none"}, {})
    with StudyFolder(study, other, force=True) as folder:
        folder.add([run("none", 7)], ["none"])
    (study / FILE).unlink()
    with StudyFolder(study, ASKED) as folder:
        assert kept(folder) == EXPECTED
    with StudyFolder(study, other) as folder:
        assert list(folder.runs()) == [("none", 7)]


def test_what_no_study_needs_is_removed(study: Path) -> None:
    record = sorted((study / RECORDS).iterdir())[0]
    record.write_bytes(record.read_bytes()[:100])
    with StudyFolder(study, ASKED) as folder:
        add_missing(folder)
        with pytest.raises(StudyError, match="nobody may write to the study meanwhile"):
            collect_garbage(study)
    (study / RECORDS / "x.part").write_bytes(b"half")
    (study / RECORDS / "stray.safetensors").write_bytes(b"stray")
    assert collect_garbage(study) == 109
    assert collect_garbage(study) == 0
    with StudyFolder(study, ASKED) as folder:
        assert kept(folder) == EXPECTED


def test_a_study_is_removed_and_nothing_else(study: Path) -> None:
    (study / "notes.txt").write_text("mine")
    assert remove_study(study) > 5000
    assert [path.name for path in study.rglob("*")] == ["notes.txt"]
    with pytest.raises(StudyError, match="there must be a study"):
        remove_study(study)


# every point at which the disk is touched


def count_points(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    calls: list[str] = []
    monkeypatch.setattr(disk, "point", calls.append)
    with StudyFolder(folder, ASKED) as own:
        add_missing(own)
    monkeypatch.undo()
    return len(calls)


KILLED_AT = """
import os, sys
from pathlib import Path
from kohort.store import disk
from tests.test_store import ASKED, StudyFolder, add_missing
left = int(sys.argv[2])
def point(call):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
disk.point = point
with StudyFolder(Path(sys.argv[1]), ASKED) as folder:
    add_missing(folder, lambda name: print(name, flush=True))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_every_point_nothing_that_ended_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = count_points(tmp_path / "undisturbed", monkeypatch)
    assert points > 40
    for i in range(points + 1):
        folder = tmp_path / str(i)
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(folder), str(i)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == (9 if i < points else 0), done.stderr
        ended = done.stdout.split()
        with StudyFolder(folder, ASKED) as own:
            found = kept(own)
            assert {recipe for recipe, _ in found} >= set(ended)
            assert all(EXPECTED[key] == value for key, value in found.items())
            assert own._database.one("PRAGMA integrity_check") == "ok"
            add_missing(own)
            assert kept(own) == EXPECTED
    print(f"{points} points at which the process was killed, {points} recovered")


FAILURES = {
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "locked": sqlite3.OperationalError("database is locked"),
    "memory": MemoryError(),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_an_error_at_every_point_is_told_and_loses_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = count_points(tmp_path / "undisturbed", monkeypatch)
    for i in range(points):
        left, ended = i, []

        def point(call: str) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise FAILURES[kind]

        monkeypatch.setattr(disk, "point", point)
        with (
            pytest.raises(StudyError, match="could not be|must be there and open"),
            StudyFolder(tmp_path / str(i), ASKED) as folder,
        ):
            add_missing(folder, ended.append)
        monkeypatch.undo()
        with StudyFolder(tmp_path / str(i), ASKED) as folder:
            found = kept(folder)
            assert {recipe for recipe, _ in found} >= set(ended)
            add_missing(folder)
            assert kept(folder) == EXPECTED
            assert not list((tmp_path / str(i) / RECORDS).glob("*.part"))


def test_headers_of_records_are_json_that_tells_the_study(study: Path) -> None:
    path = sorted((study / RECORDS).iterdir())[0]
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    content = json.loads(header["content"])
    assert content["study"]["decides"] == ASKED.decides
    assert {own["seed"] for own in content["runs"]} == {0, 1}
