"""How figures differ between groups of objects: in rows, by subtype say, and against a quantity."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import holoviews as hv
import numpy as np
from bokeh.models import CrosshairTool, Span

from dashboard.plots.style import GUIDE, bars, colour_of, dots, framed, line, log_ticks, percent_ticks
from data.shares import Interval
from lensmodel.evaluation.figures import GroupFigures

_ROW_PX = 26
_SPREAD = 0.6  # of the space between two rows, shared by the models
_HEIGHT_PX = 300
_SMALLEST_ARCSEC = 1e-3  # of what a logarithmic axis shows


class Row(NamedTuple):
    """A value with its 95 % interval, and what a pointer at it shows; NaN where it is not known."""

    name: str
    value: float
    interval: Interval
    told: str


def rows_plot(rows: Mapping[str, Sequence[Row]], *, x: str, **options: Any) -> hv.Overlay:
    """Values with intervals, a row for each name, the highest of the first model on top; rows by model."""
    names = _from_lowest(rows)
    drawn: list[hv.Element] = []
    placed = [model for model, some in rows.items() if some]
    for index, (model, some) in enumerate(rows.items()):
        known = [row for row in some if np.isfinite(row.value)]
        if not known:
            continue
        places = np.array([names.index(row.name) for row in known], float)
        places -= _offset(placed.index(model), len(placed))
        low, high = np.array([row.interval for row in known]).T
        columns = {
            "x": [row.value for row in known],
            "y": places,
            "name": [row.name for row in known],
            "model": [model] * len(known),
            "told": [row.told for row in known],
        }
        told = {"model": "model", "name": "of", "told": "value"}
        drawn += [
            bars(low, places, high, places, colour=colour_of(index), name=model),
            dots(columns, told=told, colour=colour_of(index), name=model),
        ]
    row_px = _ROW_PX + 7 * (len(placed) - 1)
    return framed(
        drawn,
        x=x,
        y="",
        height=max(150, 90 + row_px * len(names)),
        ylim=(-0.6, len(names) - 0.4),
        yticks=list(enumerate(names)),
        show_legend=len(placed) > 1,
        **options,
    )


def shares_plot(rows: Mapping[str, Sequence[Row]], *, x: str) -> hv.Overlay:
    """`rows_plot` of shares, on an axis from nothing to all, or to the highest if all are small."""
    ends = [row.interval[1] for some in rows.values() for row in some if np.isfinite(row.interval[1])]
    highest = max(ends, default=1.0)
    if highest > 0.5:
        return rows_plot(rows, x=x, xlim=(-0.01, 1.02), xticks=percent_ticks())
    step = next(step for step in (0.01, 0.02, 0.05, 0.1) if highest / step <= 6)
    ticks = [(tick * step, f"{tick * step:.0%}") for tick in range(int(highest / step) + 2)]
    return rows_plot(rows, x=x, xlim=(-0.02 * highest, 1.05 * highest), xticks=ticks)


def shares_of(groups: Mapping[str, Sequence[GroupFigures]]) -> dict[str, list[Row]]:
    """Share of each group above the threshold that 1 % of all non-lenses exceed; by model."""
    return {
        model: [
            Row(
                found.group.name,
                found.found.value,
                found.found_interval,
                f"{found.found.number} of {found.found.of}",
            )
            for found in some
        ]
        for model, some in groups.items()
    }


def errors_of(groups: Mapping[str, Sequence[GroupFigures]]) -> dict[str, list[Row]]:
    """Median position error of each group, arcsec; by model."""
    rows: dict[str, list[Row]] = {}
    for model, some in groups.items():
        medians = [(found, found.figures["position_error_median_arcsec"]) for found in some]
        rows[model] = [
            Row(found.group.name, median, found.error_intervals["median"], f"{median:.3f} arcsec")
            for found, median in medians
        ]
    return rows


def share_against_plot(
    groups: Mapping[str, Sequence[GroupFigures]], *, x: str, is_log: bool = False
) -> hv.Overlay:
    """Completeness at 1 % false positives in bins of a quantity, with 95 % intervals; groups by model."""
    drawn: list[hv.Element] = []
    for index, (model, some) in enumerate(groups.items()):
        known = [found for found in some if np.isfinite(found.found.value)]
        if not known:
            continue
        middle = [found.group.middle for found in known]
        share = [found.found.value for found in known]
        low, high = np.array([found.found_interval for found in known]).T
        colour = colour_of(index)
        drawn += [
            bars(middle, low, middle, high, colour=colour, name=model),
            line(middle, share, name=model, colour=colour, alpha=0.5),
            dots(
                _columns(known, middle, share, model),
                told=_TOLD | {"y": "completeness"},
                colour=colour,
                name=model,
            ),
        ]
    return framed(
        drawn,
        x=x,
        y="completeness at 1 % false positives",
        ylim=(0, 1.02),
        yticks=percent_ticks(),
        height=_HEIGHT_PX,
        **_shared_axis(groups, is_log=is_log),
    )


def error_against_plot(
    groups: Mapping[str, Sequence[GroupFigures]], *, x: str, is_log: bool = False
) -> hv.Overlay:
    """Median position error in bins of a quantity with its 95 % interval, and what 95 % of the lenses keep within.

    groups by model. The axis of the error is logarithmic, since a few lenses are placed far off.
    """
    drawn: list[hv.Element] = []
    ends: list[float] = []
    for index, (model, some) in enumerate(groups.items()):
        known = [found for found in some if np.isfinite(found.figures["position_error_median_arcsec"])]
        if not known:
            continue
        middle = [found.group.middle for found in known]
        median, most = (
            np.maximum([found.figures[f"position_error_{part}_arcsec"] for found in known], _SMALLEST_ARCSEC)
            for part in ("median", "p95")
        )
        low, high = np.array([found.error_intervals["median"] for found in known]).T
        low, high = (np.maximum(bound, _SMALLEST_ARCSEC) for bound in (low, high))
        ends += [*median, *most, *low[np.isfinite(low)]]
        colour = colour_of(index)
        drawn += [
            bars(middle, low, middle, high, colour=colour, name=model),
            line(middle, median, name=model, colour=colour, alpha=0.5),
            dots(
                _columns(known, middle, median, model),
                told=_TOLD | {"y": "median / arcsec"},
                colour=colour,
                name=model,
            ),
            line(middle, most, name=model, colour=colour, alpha=0.35, line_dash="dotted"),
            dots(
                _columns(known, middle, most, model),
                told=_TOLD | {"y": "95 % within / arcsec"},
                colour=colour,
                name=model,
                marker="triangle",
                fill_alpha=0,
            ),
        ]
    lowest, highest = (min(ends) / 1.5, max(ends) * 1.5) if ends else (0.01, 1)
    return framed(
        drawn,
        x=x,
        y="position error / arcsec",
        logy=True,
        ylim=(lowest, highest),
        yticks=log_ticks(lowest, highest),
        height=_HEIGHT_PX,
        **_shared_axis(groups, is_log=is_log),
    )


def link(figures: Sequence[Any]) -> None:
    """Give drawn plots of the same quantity one axis, and one line that follows the pointer in all of them."""
    follower = Span(dimension="height", line_color=GUIDE, line_width=1)
    for figure in figures:
        figure.x_range = figures[0].x_range
        figure.add_tools(CrosshairTool(overlay=follower))


_TOLD = {"model": "model", "bin": "from, to", "lenses": "lenses"}


def _columns(
    known: Sequence[GroupFigures], x: Sequence[float], y: Sequence[float], model: str
) -> dict[str, object]:
    return {
        "x": x,
        "y": y,
        "model": [model] * len(known),
        "bin": [found.group.name for found in known],
        "lenses": [found.group.objects for found in known],
    }


def _shared_axis(groups: Mapping[str, Sequence[GroupFigures]], *, is_log: bool) -> dict[str, object]:
    """Options of an axis over the middles of all bins, and a legend if there are several models."""
    options: dict[str, object] = {"show_legend": sum(bool(some) for some in groups.values()) > 1}
    middles = [found.group.middle for some in groups.values() for found in some]
    if not middles:
        return options
    low, high = min(middles), max(middles)
    if is_log:
        ends = (low / 1.2, high * 1.2)
        return options | {"logx": True, "xlim": ends, "xticks": log_ticks(*ends)}
    margin = 0.05 * (high - low) or 0.5
    return options | {"xlim": (low - margin, high + margin)}


def _from_lowest(rows: Mapping[str, Sequence[Row]]) -> list[str]:
    """Names by their value for the first model that has one, the lowest first; equal ones from Z to A."""
    value: dict[str, float] = {}
    for some in rows.values():
        for row in some:
            if np.isfinite(row.value):
                value.setdefault(row.name, row.value)
    return sorted(sorted(value, reverse=True), key=value.__getitem__)


def _offset(index: int, number: int) -> float:
    """Where among the models of one row this one stands."""
    return _SPREAD * ((index + 0.5) / number - 0.5)
