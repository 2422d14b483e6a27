"""What a folder holds is listed, shown, reported and exported without Keras or JAX."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

import kohort
from kohort.cli.app import app
from kohort.errors import DataError, StudyError
from kohort.report.tidy import write_table
from kohort.store.reading import read_study
from kohort.store.schema import VERSION


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("studies") / "moons"
    study = kohort.Study(["none", "l2", "batchnorm"], kohort.data.moons(), seeds=6, epochs=2, folder=folder)
    return folder, study.run(verbose=0)


def run(*words: str) -> None:
    app(list(words), standalone_mode=False)


def test_studies_are_listed(made: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, _ = made
    run("studies", str(folder.parent), "--json")
    (told,) = json.loads(capsys.readouterr().out)["studies"]
    assert (told["folder"], told["data"], told["recipes"], told["runs"]) == (str(folder), "moons", 3, 18)
    run("studies", str(tmp_path))
    assert "No study in" in capsys.readouterr().out


def test_a_study_is_shown(made: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder, result = made
    run("show", str(folder), "--json")
    told = json.loads(capsys.readouterr().out)
    assert [own["recipe"] for own in told["recipes"]] == ["none", "l2 0.001", "batchnorm"]
    for summary, own in zip(result.comparison.recipes, told["recipes"], strict=True):
        assert own["mean test accuracy"] == pytest.approx(summary.test_mean.mean)
        assert (own["runs"], own["diverged"], own["epochs"]) == (6, 0, 12)
    for name, value in result.facts().items():
        if name in ("data", "fingerprint", "rows", "network", "training", "recipes", "devices", "programs"):
            assert told["facts"][name] == value
    run("show", str(folder))
    shown = capsys.readouterr().out
    assert "generation: 1 of 1" in shown
    assert told["plans"]
    assert told["plans"] == result.runs.explain().splitlines()[: len(told["plans"])]
    assert all(line in shown for line in told["plans"])


def test_a_report_says_what_the_study_said(made: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, result = made
    run("report", str(folder), "--report", str(tmp_path / "r.html"))
    shown = capsys.readouterr().out
    for verdict in result.comparison.verdicts.verdicts:
        assert verdict.words() in shown
    assert "18 runs. Report:" in shown
    assert "kohort report" in (tmp_path / "r.html").read_text()
    with pytest.raises(DataError, match="the baseline must be one of none, l2 0.001, batchnorm. Got 'dropout'"):
        run("report", str(folder), "--baseline", "dropout")


def test_reports_need_neither_keras_nor_jax(made: Any, tmp_path: Path) -> None:
    folder, _ = made
    code = (
        "import sys; from kohort.cli.app import app\n"
        "for words in (['report', sys.argv[1], '--report', sys.argv[2]], ['show', sys.argv[1]], ['studies', '.']):\n"
        "    app(words, standalone_mode=False)\n"
        "assert not {'jax', 'keras'} & set(sys.modules), set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "r.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_runs_are_exported(made: Any, tmp_path: Path) -> None:
    folder, result = made
    for name in ("runs.csv", "runs.parquet", "runs.md", "runs.tex"):
        run("export", str(folder), str(tmp_path / name))
    for table in (pl.read_csv(tmp_path / "runs.csv"), pl.read_parquet(tmp_path / "runs.parquet")):
        assert table.height == 18
        for row in table.iter_rows(named=True):
            own = result.runs[row["recipe"], row["seed"]]
            assert row["test_accuracy"] == pytest.approx(own.test.score)
            assert row["val_loss"] == pytest.approx(own.history["val_loss"][-1])
    assert len((tmp_path / "runs.md").read_text().splitlines()) == 20
    assert "l2 0.001 & 0 & finished" in (tmp_path / "runs.tex").read_text()
    run("export", str(folder), str(tmp_path / "logs.csv"), "--logs")
    logs = pl.read_csv(tmp_path / "logs.csv")
    assert (logs.height, logs.columns[:3]) == (36, ["recipe", "seed", "epoch"])
    with pytest.raises(DataError, match=r"must end in .csv, .parquet, .md, .tex. Got 'runs.doc'"):
        run("export", str(folder), str(tmp_path / "runs.doc"))


def test_runs_are_data_frames(made: Any) -> None:
    folder, result = made
    table, stored = kohort.runs_table(result.runs), kohort.runs_table(read_study(folder).runs.values())
    assert table.equals(stored)
    for row in table.iter_rows(named=True):
        own = result.runs[row["recipe"], row["seed"]].diagnostics
        assert row["weight_norm"] == own["weight_norm"][-1]
        assert row["dead_units"] == own["dead_units"][0]
    logs = kohort.logs_table(result.runs)
    assert logs.height == 36
    assert logs["gradient_norm"][1] == result.runs["none", 0].diagnostics["gradient_norm"][1]
    with pytest.raises(DataError, match="to must be 'polars' or 'pandas'. Got 'excel'"):
        kohort.runs_table(result.runs, "excel")  # pyright: ignore[reportCallIssue, reportArgumentType]
    frame = kohort.runs_table(result.runs, "pandas")
    assert isinstance(frame, pd.DataFrame)
    assert frame["weight_norm"].tolist() == table["weight_norm"].to_list()


def test_names_are_data_in_every_file(tmp_path: Path) -> None:
    table = pl.DataFrame({"recipe": ["a|b & 5 %_"], "x": [None]})
    write_table(table, tmp_path / "t.md")
    write_table(table, tmp_path / "t.tex")
    assert "| a\\|b & 5 %_ |  |" in (tmp_path / "t.md").read_text()
    assert "a|b \\& 5 \\%\\_ &" in (tmp_path / "t.tex").read_text()


def test_a_study_that_goes_on_is_compared_as_far_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moons = kohort.data.moons()
    kohort.Study(["none", "l2"], moons, seeds=3, epochs=1, folder=tmp_path / "s").run(verbose=0)
    kohort.Study(["none", "batchnorm"], moons, seeds=2, epochs=1, folder=tmp_path / "s").run(verbose=0)
    study = read_study(tmp_path / "s")
    assert (len(study.runs), len(study.comparable)) == (8, 6)
    run("report", str(tmp_path / "s"), "--report", str(tmp_path / "r.html"))
    assert "2 runs are left out: not all recipes have run under their seeds yet" in capsys.readouterr().out
    kohort.Study(["none", "l2"], moons, seeds="auto", most_seeds=6, epochs=1, folder=tmp_path / "auto").run(verbose=0)
    with pytest.raises(StudyError, match="seeds came in rounds until verdicts were settled"):
        run("report", str(tmp_path / "auto"))


def test_a_study_is_removed_when_it_is_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kohort.Study(["none"], kohort.data.moons(), seeds=1, epochs=1, folder=tmp_path / "s").run(verbose=0)
    asked = CliRunner().invoke(app, ["rm", str(tmp_path / "s")], input="n\n")
    assert "1 runs of moons in 1 generations?" in asked.output
    assert asked.exit_code == 1
    run("gc", str(tmp_path / "s"))
    assert "0.0 MiB removed" in capsys.readouterr().out
    assert len(read_study(tmp_path / "s").runs) == 1
    run("rm", str(tmp_path / "s"), "--yes")
    assert not (tmp_path / "s").exists()


def test_nothing_is_removed_from_a_damaged_study(tmp_path: Path) -> None:
    kohort.Study(["none"], kohort.data.moons(), seeds=1, epochs=1, folder=tmp_path).run(verbose=0)
    file = tmp_path / "study.sqlite"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StudyError, match="the file is damaged. Run the study again: it is made anew from its records"):
        run("gc", str(tmp_path))
    assert list((tmp_path / "records").glob("*.safetensors"))


def test_what_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"there must be a study. Got no study.sqlite in it"):
        read_study(tmp_path)
    (tmp_path / "study.sqlite").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(StudyError, match="damaged|must be a study of Kohort"):
        read_study(tmp_path)


def test_a_study_of_each_schema_opens() -> None:
    studies = [read_study(folder) for folder in sorted((Path(__file__).parent / "fixtures").glob("study-*"))]
    assert len(studies) == VERSION
    for study in studies:
        assert len(study.runs) == 4
        assert study.runs["none", 1].weights[0].shape == (3, 4)
    assert {own.kind for own in studies[-1].unfinished} == {"interrupted", "out of memory"}  # since schema 2
    assert studies[-1].runs["none", 1].diagnostics["zeros"] == [0.25]
