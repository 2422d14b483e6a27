"""Who may see a dashboard: this machine's browser, from the address that was printed, and nobody else.

A page of another site that is open in the same browser can send requests to this machine (DNS rebinding, cross-site
requests); a checked Host, a checked Origin, a token in a cookie that other sites' requests do not carry, and no method
but reading keep it out. Other users of the machine lack the token.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "kohort"
HOSTS = ("127.0.0.1", "localhost")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Of pages: only their own scripts run, only this server is asked. Charts set styles of elements, hence inline ones."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Entry:
    """How one gets in.

    Attributes:
        port: The port that is served.
        token: What the first request must bring; the browser keeps it as a cookie of this server only.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """What a user opens."""
        return f"http://{HOSTS[0]}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The cookie's name, of its own for each port, since browsers share cookies among ports."""
        return f"{COOKIE}-{self.port}"

    def is_token(self, said: str | None) -> bool:
        """Whether somebody knows the token; it takes as long to say no as to say yes."""
        return hmac.compare_digest((said or "").encode("utf-8", "replace"), self.token.encode())


class Guard:
    """Lets through what may be let through.

    Args:
        app: Who answers then.
        entry: How one gets in.
    """

    def __init__(self, app: ASGIApp, entry: Entry):
        self.app, self.entry = app, entry
        own = [f"{host}:{entry.port}" for host in HOSTS]
        self._hosts: Sequence[str] = own
        self._origins: Sequence[str] = [f"http://{host}" for host in own]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or has it answered."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here: the server closes it
        refused = self._refusal(Request(scope))
        answer = self.app if refused is None else refused
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        """Why a request is refused, or where it is sent; None where it is let through."""
        if request.headers.get("host") not in self._hosts:
            return PlainTextResponse("The Host must be the address that was printed.", 421)
        if request.headers.get("origin", self._origins[0]) not in self._origins:
            return PlainTextResponse("Requests of other sites are refused.", 403)
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return PlainTextResponse("Requests of other sites are refused.", 403)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("Only reading is allowed.", 405, {"allow": "GET, HEAD"})
        if "token" in request.query_params:
            return self._greet(request)
        if not self.entry.is_token(request.cookies.get(self.entry.cookie)):
            return PlainTextResponse("Open the address that `kohort dashboard` printed, token included.", 401)
        return None

    def _greet(self, request: Request) -> Response:
        """Puts the token into a cookie and takes it out of the address bar."""
        if not self.entry.is_token(request.query_params["token"]):
            return PlainTextResponse("The token is not that of this dashboard. Open the address that was printed.", 401)
        path = re.sub(r"^/*", "/", request.url.path)  # not //elsewhere
        answer = RedirectResponse(path, 303)
        answer.set_cookie(self.entry.cookie, self.entry.token, httponly=True, samesite="strict", path="/")
        return answer


def _with_headers(send: Send) -> Send:
    """Adds what every answer bears, unless it has its own."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            known = {name.lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in known]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending
