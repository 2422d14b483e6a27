"""The lab: how predictions are judged, verdicts follow, results are kept; and each claim on made-up evidence."""

import importlib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import kohort
from kohort.cli.app import app
from kohort.errors import DataError, KohortError
from kohort.lab import book as binding
from kohort.lab import chapter8, running
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.training import first_below
from kohort.lab.book import kept, write_book, write_page
from kohort.lab.chapter8 import CLAIMS
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Measured, finite_mean
from kohort.lab.page import claim_page, index_page, viva_page
from kohort.lab.prediction import Judged, Prediction, judge
from kohort.lab.result import Result
from kohort.lab.saying import Findings
from kohort.lab.verdict import verdict
from kohort.lab.viva import QUESTIONS, answered, answering

ALL = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
CHAPTER = 20
"""Claims of the chapter."""


def made_up(claim: Claim) -> ModuleType:
    return importlib.import_module(f"tests.lab_evidence.{claim.measure.__module__.split('.')[-1]}")


def result_of(claim: Claim, evidence: Any, quick: bool = False) -> Result:
    return Result(claim, Scale(20, quick), evidence, {"date": "2026-01-01", "versions": "keras 3"}, 12.0, "")


def difference(of: Callable[[Any], np.ndarray] | None = None, **bounds: Any) -> Prediction:
    return Prediction("a beats b", of or (lambda e: e["score"]["a"] - e["score"]["b"]), **bounds)


def scores(a: Any, b: Any) -> dict[str, Measured]:
    return {"score": Measured({"a": a, "b": b})}


@pytest.mark.parametrize(
    ("gain", "outcome"), [([1.0, 1.1, 1.2], "met"), ([-1.0, -1.1, -1.2], "not met"), ([1.0, -1.1, 0.2], "undecided")]
)
def test_a_prediction_is_met_if_all_of_its_interval_agrees_and_not_met_if_none_does(gain: Any, outcome: str) -> None:
    (own,) = judge([difference(above=0.0)], scores(gain, np.zeros(3)))
    assert own.outcome == outcome
    other = {"met": "not met", "not met": "met"}.get(outcome, outcome)
    assert judge([difference(below=0.0)], scores(gain, np.zeros(3)))[0].outcome == other


def test_intervals_of_a_claim_hold_together() -> None:
    gains = np.random.default_rng(1).normal(0.3, 1.0, 20)
    five = judge([difference(above=0.0)] * 5, scores(gains, np.zeros(20)))
    wanted = stats.t.interval(1 - 0.05 / 5, 19, gains.mean(), stats.sem(gains))
    assert (five[0].found.low, five[0].found.high) == pytest.approx(wanted)


def test_true_predictions_are_called_not_met_in_less_than_a_twentieth_of_claims() -> None:
    generator = np.random.default_rng(2)
    predictions = [
        difference(lambda e, k=k: e["score"]["a"][:, k] - e["score"]["b"][:, k], above=-1e-9) for k in range(4)
    ]
    wrong = 0
    for _ in range(1000):
        evidence = {"score": Measured({name: generator.normal(size=(8, 4)) for name in "ab"}, range(4))}
        wrong += any(own.outcome == "not met" for own in judge(predictions, evidence))
    assert wrong < 50 + 3 * np.sqrt(50)


def test_ratios_are_judged_by_their_logarithms_and_shares_exactly() -> None:
    ratio = difference(lambda e: e["score"]["a"] / e["score"]["b"], above=1.5, kind="ratio")
    (own,) = judge([ratio], scores([2.0, 4.0, 8.0], [1.0, 1.0, 1.0]))
    assert own.found.mean == pytest.approx(4.0)
    assert own.found.low * own.found.high == pytest.approx(16.0)
    share = difference(lambda e: e["score"]["a"], above=0.7, kind="share")
    assert judge([share], scores(np.ones(20), np.ones(20)))[0].outcome == "met"  # 0.832 to 1
    (few,) = judge([share], scores(np.ones(4), np.ones(4)))  # 0.398 to 1
    assert (few.outcome, few.found.low) == ("undecided", pytest.approx(0.025**0.25))


def test_what_is_not_finite_decides_nothing() -> None:
    (own,) = judge([difference(above=0.0)], scores([1.0, np.nan, 1.0], np.zeros(3)))
    assert (own.outcome, own.measured) == ("undecided", "not known (not known to not known)")


def test_a_ratio_that_is_not_above_zero_decides_nothing() -> None:
    ratio = difference(lambda e: e["score"]["a"], below=1.0, kind="ratio")
    (own,) = judge([ratio], scores([0.0, 0.5, 0.5], np.zeros(3)))
    assert own.outcome == "undecided"


def test_a_prediction_must_be_able_to_fail_and_has_one_number_a_seed() -> None:
    with pytest.raises(ValueError, match="must be able to fail"):
        difference()
    curve = {"score": Measured({"a": np.ones((3, 2)), "b": np.zeros((3, 2))}, [1, 2])}
    with pytest.raises(ValueError, match="one number a seed"):
        judge([difference(above=0.0)], curve)


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [
        (["met", "met"], "supported"),
        (["not met", "not met"], "refuted"),
        (["not met", "undecided"], "refuted"),
        (["met", "not met"], "depends"),
        (["met", "not met", "undecided"], "depends"),
        (["met", "undecided"], "not enough evidence"),
        (["undecided"], "not enough evidence"),
    ],
)
def test_the_verdict_follows_from_the_outcomes(outcomes: list[str], kind: str) -> None:
    gains = {"met": [1.0, 1.1, 1.2], "not met": [-1.0, -1.1, -1.2], "undecided": [1.0, -1.1, 0.2]}
    judged = [judge([difference(above=0.0)], scores(gains[own], np.zeros(3)))[0] for own in outcomes]
    assert verdict(judged).kind == kind


def test_predictions_beside_a_claim_are_told_and_do_not_decide() -> None:
    aside = replace(difference(above=0.0, beside=True), name="c beats d")
    one, minus = np.array([1.0, 1.1, 1.2]), np.zeros(3)
    evidence = {"score": Measured({"a": one, "b": minus})}
    against = {"score": Measured({"a": -one, "b": minus})}
    (met,), (missed,) = judge([difference(above=0.0)], evidence), judge([difference(above=0.0)], against)
    (beside_met,), (beside_missed,) = judge([aside], evidence), judge([aside], against)
    assert verdict([met, beside_missed]).kind == "supported"
    assert verdict([missed, beside_met]).kind == "refuted"
    assert verdict([met, beside_missed]).words == (
        "Supported: 1 of 1 predictions was met. Beside the claim, 0 of 1 predictions were met."
    )
    assert verdict([met, missed, beside_met]).words == (
        "It depends: 1 of 2 predictions was met. Met: a beats b. Not met: a beats b. "
        "Beside the claim, 1 of 1 predictions was met."
    )


def test_a_choice_by_others_does_not_promise_too_much() -> None:
    noise = np.random.default_rng(3).normal(size=(12, 400, 30))  # settings that are all alike
    assert noise.max(axis=(0, 2)).mean() > 2.5
    assert abs(chosen_by_others(noise).mean()) < 4 / np.sqrt(400)


def test_a_choice_by_others_finds_what_is_better_and_passes_by_what_diverged() -> None:
    scores = np.zeros((3, 5, 4))
    scores[1, :, 2] = 1.0
    scores[2] = np.nan
    np.testing.assert_array_equal(chosen_by_others(scores), np.ones(5))
    np.testing.assert_array_equal(chosen_by_others(-scores, greater_is_better=False), -np.ones(5))
    scores[1, 0, 2] = -7.0  # what a seed has itself does not decide
    assert chosen_by_others(scores)[0] == -7.0


def test_the_first_epoch_below_a_target() -> None:
    losses = np.array([[3.0, 1.0, 2.0], [3.0, 3.0, np.nan], [0.5, 9.0, 9.0]])
    np.testing.assert_array_equal(first_below(losses, 1.0), [2, 4, 1])


def test_evidence_has_one_shape_and_survives_json() -> None:
    with pytest.raises(DataError, match="must have one number a seed"):
        Measured({"a": np.ones(3), "b": np.ones(4)})
    with pytest.raises(DataError, match="at each of 3 points"):
        Measured({"a": np.ones((2, 2))}, [1, 2, 3])
    own = Measured({"a": [[1.0, np.nan], [np.inf, 4.0]]}, [10, 20])
    back = Measured.from_json(json.loads(json.dumps(own.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(back["a"], own["a"])
    np.testing.assert_array_equal(back.at(20)["a"], [np.nan, 4.0])
    with pytest.raises(DataError, match="measured at 15"):
        own.at(15)


def test_means_are_of_what_is_finite() -> None:
    assert finite_mean(np.array([np.nan, -np.inf])) is None
    one = finite_mean(np.array([np.nan, 2.0]))
    assert one is not None
    assert (one.mean, one.low, one.high, one.n) == (2.0, 2.0, 2.0, 1)
    three = finite_mean(np.array([1.0, np.inf, 2.0, 3.0]))
    assert three is not None
    assert (three.mean, three.n) == (2.0, 3)
    assert three.low == pytest.approx(2.0 - stats.t.ppf(0.975, 2) / np.sqrt(3))


def test_the_chapter_is_complete() -> None:
    assert [claim.number for claim in CLAIMS.values()] == list(range(1, CHAPTER + 1))
    assert [name for name, claim in CLAIMS.items() if name != claim.name] == []
    assert {own.question for claim in answering(CLAIMS) for own in claim.answers} == set(range(1, len(QUESTIONS) + 1))
    files = {path.stem for path in Path(binding.__file__).parent.joinpath("chapter8").glob("*.py")} - {"__init__"}
    assert files == {claim.measure.__module__.split(".")[-1] for claim in CLAIMS.values()}


@ALL
def test_each_claim_can_be_supported_and_refuted(claim: Claim) -> None:
    own = made_up(claim)
    told = [(one.prediction.name, one.measured) for one in claim.judged(own.FOR) if one.outcome != "met"]
    assert not told
    assert claim.verdict(own.FOR).kind == "supported"
    told = [(one.prediction.name, one.measured) for one in claim.judged(own.AGAINST) if one.outcome != "not met"]
    assert not told
    assert claim.verdict(own.AGAINST).kind == "refuted"


@ALL
def test_each_prediction_of_a_claim_decides(claim: Claim) -> None:
    """Evidence for one prediction and against another parts them, whichever it is."""
    own = made_up(claim)
    assert len({one.name for one in claim.predictions}) == len(claim.predictions) >= 2
    deciding = [one for one in claim.predictions if not one.beside]
    for spared in range(len(claim.predictions)):
        judged = [
            (claim.judged(own.FOR) if position == spared else claim.judged(own.AGAINST))[position]
            for position in range(len(claim.predictions))
        ]
        alone = deciding == [claim.predictions[spared]]
        decides = claim.predictions[spared] in deciding
        assert verdict(judged).kind == ("supported" if alone else "depends" if decides else "refuted")


@ALL
@pytest.mark.parametrize("side", ["FOR", "AGAINST"])
def test_each_claim_has_a_page(claim: Claim, side: str) -> None:
    result = result_of(claim, getattr(made_up(claim), side))
    page = claim_page(result, list(CLAIMS.values()))
    text = re.sub(r"\s+", " ", page)
    assert "<script" not in page
    assert page.count("<svg") == len(claim.drawings) >= 1
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", text).lower().split()
    assert ("Not tested" in page) == bool(claim.untested)
    for own in claim.beside:
        assert own.ours(result.evidence)


@pytest.mark.parametrize("claim", answering(CLAIMS), ids=lambda claim: claim.name)
def test_answers_turn_with_what_was_found(claim: Claim) -> None:
    """All their words but the numbers; and each prediction of which they speak turns some of them by itself."""
    own = made_up(claim)
    sides = {"met": claim.judged(own.FOR), "not met": claim.judged(own.AGAINST)}
    sides["undecided"] = tuple(replace(one, outcome="undecided") for one in sides["met"])
    (answer,) = claim.answers

    def words(judged: tuple[Judged, ...], evidence: Any = own.FOR) -> str:
        return re.sub(r"[\d.]", "", answer.says(evidence, Findings(judged)))

    told = {words(sides["met"]), words(sides["not met"], own.AGAINST), words(sides["undecided"])}
    assert len(told) == 3
    assert min(map(len, told)) > 200
    turned = [
        words((*sides["met"][:place], sides["not met"][place], *sides["met"][place + 1 :])) != words(sides["met"])
        for place in range(len(claim.predictions))
    ]
    assert sum(turned) >= 0.8 * len(turned)


def test_words_are_chosen_by_what_came_of_a_prediction() -> None:
    judged = judge([difference(above=0.0)], scores([1.0, 1.1, 1.2], np.zeros(3)))
    assert Findings(judged).worded("a beats") == "as expected"
    assert Findings(judged).worded("a beats", "so it was", "it was not") == "so it was"
    assert Findings(judged).number("a beats") == "1.1"
    missed = Findings((replace(judged[0], outcome="not met"),))
    assert missed.worded("a beats", "so it was", "it was not") == "it was not"
    with pytest.raises(ValueError, match="must begin with 'c beats'. Got 0 of: a beats b"):
        missed.of("c beats")


@ALL
def test_code_of_a_claim_is_ten_lines_or_so(claim: Claim) -> None:
    lines = [line for line in claim.code.splitlines() if line.strip()]
    assert 6 <= len(lines) <= 20
    assert "import kohort" in claim.code or "from kohort" in claim.code or "kohort" in claim.code
    compile(claim.code, claim.name, "exec")


@pytest.mark.slow
@pytest.mark.optimised  # some train for long
@ALL
def test_code_of_a_claim_runs(claim: Claim) -> None:
    shorter = re.sub(r"\bseeds=\d+", "seeds=3", claim.code)
    exec(compile(shorter, claim.name, "exec"), {"__name__": "__main__"})


@pytest.mark.slow
@ALL
def test_each_experiment_runs_and_measures_what_its_predictions_ask(claim: Claim) -> None:
    result = kohort.lab.run(claim.name, quick=True)
    wanted = made_up(claim).FOR
    assert set(result.evidence) == set(wanted)
    for name, own in result.evidence.items():
        assert set(own) <= set(wanted[name]), name  # a quick look may leave data sets out
    assert all(own.seeds == result.scale.seeds for own in result.evidence.values())
    assert all(np.isfinite(own.found.mean) for own in result.judged)
    assert claim_page(result, list(CLAIMS.values()))


CALLS: list[str] = []
"""The tiny claims that were run; not in their closure, which is part of their code."""


def tiny(name: str, number: int) -> Claim:
    def measure(scale: Scale) -> dict[str, Measured]:
        CALLS.append(name)
        return scores(np.arange(scale.seeds) + 1.0, np.zeros(scale.seeds))

    return Claim(
        number,
        name,
        f"<b>{name}</b> & more",
        "quoted",
        "why",
        "experiment",
        (difference(above=0.0),),
        measure,
        (Drawing("score", "Scores", "A caption.", "score"),),
        "import kohort",
        ("somebody (2000)",),
        answers=(Answer(number, lambda evidence, found: f"Because of {evidence['score']['a'].mean():g}."),),
        seeds=5,
    )


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    CALLS.clear()
    claims = {own.name: own for own in (tiny("one", 1), tiny("two", 2))}
    for module in (binding, chapter8):
        monkeypatch.setattr(module, "CLAIMS", claims)
    monkeypatch.setattr(running, "CLAIMS", claims)
    return CALLS


def test_a_book_goes_on_where_it_was_interrupted(two: list[str], tmp_path: Path) -> None:
    def stop(claim: Claim) -> None:
        if claim.name == "two":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_book(tmp_path, begins=stop)
    assert two == ["one"]
    assert "1 of 2 claims have been tried" in (tmp_path / "index.html").read_text("utf-8")
    assert 'href="index.html"' in (tmp_path / "one.html").read_text("utf-8")
    assert "two.html" not in (tmp_path / "one.html").read_text("utf-8")
    heard: list[tuple[str, bool]] = []
    results = write_book(tmp_path, ended=lambda result, was_there: heard.append((result.claim.name, was_there)))
    assert two == ["one", "two"]
    assert heard == [("one", True), ("two", False)]
    assert list(results) == ["one", "two"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "index.html", "viva.html", "one.html", "one.json", "two.html", "two.json"
    }  # fmt: skip
    assert "2 of 2 claims have been tried" in (tmp_path / "index.html").read_text("utf-8")
    assert 'href="two.html" rel="next"' in (tmp_path / "one.html").read_text("utf-8")
    assert 'href="one.html" rel="prev"' in (tmp_path / "two.html").read_text("utf-8")


def test_results_of_another_scale_or_code_or_damaged_ones_are_run_again(
    two: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_book(tmp_path)
    write_book(tmp_path, seeds=7)
    assert len(two) == 4
    (tmp_path / "one.json").write_text((tmp_path / "one.json").read_text("utf-8")[:-40], "utf-8")
    write_book(tmp_path, seeds=7)
    assert two[4:] == ["one"]
    monkeypatch.setattr(running, "_versions", lambda: {"keras": "4"})
    assert kept(tmp_path) == {}
    write_book(tmp_path, seeds=7)
    assert two[5:] == ["one", "two"]
    write_book(tmp_path, seeds=7, again=True)
    assert two[7:] == ["one", "two"]


def test_the_command_writes_the_book_and_answers_the_viva(two: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path / "own")
    done = CliRunner().invoke(app, ["lab", "--all", "--folder", folder])
    assert done.exit_code == 0, done.output
    assert "1. one: supported (0 s)" in done.output
    told = json.loads(CliRunner().invoke(app, ["lab", "--all", "--json", "--folder", folder]).stdout)
    assert [(own["claim"], own["verdict"]["kind"]) for own in told] == [("one", "supported"), ("two", "supported")]
    spoken = CliRunner().invoke(app, ["lab", "viva", "--folder", folder]).stdout
    assert f"{QUESTIONS[1]}\n\nBecause of 3.\n  → two (supported): {tmp_path / 'own' / 'two.html'}" in spoken
    answers = json.loads(CliRunner().invoke(app, ["lab", "viva", "--json", "--folder", folder]).stdout)
    assert [own["question"] for own in answers] == list(QUESTIONS)
    assert answers[0]["answer"][0]["claim"] == "one"
    assert two == ["one", "two"]
    CliRunner().invoke(app, ["lab", "viva", "--quick", "--folder", folder])  # what is there is fuller
    assert two == ["one", "two"]


def test_all_code_of_an_experiment_decides_and_what_its_claim_says_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    claim, sources = CLAIMS["momentum"], dict[str, str]()
    original = running.inspect.getsource
    monkeypatch.setattr(running.inspect, "getsource", lambda own: sources.get(own.__name__, original(own)))
    kept_as = running._identity(claim, Scale(20))
    assert running._identity(claim, Scale(21)) != kept_as
    home = original(sys.modules[claim.measure.__module__])
    for name, text in {
        claim.measure.__module__: home.replace("TARGET = 0.05", "TARGET = 0.06"),
        "kohort.lab.apparatus.quadratic": "another way",
    }.items():
        sources[name] = text
        assert running._identity(claim, Scale(20)) != kept_as
        del sources[name]
    sources[claim.measure.__module__] = home.replace("need fewer steps than plain SGD", "need no steps")
    assert running._identity(claim, Scale(20)) == kept_as


def test_what_a_folder_keeps_is_the_result(two: list[str], tmp_path: Path) -> None:
    first = write_book(tmp_path)["one"]
    again = kept(tmp_path)["one"]
    assert again.verdict == first.verdict
    assert str(again) == str(first)
    np.testing.assert_array_equal(again.evidence["score"]["a"], first.evidence["score"]["a"])
    assert Result.from_json("[]", first.claim) is None
    assert Result.from_json(first.to_json().replace('"claim": "one"', '"claim": "other"'), first.claim) is None


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_run(two: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_book(tmp_path / "file")
    assert two == []


def test_pages_escape_and_label_a_quick_look(two: list[str], tmp_path: Path) -> None:
    results = write_book(tmp_path, quick=True)
    page = write_page(results["one"], tmp_path / "alone.html").read_text("utf-8")
    assert "<b>one</b>" not in page
    assert "&lt;b&gt;one&lt;/b&gt; &amp; more" in page
    assert "underpowered" in page
    assert "underpowered" in (tmp_path / "index.html").read_text("utf-8")
    assert 'href="index.html"' not in page
    assert 'href="two.html" rel="next"' in (tmp_path / "one.html").read_text("utf-8")


def test_an_experiment_that_fails_is_named(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(scale: Scale) -> Any:
        raise KohortError("no memory")

    monkeypatch.setattr(running, "CLAIMS", {"one": replace(running.CLAIMS["one"], measure=measure)})
    with pytest.raises(KohortError, match="claim 'one': no memory"):
        running.run("one")


def test_bad_requests_are_refused() -> None:
    with pytest.raises(DataError, match="Did you mean 'l1-sparsity'"):
        kohort.lab.run("l1-sparcity")
    with pytest.raises(DataError, match="seeds must be at least 3"):
        kohort.lab.run("l1-sparsity", seeds=2)


def test_the_index_and_the_viva_tell_what_has_not_been_run() -> None:
    claim = CLAIMS["l1-sparsity"]
    results = {claim.name: result_of(claim, made_up(claim).FOR)}
    page = index_page(results, list(CLAIMS.values()))
    assert f"1 of {len(CLAIMS)} claims have been tried" in page
    assert page.count("not run") == len(CLAIMS) - 1
    questions = answered(results)
    assert [question for question, _ in questions] == list(QUESTIONS)
    assert [bool(parts) for _, parts in questions] == [True, False, False, False, False]
    assert viva_page(results).count("have not been run") == 4
