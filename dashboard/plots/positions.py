"""How far predicted positions lie from the true ones, and whether their uncertainty says so."""

from collections.abc import Mapping

import holoviews as hv
import numpy as np
from scipy.stats import norm

from dashboard.plots.style import GUIDE, colour_of, framed, guide, line, log_ticks, percent_ticks
from lensmodel.evaluation.metrics import Numbers

_SHARES = np.linspace(0, 1, 300)
_WIDEST_PULL = 5.0
_SMALLEST_ARCSEC = 1e-4  # of what a logarithmic axis shows


def error_plot(errors_arcsec: Mapping[str, Numbers]) -> hv.Overlay:
    """Share of lenses whose position error is smaller, by model; dashed at 50, 68 and 95 %."""
    drawn: list[hv.Element] = [
        hv.HLine(share).opts(color=GUIDE, line_width=1, line_dash="dashed") for share in (0.5, 0.68, 0.95)
    ]
    for index, (name, errors) in enumerate(errors_arcsec.items()):
        known = np.maximum(errors[np.isfinite(errors)], _SMALLEST_ARCSEC)
        if len(known):
            drawn.append(line(np.quantile(known, _SHARES), _SHARES, name=name, colour=colour_of(index)))
    return framed(
        drawn,
        x="position error / arcsec",
        y="share of lenses with a smaller error",
        show_legend=len(errors_arcsec) > 1,
        logx=True,
        xticks=log_ticks(_SMALLEST_ARCSEC, 100),
        ylim=(0, 1.02),
        yticks=percent_ticks(),
    )


def pull_plot(pulls: Mapping[str, Numbers]) -> hv.Overlay:
    """Errors per axis in units of the stated sigma, beside the Gaussian that they should follow (dashed)."""
    x = np.linspace(-_WIDEST_PULL, _WIDEST_PULL, 121)
    drawn: list[hv.Element] = [guide(x.tolist(), norm.pdf(x).tolist(), name="Gaussian of width 1")]
    for index, (name, pull) in enumerate(pulls.items()):
        known = pull[np.isfinite(pull)]
        if len(known):
            number = int(np.clip(np.sqrt(len(known)), 10, 60))
            edges = np.linspace(-_WIDEST_PULL, _WIDEST_PULL, number + 1)
            density = np.histogram(known, edges)[0] / len(known) / np.diff(edges)
            middle = (edges[1:] + edges[:-1]) / 2
            drawn.append(line(middle, density, name=name, colour=colour_of(index), interpolation="steps-mid"))
    return framed(
        drawn,
        x="position error per axis / its stated sigma",
        y="share of errors per unit",
        show_legend=True,
        xlim=(-_WIDEST_PULL, _WIDEST_PULL),
        ylim=(0, None),
    )
