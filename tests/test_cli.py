"""The command line as a user runs it: text on standard output, progress on standard error."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kohort
from kohort.cli.app import app, main
from kohort.errors import DataError
from kohort.store.reading import read_study


def in_a_process(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from kohort.cli.app import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=folder, check=False)


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kohort_(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, which has what takes seconds imported."""

    def run(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["kohort", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped, contextlib.chdir(folder or Path.cwd()):
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(stopped.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("compare")
    words = ["compare", "digits", "--recipes", "none,dropout=0.5", "--seeds", "3", "--epochs", "2"]
    return in_a_process(*words, folder=folder), folder


def test_help_names_the_commands_and_imports_nothing_that_takes_long() -> None:
    """It takes a quarter of a second; JAX and Keras alone would take three."""
    command = [sys.executable, "-X", "importtime", "-c", "from kohort.cli.app import main; main()", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0
    assert "compare" in done.stdout
    assert "doctor" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "kohort" in imported
    assert not imported & {"jax", "keras", "numpy", "scipy", "sklearn", "polars", "altair", "optuna", "ray"}


@pytest.mark.parametrize(
    "command",
    [
        "compare",
        "tune",
        "verdict",
        "recipes",
        "check",
        "doctor",
        "studies",
        "show",
        "report",
        "export",
        "card",
        "track",
        "rm",
        "gc",
        "dashboard",
        "lab",
    ],
)
def test_every_command_has_help_with_an_example(command: str, kohort_: Command) -> None:
    done = kohort_(command, "--help")
    assert done.returncode == 0
    assert f"Example: kohort {command}" in done.stdout


def test_version() -> None:
    assert in_a_process("--version").stdout.strip() == f"kohort {kohort.__version__}"


@pytest.mark.slow
def test_compare_prints_a_table_and_writes_a_report(compared: tuple) -> None:
    done, folder = compared
    assert done.returncode == 0, done.stderr
    assert "3 seeds, 357 test rows" in done.stdout
    assert "improvement on none (95 %)" in done.stdout
    assert "dropout 0.5: no verdict from 3 seeds, 357 test rows (" in done.stdout
    assert "dropout 0.5" in done.stdout
    assert "The textbook's loop (seed 0 alone, best validation epoch) would have printed none 0." in done.stdout
    assert "6 runs in " in done.stdout
    page = (folder / "report.html").read_text("utf-8")
    assert "none, dropout 0.5 on digits" in page
    assert (
        "kohort compare digits --recipes none,dropout=0.5 --seeds 3 --epochs 2 --batch-size 32 --baseline none" in page
    )


@pytest.mark.slow
def test_json_holds_the_numbers_and_comes_out_the_same_again(tmp_path: Path, kohort_: Command) -> None:
    words = ["compare", "iris", "--recipes", "none,l2", "--seeds", "2", "--epochs", "2", "--batch-size", "8"]
    words += ["--json", "--quiet", "--report", str(tmp_path / "r.html")]
    one, other = in_a_process(*words), kohort_(*words)
    assert one.stderr == ""
    result = json.loads(one.stdout)
    assert result["plan"]["dataset"][0] == "iris"
    assert [recipe["recipe"] for recipe in result["recipes"]] == ["none", "l2 0.001"]
    assert all(len(recipe["test"]) == 2 for recipe in result["recipes"])
    assert result["recipes"][1]["verdict"]["interval"]["n"] == 2
    assert result["verdicts"]["l2 0.001"].startswith("l2 0.001: no verdict from 2 seeds")
    again = json.loads(other.stdout)
    assert result.pop("seconds") > 0
    assert again.pop("seconds") > 0
    assert result == again


@pytest.mark.slow
def test_runs_of_different_lengths_are_compared(tmp_path: Path, kohort_: Command) -> None:
    words = ["compare", "digits", "--recipes", "none,earlystopping=1", "--seeds", "4", "--epochs", "30"]
    done = kohort_(*words, "--study", "s", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lengths = {len(run.epoch) for run in read_study(tmp_path / "s").runs.of("earlystopping 1")}
    assert len(lengths) > 1
    assert kohort_("report", "s", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--executor", "dask"], "--executor must be one of local, ray. Got 'dask'"),
        (["--cpus", "2"], "--cpus is of a Ray cluster, so it needs --executor ray. Got 2.0 alone"),
        (["--address", "auto"], "--address is of a Ray cluster"),
        (["--executor", "ray", "--gpus", "-1"], "gpus must be a number of at least 0. Got -1"),
    ],
)
def test_who_trains_is_checked_before_anything_is_read(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        app(["compare", "no-such-data", *words, "--report", str(tmp_path / "r.html")], standalone_mode=False)


def test_diagnostics_may_be_switched_off(tmp_path: Path, kohort_: Command) -> None:
    words = [
        "compare",
        "moons",
        "--recipes",
        "none",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--no-diagnostics",
        "--study",
        "s",
    ]
    assert kohort_(*words, folder=tmp_path).returncode == 0
    assert "--baseline none --no-diagnostics" in (tmp_path / "report.html").read_text("utf-8")
    assert not any(run.diagnostics for run in read_study(tmp_path / "s").runs.values())


def test_a_report_that_cannot_be_written_loses_no_result(tmp_path: Path, kohort_: Command) -> None:
    (tmp_path / "full.html").symlink_to("/dev/full")
    words = ["--recipes", "none", "--seeds", "1", "--epochs", "1", "--report", "full.html"]
    done = kohort_("compare", "iris", *words, folder=tmp_path)
    assert done.returncode == 2
    assert "1 seed, " in done.stdout
    assert "kohort: full.html: the report cannot be written: " in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "digit"], "kohort: no dataset is called 'digit'. Did you mean 'digits'?"),
        (["compare", "digits", "--recipes", "l3"], "kohort: no recipe is called 'l3'. Did you mean 'l2'"),
        (["compare", "digits", "--seeds", "0"], "Got seeds=0"),
        (["compare", "digits", "--seeds", "some"], "--seeds must be a whole number or auto. Got 'some'"),
        (
            ["compare", "digits", "--seeds", "auto", "--most-seeds", "5"],
            "most_seeds must be a whole number of at least 6",
        ),
        (["compare", "digits", "--metric", "acuracy"], "metric must be a Keras metric. Got 'acuracy'"),
        (["compare", "digits", "--metric", "val_loss"], "metric='val_loss' holds the penalties"),
        (["compare", "digits", "--smallest-effect", "0"], "smallest_effect must be a number above 0"),
        (["compare", "digits", "--batch-size", "1000"], "Got 1797 rows and batch_size=1000"),
        (["compare", "digits", "--baseline", "l1"], "the baseline must be one of the recipes"),
        (["compare", "digits", "--report", "no/such/folder/r.html"], "the report's folder must exist"),
        (["compare", "digits", "--report", "."], "the report must be a file. Got the folder"),
    ],
)
def test_what_is_refused_is_one_line_and_exit_code_two(
    words: list[str], message: str, tmp_path: Path, kohort_: Command
) -> None:
    done = kohort_(*words, folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_refusal_ends_the_process_with_code_two() -> None:
    done = in_a_process("compare", "digit")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kohort: no dataset is called 'digit'. Did you mean 'digits'? ")


NARROW = """
import keras

def narrow(inputs, outputs, dropout=0.0):
    dense = keras.layers.Dense(outputs, activation="softmax")
    return keras.Sequential([keras.layers.Input(inputs), keras.layers.Dropout(dropout), dense])
"""


@pytest.mark.slow
def test_ones_own_network_is_found_beside_the_command(tmp_path: Path, kohort_: Command) -> None:
    (tmp_path / "networks_of_mine.py").write_text(NARROW)
    words = ["compare", "wdbc", "--seeds", "2", "--epochs", "2", "--recipes", "none,dropout=0.3+sgd", "--quiet"]
    done = in_a_process(*words, "--model", "networks_of_mine:narrow", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "dropout 0.3 + sgd" in done.stdout
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "the user&#39;s own function narrow" in page
    assert "--model networks_of_mine:narrow" in page
    for model, message in (
        ("networks_of_mine:wide", "has no attribute 'wide'"),
        ("no_module:build", "No module named"),
    ):
        failed = kohort_(*words, "--model", model, folder=tmp_path)
        assert (failed.returncode, message in failed.stderr) == (2, True)


@pytest.mark.slow
def test_a_file_is_compared_on_and_what_was_found_is_said(tmp_path: Path, kohort_: Command) -> None:
    lines = [f"{row % 7},{'ab'[row % 2]},{row % 5},{'yes' if row % 3 else 'no'}" for row in range(120)]
    (tmp_path / "people.csv").write_text("age,kind,who,member\n" + "\n".join(lines))
    words = ["compare", "people.csv", "--recipes", "none,l1", "--seeds", "2", "--epochs", "1", "--batch-size", "8"]
    done = kohort_(*words, "--target", "member", "--drop", "who", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A classification of 'member' into 2 classes: no, yes." in done.stdout
    assert "2 columns: 1 of numbers, 1 of categories." in done.stdout
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "kohort compare people.csv --target member --drop who --recipes none,l1" in page
    wrong = kohort_(*words, "--target", "membre", folder=tmp_path)
    assert (wrong.returncode, "no column 'membre'. Did you mean 'member'" in wrong.stderr) == (2, True)
    named = kohort_("compare", "digits", "--target", "y", folder=tmp_path)
    assert (named.returncode, "--target can be said of a file only" in named.stderr) == (2, True)


def test_doctor_finds_this_machine_fit(kohort_: Command) -> None:
    done = kohort_("doctor")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("  right  ") == 5
    assert "Fit for Kohort." in done.stdout


def test_doctor_is_loud_where_jax_computes_wrongly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    from kohort.cli.doctor import doctor
    from kohort.cohort import selfcheck

    right = selfcheck._check

    def wrong_sums(name: str, by_jax, by_numpy, *inputs) -> selfcheck.Check:  # type: ignore[no-untyped-def]
        return right(name, lambda *arrays: by_jax(*arrays) * 1.01, by_numpy, *inputs)

    monkeypatch.setattr(selfcheck, "_check", wrong_sums)
    with pytest.raises(typer.Exit) as stopped:
        doctor()
    said = capsys.readouterr()
    assert stopped.value.exit_code == 3
    assert said.out.count("  WRONG  ") == 5
    assert said.err.count("Cure: pip install") == 5


def test_the_selfcheck_tells_a_nan_from_a_right_number() -> None:
    import jax.numpy as jnp
    import numpy as np

    from kohort.cohort.selfcheck import _check

    ones = np.ones(3, np.float32)
    assert not _check("nan", lambda x: x * jnp.nan, lambda x: x, ones).right
    assert not _check("off", lambda x: x * 1.002, lambda x: x, ones).right
    assert _check("same", lambda x: x, lambda x: x, ones).right


def test_lab_lists_the_claims(kohort_: Command) -> None:
    done = kohort_("lab", "--json")
    assert done.returncode == 0, done.stderr
    claims = json.loads(done.stdout)
    assert [own["number"] for own in claims] == list(range(1, 21))
    assert all({"name", "title", "chapter", "predictions", "sources", "seeds"} <= set(own) for own in claims)
    told = kohort_("lab").stdout
    assert all(own["name"] in told for own in claims)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["l1-sparcity"], "Did you mean 'l1-sparsity'"),
        (["l1-sparsity", "--all"], "--all tries every claim"),
        (["l1-sparsity", "--seeds", "2"], "seeds must be at least 3"),
        (["l1-sparsity", "--folder", __file__], "cannot be written"),
    ],
)
def test_lab_refuses_at_the_door(words: list[str], told: str, kohort_: Command) -> None:
    done = kohort_("lab", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("kohort: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_lab_tries_a_claim_and_writes_its_page(tmp_path: Path, kohort_: Command) -> None:
    done = kohort_("lab", "l1-sparsity", "--quick", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A quick look with 4 seeds" in done.stdout
    assert "predicted below 0.8 times, found" in done.stdout
    files = {path.name for path in (tmp_path / "lab-quick").iterdir()}
    assert files == {"l1-sparsity.html", "l1-sparsity.json", "index.html", "viva.html"}
    again = kohort_("lab", "l1-sparsity", "--quick", "--json", folder=tmp_path)
    told = json.loads(again.stdout)
    assert (told["claim"], told["scale"]) == ("l1-sparsity", {"seeds": 4, "quick": True})
    assert again.stderr == ""  # it was kept, nothing was run
