"""The dashboard's pages: all studies and searches, one that goes on perhaps, two studies beside each other."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from kohort.dashboard.guard import Entry, Guard
from kohort.dashboard.places import SECONDS
from kohort.dashboard.searches import Searches, WatchedSearch, search_overview, told_of_search
from kohort.dashboard.studies import Studies, Watched
from kohort.dashboard.telling import beside_each_other, overview, state_of, told_of, units_of
from kohort.report.charts.drawn import runtime, spec
from kohort.report.charts.following import following
from kohort.report.charts.searching import searching
from kohort.report.charts.style import swatches
from kohort.report.html import page, policy, scripts

SCRIPTS = {"charts.js": "kohort.report"} | dict.fromkeys(
    ("following.js", "list.js", "search.js", "study.js"), "kohort.dashboard"
)
STYLES = {"page.css": "kohort.report", "dashboard.css": "kohort.dashboard"}


def application(folder: Path, entry: Entry) -> Starlette:
    """The dashboard of the studies in a folder.

    Args:
        folder: Where studies are looked for, in all folders below too.
        entry: Who may see it.
    """
    pages = _Pages(Studies(folder), Searches(folder))
    key = "{key:str}"
    routes = [
        Route("/", pages.all),
        Route("/events", pages.all_events),
        Route(f"/study/{key}", pages.one),
        Route(f"/study/{key}/events", pages.one_events),
        Route(f"/study/{key}/chart.json", pages.chart),
        Route(f"/study/{key}/report", pages.report),
        Route("/compare", pages.two),
        Route(f"/search/{key}", pages.search),
        Route(f"/search/{key}/events", pages.search_events),
        Route(f"/search/{key}/chart.json", pages.search_chart),
        Route("/static/vega.js", _vega),
        *(Route(f"/static/{name}", partial(_static, name, room)) for name, room in (SCRIPTS | STYLES).items()),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(Guard, entry=entry)], exception_handlers={HTTPException: _refused}
    )


class _Pages:
    """Answers requests.

    Args:
        studies: What is shown.
        searches: What is shown besides.
    """

    def __init__(self, studies: Studies, searches: Searches):
        self.studies, self.searches = studies, searches
        self._templates = Environment(
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            loader=FunctionLoader(lambda name: _file("kohort.dashboard", f"pages/{name}")),
        )

    async def all(self, request: Request) -> Response:
        """The list of studies and searches."""
        folder = str(self.studies.folder)
        return self._page("list.html.jinja", folder=folder, **await run_in_threadpool(self._all))

    async def all_events(self, request: Request) -> Response:
        """The list whenever it changes."""
        return _events(lambda: (repr(self._versions()), self._all))

    async def one(self, request: Request) -> Response:
        """A study's page; what it shows comes as events."""
        watched = await self._watched(request)
        recipes = list(watched.study.identity.recipes) if watched.study else []
        title = watched.study.identity.dataset if watched.study else watched.place
        return self._page(
            "study.html.jinja",
            watched=watched,
            title=title,
            swatches=swatches(recipes),
            others=await self._others(watched.key),
        )

    async def one_events(self, request: Request) -> Response:
        """A study whenever it changes."""
        key = (await self._watched(request)).key
        return _events(lambda: (self.studies.version(key), lambda: told_of(self.studies.get(key))))

    async def chart(self, request: Request) -> Response:
        """The chart that a study's curves are drawn by."""
        watched = await self._watched(request)
        if watched.study is None:
            raise HTTPException(404, "The study cannot be read.")
        made = following(list(watched.study.identity.recipes), units_of(watched).heading)
        return Response(json.dumps(spec(made), allow_nan=False), media_type="application/json")

    async def report(self, request: Request) -> Response:
        """The report as far as a study has run, as the command writes it."""
        key = (await self._watched(request)).key
        document = await run_in_threadpool(self.studies.document, key)
        if document is None:
            raise HTTPException(404, "There is nothing to compare yet.")
        text = await run_in_threadpool(page, document)
        return HTMLResponse(text, headers={"content-security-policy": policy(scripts())})

    async def two(self, request: Request) -> Response:
        """Two studies beside each other."""
        found = [await self._of_key(request.query_params.get(name, "")) for name in ("one", "other")]
        if any(own.study is None for own in found):
            raise HTTPException(404, "Both studies must be readable.")
        told = await run_in_threadpool(beside_each_other, *found)
        return self._page("compare.html.jinja", told=told, found=found)

    async def search(self, request: Request) -> Response:
        """A search's page; what it shows comes as events."""
        watched = await self._search_of(request)
        data = "" if watched.search is None else watched.search.identity.get("dataset", "")
        return self._page("search.html.jinja", watched=watched, title=data or watched.place)

    async def search_events(self, request: Request) -> Response:
        """A search whenever it changes."""
        key = (await self._search_of(request)).key
        return _events(lambda: (self.searches.version(key), lambda: self._told_of_search(key)))

    async def search_chart(self, request: Request) -> Response:
        """The chart that a search's candidates are drawn by."""
        made = searching((await self._search_of(request)).units.heading)
        return Response(json.dumps(spec(made), allow_nan=False), media_type="application/json")

    def _told_of_search(self, key: str) -> dict[str, Any]:
        watched = self.searches.get(key)
        judged = [{"key": study, "what": what, "lead": self._lead(study)} for study, what in watched.judged.items()]
        return {**told_of_search(watched), "judged": judged}

    def _lead(self, study: str) -> str:
        try:
            return overview(self.studies.get(study))["lead"]
        except KeyError:  # it has only just begun
            return ""

    def _all(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "studies": [overview(self.studies.get(key)) for key in self.studies.keys()],  # noqa: SIM118
            "searches": [search_overview(self.searches.get(key)) for key in self.searches.keys()],  # noqa: SIM118
        }

    def _versions(self) -> list[tuple[str, str]]:
        return [(key, kind.version(key)) for kind in (self.studies, self.searches) for key in kind.keys()]  # noqa: SIM118

    async def _others(self, key: str) -> list[Watched]:
        keys = [other for other in await run_in_threadpool(self.studies.keys) if other != key]
        found = [await run_in_threadpool(self.studies.get, other) for other in keys]
        return [own for own in found if own.study is not None]

    async def _watched(self, request: Request) -> Watched:
        return await self._of_key(request.path_params["key"])

    async def _search_of(self, request: Request) -> WatchedSearch:
        try:
            return await run_in_threadpool(self.searches.get, request.path_params["key"])
        except KeyError:
            raise HTTPException(404, "There is no such search here.") from None

    async def _of_key(self, key: str) -> Watched:
        try:
            return await run_in_threadpool(self.studies.get, key)
        except KeyError:
            raise HTTPException(404, "There is no such study here.") from None

    def _page(self, name: str, **told: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(state_of=state_of, **told))


def _events(look: Callable[[], tuple[str, Callable[[], Any]]]) -> Response:
    """Server-sent events: a value whenever its version changes.

    Args:
        look: Gives the version, and what makes the value.
    """

    async def events() -> AsyncIterator[dict[str, str]]:
        seen = None
        while True:
            try:
                version, make = await run_in_threadpool(look)
                if version != seen:
                    value = await run_in_threadpool(make)
                    yield {"data": json.dumps(value, allow_nan=False)}
                    seen = version
            except (KeyError, OSError):  # its folder was removed or moved
                yield {"event": "gone", "data": "{}"}
                return
            await asyncio.sleep(SECONDS)

    return EventSourceResponse(events(), headers={"cache-control": "no-store"})


async def _vega(request: Request) -> Response:
    return Response(await run_in_threadpool(runtime), media_type="text/javascript")


async def _static(name: str, room: str, request: Request) -> Response:
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return Response(_file(room, f"pages/{name}" if room == "kohort.dashboard" else name), media_type=kind)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code)


def _file(room: str, name: str) -> str:
    return files(room).joinpath(name).read_text("utf-8")
