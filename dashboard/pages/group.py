"""`/group`: the group sessions of a campaign; to leads, how far they are and what comes of them."""

import panel as pn

from dashboard.components.browser_page import browser_page
from dashboard.state import ServerState


def group_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser. It asks the API for everything that `state` holds."""
    return browser_page(script="group/group.js", style="lists.css")
