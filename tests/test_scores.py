"""`kohort verdict`: scores that any framework wrote are read as they are, judged, or refused by file, line and run."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohort.cli.app import app
from kohort.errors import DataError
from kohort.scores import read_scores, wants_low
from kohort.statistics import judge, table_of_rows


def read(tmp_path: Path, text: str | bytes) -> Any:
    file = tmp_path / "scores.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_scores(str(file), metric="accuracy", greater_is_better=True)


@pytest.mark.parametrize(
    "text",
    [
        "recipe,seed,score\nnone,3,0.5\nl2,3,0.75\nnone,1,0.25\nl2,1,1\n",
        "score;note;seed;recipe\n0,5;x;3;none\n0,75;;3;l2\n0,25;y;1;none\n1;z;1;l2\n",
        "\ufeffrecipe\tseed\tscore\r\nnone\t3\t0.5\r\nl2\t3\t0.75\r\nnone\t1\t0.25\r\nl2\t1\t1.0\r\n",
        ' recipe , seed,score \n none , 3, 0.5\n"l2",03,0.75\nnone,1,2.5e-1\nl2,1,1\n'.replace("03", "3"),
    ],
    ids=["commas", "semicolons and decimal commas", "tabs, BOM, CRLF", "spaces and quotes"],
)
def test_separators_order_and_other_columns_do_not_matter(text: str, tmp_path: Path) -> None:
    table = read(tmp_path, text).table
    assert (table.recipes, table.seeds) == (("none", "l2"), (1, 3))
    assert table.scores.tolist() == [[0.25, 0.5], [1.0, 0.75]]
    assert table.rows is None


def test_rows_are_read_as_outcomes_and_judged_for_their_population(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    cells = [
        (recipe, seed, f"row {row}", float(draw.random() < rate))
        for recipe, rate in (("none", 0.6), ("l2", 0.8))
        for seed in range(8)
        for row in range(60)
    ]
    lines = [f"{recipe},{seed},{row},{outcome:g}" for recipe, seed, row, outcome in cells]
    draw.shuffle(lines)
    paired = read(tmp_path, "recipe,seed,row,score\n" + "\n".join(lines))
    expected = table_of_rows(cells).table
    order = [paired.table.recipes.index(recipe) for recipe in expected.recipes]
    assert expected.rows is not None
    assert paired.table.rows is not None
    np.testing.assert_array_equal(paired.table.rows[order], expected.rows)
    assert judge(paired.table, "none")["l2"].estimand == "P"


def test_seeds_may_have_names_and_those_not_shared_are_told(tmp_path: Path) -> None:
    paired = read(tmp_path, "recipe,seed,score\na,fold 2,1\na,fold 1,2\nb,fold 1,3\nb,7,4\n")
    assert paired.table.seeds == ("fold 1",)
    assert paired.dropped == {"fold 2": ("b",), "7": ("a",)}


HEADER = "recipe,seed,score\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Got an empty file"),
        (" \n", "Got an empty file"),
        (HEADER, "Got a header alone"),
        ("recipe,Seed,score\na,1,1\n", r"Got 'recipe', 'Seed', 'score', without 'seed'\. Is it 'Seed'\? Rename"),
        ("a,b\n1,2\n", r"without 'recipe'\. Rename the column"),
        (f"{HEADER}a,1,0.5\nb,1,high\n", r"line 3: a score must be a finite number\. Got 'high' of recipe 'b', seed 1"),
        (f"{HEADER}a,1,nan\n", r"line 2: a score must be .* Got 'nan' of recipe 'a', seed 1"),
        (f"{HEADER}a,1,\n", r"line 2: .* Got an empty cell of recipe 'a', seed 1"),
        (f"{HEADER}a,1\n", r"line 2: .* Got an empty cell of recipe 'a', seed 1"),
        (f"{HEADER}a,1,2,3\n", "as many cells as the header"),
        (f"{HEADER}a,1,2\n,1,3\n", r"line 3: each line must name its recipe\. Got an empty cell"),
        (f"{HEADER}a,1,2\na,1,3\n", "each run must appear once. Got recipe 'a', seed 1 twice"),
        (f"{HEADER}a,1,2\nb,2,3\n", r"2 recipes \(a, b\) without a seed that all have"),
        (
            "recipe,seed,row,score\na,1,4,1\na,1,5,1\nb,1,4,1\n",
            r"Got none of recipe 'b', seed 1 for row 5, which another run has",
        ),
        ("recipe,seed,row,score\na,1,4,1\na,1,4,1\n", r"recipe 'a', seed 1, row 4 twice"),
        (b"recipe,seed,score\na,1,2\n\xe9,1,2\n", r"line 3: text must be UTF-8\. Got other bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_by_line_and_run(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as refused:
        read(tmp_path, text)
    assert "scores.csv" in str(refused.value)


@pytest.mark.parametrize(("file", "message"), [("none.csv", "No such file"), (".", "Is a directory")])
def test_what_is_no_file_is_refused(file: str, message: str) -> None:
    with pytest.raises(DataError, match=f"must be readable. Got: {message}"):
        read_scores(file, metric="accuracy", greater_is_better=True)


@pytest.mark.parametrize(
    ("metric", "low"), [("accuracy", False), ("val_loss", True), ("log-loss", True), ("RMSE", True), ("glossy", False)]
)
def test_the_direction_is_told_from_the_name(metric: str, low: bool) -> None:
    assert wants_low(metric) is low


def scores_of(seeds: int, gain: float = 0.05) -> str:
    draw = np.random.default_rng(1)
    lines = [
        f"{recipe},{seed},{0.8 + shift + 0.005 * draw.normal():.6f}"
        for seed in range(seeds)
        for recipe, shift in (("[red]l2[/red]", gain), ("none", 0.0))
    ]
    return HEADER + "\n".join(lines) + "\n"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    app(["verdict", *words], standalone_mode=False)
    return capsys.readouterr().out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "scores.csv"
    written.write_text(scores_of(9))
    return written


def test_the_verdict_is_said_against_none_with_its_ground(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, str(file), "--metric", "accuracy")
    gain = r"\[red\]l2\[/red\] helps on these test rows: \+(4\.[5-9]|5\.[0-5]) points of test accuracy \(95 % interval"
    assert re.search(gain, text)
    assert "; 9 seeds)" in text
    assert "improvement on none (95 %)" in text
    assert "[red]l2[/red] is the best of 2." in text
    assert "Greater accuracy is taken for better; --lower-is-better says otherwise." in text
    assert said(capsys, str(file), "--metric", "accuracy") == text


def test_percentages_are_asked_for_a_smallest_effect(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = file.read_text().splitlines()
    cells = [line.rsplit(",", 1) for line in lines[1:]]
    file.write_text("\n".join([lines[0], *(f"{run},{100 * float(score):.4f}" for run, score in cells)]))
    text = said(capsys, str(file), "--metric", "accuracy")
    assert re.search(r"1 % of the baseline's mean, 0\.80\d\. If scores are percentages, --smallest-effect 0\.5", text)
    assert "If scores are percentages" not in said(capsys, str(file), "--smallest-effect", "0.5")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--metric", "error"], "hurts"),
        (["--lower-is-better"], "hurts"),
        (["--metric", "error", "--greater-is-better"], "helps"),
        (["--smallest-effect", "0.2"], "no difference that matters"),
        (["--baseline", "[red]l2[/red]"], "hurts"),
        (["--resplit-test", "--train-rows", "10", "--test-rows", "100"], "helps"),
        (["--resplit-test", "--train-rows", "10", "--test-rows", "9000"], "not enough evidence"),
    ],
)
def test_options_mean_what_they_say(
    words: list[str], kind: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads(said(capsys, str(file), "--json", *words))
    assert [verdict["kind"] for verdict in result["verdicts"]] == [kind]


def test_json_holds_what_the_library_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(said(capsys, str(file), "--json", "--metric", "accuracy", "--level", "0.9"))
    table = read_scores(str(file), metric="accuracy", greater_is_better=True).table
    verdict = judge(table, "none", level=0.9).verdicts[0]
    assert result["verdicts"][0]["interval"]["low"] == verdict.interval.low
    assert result["verdicts"][0]["words"] == verdict.words()
    assert (result["level"], result["seeds"], result["estimand"]) == (0.9, list(range(9)), "S")
    assert result["means"]["none"] == pytest.approx(0.8, abs=0.005)


def test_five_seeds_give_numbers_and_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "few.csv").write_text(scores_of(5))
    text = said(capsys, str(tmp_path / "few.csv"))
    assert "no verdict from 5 seeds (+" in text
    assert "a verdict needs 6 seeds" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--baseline", "nome"],
            r"the baseline must be one of \[red\]l2\[/red\], none. Got 'nome'. Did you mean 'none'",
        ),
        (["--level", "2"], r"level must be in \(0, 1\). Got 2"),
        (["--resplit-test"], "must say train_rows and test_rows"),
        (["--smallest-effect", "-1"], "smallest_effect must be above 0"),
    ],
)
def test_options_that_cannot_be_are_refused(words: list[str], message: str, file: Path) -> None:
    with pytest.raises(DataError, match=message):
        app(["verdict", str(file), *words], standalone_mode=False)


def test_standard_input_is_read_and_neither_keras_nor_jax_is_loaded() -> None:
    code = (
        "import sys; from kohort.cli.app import main; sys.argv = ['kohort', 'verdict', '-']\n"
        "try: main()\nfinally: print(sorted({'keras', 'jax', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=scores_of(7), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "[red]l2[/red] helps on these test rows" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_refusal_is_one_line_on_standard_error(tmp_path: Path) -> None:
    code = "import sys; from kohort.cli.app import main; sys.argv = ['kohort', 'verdict', 'no.csv']; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kohort: no.csv: a file of scores must be readable. Got: No such file or directory.\n"


def test_bytes_of_standard_input_may_be_a_file_of_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b"recipe;seed;score\r\na;1;0,5\r\nb;1;0,25\r\n")

    monkeypatch.setattr(sys, "stdin", Input)
    assert read_scores("-", metric="accuracy", greater_is_better=True).table.scores.tolist() == [[0.5], [0.25]]
