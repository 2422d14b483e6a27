"""The lab's book in a real browser: each page without error or request, in light and dark, by ear and by link."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from kohort.lab import running
from kohort.lab.book import write_pages
from kohort.lab.chapter8 import CLAIMS
from kohort.lab.claim import Claim, Scale
from kohort.lab.result import Result

from .test_lab import made_up

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of made-up evidence, every second claim refuted and the last not run."""
    place = tmp_path_factory.mktemp("book")
    for claim in list(CLAIMS.values())[:-1]:
        scale = Scale(20)
        evidence = made_up(claim).FOR if claim.number % 2 else made_up(claim).AGAINST
        result = Result(claim, scale, evidence, {"date": "2026-01-01"}, 30.0, running._identity(claim, scale))
        (place / f"{claim.name}.json").write_text(result.to_json(), "utf-8")
        write_pages(place, result)
    return place


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["wide", "narrow"])
def shown(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """A page that fails where it complained or asked for anything but files of the book."""
    width, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else errors.append(request.url)
    )
    yield page
    page.close()
    assert errors == []


def without_grave_faults(page: Any) -> None:
    violations = Axe().run(page).response["violations"]
    grave = [(own["id"], own["nodes"][0]["html"]) for own in violations if own["impact"] in ("serious", "critical")]
    assert grave == []


@pytest.mark.parametrize("claim", list(CLAIMS.values())[:-1], ids=list(CLAIMS)[:-1])
def test_each_page_is_sound_and_fits(claim: Claim, shown: Any, folder: Path) -> None:
    shown.goto((folder / f"{claim.name}.html").as_uri())
    shown.locator("summary").click()
    assert shown.locator("figure svg").count() == len(claim.drawings)
    assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert shown.locator("table.predictions tbody tr").count() == len(claim.predictions)
    for number in range(len(claim.drawings)):
        assert shown.locator("figure svg").nth(number).bounding_box()["height"] > 60
    without_grave_faults(shown)


def test_a_reader_goes_through_the_book(shown: Any, folder: Path) -> None:
    shown.goto((folder / "index.html").as_uri())
    without_grave_faults(shown)
    assert shown.locator("tbody tr").count() == len(CLAIMS)
    assert shown.locator("tbody tr", has_text="not run").count() == 1
    shown.locator("tbody a").first.click()
    for claim in list(CLAIMS.values())[1:-1]:
        shown.locator("a[rel=next]").click()
        assert claim.title in shown.locator("h1").inner_text()
    shown.locator("nav a").first.click()
    shown.locator("a[href='viva.html']").click()
    without_grave_faults(shown)
    assert shown.locator("h2").count() == 5
    shown.locator("main p a").first.click()
    assert shown.locator("#viva").count() == 1
