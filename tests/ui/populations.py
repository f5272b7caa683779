"""`make figures`: what the simulated populations are drawn from, beside the distributions that they are said to follow.

Curves are computed here from the cited formulae, not read from the simulation's code. Dashed lines are a rough
reading: they leave out what the citation's own selection does.
"""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import holoviews as hv
import numpy as np
import torch
from astropy.cosmology import FlatLambdaCDM
from bokeh.embed import file_html
from bokeh.resources import INLINE
from numpy.typing import NDArray

from dashboard.plots.style import GUIDE, colour_of, framed, line
from data.simulations.arcs import DETECTABLE_SNR, arc_mask, arc_truth
from data.simulations.cosmology import einstein_radius_arcsec
from data.simulations.dice import Dice
from data.simulations.instrument import blur, draw_psf_shapes, kernels
from data.simulations.light import Sky
from data.simulations.populations import POPULATIONS
from data.simulations.recipes import SCENES
from data.simulations.sources import draw_source
from data.simulations.strong_lenses import (
    LARGEST_THETA_E_ARCSEC,
    SMALLEST_THETA_E_ARCSEC,
    deflector_and_source,
)
from tests.fixtures.browsers import open_chromium

OUT = Path(__file__).resolve().parents[2] / "docs" / "populations.png"
NUMBER = 40_000
PAINTED, AT_ONCE = 192, 16  # lenses whose arcs are measured
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
PANEL_PX = (430, 300)

Values = NDArray[np.float64]
Curve = tuple[Values, Values]


@dataclass(frozen=True)
class Panel:
    """One quantity. cited : what the curve is, in words; curve : (x, density), None if nobody published one."""

    column: str
    label: str
    edges: Values
    cited: str
    curve: Callable[[], Curve] | None = None
    is_rough: bool = False


def main() -> None:
    """Draw the populations and save the picture."""
    torch.set_num_threads(1)
    drawn = {name: _drawn(name) for name in POPULATIONS}
    layout = (
        hv.Layout([_plot(panel, drawn) for panel in PANELS]).cols(4).opts(shared_axes=False, toolbar=None)
    )
    _save(layout)


def _drawn(name: str) -> dict[str, Values]:
    """By column, of deflectors, of lenses and their sources, and of arcs."""
    population = POPULATIONS[name]
    dice = Dice(NUMBER, torch.Generator().manual_seed(1))
    _, deflectors = population.deflectors(dice)
    z_lens, sigma, z_source, mag = deflector_and_source(dice, population)
    zero = torch.zeros(NUMBER)
    source = draw_source(dice, zero, zero, redshift=z_source, mag=mag, red_share=population.red_sources)
    columns = {
        "deflector_sigma": deflectors,
        "z_lens": z_lens,
        "z_source": z_source,
        "theta_E": einstein_radius_arcsec(sigma, z_lens, z_source),
        "source_mag": mag,
        "colour": source.galaxy.mags[:, 0] - source.galaxy.mags[:, 1],
        "snr": _snr_of_arcs(name),
    }
    return {column: values.numpy().astype(float) for column, values in columns.items()}


def _snr_of_arcs(name: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    measured = []
    for _ in range(PAINTED // AT_ONCE):
        dice, sky = Dice(AT_ONCE, generator), Sky(AT_ONCE)
        truth = SCENES[f"galaxy lens ({name})"](dice, sky)
        psfs = kernels(draw_psf_shapes(dice), sky.nir.shape[-1])
        assert sky.lensed is not None
        lensed, foreground = blur(*sky.lensed, psfs), blur(sky.vis, sky.nir, psfs)
        at = truth["sim_target_x_arcsec"], truth["sim_target_y_arcsec"]
        measured.append(arc_truth(lensed, foreground, arc_mask(lensed), *at)["sim_arc_snr"])
    return torch.cat(measured)


def _choi() -> Curve:
    """Choi, Park & Vogeley 2007, ApJ 658, 884: sigma* = 161 km/s, alpha = 2.32, beta = 2.67; times sigma^4."""
    sigma = np.linspace(160, 400, 300)
    scaled = sigma / 161
    return sigma, scaled ** (2.32 + 4) * np.exp(-(scaled**2.67)) / sigma


def _distance(redshift: Values) -> Values:
    return np.asarray(COSMOLOGY.comoving_distance(redshift).value)


def _lens_redshifts() -> Curve:
    """Turner, Ostriker & Gott 1984, ApJ 284, 1: comoving volume times the cross-section of isothermal spheres,
    in front of sources at the median redshift of the population."""
    z = np.linspace(0.01, 1.5, 300)
    source = _distance(np.array([1.7]))
    volume = _distance(z) ** 2 / COSMOLOGY.efunc(z)
    return z, volume * (1 - _distance(z) / source).clip(0) ** 2


def _source_redshifts() -> Curve:
    """Galaxies of i < 25.3 by the LSST DESC requirements (arXiv:1809.01669): z^2 exp(-(z / 0.28)^0.9), times the
    optical depth of a flat universe, which grows as the cube of the distance."""
    z = np.linspace(0.05, 5.5, 300)
    return z, z**2 * np.exp(-((z / 0.28) ** 0.9)) * _distance(z) ** 3


def _einstein_radii() -> Curve:
    """The ingredients of Collett 2015, ApJ 811, 20, without limits of S/N: isothermal deflectors after Choi et al.,
    as many per comoving volume at any redshift, weighed by their cross-section, and the sources above."""
    random = np.random.default_rng(3)
    sigma = np.linspace(100, 450, 400)
    scaled = sigma / 161
    sigmas = _from(random, sigma, scaled**2.32 * np.exp(-(scaled**2.67)) / sigma)
    z = np.linspace(0.02, 2.0, 400)
    z_lens = _from(random, z, _distance(z) ** 2 / COSMOLOGY.efunc(z))
    z = np.linspace(0.05, 5.5, 400)
    z_source = _from(random, z, z**2 * np.exp(-((z / 0.28) ** 0.9)))
    share = (1 - _distance(z_lens) / _distance(z_source)).clip(0)
    theta_e = 4 * math.pi * (sigmas / 299_792.458) ** 2 * share * 206_265
    edges = np.linspace(SMALLEST_THETA_E_ARCSEC, LARGEST_THETA_E_ARCSEC, 28)
    density, _ = np.histogram(theta_e, edges, weights=theta_e**2)
    return (edges[1:] + edges[:-1]) / 2, density


def _from(random: np.random.Generator, grid: Values, weight: Values, number: int = 1_000_000) -> Values:
    cumulative = np.cumsum(weight) / weight.sum()
    return np.interp(random.random(number), cumulative, grid)


def _source_counts() -> Curve:
    """LSST Science Book (arXiv:0912.0201): 46 x 10^(0.31 (i - 25)) galaxies per square arcmin brighter than i."""
    mag = np.linspace(22, 26.3, 50)
    return mag, 10 ** (0.31 * mag)


def _arcs_by_snr() -> Curve:
    """Collett 2015: twice the S/N asked for halves the number of lenses, N(> S/N) as 1 / (S/N)."""
    log_snr = np.linspace(np.log10(DETECTABLE_SNR), 3, 50)
    return log_snr, 10**-log_snr


PANELS = (
    Panel("deflector_sigma", "velocity dispersion of deflectors / km/s", np.linspace(160, 400, 49),
          "Choi et al. 2007 x σ⁴", _choi),
    Panel("z_lens", "redshift of the lens", np.linspace(0, 1.4, 57),
          "volume x cross-section (Turner et al. 1984), z_s 1.7", _lens_redshifts, is_rough=True),
    Panel("z_source", "redshift of the source", np.linspace(0, 5.5, 56),
          "galaxies of i < 25.3 (DESC 2018) x optical depth", _source_redshifts, is_rough=True),
    Panel("theta_E", "Einstein radius / arcsec", np.linspace(0.4, 2.85, 50),
          "from the ingredients of Collett 2015, no S/N limit", _einstein_radii, is_rough=True),
    Panel("source_mag", "unlensed VIS magnitude of the source", np.linspace(22, 26.4, 45),
          "counts as 10^(0.31 i) (LSST Science Book 2009)", _source_counts, is_rough=True),
    Panel("colour", "VIS − Y of the source / mag", np.linspace(-1, 2.6, 49), "as assumed: no published curve"),
    Panel("snr", "log S/N of the arcs, all bands", np.linspace(0, 3.4, 18),
          "N(> S/N) ∝ 1 / (S/N) from 20 (Collett 2015)", _arcs_by_snr, is_rough=True),
)  # fmt: skip


def _plot(panel: Panel, drawn: dict[str, dict[str, Values]]) -> hv.Overlay:
    elements: list[hv.Element] = []
    width = np.diff(panel.edges)
    middle = panel.edges[:-1] + width / 2
    for index, (name, columns) in enumerate(drawn.items()):
        values = columns[panel.column]
        values = np.log10(values.clip(1e-3)) if panel.column == "snr" else values
        density = np.histogram(values, panel.edges)[0] / len(values) / width
        # wilde2022 shares most distributions with survey: drawn dotted, so that both can be seen.
        style = {"line_dash": "dotted"} if name == "wilde2022" else {}
        elements.append(
            line(middle, density, name=name, colour=colour_of(index), interpolation="steps-mid", **style)
        )
    if panel.curve is not None:
        elements.append(_cited(panel, drawn))
    return framed(
        elements,
        x=panel.label,
        y="share per unit",
        title=panel.cited,
        show_legend=panel.column in ("deflector_sigma", "snr"),
        responsive=False,
        width=PANEL_PX[0],
        height=PANEL_PX[1],
        fontsize={"title": 9, "labels": 10, "legend": 8},
        legend_position="top_right",
        legend_cols=1,
        toolbar=None,
        ylim=(0, None),
        xlim=(float(panel.edges[0]), float(panel.edges[-1])),
    )


def _cited(panel: Panel, drawn: dict[str, dict[str, Values]]) -> hv.Curve:
    """The published curve with the area of the survey's histogram below it."""
    assert panel.curve is not None
    x, y = panel.curve()
    values = drawn["survey"][panel.column]
    values = np.log10(values.clip(1e-3)) if panel.column == "snr" else values
    share = np.mean((values >= x[0]) & (values <= x[-1]))
    dash = "dashed" if panel.is_rough else "solid"
    name = "cited" if not panel.is_rough else "cited, rough"
    return line(x, y / np.trapezoid(y, x) * share, name=name, colour=GUIDE, line_dash=dash)


def _save(layout: hv.Layout) -> None:
    page_html = file_html(hv.render(layout, backend="bokeh"), INLINE, title="populations")
    with tempfile.TemporaryDirectory() as folder, open_chromium() as browser:
        path = Path(folder) / "populations.html"
        path.write_text(page_html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 4 * PANEL_PX[0] + 20, "height": 2 * PANEL_PX[1] + 40})
        page.goto(path.as_uri())
        page.wait_for_function("() => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
        OUT.parent.mkdir(exist_ok=True)
        page.screenshot(path=OUT)


if __name__ == "__main__":
    main()
