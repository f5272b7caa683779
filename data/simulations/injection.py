"""A simulated lens put into a real image: the images of a source behind a galaxy that is already there.

An isothermal ellipsoid deflects, a disc is the source, and light falls onto the plane's own pixels through Euclid's
PSF. The light has no noise of its own: that of the image is there already.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data.cutouts import Plane
from data.simulations.galaxies import redder_by
from data.simulations.injected_lens import InjectedLens
from data.simulations.instrument import BANDS, OPTICS, binned, convolve, moffat
from data.simulations.lensing import Mass, source_position
from data.simulations.light import FINE_SCALE_ARCSEC, Sersic
from data.simulations.native import NATIVE_PSFS, NATIVE_SCALE_ARCSEC
from data.simulations.sources import log_radius_arcsec

_AXIS_RATIO = 0.8  # of the deflector: most lenses of the population are about as round
_SOURCE_AXIS_RATIO = 0.7
_ASIDE = 0.6  # radians from the deflector's axis to the source: arcs, neither a cusp nor a fold
_REACH = 2.2  # Einstein radii: beyond there is no image of a source within one of them
_MARGIN_ARCSEC = 1.5  # for the source's size and the PSF


def lensed_light(planes: Mapping[str, Plane], lens: InjectedLens) -> dict[str, NDArray[np.float32]]:
    """Flux (y, x) to be added to each of the planes in a band of Euclid's, in the plane's own unit.

    A plane without a zero point is taken for one in the survey's unit.
    """
    profiles: dict[
        tuple[tuple[int, ...], float], tuple[Tensor, int, tuple[slice, slice], tuple[slice, slice]]
    ] = {}
    light = {}
    for band, mag in zip(BANDS, _mags(lens), strict=True):
        if band not in planes:
            continue
        plane = planes[band]
        scale = plane.pixel_scale_arcsec
        key = plane.flux.shape, scale
        if key not in profiles:
            window, inside, shown = _window(plane, lens)
            profiles[key] = _images(lens, window, scale), _finer(scale), inside, shown
        profile, finer, inside, shown = profiles[key]
        zero_point = plane.zero_point_mag
        if not math.isfinite(zero_point):
            zero_point = OPTICS[band].zero_point_mag
        added = np.zeros(plane.flux.shape, np.float32)
        blurred = binned(convolve(profile, _psf(band, scale, len(profile)))[None], finer)[0]
        added[inside] = blurred.numpy()[shown] * 10 ** (-0.4 * (mag - zero_point))
        light[band] = added
    return light


def _mags(lens: InjectedLens) -> list[float]:
    """In the order of `BANDS`."""
    step = float(redder_by(torch.tensor(lens.vis_y)))
    y = lens.mag_vis - lens.vis_y
    return [lens.mag_vis, y, y - step, y - 2 * step]


def _finer(scale_arcsec: float) -> int:
    """How many fine pixels make one of these along an axis, so that they are as fine as those of simulations."""
    return max(1, math.ceil(scale_arcsec / FINE_SCALE_ARCSEC - 1e-6))


def _window(
    plane: Plane, lens: InjectedLens
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], tuple[slice, slice], tuple[slice, slice]]:
    """A square about the deflector: positions of its rows and columns in arcsec, which pixels of the plane they are,
    and which of its own pixels are in the plane."""
    scale = plane.pixel_scale_arcsec
    reach_px = math.ceil((_REACH * lens.theta_e_arcsec + _MARGIN_ARCSEC) / scale)
    places, inside, shown = [], [], []
    for length, centre in zip(plane.flux.shape, (lens.y_arcsec, lens.x_arcsec), strict=True):
        first = round(centre / scale + (length - 1) / 2) - reach_px
        index = np.arange(first, first + 2 * reach_px + 1)
        low, high = np.clip((first, first + len(index)), 0, length)
        places.append((index - (length - 1) / 2) * scale)
        inside.append(slice(low, high))
        shown.append(slice(low - first, high - first))
    return (places[0], places[1]), (inside[0], inside[1]), (shown[0], shown[1])


def _images(
    lens: InjectedLens, window: tuple[NDArray[np.float64], NDArray[np.float64]], scale_arcsec: float
) -> Tensor:
    """The images of the source on fine pixels (y, x); they sum to the magnification."""
    finer = _finer(scale_arcsec)
    steps = (np.arange(finer) - (finer - 1) / 2) * scale_arcsec / finer
    y, x = (torch.from_numpy((axis[:, None] + steps).ravel()).float() for axis in window)
    angle = math.radians(lens.angle_deg)
    mass = Mass(
        x=_one(lens.x_arcsec),
        y=_one(lens.y_arcsec),
        axis_ratio=_one(_AXIS_RATIO),
        angle=_one(angle - _ASIDE),
        theta_e_arcsec=_one(lens.theta_e_arcsec),
        shear_1=_one(0.0),
        shear_2=_one(0.0),
    )
    distance = lens.offset * lens.theta_e_arcsec
    source = Sersic(
        _one(lens.x_arcsec + distance * math.cos(angle)),
        _one(lens.y_arcsec + distance * math.sin(angle)),
        axis_ratio=_one(_SOURCE_AXIS_RATIO),
        angle=_one(angle + 1.0),
        index=_one(1.0),
        radius_arcsec=10 ** log_radius_arcsec(_one(lens.mag_vis)),
    )
    beta = source_position(mass, *torch.meshgrid(x, y, indexing="xy"))
    per_pixel = (scale_arcsec / finer / FINE_SCALE_ARCSEC) ** 2
    return source.at(*beta)[0] / source.share_kept() * per_pixel


def _psf(band: str, scale_arcsec: float, size_px: int) -> Tensor:
    """On fine pixels; NISP's own pixels have not been through the resampling that widens those of 0.1 arcsec."""
    is_native = band in NATIVE_PSFS and scale_arcsec > NATIVE_SCALE_ARCSEC / 2
    optics = OPTICS[band]
    fwhm, beta = NATIVE_PSFS[band] if is_native else (optics.psf_fwhm_arcsec, optics.psf_beta)
    return moffat(size_px, fwhm_px=fwhm / scale_arcsec * _finer(scale_arcsec), beta=beta)


def _one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float32)
