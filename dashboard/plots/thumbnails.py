"""A cutout as a small colour picture, for pages that must open anywhere."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.cutouts import Plane
from data.surveys import Survey

_SOFTENING = 8.0  # where asinh turns from linear to logarithmic, in noise
_BRIGHTEST = 250.0  # drawn white, in noise


def thumbnail(planes: Mapping[str, Plane], survey: Survey, *, side_px: int = 112) -> str | None:
    """A data URI of the survey's composite, y up; None if a band of it is not there.

    Colours are kept at all brightnesses (Lupton et al. 2004, PASP 116, 133); grey is the survey's neutral source.
    """
    chosen = [planes.get(band) for band in survey.composite]
    if any(plane is None for plane in chosen):
        return None
    channels = [
        _scaled(plane, neutral, side_px)
        for plane, neutral in zip(chosen, survey.composite_neutral_mag, strict=True)
        if plane is not None
    ]
    return as_uri(composite(np.stack(channels, axis=-1)))


def composite(flux: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Sky-subtracted flux in comparable units (y, x, RGB) -> 8-bit colour, asinh of the mean intensity."""
    intensity = flux.mean(axis=-1)
    noise = 1.4826 * np.median(np.abs(intensity - np.median(intensity))) or 1.0
    softened = _SOFTENING * noise
    bright = np.arcsinh(np.maximum(intensity, 0) / softened) / np.arcsinh(_BRIGHTEST / _SOFTENING)
    ratio = np.where(intensity > 0, bright / np.where(intensity > 0, intensity, 1), 0)
    colour = np.maximum(flux, 0) * ratio[..., None]
    colour /= np.maximum(colour.max(axis=-1, keepdims=True), 1)  # what is too bright stays coloured
    return (255 * np.clip(colour, 0, 1)).astype(np.uint8)


def _scaled(plane: Plane, neutral_mag: float, side_px: int) -> NDArray[np.float32]:
    """Above the sky, such that the neutral source is equally bright in each band, (side, side)."""
    flux = np.nan_to_num(
        plane.flux, nan=float(np.nanmedian(plane.flux)) if np.isfinite(plane.flux).any() else 0.0
    )
    is_calibrated = np.isfinite(plane.zero_point_mag)
    zero_point = plane.zero_point_mag if is_calibrated else 0.0
    area = plane.pixel_scale_arcsec**2 if is_calibrated and plane.pixel_scale_arcsec > 0 else 1.0
    # Calibrated flux is per pixel.
    level = (flux - np.median(flux)) / area * 10 ** (-0.4 * (zero_point - neutral_mag - 25))
    picture = Image.fromarray(level.astype(np.float32)).resize((side_px, side_px), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)


def as_uri(pixels: NDArray[np.uint8], kind: str = "webp") -> str:
    """A data URI of 8-bit colour (y, x, RGB) with its first row at the bottom. kind : webp or png."""
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(written, kind, quality=80)
    return f"data:image/{kind};base64," + base64.b64encode(written.getvalue()).decode()
