"""`/why`: what a lens finder responds to. The frame of the page; what it holds is in `why_body`.

HoloViews and SciPy take two seconds to import: that is done in a thread, while others vet.
"""

import asyncio
import importlib
from functools import partial
from typing import Any

import panel as pn
from markupsafe import Markup

from dashboard.components.why import WhyFrame
from dashboard.identity import COOKIE, person_by_name
from dashboard.state import ServerState

_STYLE = ["assets/why.css"]
_BLIND = (
    "This campaign is blind first: what the network says of its objects, and what they are, would be told here before "
    'people have graded them. Once grading is over, set reveal = "open" in campaign.toml and start lensvet serve again.'
)
_IN_SESSION = (
    "You are in a group session that is open: what the network says of its objects would be told here before "
    "your blind grades. This page opens again when the session is closed."
)


def why_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser; in a blind-first campaign it says only why there is nothing."""
    frame = WhyFrame()
    top = html(bar(state, "what the network responds to"))
    if words := withheld_words(state):
        return framed(
            frame, top, html(Markup('<p class="problem" data-testid="problem">{}</p>').format(words))
        )
    body = pn.Column(html(Markup('<p class="dim">Counting…</p>')), sizing_mode="stretch_width", margin=0)
    pn.state.onload(partial(_fill, state, frame, body))
    return framed(frame, top, body)


def withheld_words(state: ServerState) -> str:
    """Why a page that tells what networks say of objects says nothing to whoever opens it; empty if it does."""
    if state.is_blind_first:
        return _BLIND
    return _IN_SESSION if _is_in_open_session(state) else ""


def _is_in_open_session(state: ServerState) -> bool:
    # Where people sign in, the guard has asked already; here a name is enough.
    if state.signing_in is not None:
        return False
    person = person_by_name(pn.state.cookies.get(COOKIE), default=state.inspector)
    return bool(state.inspections.open_to(person.account))


async def _fill(state: ServerState, frame: WhyFrame, body: pn.Column) -> None:
    module: Any = await asyncio.to_thread(importlib.import_module, "dashboard.pages.why_body")
    page = module.WhyBody(state, frame, pn.state.curdoc)
    body[:] = page.pieces
    page.begin()


def html(content: str, **options: Any) -> pn.pane.HTML:
    """A piece of the page."""
    return pn.pane.HTML(
        wrapped(content), stylesheets=_STYLE, sizing_mode="stretch_width", margin=(0, 0), **options
    )


def columns(least_px: int, **options: Any) -> pn.Column:
    """Equal columns, as many as fit."""
    fit = f"repeat(auto-fill,minmax(min({least_px}px,100%),1fr))"
    # Panel's columns begin with a button that would take the first place.
    rule = f":host{{display:grid;grid-template-columns:{fit};gap:18px 26px}}.scroll-button{{display:none}}"
    return pn.Column(stylesheets=[rule], sizing_mode="stretch_width", margin=(6, 0), **options)


def wrapped(content: str) -> str:
    """HTML inside what the style sheet speaks of."""
    return f'<div class="why">{content}</div>'


def bar(state: ServerState, what: str) -> Markup:
    """The line on top. what : the page holds."""
    return Markup(
        '<header class="bar"><strong class="brand">LensVet</strong><h1>{}</h1><span class="dim">{}</span>'
        '<span class="spring"></span><a href="explore">explore</a><a href="why">why</a>'
        '<a href="vet" data-testid="to-vet">← vet</a>'
        '<button type="button" class="plain" data-act="theme" title="Light or dark (y)" aria-label="Light or dark">◐'
        "</button></header>"
    ).format(state.campaign.title, what)


def framed(*parts: pn.viewable.Viewable) -> pn.Column:
    """A page of these parts, from the top."""
    return pn.Column(*parts, sizing_mode="stretch_width", margin=(6, 22, 40, 22))
