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

from kohort.report.document import Document, difference_in_words, document, percent, points
from kohort.report.html import page
from kohort.report.text import table
from kohort.run import Evaluation, Outcome, Run
from kohort.statistics import compare

CHROMIUM = Path("/usr/bin/chromium")
NASTY = ['<img src=x onerror="alert(1)">', "</script><script>alert(2)</script>", "{{ 7 * 7 }} & 'quotes'\n\u202eRTL"]


def runs(names: list[str], seeds: int = 6, epochs: int = 8) -> dict[tuple[str, int], Run]:
    draw = np.random.default_rng(0)
    made = {}
    for index, name in enumerate(names):
        for seed in range(seeds):
            curve = np.sort(draw.uniform(0.5, 1.0, epochs)).tolist()
            correct = draw.random(200) < 0.9 + 0.02 * index
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


def test_the_lead_names_the_best_mean_with_n_and_interval() -> None:
    made = written(["none", "l2"])
    best = max(made.comparison.recipes, key=lambda summary: summary.test_mean.mean)
    assert made.lead.startswith(f"{best.recipe} has the highest mean test accuracy, {percent(best.test_mean.mean)} %")
    assert "(6 seeds, 200 test rows)" in made.lead
    assert difference_in_words(best) in made.lead


def test_one_seed_has_no_interval_and_says_so() -> None:
    made = written(["none", "l2"], seeds=1)
    assert "(one seed: no interval)" in page(made)


def test_a_single_recipe_has_a_page_too() -> None:
    text = page(written(["none"]))
    assert "Differences from" not in text
    assert "no other recipe" in text


def test_curves_are_means_and_bands_over_seeds() -> None:
    made = runs(["none"])
    (training, validation) = written(["none"]).curves
    values = np.array([run.history["accuracy"] for run in made.values()])
    np.testing.assert_allclose(training.mean, values.mean(axis=0))
    np.testing.assert_allclose(training.low, np.percentile(values, 10, axis=0))
    np.testing.assert_allclose(training.high, np.percentile(values, 90, axis=0))
    np.testing.assert_allclose(np.array(training.mean) - validation.mean, 0.03)


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
    assert len(table(compare(made, "none")).columns) == 5
    first = made["none", 0]
    made["none", 0] = Run("none", 0, first.history, Outcome(3), (), {}, test=first.test)
    assert len(table(compare(made, "none")).columns) == 6


def test_names_are_no_markup_in_the_table_either() -> None:
    names = ["[bold]none[/bold]", "[/red] l2"]
    console = Console(width=140, file=io.StringIO())
    console.print(table(compare(runs(names), names[0])))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "difference from [bold]none[/bold] (95 %)" in printed
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
