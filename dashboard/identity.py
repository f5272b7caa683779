"""Who is asking. On one's own machine a name is enough: a cookie, else the person who started the server."""

import unicodedata
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.responses import Response

from dashboard.errors import BadRequestError
from dashboard.session import Session
from dashboard.state import ServerState
from data.votes import NAME_LIMIT

COOKIE = "lensvet_inspector"
_YEAR_S = 365 * 24 * 3600


# Coroutines, although nothing is awaited: FastAPI would send plain functions through a thread, each time.


async def current_inspector(connection: HTTPConnection) -> str:
    """The inspector of this request; the one dependency that guards pages, sockets and the API."""
    return inspector_of(connection.cookies.get(COOKIE), default=_state_of(connection).inspector)


async def current_session(
    connection: HTTPConnection, inspector: Annotated[str, Depends(current_inspector)]
) -> Session:
    """What this inspector may do and see."""
    return Session(_state_of(connection), inspector)


CurrentSession = Annotated[Session, Depends(current_session)]


def inspector_of(cookie: str | None, *, default: str) -> str:
    """The name in a cookie's value, or the default where there is none that can be used."""
    if cookie is None:
        return default
    try:
        return checked_name(unquote(cookie, errors="strict"))
    except (BadRequestError, UnicodeDecodeError):
        return default


def checked_name(name: object) -> str:
    """A name without the space around it, in Unicode's composed form: one name however it was typed.

    Raises
    ------
    BadRequestError
        If it is empty, too long or holds control characters.
    """
    if not isinstance(name, str):
        raise BadRequestError(f"name is {name!r:.80}; expected text")
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not 0 < len(trimmed) <= NAME_LIMIT:
        raise BadRequestError(f"name has {len(trimmed)} characters; expected 1 to {NAME_LIMIT}")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in trimmed):
        raise BadRequestError("name holds a control character; remove it")
    return trimmed


def remember(response: Response, name: str) -> None:
    """Let this browser be that inspector."""
    response.set_cookie(
        COOKIE, quote(name, safe=""), max_age=_YEAR_S, httponly=True, samesite="strict", path="/"
    )


def _state_of(connection: HTTPConnection) -> ServerState:
    state: ServerState = connection.app.state.lensvet
    return state
