"""What all plots share: colours that read on light and on dark ground, sizes, tools, and marks with intervals."""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
from numpy.typing import ArrayLike

hv.extension("bokeh", logo=False)

# At least 3.5 to 1 on white and on the dark ground; the first ones tell apart with any colour vision.
PALETTE = ("#3b7dd8", "#d06a1a", "#0f9279", "#c0559b", "#8a6fd1", "#8f7d1f", "#5b8aa6", "#b8504a")
GUIDE = "#808591"
HEIGHT_PX = 340


def colour_of(index: int) -> str:
    """The colour of the `index`-th model; they repeat after eight."""
    return PALETTE[index % len(PALETTE)]


def framed(elements: Sequence[hv.Element], *, x: str, y: str, **options: Any) -> hv.Overlay:
    """The elements in one frame that fills its column. x, y : labels of the axes, with units."""
    settings = {
        "responsive": True,
        "height": HEIGHT_PX,  # None: as high as its place
        "show_legend": False,
        "legend_position": "top",
        "legend_cols": 4,
        "legend_opts": {"click_policy": "hide"},
        "show_grid": True,
        "title": "",
        "default_tools": ["box_zoom", "reset", "save"],
        "active_tools": [],
        "xlabel": x,
        "ylabel": y,
        "hooks": [plain_frame],
    } | options
    settings = {name: value for name, value in settings.items() if (name, value) != ("height", None)}
    return hv.Overlay(list(elements)).opts(hv.opts.Overlay(**settings))


def line(x: ArrayLike, y: ArrayLike, *, name: str, colour: str, **options: Any) -> hv.Curve:
    """A line that says its name where it is pointed at."""
    return hv.Curve({"x": np.asarray(x), "y": np.asarray(y)}, "x", "y", label=name).opts(
        color=colour, line_width=2, **options
    )


def guide(x: Sequence[float], y: Sequence[float], *, name: str = "") -> hv.Curve:
    """A dashed line to compare with."""
    return hv.Curve((list(x), list(y)), "x", "y", label=name).opts(
        color=GUIDE, line_width=1, line_dash="dashed"
    )


def bars(
    x0: ArrayLike,
    y0: ArrayLike,
    x1: ArrayLike,
    y1: ArrayLike,
    *,
    colour: str,
    name: str = "",
    **options: Any,
) -> hv.Segments:
    """Straight lines from (x0, y0) to (x1, y1): intervals. name : what the legend says, with others of that name."""
    columns = [np.atleast_1d(np.asarray(values, float)) for values in (x0, y0, x1, y1)]
    return hv.Segments(tuple(columns), ["x", "y", "x1", "y1"], label=name).opts(
        color=colour, **({"line_width": 2} | options)
    )


def dots(
    columns: dict[str, Any], *, told: dict[str, str], colour: str, name: str = "", **options: Any
) -> hv.Points:
    """Points at columns x and y; `told` is what a pointer shows: label by column."""
    others = [name for name in columns if name not in ("x", "y")]
    return hv.Points(columns, ["x", "y"], others, label=name).opts(
        color=colour,
        **({"size": 8} | options),
        tools=["hover"],
        hover_tooltips=[(label, f"@{{{name}}}") for name, label in told.items()],
    )


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, only 1 where there are many powers."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    values = [step * 10.0**power for power in powers for step in steps]
    inside = [value for value in values if low <= value <= high] or [low]
    return [(value, f"{value:,g}") for value in inside]


def percent_ticks() -> list[tuple[float, str]]:
    """Ticks of a share, in percent."""
    return [(share, f"{share:.0%}") for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]


def plain_frame(plot: Any, element: Any) -> None:
    """No ground of its own, so that the page's shows, light or dark."""
    figure = plot.state
    figure.background_fill_alpha = figure.border_fill_alpha = 0
    figure.outline_line_color = None
    figure.toolbar.autohide = True
    figure.toolbar.logo = None
    figure.min_border_right = 20
    for legend in figure.legend:
        legend.update(
            background_fill_alpha=0,
            border_line_color=None,
            label_text_font_size="12px",
            padding=0,
            margin=0,
            spacing=14,
            # A legend is HTML that is made before it knows the page; there it follows light and dark.
            stylesheets=[".bk-item .bk-label { color: var(--text, #444444) !important; }"],
        )
    for axis in (*figure.below, *figure.left):
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "13px"
        axis.major_label_text_font_size = "12px"
        axis.minor_tick_line_color = None
    for grid in figure.center:
        grid.update(grid_line_alpha=0.35) if hasattr(grid, "grid_line_alpha") else None
