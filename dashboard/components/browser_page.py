"""A page that the browser draws: scripts that ask the API for everything, and a document that holds nothing else.

The server pays nothing for what it shows: no figure, no re-rendering, one small model per open page.
"""

from pathlib import Path

import param
from panel.custom import JSComponent


class BrowserPage(JSComponent):
    """A page drawn by `script`, which exports `mount(root)`. assets : address under which this folder is served."""

    assets = param.String(default="/assets", constant=True)
    script = param.String(constant=True)
    style = param.String(constant=True)

    _esm = Path(__file__).with_name("browser_page.js")


def browser_page(*, script: str, style: str) -> BrowserPage:
    """A new page for one browser, of a script and a style sheet in this folder."""
    return BrowserPage(script=script, style=style, sizing_mode="fixed", width=0, height=0)
