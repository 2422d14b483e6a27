"""The dashboard: who may see it, what it says of a study, and that it follows a real training in a real browser."""

import json
import math
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from starlette.testclient import TestClient

import kohort
from kohort.dashboard.app import application
from kohort.dashboard.guard import Entry
from kohort.dashboard.searches import Searches, search_overview, told_of_search
from kohort.dashboard.studies import Studies
from kohort.dashboard.telling import beside_each_other, overview, told_of
from kohort.store.database import FILE
from kohort.store.journal import Journal, Line, Tried
from kohort.store.layout import locked
from kohort.store.searches import journal_of

from .made_runs import NASTY

MOONS = kohort.data.named("moons")
ENTRY = Entry(4321, "the token")


def study(folder: Path, recipes: Any = ("none", "l2"), **options: Any) -> kohort.Study:
    asked = {"seeds": 6, "epochs": 2, "batch_size": 64, **options}
    return kohort.Study(recipes if isinstance(recipes, dict) else list(recipes), MOONS, folder=folder, **asked)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies, one in a folder below."""
    folder = tmp_path_factory.mktemp("studies")
    study(folder / "first").run(verbose=0)
    study(folder / "below" / "second", ("none", "dropout"), epochs=3).run(verbose=0)
    return folder


@pytest.fixture
def client(kept: Path) -> Iterator[TestClient]:
    """Somebody who has opened the address that was printed."""
    with TestClient(application(kept, ENTRY), base_url=f"http://127.0.0.1:{ENTRY.port}") as opened:
        opened.cookies.set(ENTRY.cookie, ENTRY.token)
        yield opened


def keys_of(folder: Path) -> list[str]:
    return Studies(folder).keys()


# who may see it


def test_the_address_lets_in_once_and_hides_the_token(kept: Path) -> None:
    with TestClient(application(kept, ENTRY), base_url=f"http://127.0.0.1:{ENTRY.port}") as stranger:
        assert stranger.get("/").status_code == 401
        assert stranger.get("/?token=another").status_code == 401
        greeted = stranger.get(f"/?token={ENTRY.token}", follow_redirects=False)
        assert (greeted.status_code, greeted.headers["location"]) == (303, "/")
        for word in ("HttpOnly", "SameSite=strict", f"kohort-{ENTRY.port}="):
            assert word in greeted.headers["set-cookie"]
        assert stranger.get("/").status_code == 200
        elsewhere = stranger.get(f"//evil.example/?token={ENTRY.token}", follow_redirects=False)
        assert not elsewhere.headers.get("location", "/").startswith("//")
    assert ENTRY.address == "http://127.0.0.1:4321/?token=the token"
    assert len({Entry(1).token for _ in range(8)}) == 8


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4321", "127.0.0.1", "127.0.0.1:80", "localhost.evil:4321"]
)
def test_a_wrong_host_is_refused(host: str, client: TestClient) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


def test_localhost_is_a_name_of_it(client: TestClient) -> None:
    assert (
        client.get("/", headers={"host": "localhost:4321", "cookie": f"{ENTRY.cookie}={ENTRY.token}"}).status_code
        == 200
    )


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:4321", "http://127.0.0.1:80"])
def test_a_foreign_origin_is_refused(origin: str, client: TestClient) -> None:
    assert client.get("/events", headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_site_sent_is_refused(site: str, client: TestClient) -> None:
    assert client.get("/", headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_reading_is_allowed(method: str, client: TestClient) -> None:
    answer = client.request(method, "/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/search/nothing", "/search/nothing/events", "/search/../../etc/passwd",
        "/study/nothing", "/study/../../etc/passwd", "/study/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/static/../guard.py",
        "/static/%2e%2e/app.py", "/study/first", "/study/nothing/report", "/compare?one=nothing&other=nothing",
        "/compare",
    ],
)  # fmt: skip
def test_tricks_with_paths_find_nothing(path: str, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_every_answer_bears_a_strict_policy(client: TestClient, kept: Path) -> None:
    key = keys_of(kept)[0]
    for path in ("/", f"/study/{key}", "/static/study.js", f"/study/{key}/report", "/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src ")
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("style-src")[0]
        assert client.get(path).headers["x-content-type-options"] == "nosniff"


# what it says


def test_a_study_is_told_as_its_folder_holds_it(kept: Path) -> None:
    studies = Studies(kept)
    lines = {own["place"]: own for own in map(overview, map(studies.get, studies.keys()))}
    assert set(lines) == {"first", "below/second"}
    first = lines["first"]
    assert (first["state"], first["data"], first["recipes"], first["seeds"], first["runs"]) == (
        "ended",
        "moons",
        2,
        6,
        12,
    )
    told = told_of(studies.get(first["key"]))
    assert [(own["recipe"], own["runs"]) for own in told["recipes"]] == [("none", 6), ("l2 0.001", 6)]
    assert told["recipes"][0]["improvement"] == "baseline"
    assert told["recipes"][1]["verdict"]
    assert told["progress"] is None
    assert {(row["recipe"], row["part"], row["epoch"]) for row in told["curves"]} == {
        (recipe, part, epoch)
        for recipe in ("none", "l2 0.001")
        for part in ("training", "validation")
        for epoch in (1, 2)
    }
    json.dumps(told, allow_nan=False)


def test_two_studies_beside_each_other(kept: Path, client: TestClient) -> None:
    studies = Studies(kept)
    by_place = {studies.get(key).place: key for key in studies.keys()}  # noqa: SIM118
    told = beside_each_other(studies.get(by_place["first"]), studies.get(by_place["below/second"]))
    assert told["same_data"]
    assert [(row["recipe"], row["pairs"], bool(row["difference"])) for row in told["rows"]] == [
        ("none", 6, True),
        ("l2 0.001", 0, False),
        ("dropout 0.3", 0, False),
    ]
    assert ("epochs", "2", "3") in told["differences"]
    text = client.get(f"/compare?one={by_place['first']}&other={by_place['below/second']}").text
    assert "The same data." in text


def test_a_study_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path / "s").run(verbose=0)
    studies = Studies(tmp_path)
    (key,) = studies.keys()
    first = studies.get(key)
    monkeypatch.setattr("kohort.dashboard.studies._read", lambda *_: pytest.fail("read again"))
    assert studies.get(key).version == first.version
    monkeypatch.undo()
    study(tmp_path / "s", seeds=7).run(verbose=0)
    again = studies.get(key)
    assert again.version != first.version
    assert again.study is not None
    assert len(again.study.runs) == 14


def test_a_damaged_study_is_said_to_be_so_and_hides_no_other(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FILE).write_bytes(b"nothing of SQLite" * 100)
    study(tmp_path / "whole").run(verbose=0)
    studies = Studies(tmp_path)
    lines = {own["place"]: own for own in map(overview, map(studies.get, studies.keys()))}
    assert lines["broken"]["state"] == "cannot be read"
    assert "damaged" in lines["broken"]["data"]
    assert lines["whole"]["state"] == "ended"
    with TestClient(application(tmp_path, ENTRY), base_url=f"http://127.0.0.1:{ENTRY.port}") as opened:
        opened.cookies.set(ENTRY.cookie, ENTRY.token)
        assert "cannot be read" in opened.get("/").text
        assert opened.get(f"/study/{lines['broken']['key']}").status_code == 200


def test_nothing_is_written_where_studies_are(kept: Path, client: TestClient) -> None:
    def seen() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(kept.rglob("*")) if path.is_file()}

    before = seen()
    for key in keys_of(kept):
        assert client.get(f"/study/{key}").status_code == 200
        assert client.get(f"/study/{key}/report").status_code == 200
    assert seen() == before


def test_seeds_in_rounds_have_no_verdict_before_the_end(tmp_path: Path) -> None:
    study(tmp_path / "s", seeds="auto", most_seeds=6).run(verbose=0)
    studies = Studies(tmp_path)
    told = told_of(studies.get(studies.keys()[0]))
    assert told["verdicts"] == []
    assert told["note"].startswith("Seeds come in rounds")


# searches

IDENTITY = {"dataset": "moons", "metric": "accuracy", "greater_is_better": True}


def tried(number: int, score: float, recipe: str = "l2 0.001", finished: bool = True, epochs: int = 9) -> Tried:
    return Tried(number, 0, {}, recipe, (score,) * epochs, score, epochs, finished)


def search_in(folder: Path, identity: Any = IDENTITY, sign: float = 1.0) -> Journal:
    """A search with a round of candidates, and a round of the plain network's."""
    own = Journal(journal_of(folder, "space"), identity)
    scores = [(0.8, True, 9), (0.9, True, 9), (0.95, False, 3), (-math.inf, False, 1), (0.85, True, 9)]
    every = [tried(n, sign * score, f"l2 0.0{n}", ended, epochs) for n, (score, ended, epochs) in enumerate(scores)]
    own.add(Line(5, 1.0, tuple(every[2:])))  # a cohort of the round, and another
    own.add(Line(5, 1.0, tuple(every[:2])))
    Journal(journal_of(folder, "plain"), identity).add(Line(1, 0.5, (tried(0, sign * 0.7, "none"),)))
    return own


def only_search(folder: Path) -> Any:
    searches = Searches(folder)
    (key,) = searches.keys()
    return searches.get(key)


def test_a_search_is_told_as_its_folder_holds_it(tmp_path: Path) -> None:
    search_in(tmp_path / "s")
    line = search_overview(only_search(tmp_path))
    assert (line["place"], line["state"], line["data"], line["candidates"]) == ("s", "interrupted", "moons", 5)
    assert (line["best"], line["lead"]) == ("90.00 %", "l2 0.01")  # what left early does not count
    told = told_of_search(only_search(tmp_path))
    assert told["lead"].startswith("The best so far on validation rows: 90.00 %; of a plain network 70.00 %.")
    assert told["counts"] == [
        "recipe: 5 candidates, 3 trained to the end, 1 left early, 1 failed",
        "plain network: 1 candidate, 1 trained to the end",
    ]
    assert told["best"] == [["l2 0.01", "90.00", 9, 2], ["l2 0.04", "85.00", 9, 5], ["l2 0.00", "80.00", 9, 1]]
    rows = [(row["part"], row["number"], row["score"], row["best"], row["kind"]) for row in told["points"]]
    assert rows == [
        ("recipe", 1, 80.0, 80.0, "to the end"),
        ("recipe", 2, 90.0, 90.0, "to the end"),
        ("recipe", 3, 95.0, 90.0, "left early"),
        ("recipe", 5, 85.0, 90.0, "to the end"),
        ("plain network", 1, 70.0, 70.0, "to the end"),
    ]
    json.dumps(told, allow_nan=False)


def test_of_a_metric_that_one_wants_low_the_best_is_the_lowest(tmp_path: Path) -> None:
    identity = {**IDENTITY, "metric": "root_mean_squared_error", "greater_is_better": False, "unit_of_scores": 10.0}
    search_in(tmp_path / "s", identity, sign=-1.0)
    told = told_of_search(only_search(tmp_path))
    assert told["wanted_low"]
    assert told["best"][0] == ["l2 0.00", "8", 9, 1]  # in units of the target
    assert [row["best"] for row in told["points"]] == [8.0, 8.0, 8.0, 8.0, 7.0]


def test_a_searchs_state_is_that_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    search_in(folder)
    before = only_search(tmp_path).version
    with locked(folder, "in use"):
        assert only_search(tmp_path).state == "searching"
        assert only_search(tmp_path).version != before
        study(folder / "final").run(verbose=0)
        assert only_search(tmp_path).state == "judging"
    assert only_search(tmp_path).state == "ended"
    with TestClient(application(tmp_path, ENTRY), base_url=f"http://127.0.0.1:{ENTRY.port}") as client:
        client.cookies.set(ENTRY.cookie, ENTRY.token)
        key = only_search(tmp_path).key
        assert "A search: moons" in client.get(f"/search/{key}").text
        assert client.get(f"/search/{key}/chart.json").json()["facet"]


def test_a_search_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = search_in(tmp_path / "s")
    searches = Searches(tmp_path)
    (key,) = searches.keys()
    first = searches.get(key)
    monkeypatch.setattr("kohort.dashboard.searches._read", lambda *_: pytest.fail("read again"))
    assert searches.get(key).search is first.search
    monkeypatch.undo()
    own.add(Line(6, 1.0, (tried(5, 0.97),)))
    assert search_overview(searches.get(key))["candidates"] == 6


def test_a_damaged_search_is_said_to_be_so(tmp_path: Path) -> None:
    search_in(tmp_path / "s")
    path = journal_of(tmp_path / "s", "space")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"asked": 9, "seco')  # a line that is being written
    assert search_overview(only_search(tmp_path))["candidates"] == 5
    assert path.read_bytes() != whole  # a reader writes nothing
    path.write_bytes(whole.replace(b"number", b"numbers"))
    line = search_overview(only_search(tmp_path))
    assert line["state"] == "cannot be read"
    assert "a line cannot be read" in line["data"]


# in a real browser


class Served:
    """A dashboard that is served in a thread."""

    def __init__(self, folder: Path):
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.entry = Entry(listening.getsockname()[1])
        app = application(folder, self.entry)
        self.server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]}, daemon=True)

    def __enter__(self) -> "Served":
        self.thread.start()
        while not self.server.started:
            time.sleep(0.05)
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.should_exit = True
        self.thread.join(15)


@contextmanager
def opened(browser: Any, served: Served, **options: Any) -> Iterator[Any]:
    """A page that has let itself in; fails where anything went wrong on it."""
    shown = browser.new_context(**options).new_page()
    wrong: list[str] = []
    own = f"http://127.0.0.1:{served.entry.port}/"
    shown.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    shown.on("request", lambda request: None if request.url.startswith((own, "data:")) else wrong.append(request.url))
    shown.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    shown.goto(served.entry.address)
    try:
        assert "token" not in shown.url
        yield shown
        assert wrong == []
    finally:
        shown.context.close()


def drawn(shown: Any, enough: Callable[[int], bool], seconds: float = 90.0) -> int:
    """Waits until so many rows of curves are drawn; the page's policy lets no test evaluate strings in it."""
    until = time.monotonic() + seconds
    while not enough(rows := int(shown.locator("html").get_attribute("data-drawn") or 0)):
        assert time.monotonic() < until, rows
        shown.wait_for_timeout(100)
    return rows


@pytest.mark.slow
@pytest.mark.optimised  # it trains for long
def test_a_page_follows_a_training_as_it_goes(browser: Any, tmp_path: Path) -> None:
    asked = study(tmp_path / "live", ("none", "batchnorm", "dropout"), epochs=400, batch_size=32, seeds=8)
    ended: list[Any] = []
    with Served(tmp_path) as served, opened(browser, served) as shown:
        shown.get_by_text("No study yet.").wait_for()
        trains = threading.Thread(target=lambda: ended.append(asked.run(verbose=0)))
        trains.start()
        shown.get_by_role("link", name="live").click()  # the list follows what happens
        shown.locator("#state[data-state=training]").wait_for(timeout=60_000)
        first = drawn(shown, lambda rows: rows > 0)
        drawn(shown, lambda rows: rows > first)
        assert "run-epochs" in shown.locator("#pace").inner_text()
        assert shown.locator("#cohorts tbody tr").count() >= 1
        assert shown.locator(".living .mark-line path").count() >= 2
        shown.locator("#state[data-state=ended]").wait_for(timeout=120_000)
        trains.join()
        assert not shown.locator("#training").is_visible()
        assert shown.locator("#verdicts li").count() == 2
        assert [row.inner_text() for row in shown.locator("#recipes tbody tr td:first-child").all()] == [
            *asked.plan.recipes,
        ]
        drawn(shown, lambda rows: rows == 3 * 2 * 200)
        shown.get_by_role("link", name="The report so far").click()
        shown.locator("figure[data-chart=forest] .living svg").wait_for(timeout=60_000)
    (result,) = ended
    assert len(result.runs) == 24  # who is watched loses nothing


@pytest.mark.slow
def test_names_are_text_on_every_page(browser: Any, tmp_path: Path) -> None:
    import keras

    def build() -> keras.Model:
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    study(tmp_path / "<img src=x onerror=alert(1)>", dict.fromkeys(NASTY, build)).run(verbose=0)
    study(tmp_path / "'\"><script>alert(2)<", dict.fromkeys(NASTY, build), epochs=1).run(verbose=0)
    with Served(tmp_path) as served, opened(browser, served, viewport={"width": 390, "height": 800}) as shown:
        nodes = "document.querySelectorAll('img, iframe, b, i, main script').length"
        assert shown.locator("#studies a").count() == 2
        assert shown.evaluate(nodes) == 0
        for number in range(2):
            shown.goto(served.entry.address)
            shown.locator("#studies a").nth(number).click()
            drawn(shown, lambda rows: rows > 0)
            assert shown.locator("#recipes tbody tr").count() == len(NASTY)
            assert NASTY[0] in shown.locator("#recipes").inner_text()
            assert shown.evaluate(nodes) == 0
            assert shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            shown.locator(".pair button").click()
            assert NASTY[0] in shown.locator("main").inner_text()
            assert shown.evaluate(nodes) == 0


@pytest.mark.slow
def test_a_page_follows_a_search_as_it_goes(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "<b>tuned"
    with Served(tmp_path) as served, opened(browser, served) as shown:
        shown.get_by_text("No study yet.").wait_for()
        own = search_in(folder)
        with locked(folder, "in use"):
            shown.get_by_role("link", name="tuned").click()  # the list follows what happens
            shown.locator("#state[data-state=searching]").wait_for(timeout=60_000)
            drawn(shown, lambda rows: rows == 5)
            own.add(Line(6, 1.0, (tried(5, 0.97, NASTY[0]),)))
            drawn(shown, lambda rows: rows == 6)
            assert shown.locator("#best tbody tr").first.inner_text() == f"{NASTY[0]}\t97.00\t9\t6"
            assert shown.locator(".living .mark-symbol path").count() >= 6
            assert shown.locator("#unjudged").is_visible()
            study(folder / "final").run(verbose=0)
            shown.locator("#state[data-state=judging]").wait_for(timeout=60_000)
        shown.locator("#state[data-state=ended]").wait_for(timeout=60_000)
        assert shown.evaluate("document.querySelectorAll('main b, img, iframe, main script').length") == 0
        shown.get_by_role("link", name="The recipe beside the plain network").click()
        shown.locator("#recipes tbody tr").nth(1).wait_for(timeout=60_000)  # its first event fills it
        assert shown.locator("#recipes tbody tr").count() == 2


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(scheme: str, kept: Path, browser: Any, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    search_in(tmp_path / "search")
    kept, search = tmp_path, only_search(tmp_path).key
    with Served(kept) as served, opened(browser, served, color_scheme=scheme, bypass_csp=True) as shown:
        pages = ["/", *(f"/study/{key}" for key in keys_of(kept)), "/compare?one={}&other={}".format(*keys_of(kept))]
        pages.append(f"/search/{search}")
        for path in pages:
            shown.goto(f"http://127.0.0.1:{served.entry.port}{path}")
            if path.startswith(("/study/", "/search/")):
                drawn(shown, lambda rows: rows > 0)
            found = Axe().run(shown).response["violations"]
            bad = [
                (path, own["id"], [node["html"][:120] for node in own["nodes"]][:3])
                for own in found
                if own["impact"] in ("serious", "critical")
            ]
            assert bad == []


@pytest.mark.slow
def test_a_pointer_finds_an_epoch(kept: Path, browser: Any) -> None:
    with Served(kept) as served, opened(browser, served) as shown:
        shown.locator("#studies a").first.click()
        drawn(shown, lambda rows: rows > 0)
        shown.locator(".living .mark-symbol path").first.hover(force=True)
        tip = shown.locator("#vg-tooltip-element.visible")
        tip.wait_for()
        for word in ("recipe", "epoch", "accuracy in %"):
            assert word in tip.inner_text()


@pytest.mark.slow
def test_recipes_are_hidden_by_keyboard(kept: Path, browser: Any) -> None:
    with Served(kept) as served, opened(browser, served) as shown:
        shown.locator("#studies a").first.focus()
        shown.wait_for_timeout(1000)  # the list is filled anew by its first event
        assert shown.evaluate("document.activeElement.tagName") == "A"
        shown.keyboard.press("Enter")
        drawn(shown, lambda rows: rows > 0)
        assert shown.locator(".living .mark-line path").count() == 4
        shown.locator("button[data-recipe=none]").press("Space")
        shown.locator("html[data-shown='1']").wait_for()
        assert shown.locator(".living .mark-line path").count() == 2
