"""Native NISP pixels: Y, J, H in 0.3 arcsec, as the detectors record them before MER resamples them.

Sky, fluxes, zero points and depth are those of the resampled images of `instrument`; what differs is this.

PSF: a resampled image is the sky through the optics, the pixel of 0.3 arcsec and the resampling. White noise in
native pixels shows what resampling does: it is correlated as by a Gaussian of `noise_width_px`. The optics here
are the Moffat that, through pixel and Gaussian, comes closest to the PSF of the resampled images (least squares:
within 4 % of its peak); their FWHM is about that of diffraction by 1.2 m (0.19, 0.24 and 0.31 arcsec).
Noise: independent. The sum over N resampled pixels of scatter s scatters by A s sqrt(N), A the `aperture_noise`
of the band; N / 9 native pixels of scatter s' in the same aperture by s' sqrt(N / 9). The same depth: s' = 3 A s,
and photons add A^2 times the resampled images' variance per unit of flux.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from data.simulations.dice import Dice
from data.simulations.instrument import (
    BANDS,
    OPTICS,
    PIXEL_SCALE_ARCSEC,
    PsfShape,
    aperture_noise,
    binned,
    convolve,
    moffat,
    spoil_pixels,
)

NIR_BANDS = BANDS[1:]
NATIVE_FACTOR = 3
NATIVE_SCALE_ARCSEC = NATIVE_FACTOR * PIXEL_SCALE_ARCSEC
NATIVE_PSFS = {
    "Y": (0.25, 2.3),
    "J": (0.23, 1.9),
    "H": (0.29, 1.95),
}  # FWHM in arcsec and beta, without the pixel
_SPOILT = 0.09  # as many as of the resampled images, whose share includes VIS


def native_px(field_px: int) -> int:
    """How many native pixels cover a field of `field_px` resampled ones about the same centre."""
    return next(n for n in range(field_px // NATIVE_FACTOR, field_px) if _beyond(n, field_px) in (0, 2, 4))


def blur_native(nir: Tensor, shapes: Sequence[PsfShape], field_px: int) -> Tensor:
    """The sky (object, band, y, x) in resampled pixels with their margin, through optics and native pixels.

    shapes : how the PSFs of all bands, VIS first, depart from the bands' own.
    """
    size, side = nir.shape[-1], NATIVE_FACTOR * native_px(field_px)
    inner = slice((size - side) // 2, (size + side) // 2)
    blurred = []
    for index, (band, shape) in enumerate(zip(NIR_BANDS, shapes[1:], strict=True)):
        fwhm_arcsec, beta = NATIVE_PSFS[band]
        kernel = moffat(
            size,
            fwhm_px=fwhm_arcsec / PIXEL_SCALE_ARCSEC * shape.width,
            beta=beta * shape.beta,
            axis_ratio=shape.axis_ratio,
            angle=shape.angle,
            centre_px=shape.centre_px,
        )
        blurred.append(binned(convolve(nir[:, index], kernel)[:, inner, inner], NATIVE_FACTOR))
    return torch.stack(blurred, 1)


def record_native(blurred: Tensor, dice: Dice) -> Tensor:
    """Noise and bad pixels on (object, band, y, x); the same dice give the same noise on any image."""
    planes = []
    for index, band in enumerate(NIR_BANDS):
        sky = native_noise(band) * dice.uniform(0.9, 1.15)[:, None, None]
        photons = aperture_noise(band) ** 2 * OPTICS[band].photon_noise * blurred[:, index].clamp(min=0)
        planes.append(
            blurred[:, index]
            + (sky**2 + photons).sqrt() * dice.normal_field(tuple(sky.shape[:1] + blurred.shape[2:]))
        )
    recorded = torch.stack(planes, 1)
    spoil_pixels(recorded, dice, chance=_SPOILT, patches=[(native_noise(band), 1) for band in NIR_BANDS])
    return recorded


def native_noise(band: str) -> float:
    """Standard deviation of a native pixel of empty sky, in the survey's unit."""
    return NATIVE_FACTOR * aperture_noise(band) * OPTICS[band].noise_rms


def native_marks(marks: Tensor) -> Tensor:
    """The detector's marks (object, band, y, x) in Y, J, H: one of three resampled pixels is one native pixel's."""
    field_px = marks.shape[-1]
    beyond = _beyond(native_px(field_px), field_px) // 2
    wide = pad(marks[:, 1:], (beyond,) * 4, mode="replicate")
    return wide[..., 1::NATIVE_FACTOR, 1::NATIVE_FACTOR] * NATIVE_FACTOR**2


def _beyond(native: int, field_px: int) -> int:
    return native * NATIVE_FACTOR - field_px
