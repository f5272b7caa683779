"""The guard before every route: who may call (host, origin, role), how much and how often, what answers forbid."""

import logging
import re
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.access import EVERYBODY, refusal, rule_for
from dashboard.api.problems import problem
from dashboard.rate_limit import RateLimit
from dashboard.signing_in import COOKIE, SigningIn
from data.people import Person

log = logging.getLogger("lensvet")

BODY_LIMIT_BYTES = 1_000_000
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Bokeh and Panel write scripts and styles into the page, compile callbacks, and import components from blobs.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# A lead opens a session with a list of ids, perhaps of 300,000.
_SELECTIONS, _SELECTION_LIMIT_BYTES = "/api/v1/sessions", 32_000_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_IDS_IN_ADDRESS = b"/api/v1/objects/"


class Guard:
    """ASGI middleware. anyone : the server answers other machines too, under names that we cannot know.

    signing_in : who holds which cookie; None on one's own machine, where a name is enough.
    is_blind : whether that person is in a session that is open.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        anyone: bool,
        signing_in: SigningIn | None = None,
        is_blind: Callable[[Person], bool] = lambda _: False,
    ) -> None:
        self._app = app
        self._anyone = anyone
        self._signing_in = signing_in
        self._is_blind = is_blind
        self._limit = RateLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        reason = self._refusal(scope)
        if reason is None:
            reason = await self._refusal_of_person(scope)
        if reason is not None:
            await _refuse(scope, receive, send, *reason)
            return
        _keep_ids_encoded(scope)
        if scope["type"] == "websocket":
            await self._answer(scope, self._while_allowed(scope, receive), send)
        else:
            await self._answer(
                scope, _limited(scope, receive), self._stream_while_allowed(scope, _with_headers(send))
            )

    def _while_allowed(self, scope: Scope, receive: Receive) -> Receive:
        """Hangs up on whoever was signed out, or may no longer be here, since the socket was opened."""

        async def receive_allowed() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and await self._is_shut_out(scope):
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        return receive_allowed

    def _stream_while_allowed(self, scope: Scope, send: Send) -> Send:
        """Ends a stream of events to such a person."""
        is_stream = is_over = False

        async def send_allowed(message: Message) -> None:
            nonlocal is_stream, is_over
            if is_over:
                return
            if message["type"] == "http.response.start":
                is_stream = (
                    Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
                )
            elif is_stream and await self._is_shut_out(scope):
                message, is_over = {"type": "http.response.body"}, True
            await send(message)

        return send_allowed

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception:
            log.exception("%s failed", scope["path"][:200])
            if scope["type"] == "http" and not is_begun:
                await problem(500, "the server failed on this request; its log says why")(
                    scope, receive, send
                )

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # A page of another site whose name was pointed at this machine (DNS rebinding) sends its own name.
        if not self._anyone and _host_name(host) not in LOOPBACK_NAMES:
            return 400, f"host is {host!r:.80}; this server answers only to {', '.join(LOOPBACK_NAMES)}"
        origin = headers.get("origin")
        if origin is not None and _host_of_origin(origin) != host.lower():
            return 403, f"requests from pages of {origin!r:.80} are not accepted"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_navigation(
            scope, headers
        ):
            return 403, "requests from pages of other sites are not accepted"
        return None if scope["type"] == "websocket" else _unfit_body(scope, headers)

    async def _refusal_of_person(self, scope: Scope) -> tuple[int, str] | None:
        if self._signing_in is None:
            return None
        # By address first: no cookie is looked at for somebody who sends ten thousand.
        address = scope["client"][0] if scope.get("client") else "unknown"
        cookie = _cookie(scope)
        if self._limit.is_spent(cookie or address):
            return 429, "too many requests: wait a moment"
        refused = await self._refusal_by_role(scope)
        if cookie and scope["state"]["person"] is None and self._limit.is_spent(address):
            return 429, "too many requests: wait a moment"
        return refused

    async def _refusal_by_role(self, scope: Scope) -> tuple[int, str] | None:
        """Whether that person may have this, as things are now; who it is stands in the scope from here on."""
        if self._signing_in is None:
            return None
        cookie, state = _cookie(scope), scope.setdefault("state", {})
        try:
            person = await self._person(cookie) if cookie else None
        except SQLAlchemyError:
            log.exception("the label store does not answer")
            state["person"] = None
            return 503, "the label store does not answer: try again soon"
        state["person"] = person
        rule = rule_for(scope.get("method", "GET"), scope["path"])
        if rule.role is EVERYBODY:
            return None
        return refusal(
            rule, person, is_blind=person is not None and not rule.blind and self._is_blind(person)
        )

    async def _is_shut_out(self, scope: Scope) -> bool:
        refused = await self._refusal_by_role(scope)
        return refused is not None and refused[0] != 503  # a database that is away says nothing of people

    async def _person(self, cookie: str) -> Person | None:
        assert self._signing_in is not None
        if self._signing_in.needs_asking(cookie):
            return await run_in_threadpool(self._signing_in.person_of, cookie)
        return self._signing_in.person_of(cookie)


def _host_name(host: str) -> str:
    """The name in a Host header: `localhost` of `localhost:5006`, `::1` of `[::1]:5006`."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:]+))(?::\d*)?", host.lower())
    return (found[1] or found[2]) if found else ""


def _host_of_origin(origin: str) -> str:
    """`localhost:5006` of `http://localhost:5006`; nothing of `null`."""
    return origin.lower().partition("://")[2]


def _is_navigation(scope: Scope, headers: Headers) -> bool:
    """Whether somebody followed a link to us; what comes back stays out of the other page's reach."""
    return scope.get("method") in _SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"


def _body_limit(scope: Scope) -> int:
    return _SELECTION_LIMIT_BYTES if scope["path"] == _SELECTIONS else BODY_LIMIT_BYTES


def _unfit_body(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    if scope["method"] in _SAFE_METHODS:
        return None
    # Forms of other sites cannot send this type without asking first, and we never say yes.
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return 415, f"content type is {media_type or 'missing'!r:.80}; expected application/json"
    length = headers.get("content-length", "0")
    limit = _body_limit(scope)
    if length.isdigit() and int(length) > limit:
        return 413, f"the body has {length} bytes; at most {limit} are read"
    return None


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": detail[:120]})
        return
    if status == 401 and scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", ""):
        query = scope.get("query_string", b"").decode("ascii", "replace")
        wanted = quote(scope["path"] + (f"?{query}" if query else ""), safe="")
        away = RedirectResponse(f"/sign-in?next={wanted}", status_code=303)
        await away(scope, receive, _with_headers(send))
        return
    await problem(status, detail)(scope, receive, _with_headers(send))


def _cookie(scope: Scope) -> str | None:
    """The sign-in that a browser sent along."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _keep_ids_encoded(scope: Scope) -> None:
    """Leave an object's id as it was sent: decoded, `a%2Fplanes` could not be told from the planes of `a`."""
    raw: bytes = scope.get("raw_path") or b""
    if raw.startswith(_IDS_IN_ADDRESS):
        scope["path"] = raw.decode("ascii", "replace")


def _limited(scope: Scope, receive: Receive) -> Receive:
    """A receive that ends a body without a declared length once it is too long."""
    received, limit = 0, _body_limit(scope)

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, f"the body has more than {limit} bytes; send less")
        return message

    return receive_limited


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
