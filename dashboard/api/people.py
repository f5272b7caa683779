"""People and their roles, invitations, and the log: for admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from dashboard.errors import ForbiddenError
from dashboard.identity import current_session
from dashboard.session import Session
from data import audit_log
from data.people import Person, account_of

router = APIRouter()

_NO_STORE = {"Cache-Control": "no-store"}
Text = Annotated[str, Field(max_length=400)]


class PersonAdded(BaseModel):
    """Somebody to let in."""

    name: Text
    role: Text = "inspector"


class RoleGiven(BaseModel):
    """Somebody and the role from now on; `none` shuts the door."""

    name: Text
    role: Text


class Named(BaseModel):
    """Somebody."""

    name: Text


async def admin_session(session: Annotated[Session, Depends(current_session)]) -> Session:
    """What an admin may do."""
    if not session.person.may("admin"):
        raise ForbiddenError(f"this needs the role admin; {session.inspector} is {session.person.role}")
    return session


AdminSession = Annotated[Session, Depends(admin_session)]


@router.get("/people")
def get_people(session: AdminSession) -> JSONResponse:
    """Everybody with a role."""
    people = [{"name": one.name, "role": one.role} for one in session.state.people.everybody()]
    return JSONResponse(
        {"people": people, "signs_in": session.state.signing_in is not None}, headers=_NO_STORE
    )


@router.post("/people", status_code=201)
def post_person(session: AdminSession, added: PersonAdded) -> JSONResponse:
    """Let somebody in; the answer holds the way to an invitation, to be sent to that person alone."""
    person = session.state.people.add(added.name, added.role, by=session.inspector)
    return JSONResponse(_with_invitation(session, person), status_code=201, headers=_NO_STORE)


@router.post("/people/role")
def post_role(session: AdminSession, given: RoleGiven) -> JSONResponse:
    """Give somebody another role, at once; their browsers are signed out."""
    account = account_of(given.name)
    person = session.state.people.change_role(account, given.role, by=session.inspector)
    _forget(session, account)
    return JSONResponse({"name": person.name, "role": person.role}, headers=_NO_STORE)


@router.post("/people/invitation")
def post_invitation(session: AdminSession, named: Named) -> JSONResponse:
    """A new invitation for somebody who lost theirs, or their password; earlier ones end."""
    account = account_of(named.name)
    token = session.state.people.invite(account, by=session.inspector)
    return JSONResponse({"name": named.name, "join": f"/join/{token}"}, headers=_NO_STORE)


@router.post("/people/sign-out")
def post_sign_out_of(session: AdminSession, named: Named) -> JSONResponse:
    """Sign somebody out of every browser."""
    account = account_of(named.name)
    session.state.people.end_sign_ins(account, by=session.inspector)
    _forget(session, account)
    return JSONResponse({"name": named.name}, headers=_NO_STORE)


@router.get("/audit")
def get_audit(
    session: AdminSession, limit: Annotated[int, Query(ge=1, le=1000)] = 200, before: int | None = None
) -> JSONResponse:
    """Who did what, newest first."""
    entries: list[Any] = [
        vars(entry) for entry in audit_log.entries(session.state.labels.engine, limit=limit, before=before)
    ]
    return JSONResponse({"entries": entries}, headers=_NO_STORE)


def _with_invitation(session: Session, person: Person) -> dict[str, str]:
    token = session.state.people.invite(person.account, by=session.inspector)
    return {"name": person.name, "role": person.role, "join": f"/join/{token}"}


def _forget(session: Session, account: str) -> None:
    if session.state.signing_in is not None:
        session.state.signing_in.forget_known(account)
