"""How figures differ between groups of objects: by subtype, and against a quantity."""

from collections.abc import Mapping, Sequence

import holoviews as hv
import numpy as np

from dashboard.plots.style import bars, colour_of, dots, framed, line, log_ticks, percent_ticks
from lensmodel.evaluation.figures import GroupFigures

_ROW_PX = 26
_SPREAD = 0.6  # of the space between two rows, shared by the models


def subtype_plot(groups: Mapping[str, Sequence[GroupFigures]], *, x: str) -> hv.Overlay:
    """Share found of each subtype, a row each, with 95 % intervals; groups by model."""
    names = sorted({found.group.name for some in groups.values() for found in some}, reverse=True)
    drawn: list[hv.Element] = []
    placed = [model for model, some in groups.items() if some]
    for index, (model, some) in enumerate(groups.items()):
        known = [found for found in some if np.isfinite(found.share_found)]
        rows = np.array([names.index(found.group.name) for found in known], float)
        rows -= _offset(placed.index(model), len(placed)) if model in placed else 0
        low, high = np.array([found.share_found_interval for found in known]).reshape(-1, 2).T
        columns = {
            "x": [found.share_found for found in known],
            "y": rows,
            "subtype": [found.group.name for found in known],
            "model": [model] * len(known),
            "found": [f"{found.found} of {found.objects}" for found in known],
        }
        told = {"model": "model", "subtype": "subtype", "found": "above the threshold"}
        colour = colour_of(index)
        drawn += [bars(low, rows, high, rows, colour=colour), dots(columns, told=told, colour=colour)]
    return framed(
        drawn,
        x=x,
        y="",
        height=max(150, 70 + _ROW_PX * len(names) + 6 * len(names) * (len(placed) - 1)),
        ylim=(-0.6, len(names) - 0.4),
        yticks=list(enumerate(names)),
        xlim=(-0.01, 1.02),
        xticks=percent_ticks(),
    )


def share_against_plot(
    groups: Mapping[str, Sequence[GroupFigures]], *, x: str, is_log: bool = False
) -> hv.Overlay:
    """Completeness at 1 % false positives in bins of a quantity, with 95 % intervals; groups by model."""
    drawn: list[hv.Element] = []
    for index, (model, some) in enumerate(groups.items()):
        known = [found for found in some if np.isfinite(found.share_found)]
        middle = _middles(known, is_log=is_log)
        share = np.array([found.share_found for found in known])
        low, high = np.array([found.share_found_interval for found in known]).reshape(-1, 2).T
        colour = colour_of(index)
        drawn += [
            bars(middle, low, middle, high, colour=colour),
            line(middle, share, name=model, colour=colour, alpha=0.5),
            dots(_columns(known, middle, share, model), told=_TOLD, colour=colour),
        ]
    return framed(
        drawn,
        x=x,
        y="completeness",
        ylim=(0, 1.02),
        yticks=percent_ticks(),
        height=280,
        **_log_axis(groups, is_log=is_log),
    )


def error_against_plot(
    groups: Mapping[str, Sequence[GroupFigures]], *, x: str, is_log: bool = False
) -> hv.Overlay:
    """Median position error in bins of a quantity, and up to what 95 % have; groups by model."""
    drawn: list[hv.Element] = []
    for index, (model, some) in enumerate(groups.items()):
        known = [found for found in some if np.isfinite(found.figures["position_error_median_arcsec"])]
        middle = _middles(known, is_log=is_log)
        median, most = (
            np.array([found.figures[f"position_error_{part}_arcsec"] for found in known])
            for part in ("median", "p95")
        )
        colour = colour_of(index)
        drawn += [
            bars(middle, median, middle, most, colour=colour, alpha=0.4),
            line(middle, median, name=model, colour=colour, alpha=0.5),
            dots(_columns(known, middle, median, model), told=_TOLD, colour=colour),
        ]
    return framed(
        drawn,
        x=x,
        y="position error / arcsec",
        ylim=(0, None),
        height=280,
        **_log_axis(groups, is_log=is_log),
    )


_TOLD = {"model": "model", "bin": "from, to", "lenses": "lenses", "y": "value"}


def _columns(known: Sequence[GroupFigures], x: np.ndarray, y: np.ndarray, model: str) -> dict[str, object]:
    return {
        "x": x,
        "y": y,
        "model": [model] * len(known),
        "bin": [found.group.name for found in known],
        "lenses": [found.objects for found in known],
    }


def _log_axis(groups: Mapping[str, Sequence[GroupFigures]], *, is_log: bool) -> dict[str, object]:
    """Options of an axis over all bins."""
    ends = [end for some in groups.values() for found in some for end in (found.group.low, found.group.high)]
    if not is_log or not ends:
        return {}
    return {"logx": True, "xticks": log_ticks(min(ends), max(ends))}


def _middles(known: Sequence[GroupFigures], *, is_log: bool) -> np.ndarray:
    low, high = (np.array([getattr(found.group, end) for found in known]) for end in ("low", "high"))
    return np.sqrt(low * high) if is_log else (low + high) / 2


def _offset(index: int, number: int) -> float:
    """Where among the models of one row this one stands."""
    return _SPREAD * ((index + 0.5) / number - 0.5)
