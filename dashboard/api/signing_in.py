"""Signing in and out, and choosing a password by an invitation. The pages for it are plain HTML."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from dashboard.errors import BadRequestError, SignInError
from dashboard.identity import CurrentSession, is_secure
from dashboard.passwords import hashed
from dashboard.signing_in import SigningIn
from data.errors import LensVetError
from data.people import Person

if TYPE_CHECKING:
    from dashboard.openid import Identity, OpenId

OPENID_COOKIE = "lensvet_openid"
router = APIRouter()
pages = APIRouter(include_in_schema=False)

_PAGE = Path(__file__).parents[1] / "components" / "sign_in.html"
# Nothing but our own script and style: here passwords are typed.
_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@pages.get("/sign-in")
@pages.get("/join/{token}")
def get_sign_in_page() -> FileResponse:
    """The page to sign in, and to choose a password; `sign_in.js` tells by the address which."""
    headers = {
        "Content-Security-Policy": _STRICT,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return FileResponse(_PAGE, media_type="text/html", headers=headers)


@pages.get("/sign-in/with/{service}")
async def get_begin(
    request: Request, service: str, invitation: str | None = None, next: str = "/"
) -> RedirectResponse:
    """Go to a service and come back to `get_callback`."""
    openid = _openid(request)
    address, kept = await openid.begin(
        service, callback=_callback(request, service), invitation=invitation, next=next
    )
    away = RedirectResponse(address, status_code=303)
    away.set_cookie(
        OPENID_COOKIE,
        kept,
        max_age=600,
        httponly=True,
        samesite="lax",
        secure=is_secure(request.scope),
        path="/sign-in",
    )
    return away


@pages.get("/sign-in/with/{service}/callback")
async def get_callback(
    request: Request, service: str, code: str | None = None, state: str | None = None
) -> RedirectResponse:
    """Come back from a service, and be signed in if it is somebody of here."""
    try:
        identity = await _openid(request).finish(
            service,
            callback=_callback(request, service),
            code=code,
            state=state,
            cookie=request.cookies.get(OPENID_COOKIE),
        )
        person = await run_in_threadpool(_person_of, request, identity)
    except LensVetError as error:
        return RedirectResponse(f"/sign-in?problem={quote(str(error)[:300], safe='')}", status_code=303)
    answer = RedirectResponse(_within(identity.next), status_code=303)
    signing_in = _signing_in(request)
    signing_in.forget_known(person.account)
    await run_in_threadpool(signing_in.remember, answer, person, secure=is_secure(request.scope))
    answer.delete_cookie(OPENID_COOKIE, path="/sign-in")
    return answer


@router.get("/sign-in")
def get_sign_in(request: Request) -> JSONResponse:
    """What the page says before somebody has signed in."""
    state = request.app.state.lensvet
    services = state.openid.titles if state.openid else []
    answer = {
        "campaign": state.campaign.title,
        "signs_in": state.signing_in is not None,
        "services": services,
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.post("/sign-in")
async def post_sign_in(
    request: Request, values: Annotated[dict[str, Any], Body(examples=[{"name": "Ada", "password": "…"}])]
) -> JSONResponse:
    """Sign in with name and password; the answer sets a cookie."""
    signing_in = _signing_in(request)
    address = request.client.host if request.client else "unknown"
    person = await run_in_threadpool(
        signing_in.by_password, values.get("name"), values.get("password"), address=address
    )
    return await run_in_threadpool(_signed_in, request, signing_in, person)


@router.get("/join/{token}")
def get_join(request: Request, token: str) -> JSONResponse:
    """Whom an invitation is for."""
    person = request.app.state.lensvet.people.invited(token)
    answer = {"name": person.name, "role": person.role, "campaign": request.app.state.lensvet.campaign.title}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.post("/join/{token}")
def post_join(request: Request, token: str, values: Annotated[dict[str, Any], Body()]) -> JSONResponse:
    """Choose a password by an invitation, which ends it, and be signed in."""
    signing_in = _signing_in(request)
    people = request.app.state.lensvet.people
    person = people.accept(token, hashed(values.get("password"), name=people.invited(token).name))
    signing_in.forget_known(person.account)
    return _signed_in(request, signing_in, person)


@router.post("/sign-out")
def post_sign_out(session: CurrentSession, everywhere: bool = False) -> Response:
    """Sign out, of this browser or of every one."""
    signing_in = session.state.signing_in
    answer = Response(status_code=204)
    if signing_in is not None:
        if everywhere:
            signing_in.end_everywhere(session.person.account, by=session.inspector)
        signing_in.forget(answer)
    return answer


@router.post("/me/password")
def post_password(
    session: CurrentSession, values: Annotated[dict[str, Any], Body()], request: Request
) -> Response:
    """Change your own password; every other browser is signed out."""
    signing_in = _signing_in(request)
    address = request.client.host if request.client else "unknown"
    person = signing_in.by_password(session.inspector, values.get("old"), address=address)
    new = hashed(values.get("password"), name=person.name)
    session.state.people.set_password(person.account, new, by=person.name)
    signing_in.forget_known(person.account)
    return _signed_in(request, signing_in, person)


def _person_of(request: Request, identity: "Identity") -> Person:
    """Who has this identity, or was invited and uses it from now on."""
    people = request.app.state.lensvet.people
    if identity.invitation:
        person: Person = people.accept_with_identity(identity.invitation, identity.issuer, identity.subject)
        return person
    found: Person | None = people.identified(identity.issuer, identity.subject)
    if found is None:
        raise SignInError(
            "nobody here has this account: ask an admin for an invitation, and open its link first"
        )
    people.note("signed in", found.name, actor=found.name, issuer=identity.issuer)
    return found


def _openid(request: Request) -> "OpenId":
    found: OpenId | None = request.app.state.lensvet.openid
    if found is None:
        raise BadRequestError("this campaign has no other way to sign in than a password")
    return found


def _callback(request: Request, service: str) -> str:
    return str(request.url_for("get_callback", service=service))


def _within(wanted: str) -> str:
    """A page of this server: nobody is led elsewhere by a link that looks like ours."""
    return wanted if re.match(r"/(?![/\\\\])", wanted) else "/"


def _signing_in(request: Request) -> SigningIn:
    found: SigningIn | None = request.app.state.lensvet.signing_in
    if found is None:
        raise BadRequestError("nobody signs in on this machine; lensvet serve CAMPAIGN --sign-in asks for it")
    return found


def _signed_in(request: Request, signing_in: SigningIn, person: Person | None) -> JSONResponse:
    if person is None:
        raise SignInError("sign in first")
    answer = JSONResponse({"name": person.name, "role": person.role})
    signing_in.remember(answer, person, secure=is_secure(request.scope))
    return answer
