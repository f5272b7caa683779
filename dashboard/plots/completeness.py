"""What share of each bin is taken for a lens, of one or two models: bins to choose from, intervals, what all give.

The data of a drawn figure is in sources that have names: `sources_of` gives their columns anew when another part
of the campaign is looked at, and `update` puts them in.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import holoviews as hv
import numpy as np

from dashboard.plots.style import bars, colour_of, dots, framed, line, log_ticks, percent_ticks
from data.shares import Share
from lensmodel.evaluation.responses import Partition

BINS = "bins"  # the source in which bins are selected
DATA = "data"  # prefix of the sources that are worth saving
ACCENT = "#6f9ff0"

_HEIGHT_PX = 250
_ROW_PX = 27
_TOLD = {"model": "model", "bin": "of", "told": "found"}
Columns = dict[str, Any]


class Found(NamedTuple):
    """What a model finds in each bin of a partition: of the part that is looked at, and of all."""

    model: str
    shares: Sequence[Share]
    everything: Sequence[Share]


def completeness_plot(partition: Partition, found: Sequence[Found], *, share: str) -> hv.Overlay:
    """Share found in bins of a quantity, or by kind; dotted what it is of all. share : what the axis is called."""
    if partition.is_ordered:
        return _curves(partition, found, share)
    return _rows(partition, found, share)


def height_px(partition: Partition, models: int) -> int:
    """Of the plot, known before it is drawn."""
    if partition.is_ordered:
        return _HEIGHT_PX
    return max(170, 80 + (_ROW_PX + 9 * (models - 1)) * len(partition.groups))


def sources_of(partition: Partition, found: Sequence[Found]) -> dict[str, Columns]:
    """Columns by the names of the sources of `completeness_plot`."""
    columns: dict[str, Columns] = {}
    for index, some in enumerate(found):
        place = _places(partition, found, index)
        value, low, high = _values(some.shares)
        whole = _values(some.everything)[0]
        name = f"{DATA}-{index}"
        if partition.is_ordered:
            columns[f"line-{index}"] = {"x": place, "y": value}
            columns[f"all-{index}"] = {"x": place, "y": whole}
            columns[f"interval-{index}"] = {"x": place, "y": low, "x1": place, "y1": high}
            columns[name] = {"x": place, "y": value}
        else:
            half = 0.36 / len(found)
            columns[f"bar-{index}"] = {
                "left": 0 * value,
                "bottom": place - half,
                "right": value,
                "top": place + half,
            }
            columns[f"all-{index}"] = {"x": whole, "y": place - half, "x1": whole, "y1": place + half}
            columns[f"interval-{index}"] = {"x": low, "y": place, "x1": high, "y1": place}
            columns[name] = {"x": value, "y": place}
        columns[name] |= {
            "model": np.array([some.model] * len(value)),
            "bin": np.array([group.name for group in partition.groups]),
            "found": np.array([share.number for share in some.shares]),
            "of": np.array([share.of for share in some.shares]),
            "share": value,
            "low_95": low,
            "high_95": high,
            "told": np.array([told(share) for share in some.shares]),
        }
    return columns


def update(figure: Any, columns: dict[str, Columns]) -> None:
    """Put new columns into the sources of a drawn figure."""
    for renderer in figure.renderers:
        source = renderer.data_source
        if source.name in columns:
            source.data = columns[source.name]


def source_of(figure: Any, name: str) -> Any:
    """The source of that name of a drawn figure."""
    return next(some.data_source for some in figure.renderers if some.data_source.name == name)


def told(share: Share) -> str:
    """A share as a pointer at it shows it."""
    if not share.of:
        return "none here"
    low, high = share.interval
    return f"{share.value:.0%} ({low:.0%} to {high:.0%}), {share.number:,} of {share.of:,}"


def named(element: hv.Element, name: str) -> hv.Element:
    """The element with its source called so, once it is drawn."""
    return element.opts(hooks=[partial(_name_source, name)])


def _curves(partition: Partition, found: Sequence[Found], share: str) -> hv.Overlay:
    groups = partition.groups
    is_log = partition.name == "arc_snr" and groups[0].low > 0
    low, high = np.array([(group.low, group.high) for group in groups]).T
    drawn = [_bins(low, np.zeros(len(low)), high, np.ones(len(low)), "xbox_select")]
    columns = sources_of(partition, found)
    for index, some in enumerate(found):
        colour = colour_of(index)
        whole, at, bounds = (columns[f"{what}-{index}"] for what in ("all", "line", "interval"))
        drawn += [
            named(line(**whole, name="", colour=colour, alpha=0.7, line_dash="dotted"), f"all-{index}"),
            named(bars(*bounds.values(), colour=colour, name=some.model), f"interval-{index}"),
            named(line(**at, name=some.model, colour=colour, alpha=0.6), f"line-{index}"),
            _dots(columns[f"{DATA}-{index}"], colour, some.model, f"{DATA}-{index}"),
        ]
    ends, margin = (float(low[0]), float(high[-1])), 0.02 * float(high[-1] - low[0]) or 0.5
    ticks = {"logx": True, "xticks": log_ticks(*ends)} if is_log else {}
    limits = (ends[0] / 1.1, ends[1] * 1.1) if is_log else (ends[0] - margin, ends[1] + margin)
    unit = f" / {partition.unit}" if partition.unit else ""
    return framed(
        drawn,
        x=f"{partition.title}{unit}",
        y=share,
        height=height_px(partition, len(found)),
        xlim=limits,
        ylim=(0, 1.03),
        yticks=percent_ticks(),
        active_tools=["tap", "xbox_select"],
        show_legend=len(found) > 1,
        **ticks,
    )


def _rows(partition: Partition, found: Sequence[Found], share: str) -> hv.Overlay:
    number = len(partition.groups)
    rank = _ranks(found[0])
    columns = sources_of(partition, found)
    ends = [high for some in found for high in _values(some.everything)[2] if np.isfinite(high)]
    reach = 1.0 if max(ends, default=1.0) > 0.5 else max(ends)
    drawn = [_bins(np.zeros(number), rank - 0.5, np.full(number, reach), rank + 0.5, "ybox_select")]
    for index, some in enumerate(found):
        colour = colour_of(index)
        bar, whole, bounds = (columns[f"{what}-{index}"] for what in ("bar", "all", "interval"))
        drawn += [
            named(
                hv.Rectangles(tuple(bar.values()), ["x", "y", "x1", "y1"], label=some.model).opts(
                    color=colour, alpha=0.45, line_alpha=0
                ),
                f"bar-{index}",
            ),
            named(bars(*whole.values(), colour=colour, name="", line_dash="dotted"), f"all-{index}"),
            named(bars(*bounds.values(), colour=colour, name=some.model), f"interval-{index}"),
            _dots(columns[f"{DATA}-{index}"], colour, some.model, f"{DATA}-{index}"),
        ]
    ticks = percent_ticks() if reach == 1.0 else [(at, f"{at:.0%}") for at in _small_ticks(reach)]
    return framed(
        drawn,
        x=share,
        y="",
        height=height_px(partition, len(found)),
        xlim=(-0.01 * reach, 1.03 * reach),
        ylim=(-0.6, number - 0.4),
        xticks=ticks,
        yticks=[(int(place), group.name) for place, group in zip(rank, partition.groups, strict=True)],
        active_tools=["tap", "ybox_select"],
        show_legend=len(found) > 1,
    )


def _bins(x: np.ndarray, y: np.ndarray, x1: np.ndarray, y1: np.ndarray, box: str) -> hv.Rectangles:
    """What a tap or a box selects: the bins from edge to edge, seen only where they are selected."""
    bins = hv.Rectangles((x, y, x1, y1), ["x", "y", "x1", "y1"]).opts(
        fill_color=ACCENT,
        line_color=ACCENT,
        fill_alpha=0.0,
        line_alpha=0.0,
        selection_fill_alpha=0.22,
        selection_line_alpha=0.8,
        nonselection_fill_alpha=0.0,
        nonselection_line_alpha=0.0,
        tools=["tap", box],
    )
    return named(bins, BINS)


def _dots(columns: Columns, colour: str, model: str, name: str) -> hv.Element:
    return named(dots(columns, told=_TOLD, colour=colour, name=model), name)


def _name_source(name: str, plot: Any, element: hv.Element) -> None:
    plot.handles["source"].name = name


def _values(shares: Sequence[Share]) -> np.ndarray:
    """(share and bounds, bin)."""
    return np.array([(share.value, *share.interval) for share in shares], float).reshape(-1, 3).T


def _places(partition: Partition, found: Sequence[Found], index: int) -> np.ndarray:
    """Where the bins of the `index`-th model are drawn along the axis of bins."""
    if partition.is_ordered:
        return np.array([group.middle for group in partition.groups])
    return _ranks(found[0]) - 0.8 * ((index + 0.5) / len(found) - 0.5)


def _ranks(found: Found) -> np.ndarray:
    """The rows from the bottom: kinds by what all of them give, so that a selection moves none."""
    value = np.nan_to_num(_values(found.everything)[0], nan=-1.0)
    ranks = np.empty(len(value))
    ranks[np.argsort(value, kind="stable")] = np.arange(len(value))
    return ranks


def _small_ticks(reach: float) -> np.ndarray:
    step = next((step for step in (0.005, 0.01, 0.02, 0.05, 0.1) if reach / step <= 6), 0.1)
    return np.arange(0, reach, step)
