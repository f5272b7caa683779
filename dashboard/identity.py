"""Who is asking. On one's own machine a name is enough: a cookie, else the person who started the server.

Where people sign in, `dashboard.guard` has found the person before any route is asked.
"""

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from dashboard.errors import ForbiddenError, SignInError
from dashboard.session import Session
from dashboard.state import ServerState
from data.errors import PeopleError
from data.people import Person, account_of, composed_name

COOKIE = "lensvet_inspector"
_YEAR_S = 365 * 24 * 3600


# Coroutines, although nothing is awaited: FastAPI would send plain functions through a thread, each time.


async def current_person(connection: HTTPConnection) -> Person | None:
    """The person of this request; the one dependency of all routes. None where nobody has to sign in for it."""
    state = _state_of(connection)
    if state.signing_in is None:
        return person_by_name(connection.cookies.get(COOKIE), default=state.inspector)
    person: Person | None = connection.scope.get("state", {}).get("person")
    return person


async def current_session(
    connection: HTTPConnection, person: Annotated[Person | None, Depends(current_person)]
) -> Session:
    """What this inspector may do and see."""
    if person is None:
        raise SignInError("sign in first")
    return Session(_state_of(connection), person)


async def lead_session(session: Annotated[Session, Depends(current_session)]) -> Session:
    """The same for somebody who leads."""
    if not session.person.may("lead"):
        raise ForbiddenError(f"this needs the role lead; {session.inspector} is {session.person.role}")
    return session


CurrentSession = Annotated[Session, Depends(current_session)]
LeadSession = Annotated[Session, Depends(lead_session)]


def person_by_name(cookie: str | None, *, default: str) -> Person:
    """Whoever a cookie names, or the default where there is none that can be used; alone here, so an admin."""
    name = default
    if cookie is not None:
        try:
            name = composed_name(unquote(cookie, errors="strict"))
        except (PeopleError, UnicodeDecodeError):
            name = default
    try:
        account = account_of(name)
    except PeopleError:  # a name that no account can have, but that somebody may have voted under
        account = name
    return Person(account, name, "admin")


def remember(response: Response, name: str) -> None:
    """Let this browser be that inspector, where nobody signs in."""
    response.set_cookie(
        COOKIE, quote(name, safe=""), max_age=_YEAR_S, httponly=True, samesite="strict", path="/"
    )


def is_secure(scope: Scope) -> bool:
    """Whether the browser speaks HTTPS, to us or to a proxy before us."""
    return scope.get("scheme") in ("https", "wss")


def _state_of(connection: HTTPConnection) -> ServerState:
    state: ServerState = connection.app.state.lensvet
    return state
