"""The report in a real browser: no request, no error, no foreign markup; it answers to pointer and keyboard."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from kohort.report.document import Document
from kohort.report.html import page

from .made_runs import NASTY, written

pytestmark = pytest.mark.slow

STRENGTHS = ["none", "l2 0.01", "l2 0.1", "l2 1", "dropout 0.3"]


@contextmanager
def opened(browser: Any, told: Document, folder: Path, *, width: int = 1440, **options: Any) -> Iterator[Any]:
    """A report's page; fails where it asked for anything, complained or opened a dialog."""
    file = folder / "report.html"
    file.write_text(page(told), encoding="utf-8")
    shown = browser.new_page(viewport={"width": width, "height": 900}, **options)
    requests, errors, dialogs = [], [], []
    shown.on("request", lambda request: requests.append(request.url))
    shown.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    shown.goto(file.as_uri())
    try:
        yield shown
        assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
        assert errors == []
        assert dialogs == []
    finally:
        shown.close()


def bring_to_life(shown: Any) -> None:
    """Scrolls past every figure, so that each is drawn by the page itself."""
    figures = shown.locator("figure[data-chart]")
    for number in range(figures.count()):
        figures.nth(number).scroll_into_view_if_needed()
        figures.nth(number).locator(".living svg").wait_for()


def drawn_lines(shown: Any, figure: str) -> int:
    return shown.locator(f"figure[data-chart={figure}] .living .mark-line path").count()


@pytest.mark.parametrize("names", [STRENGTHS, NASTY])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_shows_every_figure_without_request_error_or_dialog(
    names: list[str], width: int, scheme: str, browser: Any, tmp_path: Path
) -> None:
    told = written(names, measured=True)
    with opened(browser, told, tmp_path, width=width, color_scheme=scheme) as shown:
        nodes = "document.querySelectorAll('img, iframe, object, embed, b, i, u, main script').length"
        assert shown.evaluate(nodes) == 0
        bring_to_life(shown)
        shown.locator("figure .chart > svg").first.wait_for(state="detached")
        assert shown.locator("figure .living svg").count() == shown.locator("figure").count()
        for number in range(shown.locator(".living svg").count()):
            box = shown.locator(".living svg").nth(number).bounding_box()
            assert box["width"] > 300
            assert box["height"] > 60
        assert shown.evaluate(nodes) == 0
        assert shown.locator("tbody").first.locator("tr").count() == len(names)
        assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_names_are_shown_as_text_in_tooltips(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(NASTY, measured=True), tmp_path) as shown:
        bring_to_life(shown)
        figure = shown.locator("figure[data-chart=scores]")
        figure.scroll_into_view_if_needed()
        figure.locator(".living .mark-symbol path").first.hover(force=True)
        tip = shown.locator("#vg-tooltip-element")
        tip.wait_for(state="visible")
        assert NASTY[0] in tip.inner_text()
        assert shown.evaluate("document.querySelectorAll('img').length") == 0


def test_a_pointer_finds_a_run(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(STRENGTHS, measured=True), tmp_path) as shown:
        bring_to_life(shown)
        for figure, words in (
            ("scores", ["recipe", "seed", "test accuracy in %"]),
            ("forest", ["verdict", "population, all recipes together, 95 %"]),
            ("confusion", ["true class", "% of the true class"]),
        ):
            own = shown.locator(f"figure[data-chart={figure}]")
            own.scroll_into_view_if_needed()
            mark = ".mark-rect path" if figure == "confusion" else ".mark-symbol path"
            own.locator(f".living {mark}").first.hover(force=True)
            tip = shown.locator("#vg-tooltip-element.visible")
            tip.wait_for()
            for word in words:
                assert word in tip.inner_text(), figure
            shown.mouse.move(0, 0)


def test_recipes_are_hidden_and_shown_by_pointer_and_keyboard(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(STRENGTHS, measured=True), tmp_path) as shown:
        bring_to_life(shown)
        before = {name: drawn_lines(shown, name) for name in ("curves", "gap", "weights")}
        assert before == {"curves": 10, "gap": 5, "weights": 5}
        button = shown.locator("button[data-recipe='l2 0.1']")
        button.click()
        shown.wait_for_function("document.documentElement.dataset.shown === '4'")
        assert button.get_attribute("aria-pressed") == "false"
        assert {name: drawn_lines(shown, name) for name in before} == {"curves": 8, "gap": 4, "weights": 4}
        shown.locator("button[data-recipe='none']").focus()
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.dataset.recipe") == "l2 0.01"
        shown.keyboard.press("Space")
        shown.wait_for_function("document.documentElement.dataset.shown === '3'")
        button.press("Enter")
        shown.wait_for_function("document.documentElement.dataset.shown === '4'")
        assert {name: drawn_lines(shown, name) for name in before} == {"curves": 8, "gap": 4, "weights": 4}


def test_numbers_are_reached_by_keyboard(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(STRENGTHS, measured=True), tmp_path) as shown:
        summary = shown.locator("figure[data-chart=forest] summary")
        table = shown.locator("figure[data-chart=forest] table")
        assert not table.is_visible()
        summary.press("Enter")
        assert table.is_visible()
        assert "l2 0.01" in table.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(scheme: str, browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(STRENGTHS, measured=True), tmp_path, color_scheme=scheme, bypass_csp=True) as shown:
        bring_to_life(shown)
        for summary in shown.locator("summary").all():
            summary.click()
        found = Axe().run(shown).response["violations"]
        bad = [
            (own["id"], own["help"], [node["html"][:120] for node in own["nodes"]][:3])
            for own in found
            if own["impact"] in ("serious", "critical")
        ]
        assert bad == []


def test_without_script_and_on_paper_it_can_be_read(browser: Any, tmp_path: Path) -> None:
    with opened(browser, written(STRENGTHS, measured=True), tmp_path, java_script_enabled=False) as shown:
        shown.emulate_media(media="print")
        assert shown.locator("figure .chart > svg").count() == shown.locator("figure").count() == 9
        assert not shown.locator(".toggles").is_visible()
        assert shown.locator("figure[data-chart=curves] .legend li").all_inner_texts() == STRENGTHS
        assert shown.locator("details table").first.evaluate("one => one.rows.length > 1")


def test_a_large_study_is_drawn_in_seconds(browser: Any, tmp_path: Path) -> None:
    names = ["none", *(f"l2 {10 ** (-6 + number / 10):.3g}" for number in range(39))]
    told = written(names, seeds=50, epochs=100, measured=True)
    started = time.perf_counter()
    with opened(browser, told, tmp_path) as shown:
        figure = shown.locator("figure[data-chart=curves]")
        bring_to_life(shown)
        print(f"40 recipes x 50 seeds x 100 epochs: {time.perf_counter() - started:.1f} s written and drawn")
        assert drawn_lines(shown, "curves") == 16  # the baseline and the seven best
        figure.scroll_into_view_if_needed()
        shown.locator("#show-all").click()
        shown.wait_for_function("document.documentElement.dataset.shown === '40'")
        assert drawn_lines(shown, "curves") == 80
        size = (tmp_path / "report.html").stat().st_size
        print(f"{size / 2**20:.1f} MiB")
        assert size < 3 * 2**20
