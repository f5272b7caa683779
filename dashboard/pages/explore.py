"""`/explore`: the whole survey at a glance, and what is selected in it. The frame; the rest is in `explore_body`."""

import asyncio
import importlib
from functools import partial
from typing import Any

import panel as pn
from markupsafe import Markup

from dashboard.components.why import WhyFrame
from dashboard.identity import COOKIE, person_by_name
from dashboard.pages.why import bar, framed, html, withheld_words
from dashboard.signing_in import COOKIE as SIGN_IN_COOKIE
from dashboard.state import ServerState


def explore_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser; where grading is blind it says only why there is nothing."""
    frame = WhyFrame()
    top = html(bar(state, "the whole survey"))
    if words := withheld_words(state):
        return framed(
            frame, top, html(Markup('<p class="problem" data-testid="problem">{}</p>').format(words))
        )
    body = pn.Column(html(Markup('<p class="dim">Counting…</p>')), sizing_mode="stretch_width", margin=0)
    pn.state.onload(partial(_fill, state, _inspector(state), body))
    return framed(frame, top, body)


def _inspector(state: ServerState) -> str:
    cookies = pn.state.cookies
    if state.signing_in is not None:
        person = state.signing_in.person_of(cookies.get(SIGN_IN_COOKIE, ""))
        assert person is not None  # the guard let the page through
        return person.name
    return person_by_name(cookies.get(COOKIE), default=state.inspector).name


async def _fill(state: ServerState, inspector: str, body: pn.Column) -> None:
    module: Any = await asyncio.to_thread(importlib.import_module, "dashboard.pages.explore_body")
    page = module.ExploreBody(state, inspector, pn.state.curdoc)
    body[:] = page.pieces
    page.begin()
