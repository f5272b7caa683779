"""The frame of `/why`: style, light or dark, keys, and saving of plots, all in the browser (`why.js`)."""

from collections.abc import Callable
from pathlib import Path

import param
from panel.custom import JSComponent


class WhyFrame(JSComponent):
    """Reports what is pressed in the page's own HTML, and saves plots as PNG, SVG or CSV.

    assets : address under which this folder is served. selection : JSON, the selected bins by plot.
    on_select : called with the bins by plot that somebody selects by button or key.
    """

    assets = param.String(default="/assets", constant=True)
    selection = param.String(default="{}")

    _esm = Path(__file__).with_name("why.js")

    on_select: Callable[[dict[str, list[int]]], None] | None = None

    def _handle_msg(self, data: object) -> None:
        """A selection as the browser has it after a button was pressed: bins by plot."""
        if self.on_select is not None and isinstance(data, dict):
            self.on_select(
                {
                    str(name): [index for index in bins if isinstance(index, int)]
                    for name, bins in data.items()
                    if isinstance(bins, list)
                }
            )
