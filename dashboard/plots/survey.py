"""Pictures of a whole survey: arrays of millions in, pictures of a few hundred thousand pixels out. Pure.

What is selected keeps its colours, the rest is grey. Counting is Datashader's, in its own compiled code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import datashader as ds
import numpy as np
import pandas as pd
from astropy import units as u
from astropy_healpix import HEALPix
from bokeh.palettes import Viridis256
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from data.sky_projection import SkyProjection

Numbers = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Codes = NDArray[np.uint8]
Counts = NDArray[np.float64]

_DARKEST = 40  # of 256: below it a single object is not seen on the dark ground
_GREY = 128
_STEPS_DEG = (30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_SPARSE = ((0.002, 3), (0.02, 1))  # up to this share of pixels with an object, pixels beyond its own
_POINTS = 91  # of each line
_NAME_PX = (44, 16)
_AT_ONCE = 2**16  # rows: what is made of them stays in the processor's cache
_LINES = 5  # of the graticule, about, across the view


def _rgb(names: Sequence[str]) -> Pixels:
    """(colour, RGB) of names such as #3b7dd8."""
    return np.array([[int(name[n : n + 2], 16) for n in (1, 3, 5)] for name in names], np.uint8)


COLOURS = _rgb(Viridis256[_DARKEST:])


@dataclass(frozen=True)
class View:
    """What a plot shows: ranges of both axes, and its size in pixels."""

    x0: float
    x1: float
    y0: float
    y1: float
    width_px: int
    height_px: int

    @property
    def pixel(self) -> float:
        """Width of a pixel in units of the axis."""
        return (self.x1 - self.x0) / self.width_px

    def centres(self) -> tuple[Counts, Counts]:
        """x and y of each pixel: (y, x), from the bottom."""
        x = self.x0 + (np.arange(self.width_px) + 0.5) * self.pixel
        y = self.y0 + (np.arange(self.height_px) + 0.5) * (self.y1 - self.y0) / self.height_px
        return np.meshgrid(x, y)  # type: ignore[return-value]  # two arrays


@dataclass(frozen=True)
class Picture:
    """pixels : (y, x, RGBA) from the bottom. low, high : what the first and the last colour stand for."""

    pixels: Pixels
    low: float
    high: float


def counted(x: Numbers, y: Numbers, view: View, *, weight: Numbers | None = None) -> Counts:
    """Objects in each pixel (y, x), or the mean of a weight over them, NaN where there is none."""
    columns = {"x": x, "y": y} | ({} if weight is None else {"weight": weight})
    canvas = ds.Canvas(view.width_px, view.height_px, (view.x0, view.x1), (view.y0, view.y1))
    how = ds.count() if weight is None else ds.mean("weight")
    # Columns stay where they are: nothing of this size is copied.
    return np.asarray(canvas.points(pd.DataFrame(columns, copy=False), "x", "y", how).data, float)


def scatter(
    x: Numbers,
    y: Numbers,
    view: View,
    *,
    mask: Mask | None = None,
    weight: Numbers | None = None,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Two columns against each other, coloured by how many objects there are, or by the mean of a weight.

    limits : of the colours for a weight.
    """
    every = counted(x, y, view)
    reach_px = _reach_px(every)
    if mask is None and weight is None:
        every = _spread(every, reach_px)
        return _by_count(every, every)
    x, y, weight = (values if values is None or mask is None else values[mask] for values in (x, y, weight))
    chosen = _spread(every if mask is None else counted(x, y, view), reach_px)
    every = _spread(every, reach_px)
    if weight is None:
        return _by_count(every, chosen)
    low, high = limits or (0.0, 1.0)
    mean = _spread(counted(x, y, view, weight=weight), reach_px)
    return Picture(_painted(every, chosen, (mean - low) / (high - low)), low, high)


def by_category(
    x: Numbers, y: Numbers, view: View, codes: Codes, colours: Sequence[str], *, mask: Mask | None = None
) -> Picture:
    """Two columns against each other; each pixel has the colour of the category that most of its objects are of.

    codes : of each object, 0 for none, which is grey, else the number of its colour from 1.
    """
    every = counted(x, y, view)
    reach_px = _reach_px(every)
    chosen = [
        codes == number if mask is None else (codes == number) & mask for number in range(1, len(colours) + 1)
    ]
    counts = np.stack([_spread(counted(x[some], y[some], view), reach_px) for some in chosen])
    pixels = _painted(_spread(every, reach_px), np.zeros_like(every), every)
    there = counts.max(axis=0) > 0
    pixels[there, :3] = _rgb(colours)[counts.argmax(axis=0)[there]]
    pixels[there, 3] = 255
    return Picture(pixels, 0, 0)


def sky_density(
    every: NDArray[np.int64], chosen: NDArray[np.int64], projection: SkyProjection, view: View
) -> Picture:
    """Objects per square degree of sky; counts by nested HEALPix cell of one order, of all and of those selected."""
    nside = int(np.sqrt(len(every) / 12))
    healpix = HEALPix(nside, order="nested")
    ra_deg, dec_deg = projection.unproject(*view.centres())
    there = np.isfinite(ra_deg)
    cells = healpix.lonlat_to_healpix(ra_deg[there] * u.deg, dec_deg[there] * u.deg)
    area_deg2 = healpix.pixel_area.to_value(u.deg**2)
    images = []
    for counts in (every, chosen):
        image = np.zeros(ra_deg.shape)
        image[there] = counts[cells] / area_deg2
        images.append(image)
    return _by_count(*images)


def cell_order(view: View, *, most: int) -> int | None:
    """The order of HEALPix whose cells are some three pixels wide; None where cells of the finest would be larger."""
    for order in range(most, 1, -1):
        if HEALPix(2**order).pixel_resolution.to_value(u.deg) >= 3 * view.pixel:
            return None if order == most and _is_coarse(order, view) else order
    return 2


def graticule(projection: SkyProjection, view: View) -> tuple[list[Counts], list[tuple[float, float, str]]]:
    """Lines of right ascension and declination in a view, (point, xy) each, and where their names stand."""
    step = _step(view)
    ra_deg, dec_deg = projection.unproject(*_coarse(view).centres())
    if not np.isfinite(dec_deg).any():
        return [], []
    low, high = np.nanmin(dec_deg), np.nanmax(dec_deg)
    west = _around(ra_deg, projection.centre_ra_deg)
    ra_step = min(
        (one for one in _STEPS_DEG if one >= step / max(0.05, np.cos(np.radians(min(abs(low), abs(high)))))),
        default=30.0,
    )
    lines, names = [], []
    for dec in np.arange(np.ceil(low / step) * step, min(high, 89.99), step):
        along = np.linspace(np.nanmin(west), np.nanmax(west), _POINTS)
        lines.append(_line(projection, along + projection.centre_ra_deg, np.full(_POINTS, dec)))
        names.append((*_named_at(lines[-1], view, left=True), f"{dec:+g}°"))
    east = projection.centre_ra_deg
    for ra in np.arange(
        np.ceil((np.nanmin(west) + east) / ra_step) * ra_step, np.nanmax(west) + east, ra_step
    ):
        lines.append(
            _line(projection, np.full(_POINTS, ra), np.linspace(max(low, -89.9), min(high, 89.9), _POINTS))
        )
        names.append((*_named_at(lines[-1], view, left=False), f"{ra % 360:.6g}°"))
    return lines, _apart([name for name in names if np.isfinite(name[0])], view)


def _apart(names: list[tuple[float, float, str]], view: View) -> list[tuple[float, float, str]]:
    """Those names that do not stand on others."""
    kept: list[tuple[float, float, str]] = []
    for x, y, name in names:
        reach_x, reach_y = _NAME_PX[0] * view.pixel, _NAME_PX[1] * (view.y1 - view.y0) / view.height_px
        if not any(abs(x - other[0]) < reach_x and abs(y - other[1]) < reach_y for other in kept):
            kept.append((x, y, name))
    return kept


def histogram(
    values: Numbers, low: float, high: float, bins: int, mask: Mask | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of all, and of those selected, are in each of so many equal bins."""

    def counts(some: Numbers) -> NDArray[np.int64]:
        # What is NaN or outside goes into a bin at either end that is left out.
        placed = np.nan_to_num((some - np.float32(low)) * np.float32(bins / (high - low)), nan=-1.0)
        found: NDArray[np.int64] = np.bincount(
            (placed.clip(-1, bins) + 1).astype(np.int16), minlength=bins + 2
        )
        return found[1 : bins + 1]

    every, chosen = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for first in range(0, len(values), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        every += counts(values[part])
        if mask is not None:
            chosen += counts(values[part][mask[part]])
    return every, every if mask is None else chosen


def nearest(
    x: Numbers, y: Numbers, at: tuple[float, float], reach: tuple[float, float], mask: Mask | None
) -> int | None:
    """The place of the object nearest to a point, of those within reach along both axes; selected ones first."""
    near = (np.abs(x - np.float32(at[0])) < reach[0]) & (np.abs(y - np.float32(at[1])) < reach[1])
    places = np.flatnonzero(near)
    if mask is not None and mask[places].any():
        places = places[mask[places]]
    if not len(places):
        return None
    away = ((x[places] - at[0]) / reach[0]) ** 2 + ((y[places] - at[1]) / reach[1]) ** 2
    return int(places[away.argmin()])


def limits_of(values: Numbers) -> tuple[float, float]:
    """The range that holds nearly all finite values, a little wider; from 0 to 1 if there are none."""
    some = values[:: max(1, len(values) // 200_000)]
    some = some[np.isfinite(some)]
    if not len(some):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(some, [0.05, 99.95]))
    margin = 0.03 * (high - low) or 0.5
    return low - margin, high + margin


def _reach_px(counts: Counts) -> int:
    """How far an object is drawn beyond its pixel: where there are few, one pixel would not be seen."""
    share = np.count_nonzero(counts) / counts.size
    return next((reach for most, reach in _SPARSE if share < most), 0)


def _spread(counts: Counts, reach_px: int) -> Counts:
    """The largest value within reach of each pixel, NaN where there is none."""
    if not reach_px:
        return counts
    spread = maximum_filter(
        np.nan_to_num(counts, nan=-np.inf), 2 * reach_px + 1, mode="constant", cval=-np.inf
    )
    return np.where(np.isfinite(spread), spread, np.nan if np.isnan(counts).any() else 0)


def _by_count(every: Counts, chosen: Counts) -> Picture:
    most = max(1.0, float(chosen.max(initial=0)))
    with np.errstate(divide="ignore"):
        share = np.log(chosen) / np.log(most) if most > 1 else np.where(chosen > 0, 1.0, 0.0)
    return Picture(_painted(every, chosen, share), 1.0, most)


def _painted(every: Counts, chosen: Counts, share: Counts) -> Pixels:
    """Colours by a share from 0 to 1 where something is chosen, grey where something else is, nothing elsewhere."""
    pixels = np.zeros((*every.shape, 4), np.uint8)
    rest = every > 0
    if rest.any():
        level = np.log1p(every[rest]) / np.log1p(every.max())
        pixels[rest] = _GREY
        pixels[rest, 3] = 50 + 110 * level
    there = (chosen > 0) & ~np.isnan(share)
    pixels[there, :3] = COLOURS[((len(COLOURS) - 1) * np.clip(share[there], 0, 1)).astype(int)]
    pixels[there, 3] = 255
    return pixels


def _is_coarse(order: int, view: View) -> bool:
    return bool(HEALPix(2**order).pixel_resolution.to_value(u.deg) > 6 * view.pixel)


def _step(view: View) -> float:
    wanted = min(view.x1 - view.x0, view.y1 - view.y0) / _LINES
    return next((step for step in reversed(_STEPS_DEG) if step >= wanted), _STEPS_DEG[0])


def _coarse(view: View) -> View:
    return View(view.x0, view.x1, view.y0, view.y1, 40, 40)


def _around(ra_deg: Counts, centre_ra_deg: float) -> Counts:
    return (ra_deg - centre_ra_deg + 180) % 360 - 180


def _line(projection: SkyProjection, ra_deg: Counts, dec_deg: Counts) -> Counts:
    return np.stack(projection.project(ra_deg, dec_deg), axis=1).astype(float)


def _named_at(line: Counts, view: View, *, left: bool) -> tuple[float, float]:
    """Where a line is first inside the view: at its left, or at its lower rim."""
    margin_x, margin_y = 0.01 * (view.x1 - view.x0), 0.015 * (view.y1 - view.y0)
    inside = (
        (line[:, 0] > view.x0 + margin_x)
        & (line[:, 0] < view.x1 - margin_x)
        & (line[:, 1] > view.y0 + margin_y)
        & (line[:, 1] < view.y1 - margin_y)
    )
    if not inside.any():
        return np.nan, np.nan
    found = line[inside]
    place = found[(found[:, 0] if left else found[:, 1]).argmin()]
    return float(place[0]), float(place[1])


def colour_bar() -> Iterator[str]:
    """The colours from the first to the last, as a style sheet has them."""
    for red, green, blue in COLOURS[::32]:
        yield f"rgb({red},{green},{blue})"
