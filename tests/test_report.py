"""The report: what it says in words and figures, and that names are data."""

import html
import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import kohort
from kohort.errors import DataError
from kohort.report.document import document
from kohort.report.figures import figures, hidden_at_first
from kohort.report.files import write_figures, write_report
from kohort.report.html import page
from kohort.report.markdown import markdown
from kohort.report.plots import Plots
from kohort.report.text import table
from kohort.run import FitPace, Outcome, Run
from kohort.statistics import compare
from kohort.statistics.units import Units, percent, points

from .made_runs import GOLD, NASTY, gold, runs, written


def test_numbers_are_written_as_people_write_them() -> None:
    assert percent(0.5) == "50.00"
    assert percent(float("nan")) == "–"
    assert (points(0.0123), points(-0.0123), points(-1e-9)) == ("+1.23", "−1.23", "0.00")

    shares, errors = Units("accuracy", True), Units("mean_squared_error", False)
    assert (shares.said(0.5), shares.change(-0.01), shares.heading) == ("50.00 %", "−1.00", "accuracy in %")
    assert (errors.said(0.12345), errors.change(-0.5), errors.heading) == ("0.1235", "−0.5", "mean squared error")


@pytest.mark.parametrize(
    ("rates", "lead"),
    [
        ((0.5, 0.9), "r1 helps: +"),
        ((0.5, 0.9, 0.8), "r1 helps: +"),
        ((0.9, 0.5), "Nothing is shown to help against r0: r1 hurts."),
        ((0.9, 0.9), "Nothing is shown to help against r0: of r1 there is not enough evidence."),
        ((1.0, 1.0, 1.0), "Nothing is shown to help against r0: "),
    ],
)
def test_the_lead_is_the_verdict(rates: tuple[float, ...], lead: str) -> None:
    made = runs([f"r{i}" for i in range(len(rates))], seeds=8, rates=rates)
    text = document(compare(made, "r0"), made, dataset="toy", how={}, command="")
    assert text.lead.startswith(lead)
    assert text.lead.endswith(" So does r2.") == (len(rates) == 3 and rates[2] == 0.8)


def test_below_six_seeds_the_lead_is_a_mean_and_no_verdict() -> None:
    made = written(["none", "l2"], seeds=3)
    best = made.comparison.best
    assert made.lead == (
        f"{best.recipe} has the highest mean test accuracy, {percent(best.test_mean.mean)} % (3 seeds, 200 test rows)."
    )
    assert made.verdicts[0].startswith("l2: no verdict from 3 seeds")


def test_optimism_and_regret_are_said_where_they_are_known() -> None:
    said = written(["none", "l2"]).honesty
    assert re.search(r"in points: none [+−]\d.*, l2 .*\. Picked by it, \d of 6 seeds choose another recipe than ", said)
    assert re.search(r"such picks cost [+−]?\d.* points\.$", said)
    assert written(["none", "l2"], seeds=3).honesty == ""
    assert written(["none"]).honesty == ""


def test_one_seed_has_no_interval_and_says_so() -> None:
    made = written(["none", "l2"], seeds=1)
    assert "(one seed: no interval)" in page(made)


def test_a_single_recipe_has_a_page_too() -> None:
    text = page(written(["none"]))
    assert "Improvement on" not in text
    assert "none has the highest mean test accuracy" in text


def test_curves_are_means_and_bands_over_seeds() -> None:
    made = runs(["none"])
    training, validation, gap = written(["none"]).curves
    values = np.array([run.history["accuracy"] for run in made.values()])
    np.testing.assert_allclose(training.mean, values.mean(axis=0))
    np.testing.assert_allclose(training.low, np.percentile(values, 10, axis=0))
    np.testing.assert_allclose(training.high, np.percentile(values, 90, axis=0))
    np.testing.assert_allclose(np.array(training.mean) - validation.mean, 0.03)
    assert gap.part == "training − validation"
    np.testing.assert_allclose([gap.mean, gap.low, gap.high], 0.03)


def test_runs_that_were_stopped_keep_their_last_value() -> None:
    made = runs(["none", "stopped"], epochs=40)
    for (name, seed), run in made.items():
        for values in run.history.values() if name == "stopped" else ():
            del values[seed % 3 + 1 :]
    told = document(compare(made, "none"), made, dataset="toy", how={}, command="kohort compare toy")
    training = next(curve for curve in told.curves if (curve.recipe, curve.part) == ("stopped", "training"))
    assert len(training.mean) == 3
    held = [run.history["accuracy"] for run in made.values() if run.recipe == "stopped"]
    padded = [[values[min(epoch, len(values) - 1)] for epoch in range(3)] for values in held]
    np.testing.assert_allclose(training.mean, np.mean(padded, axis=0))
    assert "Runs that were stopped keep their last value" in page(told)


def test_the_page_asks_for_nothing_outside_itself() -> None:
    text = page(written(["none", "l2"]))
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    markup = re.sub(r"<script>.*?</script>", "", without_namespaces, flags=re.DOTALL)
    assert not re.search(r"https?://(?!vega\.github\.io/schema/)|<script(?! type)|<link(?![^>]*data:)|@import", markup)
    assert not re.search(r"url\((?!data:|#)", markup)
    assert "default-src 'none'; script-src 'sha256-" in html.unescape(text)
    assert "unsafe-eval" not in text.split("<script")[0]
    assert len(text) < 3 * 2**20
    still = page(written(["none", "l2"]), interactive=False)
    assert "<script" not in still
    assert "script-src" not in still
    assert len(still) < 2**18
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))  # the figures' clipping paths, which the browser looks up by id


def test_names_are_data_never_markup() -> None:
    text = page(written(NASTY, measured=True))
    without_scripts = re.sub(r"<script>.*?</script>\n", "", text, flags=re.DOTALL)
    for sign in ("<img", "<script>", "<b>", "<i>", "<u>", "<svg onload"):
        assert sign not in without_scripts
    assert without_scripts.count("</script>") == 1  # the specifications', which are JSON
    assert "{{ 7 * 7 }}" in text
    told = markdown(written(NASTY, measured=True), "figures")
    outside_code = "\n".join(line for line in told.splitlines() if not line.startswith("    "))
    assert not re.search(r"(?<!\\)[<`]", outside_code)


def test_the_table_shows_diverged_runs_only_where_there_are_some() -> None:
    made = runs(["none", "l2"], seeds=2)
    assert len(table(compare(made, "none")).columns) == 6
    first = made["none", 0]
    made["none", 0] = Run("none", 0, first.history, Outcome(3), (), {}, test=first.test)
    assert len(table(compare(made, "none")).columns) == 7


def test_names_are_no_markup_in_the_table_either() -> None:
    names = ["[bold]none[/bold]", "[/red] l2"]
    console = Console(width=160, file=io.StringIO())
    console.print(table(compare(runs(names), names[0])))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "improvement on [bold]none[/bold] (95 %)" in printed
    assert printed.count("[bold]none[/bold]") == 2
    assert "[/red] l2" in printed


def test_a_report_has_all_figures_for_which_there_are_numbers() -> None:
    plain = [figure.name for figure in figures(written(["none", "l2"]))]
    assert plain == ["forest", "scores", "curves", "gap", "optimism"]
    names = ["none", "l2 0.01", "l2 0.1", "l2 1", "dropout 0.3"]
    measured = written(names, measured=True)
    found = {figure.name: figure for figure in figures(measured)}
    assert list(found) == [
        *("forest", "scores", "dose-response", "curves", "gap", "weights", "calibration", "confusion", "optimism"),
    ]
    for figure in found.values():
        assert figure.title
        assert figure.caption
        assert figure.said
        assert figure.numbers
        assert all(len(row) == len(figure.heads) for row in figure.numbers)
    made = runs(["none", "l2"], measured=True, regression=True)
    regression = document(compare(made, "none"), made, dataset="toy", how={})
    assert "residuals" in Plots(regression).names
    assert "calibration" not in Plots(regression).names


def test_strengths_are_found_by_the_one_number_in_which_names_differ() -> None:
    names = ["none", "l2 0.01", "l2 1e-3", "l2 0.1", "adamw + dropout 0.3", "adamw + dropout 0.5", "v2a", "v2b", "v3a"]
    (own,) = written(names).strengths
    assert (own.technique, own.values) == ("l2 …", (0.001, 0.01, 0.1))
    assert [summary.recipe for summary in own.recipes] == ["l2 1e-3", "l2 0.01", "l2 0.1"]
    rates = (0.9, 0.5, 0.95, 0.9)
    made = runs(["none", "l2 1", "l2 2", "l2 3"], seeds=8, rates=rates)
    (told,) = document(compare(made, "none"), made, dataset="toy", how={}).strengths
    assert told.best == 2.0
    assert 1.0 not in told.candidates  # half as good
    few = runs(["none", "l2 1", "l2 2", "l2 3"], seeds=3, rates=rates)
    (open_,) = document(compare(few, "none"), few, dataset="toy", how={}).strengths
    assert open_.candidates == (1.0, 2.0, 3.0)  # no ranks from three seeds


def test_what_was_measured_is_pooled_over_seeds() -> None:
    made = runs(["none"], seeds=4, measured=True)
    told = document(compare(made, "none"), made, dataset="toy", how={}, classes=["a", "b", "c"])
    (weights,), (reliable,), confusion = told.weights, told.reliable, told.confusion
    assert sum(weights.shares) == pytest.approx(1.0)
    assert (weights.zeros, weights.near_zeros, weights.norm) == (0.0, pytest.approx(0.2), pytest.approx(7.0))
    assert sum(reliable.rows) == 4 * 200
    right = sum(rows * share for rows, share in zip(reliable.rows, reliable.accuracy, strict=True))
    assert right == pytest.approx(sum(run.test.outcomes.sum() for run in made.values() if run.test))
    assert confusion is not None
    assert confusion.classes == ("a", "b", "c")
    assert np.trace(confusion.counts) == right
    np.testing.assert_allclose(confusion.shares.sum(axis=1), 1.0)
    assert {(true, given) for true, given, _ in confusion.worst(3)} == {("a", "b"), ("b", "c"), ("c", "a")}
    (cost,) = told.costs
    assert (cost.runs, cost.epochs, cost.seconds) == (4, 32, pytest.approx(6.0))
    assert np.isnan(cost.by_fit)
    assert told.cost == ""


def test_what_a_loop_over_fit_would_have_cost_is_told_where_it_was_timed() -> None:
    made = runs(["none", "stopped"], seeds=4, epochs=10)
    for values in made["stopped", 2].history.values():
        del values[3:]
    pace = {"none": FitPace(2.0, 0.5), "stopped": FitPace(3.0, 1.0)}
    told = document(compare(made, "none"), made, dataset="toy", how={}, by_fit=pace, seconds=10.0)
    assert [cost.by_fit for cost in told.costs] == [4 * (2.0 + 9 * 0.5), 4 * 3.0 + 3 * 9 + 2]
    assert "would take about 67 s, 6.7 times as long" in told.cost
    assert ">41.0<" in page(told)
    study = kohort.Study(["none", "dropout"], kohort.data.named("moons"), seeds=1, epochs=1)
    result = study.run(verbose=0, time_fit=True)
    assert set(result.by_fit) == {"none", "dropout 0.3"}
    assert all(pace.first > pace.epoch > 0 for pace in result.by_fit.values())
    assert "by model.fit would take about" in result.document().cost


def test_runs_that_were_stopped_are_marked_where_they_stopped() -> None:
    made = runs(["none", "stopped"], epochs=10)
    for (name, seed), run in made.items():
        for values in run.history.values() if name == "stopped" and seed != 2 else ():
            del values[seed + 2 :]
    told = document(compare(made, "none"), made, dataset="toy", how={})
    assert [(stop.seed, stop.epoch) for stop in told.stops] == [(0, 2), (1, 3), (3, 5), (4, 6), (5, 7)]
    assert told.stops[0].score == made["stopped", 0].history["val_accuracy"][-1]
    caption = next(figure.caption for figure in figures(told) if figure.name == "curves")
    assert "Triangles show where 5 runs were stopped" in caption


def test_many_recipes_begin_with_the_baseline_and_the_best() -> None:
    names = [f"r{number}" for number in range(20)]
    rates = tuple(0.5 + 0.02 * number for number in range(20))
    made = runs(names, rates=rates)
    told = document(compare(made, "r0"), made, dataset="toy", how={})
    assert told.title == "20 recipes on toy"
    hidden = hidden_at_first(told)
    assert len(hidden) == 12
    assert "r0" not in hidden
    assert {"r19", "r18"}.isdisjoint(hidden)
    assert "r1" in hidden


def test_charts_one_by_one() -> None:
    plots = Plots(written(["none", "l2 0.01", "l2 0.1", "l2 1"], measured=True))
    for name in (
        "forest",
        "scores",
        "curves",
        "gap",
        "dose_response",
        "weights",
        "calibration",
        "confusion",
        "optimism",
    ):
        spec = getattr(plots, name)().to_dict()
        assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
        assert spec["config"]["axis"]["labelColor"] != "currentColor"  # which a canvas does not know
    assert plots.dose_response("l2").to_dict()
    with pytest.raises(DataError, match="Got dropout; there are: l2 …"):
        plots.dose_response("dropout")
    with pytest.raises(DataError, match="the chart of residuals needs a regression, and diagnostics"):
        plots.residuals()
    assert repr(plots).startswith("<charts: forest, scores")


def test_files_of_a_report(tmp_path: Path) -> None:
    told = written(["none", "l2"], measured=True)
    assert write_report(told, tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")
    text = write_report(told, tmp_path / "r.md").read_text("utf-8")
    for name in re.findall(r"\]\((r_figures/[^)]*)\)", text):
        assert (tmp_path / name).read_bytes().startswith(b"<svg")
    assert text.count("](r_figures/") == len(list(figures(told)))
    made = write_figures(told, tmp_path / "own", ["png"])
    assert {path.read_bytes()[1:4] for path in made} == {b"PNG"}
    with pytest.raises(DataError, match=r"must end in .html or .md. Got 'r.pdf'"):
        write_report(told, tmp_path / "r.pdf")
    with pytest.raises(DataError, match="must be among svg, png. Got pdf"):
        write_figures(told, tmp_path, ["pdf"])


def test_what_notebooks_show() -> None:
    made = runs([*NASTY[:1], "l2"])
    for shown in (compare(made, NASTY[0])._repr_html_(), made[NASTY[0], 1]._repr_html_()):
        assert "<img" not in shown
        assert "&lt;img" in shown
        assert shown.startswith("<table><caption>")
    study = kohort.Study(["none", "l2"], kohort.data.named("moons"), seeds=2, epochs=1)
    assert "<td>none, l2 0.001</td>" in study._repr_html_()
    result = study.run(verbose=0)
    assert "l2 0.001" in result._repr_html_()
    assert result.plot.scores().to_dict()
    assert "def " not in result.document().code["none"]


@pytest.mark.parametrize("name", ["measured", "one seed", "many"])
def test_what_a_report_says_stays_as_it_is(name: str) -> None:
    """Written anew by `python -m tests.made_runs`."""
    (told,) = [text for own, text in gold() if own == name]
    assert told == (GOLD / f"{name}.md").read_text("utf-8")
