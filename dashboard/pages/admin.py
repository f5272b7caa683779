"""`/admin`: who may sign in and as what, and the log of who did what."""

import panel as pn

from dashboard.components.browser_page import browser_page
from dashboard.state import ServerState


def admin_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser. It asks the API for everything that `state` holds."""
    return browser_page(script="admin/admin.js", style="lists.css")
