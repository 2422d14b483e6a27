"""The report: what it says, that names are data, and that a real browser shows it without a request or an error."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kohort.report.document import Document, Units, document, percent, points
from kohort.report.html import page
from kohort.report.text import table
from kohort.run import Evaluation, Outcome, Run
from kohort.statistics import compare

CHROMIUM = Path("/usr/bin/chromium")
NASTY = ['<img src=x onerror="alert(1)">', "</script><script>alert(2)</script>", "{{ 7 * 7 }} & 'quotes'\n\u202eRTL"]


def runs(
    names: list[str], seeds: int = 6, epochs: int = 8, rates: tuple[float, ...] = ()
) -> dict[tuple[str, int], Run]:
    draw = np.random.default_rng(0)
    made = {}
    for index, name in enumerate(names):
        for seed in range(seeds):
            curve = np.sort(draw.uniform(0.5, 1.0, epochs)).tolist()
            rate = rates[index] if rates else 0.9 + 0.02 * index
            correct = (draw.random(200) < rate).astype(np.float32)
            history = {"accuracy": curve, "val_accuracy": [value - 0.03 for value in curve]}
            test = Evaluation(np.arange(200), correct)
            made[name, seed] = Run(name, seed, history, Outcome(), (), {}, test=test)
    return made


def written(names: list[str], seeds: int = 6) -> Document:
    made = runs(names, seeds)
    return document(
        compare(made, names[0]), made, dataset="toy <b>", how={"data": "toy & co"}, command="kohort compare toy"
    )


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
    (training, validation) = written(["none"]).curves
    values = np.array([run.history["accuracy"] for run in made.values()])
    np.testing.assert_allclose(training.mean, values.mean(axis=0))
    np.testing.assert_allclose(training.low, np.percentile(values, 10, axis=0))
    np.testing.assert_allclose(training.high, np.percentile(values, 90, axis=0))
    np.testing.assert_allclose(np.array(training.mean) - validation.mean, 0.03)


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
    assert not re.search(r"https?://|<script|<link(?![^>]*data:)|@import|url\((?!data:|#)", without_namespaces)
    assert "default-src 'none'" in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))  # the figures' clipping paths, which the browser looks up by id


def test_names_are_data_never_markup() -> None:
    text = page(written(NASTY))
    assert "<img" not in text
    assert "<script" not in text
    assert "<b>" not in text
    assert "{{ 7 * 7 }}" in text


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        told = "a browser is needed to look at the report: apt-get install chromium"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=options)
        yield opened
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("names", [["none", "l2 0.001", "dropout 0.3"], NASTY])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_browser_shows_it_without_request_error_or_dialog(
    names: list[str], width: int, browser: Any, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(written(names)), encoding="utf-8")
    shown = browser.new_page(viewport={"width": width, "height": 900})
    requests, errors, dialogs = [], [], []
    shown.on("request", lambda request: requests.append(request.url))
    shown.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    shown.goto(file.as_uri())
    shown.wait_for_timeout(300)
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert errors == []
    assert dialogs == []
    assert shown.locator("figure svg").count() == 3
    for box in (shown.locator("figure svg").nth(i).bounding_box() for i in range(3)):
        assert box["width"] > 300
        assert box["height"] > 60
    assert shown.locator("tbody tr").count() == len(names)
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shown.close()
