"""`/mosaic`: a page of the queue at once. The document holds the grid and nothing else; the stage opens over it."""

import panel as pn

from dashboard.components.browser_page import browser_page
from dashboard.state import ServerState


def mosaic_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser. It asks the API for everything that `state` holds."""
    return browser_page(script="mosaic/mosaic.js", style="mosaic.css")
