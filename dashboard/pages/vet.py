"""`/vet`: one candidate at a time. The document holds the stage and nothing else, so that many can be open."""

import panel as pn

from dashboard.components.stage import Stage
from dashboard.state import ServerState


def vet_page(state: ServerState) -> pn.viewable.Viewable:
    """A new page for one browser. The stage asks the API for everything that `state` holds."""
    return Stage(sizing_mode="fixed", width=0, height=0)
