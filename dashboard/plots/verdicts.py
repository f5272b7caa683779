"""How well a model tells lenses from non-lenses, drawn: ROC, purity and completeness, reliability."""

from collections.abc import Mapping

import holoviews as hv
import numpy as np

from dashboard.plots.style import GUIDE, bars, colour_of, dots, framed, guide, line, percent_ticks
from data.shares import wilson
from lensmodel.evaluation.metrics import PurityCurve, Reliability, RocCurve

_POINTS = 400  # of a drawn curve; more would not show and make the page heavy


_DASHES = ("solid", "dashed", "dotted", "dotdash")


def roc_plot(curves: Mapping[str, RocCurve], *, non_lenses: int, is_dashed: bool = False) -> hv.Overlay:
    """Completeness against false-positive rate, which is logarithmic: a survey works far to the left.

    is_dashed : tell the curves apart by their dashes too, since they are many.
    """
    lowest = 0.5 / max(non_lenses, 1)
    rate = np.geomspace(lowest, 1, _POINTS)
    drawn = [
        hv.VLine(share).opts(color=GUIDE, line_width=1, line_dash="dashed")
        for share in (0.001, 0.01)
        if share > lowest
    ]
    for index, (name, curve) in enumerate(curves.items()):
        if not curve.completeness.any():
            continue  # it scored nothing
        last = np.searchsorted(curve.false_positive_rate, rate, side="right") - 1
        drawn.append(
            line(
                rate,
                curve.completeness[last],
                name=name,
                colour=colour_of(index),
                interpolation="steps-post",
                line_dash=_DASHES[index % len(_DASHES)] if is_dashed else "solid",
            )
        )
    return framed(
        drawn,
        x="false-positive rate: share of non-lenses that pass",
        y="completeness: share of lenses found",
        show_legend=len(curves) > 1,
        logx=True,
        xlim=(lowest, 1),
        ylim=(0, 1.02),
        xticks=[(10.0**power, _percent(10.0**power)) for power in range(-6, 1) if 10.0**power >= lowest],
        yticks=percent_ticks(),
    )


def purity_plot(curves: Mapping[str, PurityCurve]) -> hv.Overlay:
    """Purity against completeness, in the mix of classes of the campaign."""
    drawn = []
    for index, (name, curve) in enumerate(curves.items()):
        kept = _some_of(len(curve.purity))
        drawn.append(line(curve.completeness[kept], curve.purity[kept], name=name, colour=colour_of(index)))
    return framed(
        drawn,
        x="completeness: share of lenses found",
        y="purity: share of lenses in what is taken",
        show_legend=len(curves) > 1,
        xlim=(0, 1.02),
        ylim=(0, 1.02),
        xticks=percent_ticks(),
        yticks=percent_ticks(),
    )


def threshold_plot(curves: Mapping[str, PurityCurve]) -> hv.Overlay:
    """Completeness (whole lines) and purity (dotted) of what has p_lens from a threshold up."""
    drawn = []
    for index, (name, curve) in enumerate(curves.items()):
        kept, colour = _some_of(len(curve.purity)), colour_of(index)
        p_lens = curve.threshold[kept]
        for what, values, dash in (
            ("completeness", curve.completeness, "solid"),
            ("purity", curve.purity, "dotted"),
        ):
            label = name if len(curves) > 1 else what
            drawn.append(line(p_lens, values[kept], name=label, colour=colour, line_dash=dash))
    return framed(
        drawn,
        x="threshold in p_lens, at the prior of the model",
        y="completeness or purity",
        show_legend=True,
        xlim=(0, 1),
        ylim=(0, 1.02),
        yticks=percent_ticks(),
    )


def reliability_plot(measured: Mapping[str, Reliability]) -> hv.Overlay:
    """Share of lenses against the probability stated, with 95 % intervals; honest ones lie on the diagonal."""
    drawn = [guide((0, 1), (0, 1))]
    for index, (name, bins) in enumerate(measured.items()):
        lenses = np.rint(bins.share_of_lenses * bins.objects).astype(int)
        bounds = np.array(
            [wilson(*pair) for pair in zip(lenses.tolist(), bins.objects.tolist(), strict=True)]
        )
        low, high = bounds.reshape(-1, 2).T
        colour = colour_of(index)
        columns = {
            "x": bins.stated,
            "y": bins.share_of_lenses,
            "objects": bins.objects,
            "model": [name] * len(low),
        }
        told = {"model": "model", "x": "stated", "y": "share of lenses", "objects": "objects"}
        drawn += [
            bars(bins.stated, low, bins.stated, high, colour=colour, name=name),
            line(bins.stated, bins.share_of_lenses, name=name, colour=colour),
            dots(columns, told=told, colour=colour, name=name),
        ]
    return framed(
        drawn,
        x="p_lens, mean of the bin",
        y="share of lenses in the bin",
        show_legend=len(measured) > 1,
        xlim=(0, 1),
        ylim=(0, 1.02),
    )


def _some_of(number: int) -> np.ndarray:
    return np.unique(np.linspace(0, number - 1, min(number, _POINTS)).astype(int))


def _percent(share: float) -> str:
    return f"{100 * share:g}%"
