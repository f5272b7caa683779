"""The pages: Panel applications inside FastAPI, with every script and style from this server."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bokeh.settings
from bokeh_fastapi.handler import WSHandler
from fastapi import FastAPI
from panel.io.fastapi import add_applications

from dashboard.state import ServerState

if TYPE_CHECKING:
    import panel as pn

# Path to (module of `dashboard.pages`, function that makes it from the state, title).
PAGES = {
    "/vet": ("vet", "vet_page", "Vet"),
    "/mosaic": ("mosaic", "mosaic_page", "Mosaic"),
    "/group": ("group", "group_page", "Sessions"),
    "/why": ("why", "why_page", "Why"),
    "/explore": ("explore", "explore_page", "Explore"),
    "/admin": ("admin", "admin_page", "People"),
}
FIRST_PAGE = "/vet"
# On a busy machine a browser needs longer than Bokeh's 15 s to open its socket, and Panel 1.9.4 cannot make the page
# a second time.
SOCKET_WAIT_MS = 60_000


def add_pages(app: FastAPI, state: ServerState) -> None:
    """Serve all pages, and the sockets behind them."""
    # Campaigns are vetted on machines without internet.
    bokeh.settings.settings.resources = "server"
    pages: dict[str, Any] = {path: _page(state, module, name) for path, (module, name, _) in PAGES.items()}
    titles = {path: f"{title} · {state.campaign.title}" for path, (*_, title) in PAGES.items()}
    # bokeh-fastapi 0.1.8 never asks who opens a socket; `dashboard.guard` compares Origin and Host before it.
    app.state.bokeh = add_applications(
        pages,
        app=app,
        title=titles,
        websocket_origin=["*"],
        unused_session_lifetime_milliseconds=SOCKET_WAIT_MS,
    )


def _page(state: ServerState, module: str, function: str) -> Callable[[], "pn.viewable.Viewable"]:
    def make_page() -> "pn.viewable.Viewable":
        page: pn.viewable.Viewable = getattr(importlib.import_module(f"dashboard.pages.{module}"), function)(
            state
        )
        return page

    return make_page


async def _receive_until_gone(socket: WSHandler) -> None:
    try:
        await _receive_loop(socket)
    finally:
        socket.application.client_lost(socket.connection)


# bokeh-fastapi does not notice that a browser left, and keeps its document for ever. Remove this once
# https://github.com/bokeh/bokeh-fastapi/issues/19 is closed.
_receive_loop = WSHandler._receive_loop
WSHandler._receive_loop = _receive_until_gone
