"""The telescope: Euclid's pixels, point spread functions and noise, as measured on Q1 cutouts.

PSF: medians of Moffat fits to the PSF planes of five Q1 files (VIS without its pixel, which sampling adds).
Noise: scatter and lag-one correlation of source-free pixels of the same files. The RMS planes exceed that
scatter, 1.5 times in VIS and 4.5 times in Y, J, H, whose noise resampling from 0.3 to 0.1 arcsec correlates.
Photon noise: slope of the squared RMS planes with flux, divided by the square of those factors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from data.simulations.dice import Dice

BANDS = ("VIS", "Y", "J", "H")
PIXEL_SCALE_ARCSEC = 0.1
FIELD_PX = 100
OVERSAMPLING = 2
_MISREGISTERED_PX = 0.6  # standard deviation along each axis, where bands are off each other
MARGIN_PX = 4  # drawn round the field and cut off, so that light just outside reaches in


@dataclass(frozen=True)
class BandOptics:
    """One band: zero point (AB, header MAGZERO), PSF (Moffat), noise in the survey's unit.

    noise_width_px : standard deviation of the Gaussian that correlates the noise (0: independent pixels).
    photon_noise : variance per unit of flux.
    """

    zero_point_mag: float
    psf_fwhm_arcsec: float
    psf_beta: float
    noise_rms: float
    noise_width_px: float
    photon_noise: float


OPTICS: dict[str, BandOptics] = {
    "VIS": BandOptics(24.6, 0.175, 2.5, 0.0025, 0.47, 1.15e-4),
    "Y": BandOptics(29.8, 0.44, 4.5, 0.50, 1.1, 0.034),
    "J": BandOptics(30.0, 0.43, 3.2, 0.54, 1.1, 0.033),
    "H": BandOptics(29.9, 0.47, 2.9, 0.50, 1.1, 0.031),
}


def flux_of_mag(mag: Tensor, band: str) -> Tensor:
    """Flux in the band's own unit, from an AB magnitude."""
    return torch.as_tensor(10 ** (-0.4 * (mag - OPTICS[band].zero_point_mag)))


def moffat(
    size_px: int,
    *,
    fwhm_px: float,
    beta: float,
    axis_ratio: float = 1.0,
    angle: float = 0.0,
    centre_px: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Moffat kernel (y, x), sum 1, wrapped, as a Fourier convolution wants it.

    Moffat 1969, A&A 3, 455; beta > 1. angle in radians. centre_px : (x, y) from pixel (0, 0), by which it moves images.
    """
    offset = torch.fft.fftfreq(size_px, 1 / size_px)
    y, x = torch.meshgrid(offset - centre_px[1], offset - centre_px[0], indexing="ij")
    cosine, sine = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    u, v = x * cosine + y * sine, y * cosine - x * sine
    core = fwhm_px / (2 * (2 ** (1 / beta) - 1) ** 0.5)
    kernel: Tensor = (1 + (u**2 * axis_ratio + v**2 / axis_ratio) / core**2) ** -beta
    return kernel / kernel.sum()


def convolve(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve (…, y, x) with a wrapped kernel (y, x); total flux is kept, the edges wrap round."""
    spectrum = torch.fft.rfft2(images) * torch.fft.rfft2(kernel)
    convolved: Tensor = torch.fft.irfft2(spectrum, s=(images.shape[-2], images.shape[-1]))
    return convolved


def binned(fine: Tensor, factor: int) -> Tensor:
    """Sum blocks of factor x factor pixels of (object, y, x)."""
    blocks: Tensor = torch.nn.functional.avg_pool2d(fine, factor, divisor_override=1)
    return blocks


def observe(vis: Tensor, nir: Tensor, dice: Dice) -> Tensor:
    """What Euclid records of a noiseless sky: (object, band, y, x), bands as in `BANDS`, without the margin.

    vis : (object, y, x), `OVERSAMPLING` times finer than the pixels. nir : (object, band, y, x) in pixels.
    Flux per (fine) pixel; one PSF for all objects of the call, drawn about the band's own.
    """
    return record(blur(vis, nir, kernels(draw_psf_shapes(dice), nir.shape[-1])), dice)


@dataclass(frozen=True)
class PsfShape:
    """How a PSF departs from its band's own. width, beta : factors. angle : radians. centre_px : (x, y), pixels."""

    width: float
    beta: float
    axis_ratio: float
    angle: float
    centre_px: tuple[float, float] = (0.0, 0.0)


def draw_psf_shapes(dice: Dice) -> list[PsfShape]:
    """In the order of `BANDS`: widths within 8 %, slightly elongated, as the Q1 planes scatter.

    In every other draw Y, J, H are off VIS, as in two of five Q1 files, by half a pixel along each axis.
    """
    ranges = (0.92, 1.08), (0.85, 1.2), (0.88, 1.12), (0, 3.1416)
    drawn = [[float(dice.alone().uniform(*between)) for between in ranges] for _ in BANDS]
    shapes = [PsfShape(width, beta, axis_ratio, angle) for width, beta, axis_ratio, angle in drawn]
    one = dice.alone()
    is_off = float(one.chance(0.5))
    x_px, y_px = (is_off * float(one.normal(0, _MISREGISTERED_PX)) for _ in range(2))
    return [
        replace(shape, centre_px=(x_px, y_px)) if band != "VIS" else shape
        for band, shape in zip(BANDS, shapes, strict=True)
    ]


def kernels(shapes: Sequence[PsfShape], size_px: int) -> list[Tensor]:
    """PSFs in the order of `BANDS` for canvases of `size_px` pixels; that of VIS is on the fine grid."""
    factors = (OVERSAMPLING, 1, 1, 1)
    return [
        moffat(
            size_px * factor,
            fwhm_px=OPTICS[band].psf_fwhm_arcsec / PIXEL_SCALE_ARCSEC * factor * shape.width,
            beta=OPTICS[band].psf_beta * shape.beta,
            axis_ratio=shape.axis_ratio,
            angle=shape.angle,
            centre_px=(factor * shape.centre_px[0], factor * shape.centre_px[1]),
        )
        for band, factor, shape in zip(BANDS, factors, shapes, strict=True)
    ]


def blur(vis: Tensor, nir: Tensor, psfs: Sequence[Tensor]) -> Tensor:
    """The sky of `observe` through these PSFs, without noise and margin: (object, band, y, x)."""
    blurred = [binned(convolve(vis, psfs[0]), OVERSAMPLING)]
    blurred += [convolve(nir[:, index], psf) for index, psf in enumerate(psfs[1:])]
    inner = slice(MARGIN_PX, -MARGIN_PX)
    return torch.stack([image[:, inner, inner] for image in blurred], 1)


def record(blurred: Tensor, dice: Dice) -> Tensor:
    """Noise and bad pixels on (object, band, y, x); the same dice give the same noise on any image."""
    observed = torch.stack(
        [_with_noise(blurred[:, index], OPTICS[band], dice) for index, band in enumerate(BANDS)], 1
    )
    patches = [(OPTICS[band].noise_rms, 1 if band == "VIS" else 3) for band in BANDS]
    spoil_pixels(observed, dice, chance=0.12, patches=patches)
    return observed


def spoil_pixels(planes: Tensor, dice: Dice, *, chance: float, patches: Sequence[tuple[float, int]]) -> None:
    """In some objects a patch of one band is hot or dead, as bad pixels look after resampling.

    patches : for each band, its noise and the patch's side in pixels.
    """
    for row in dice.chance(chance).nonzero()[:, 0].tolist():
        one = dice.alone()
        band = int(one.pick([1] * len(patches)))
        noise, size = patches[band]
        y, x = (int(one.uniform(0, planes.shape[-1] - size)) for _ in range(2))
        level = noise * float(one.log_uniform(10, 300))
        planes[row, band, y : y + size, x : x + size] = level if bool(one.chance(0.7)) else 0.0


def aperture_noise(band: str) -> float:
    """How much noisier the sum over a wide aperture is than if its pixels were independent."""
    return float(_smoothing(OPTICS[band].noise_width_px).sum()) ** 2


def correlated_noise(shape: tuple[int, ...], width_px: float, dice: Dice) -> Tensor:
    """Gaussian noise of variance 1 over (…, y, x), smoothed by a Gaussian of that standard deviation."""
    kernel = _smoothing(width_px)
    radius = len(kernel) // 2
    height, width = shape[-2:]
    white = dice.normal_field((*shape[:-2], height + 2 * radius, width + 2 * radius))
    rows = sum((white[..., i : i + width] * k for i, k in enumerate(kernel)), torch.zeros(()))
    return sum((rows[..., i : i + height, :] * k for i, k in enumerate(kernel)), torch.zeros(()))


def _smoothing(width_px: float) -> Tensor:
    """The Gaussian along one axis, whose squares sum to 1 so that it keeps the variance."""
    radius = 4 if width_px > 0.5 else 1
    offset = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offset / max(width_px, 1e-3)) ** 2)
    return kernel / kernel.square().sum().sqrt()


def _with_noise(image: Tensor, optics: BandOptics, dice: Dice) -> Tensor:
    """Add sky and photon noise; the depth varies a little from field to field."""
    sky = optics.noise_rms * dice.uniform(0.9, 1.15)[:, None, None]
    scatter = (sky**2 + optics.photon_noise * image.clamp(min=0)).sqrt()
    return image + scatter * correlated_noise(tuple(image.shape), optics.noise_width_px, dice)
