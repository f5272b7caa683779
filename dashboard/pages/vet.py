"""`/vet`: one candidate at a time. The document holds the stage and nothing else, so that many can be open."""

import panel as pn

from dashboard.components.browser_page import browser_page
from dashboard.state import ServerState


def vet_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser. The stage asks the API for everything that `state` holds."""
    return browser_page(script="stage/vet.js", style="stage.css")
