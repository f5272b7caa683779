"""Colours measured on cutouts, for those figures of merit that may depend on them."""

import numpy as np
from numpy.typing import NDArray

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.objects import ObjectTable
from lensmodel.evaluation.metrics import Numbers

APERTURE_ARCSEC = 1.5
_AT_ONCE = 256


def measured_colour_mag(
    campaign: Campaign, objects: ObjectTable, x_arcsec: Numbers, y_arcsec: Numbers
) -> Numbers:
    """Colour of the light about each position, AB mag, (object,): bluest minus reddest band of the composite.

    x_arcsec, y_arcsec : the middle of the aperture, NaN for the middle of the cutout. NaN for an object
    without these bands, their pixel scale or their zero point, or with no light there.
    """
    red, _, blue = campaign.survey.composite
    colour = np.full(len(objects), np.nan)
    if not campaign.cutouts_path.exists():
        return colour
    store, table = campaign.cutouts(), objects.table
    groups = np.array(table["cutout_group"].to_pylist(), np.str_)
    rows = np.array(table["cutout_row"].to_pylist(), np.int64)
    zero_points = _zero_points_mag(objects, (blue, red))
    x, y = np.nan_to_num(x_arcsec), np.nan_to_num(y_arcsec)
    usable = np.isfinite(zero_points).all(axis=0)
    for group in np.unique(groups[usable]):
        members = np.flatnonzero(usable & (groups == group))
        members = members[np.argsort(rows[members])]
        for some in np.array_split(members, -(-len(members) // _AT_ONCE)):
            magnitudes = [
                zero_point[some] + _magnitude(store, str(group), rows[some], band, x[some], y[some])
                for band, zero_point in zip((blue, red), zero_points, strict=True)
            ]
            colour[some] = magnitudes[0] - magnitudes[1]
    return colour


def aperture_flux(
    flux: NDArray[np.float32], pixel_scale_arcsec: float, x_arcsec: Numbers, y_arcsec: Numbers
) -> Numbers:
    """Flux above the image's median within `APERTURE_ARCSEC` of a position: (object, y, x) -> (object,)."""
    y, x = ((np.arange(length) - (length - 1) / 2) * pixel_scale_arcsec for length in flux.shape[1:])
    inside = (x - x_arcsec[:, None])[:, None, :] ** 2 + (y - y_arcsec[:, None])[:, :, None] ** 2
    measured = np.isfinite(flux)
    clean = np.where(measured, flux, 0.0)
    sky = np.array(
        [np.median(plane[known]) if known.any() else 0.0 for plane, known in zip(flux, measured, strict=True)]
    )
    total: Numbers = np.where(measured & (inside <= APERTURE_ARCSEC**2), clean - sky[:, None, None], 0.0).sum(
        axis=(1, 2)
    )
    return total


def _magnitude(
    store: CutoutStore, group: str, rows: NDArray[np.int64], band: str, x_arcsec: Numbers, y_arcsec: Numbers
) -> Numbers:
    """Without zero point; NaN where there is no light."""
    scale = store.pixel_scale_arcsec(group, band)
    if not scale > 0:
        return np.full(len(rows), np.nan)
    total = aperture_flux(store.read_batch(group, rows, band), scale, x_arcsec, y_arcsec)
    return -2.5 * np.log10(np.where(total > 0, total, np.nan))


def _zero_points_mag(objects: ObjectTable, bands: tuple[str, str]) -> Numbers:
    """(band, object); NaN where an object lacks the band, or is a colour image."""
    table = objects.table.select(["kind", "bands", "zero_points_mag"]).to_pylist()
    named = [
        dict(zip(row["bands"], row["zero_points_mag"], strict=True)) if row["kind"] == "flux" else {}
        for row in table
    ]
    return np.array([[values.get(band, np.nan) for values in named] for band in bands], np.float64)
