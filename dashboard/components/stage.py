"""The stage: one component that fetches planes and votes over HTTP and draws in the browser (`stage.js`, `stage/`).

The server pays nothing for what it shows: no figure, no re-rendering, one small model per open page.
"""

from pathlib import Path

import param
from panel.custom import JSComponent


class Stage(JSComponent):
    """The page `/vet`, drawn by the browser. assets : address under which this folder is served."""

    assets = param.String(default="/assets", constant=True)

    _esm = Path(__file__).with_name("stage.js")
