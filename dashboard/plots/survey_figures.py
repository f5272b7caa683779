"""The plots of `/explore` as HoloViews elements, and what happens in them: a view that moves, a box, a pointer."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import holoviews as hv
import numpy as np
import panel as pn
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.events import MouseLeave, MouseMove, SelectionGeometry
from bokeh.events import Tap as TapEvent
from bokeh.models import CustomJS
from bokeh.plotting import figure
from holoviews.streams import Pipe
from numpy.typing import NDArray

from dashboard.plots.style import GUIDE, PALETTE, framed, plain_frame
from dashboard.plots.survey import Picture, View

HEIGHT_PX = 360
WIDTH_PX = 720  # before the browser says how wide it is
_TOOLS = ["pan", "wheel_zoom", "reset", "save"]
_LARGEST_PX = 2400
REST_MS = 150  # of the pointer, before the page asks what is under it
# The figure's tags carry where the pointer rests: x, y on its axes, and left, top in the window; nothing when it moves.
_RESTS = """
const figure = cb_obj.origin;
clearTimeout(figure.lensvetRest);
if (figure.tags.length) figure.tags = [];
figure.lensvetRest = setTimeout(() => {
  const [view] = [...window.Bokeh.index.query((view) => view.model === figure)];
  if (!view) return;
  const box = view.el.getBoundingClientRect();
  figure.tags = [cb_obj.x, cb_obj.y, box.x + cb_obj.sx, box.y + cb_obj.sy];
}, %d);
"""
_LEAVES = """
clearTimeout(cb_obj.origin.lensvetRest);
if (cb_obj.origin.tags.length) cb_obj.origin.tags = [];
"""
Box = tuple[float, float, float, float]
Rest = tuple[float, float, float, float]  # x, y on the axes, and left, top in the window


class Plot:
    """One plot that is drawn anew whenever its view moves.

    blank : what it shows until it is drawn; its axes stay. limits : x0, x1, y0, y1 of the first view.
    on_view, on_box, on_tap, on_rest : called in the event loop; the last one with None when the pointer moves on.
    """

    def __init__(
        self,
        blank: hv.Overlay,
        limits: Box,
        *,
        on_view: Callable[[], None],
        on_box: Callable[[Box], None],
        on_tap: Callable[[float, float], None],
        on_rest: Callable[[Rest | None], None],
    ) -> None:
        self._limits = limits
        self._on_view, self._on_box, self._on_tap, self._on_rest = on_view, on_box, on_tap, on_rest
        self._figure: figure | None = None
        self._pipe = Pipe(data=self._followed(blank))
        shown = hv.DynamicMap(lambda data: data, streams=[self._pipe])
        self.pane = pn.pane.HoloViews(shown, linked_axes=False, sizing_mode="stretch_both", margin=0)

    @property
    def view(self) -> View:
        """What the plot shows now."""
        x0, x1, y0, y1 = self._limits
        width, height = WIDTH_PX, HEIGHT_PX
        if self._figure is not None:
            x, y = self._figure.x_range, self._figure.y_range
            x0, x1, y0, y1 = (
                given if isinstance(given, int | float) and math.isfinite(given) else first
                for given, first in zip((x.start, x.end, y.start, y.end), self._limits, strict=True)
            )
            with contextlib.suppress(UnsetValueError):  # the browser has not said yet
                width, height = self._figure.inner_width or width, self._figure.inner_height or height
        # A view without extent has no pixels.
        x1, y1 = (high if high > low else low + 1.0 for low, high in ((x0, x1), (y0, y1)))
        width, height = (int(min(max(size, 16), _LARGEST_PX)) for size in (width, height))
        return View(float(x0), float(x1), float(y0), float(y1), width, height)

    def show(self, element: hv.Overlay) -> None:
        """Put what was drawn on the page; in the document's turn."""
        self._pipe.send(self._followed(element))

    def _followed(self, element: hv.Overlay) -> hv.Overlay:
        hooks = hv.Store.lookup_options("bokeh", element, "plot").kwargs["hooks"]
        return element.opts(hooks=[*hooks, self._follow])

    def _follow(self, plot: Any, element: Any) -> None:
        """Hear what happens in the figure, once it is made. HoloViews' own streams miss overlays that are sent."""
        made = plot.state
        if self._figure is made:
            return
        self._figure = made
        # Bokeh's RangesUpdate comes half a second after a turn of the wheel; the ends of the axes come at once.
        for axis in (made.x_range, made.y_range):
            axis.on_change("start", self._moved)
            axis.on_change("end", self._moved)
        made.on_event(TapEvent, lambda event: self._on_tap(event.x, event.y))
        made.on_event(SelectionGeometry, self._boxed)
        made.js_on_event(MouseMove, CustomJS(code=_RESTS % REST_MS))
        made.js_on_event(MouseLeave, CustomJS(code=_LEAVES))
        made.on_change("tags", self._rested)
        made.on_change("inner_width", self._moved)
        made.on_change("inner_height", self._moved)

    def _moved(self, attr: str, old: object, new: object) -> None:
        self._on_view()

    def _rested(self, attr: str, old: object, new: list[float]) -> None:
        self._on_rest(tuple(new) if len(new) == 4 else None)  # type: ignore[arg-type]  # four of them

    def _boxed(self, event: SelectionGeometry) -> None:
        drawn = event.geometry
        if event.final and drawn["type"] == "rect":
            self._on_box(tuple(float(drawn[side]) for side in ("x0", "y0", "x1", "y1")))


def nothing(limits: Box) -> tuple[Picture, View]:
    """A picture of nothing, before there is one."""
    return Picture(np.zeros((2, 2, 4), np.uint8), 0, 1), View(*limits, width_px=2, height_px=2)


def picture(made: Picture, view: View, *, x: str, y: str, **options: Any) -> hv.Overlay:
    """A picture in its axes. x, y : their labels."""
    image = _image(made, view)
    return _framed([image], x=x, y=y, **options)


def sky(
    made: Picture, view: View, lines: list[NDArray[np.float64]], names: list[tuple[float, float, str]]
) -> hv.Overlay:
    """A picture of the sky under a graticule."""
    image = _image(made, view)
    # One curve that is broken where a line ends: HoloViews takes ten times as long for so many paths.
    broken = np.concatenate(
        [np.vstack([line, [np.nan, np.nan]]) for line in lines] or [np.full((1, 2), np.nan)]
    )
    paths = hv.Curve(broken, "x", "y").opts(color=GUIDE, line_width=0.7, alpha=0.6)
    labels = hv.Labels(names, ["x", "y"], "name").opts(
        text_color=GUIDE, text_font_size="12px", text_align="left", text_baseline="bottom"
    )
    return _framed(
        [image, paths, labels], x="", y="", xaxis=None, yaxis=None, hooks=[plain_frame, _without_grid]
    )


def _without_grid(plot: Any, element: Any) -> None:
    for grid in plot.state.grid:
        grid.visible = False


def bars(
    edges: NDArray[np.float64], every: NDArray[np.int64], chosen: NDArray[np.int64], *, x: str
) -> hv.Overlay:
    """A histogram with a logarithmic axis: all objects in grey, those selected in colour."""
    top = 1.5 * max(1, int(every.max(initial=1)))

    def steps(counts: NDArray[np.int64]) -> hv.Area:
        x_values, y_values = np.repeat(edges, 2)[1:-1], np.repeat(np.maximum(counts, 0.5), 2)
        return hv.Area(
            {"x": x_values, "y": y_values, "base": np.full(len(x_values), 0.5)}, "x", ["y", "base"]
        )

    drawn = [
        steps(every).opts(color=GUIDE, alpha=0.45, line_alpha=0, tools=["box_select"]),
        steps(chosen).opts(color=PALETTE[0], line_alpha=0),
    ]
    return _framed(drawn, x=x, y="objects", logy=True, ylim=(0.5, top))


def _image(made: Picture, view: View) -> hv.RGB:
    kinds = [*hv.RGB.vdims, hv.RGB.alpha_dimension]
    bounds = (view.x0, view.y0, view.x1, view.y1)
    return hv.RGB(made.pixels[::-1], bounds=bounds, vdims=kinds).opts(tools=["box_select"])


def _framed(elements: list[Any], *, x: str, y: str, **options: Any) -> hv.Overlay:
    return framed(
        elements,
        x=x,
        y=y,
        **{
            "height": None,
            "default_tools": _TOOLS,
            "active_tools": ["wheel_zoom", "box_select"],
            "framewise": False,
        }
        | options,
    )
