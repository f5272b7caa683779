"""The web server: Panel pages and the REST API in one application, behind one dependency: who is asking."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Scope

from dashboard.api import PREFIX, api_router, signing_in
from dashboard.api.problems import answer_errors_as_json
from dashboard.guard import Guard
from dashboard.identity import current_person
from dashboard.panel_pages import FIRST_PAGE, add_pages
from dashboard.state import ServerState
from data.campaign import Campaign
from data.people import Person

THREADS = 12
COMPONENTS = Path(__file__).parent / "components"
ASSET_SUFFIXES = (".js", ".mjs", ".css", ".svg", ".png", ".woff2", ".json")


def create_app(
    campaign: Campaign, *, inspector: str, anyone: bool = False, signs_in: bool = False
) -> FastAPI:
    """The application of one campaign.

    inspector : who votes where a browser has not said another name.
    anyone : answer under any host name, not only this machine's own. signs_in : people have accounts and sign in.
    """
    state = ServerState(campaign, inspector=inspector, signs_in=signs_in)
    app = FastAPI(
        title="LensVet",
        version=version("lensvet"),
        openapi_url=f"{PREFIX}/openapi.json",
        # FastAPI's own pages load their scripts from a CDN.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(current_person)],
        lifespan=_lifespan,
    )
    app.state.lensvet = state
    app.add_middleware(
        Guard,
        anyone=anyone,
        signing_in=state.signing_in,
        is_blind=lambda person: bool(state.inspections.open_to(person.account)),
    )
    answer_errors_as_json(app)
    app.include_router(api_router())
    app.include_router(signing_in.pages)
    app.add_api_route("/", _to_first_page, include_in_schema=False)
    app.add_api_route("/favicon.ico", _icon, include_in_schema=False)
    app.mount("/assets", Assets(directory=COMPONENTS, check_dir=False), name="assets")
    add_pages(app, state)
    return app


class Assets(StaticFiles):
    """Scripts and styles of the components; asked for anew each time, answered with 304 while unchanged."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        # Python files lie beside the scripts and are nobody's business.
        if Path(path).suffix not in ASSET_SUFFIXES:
            raise HTTPException(404, "no such script or style")
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # More threads than this only take the interpreter from each other: with forty, 500 people wait for seconds.
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
    app.state.lensvet.close()


async def _to_first_page(person: Annotated[Person | None, Depends(current_person)]) -> RedirectResponse:
    # Where people sign in, an inspector begins with what the team has open.
    is_inspector = person is not None and not person.may("lead")
    return RedirectResponse("/group" if is_inspector else FIRST_PAGE, status_code=307)


def _icon() -> FileResponse:
    return FileResponse(COMPONENTS / "icon.svg")
