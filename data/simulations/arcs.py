"""What lensed light amounts to once the telescope has seen it: mask, magnitudes, S/N, whether it is detectable.

The rules: the mask is where, in the band that shows the arcs best, the mean of 3x3 pixels exceeds 1.5 times
the sky's noise per pixel, after the PSF and before any noise is drawn. S/N in a band is the lensed flux inside
the mask over the noise of that sum, photons of all light and the correlation of pixels counted; `sim_arc_snr`
adds the bands in quadrature. Detectable are arcs of S/N >= 20 (the limit of Collett 2015, ApJ 811, 20) whose
light lies on average at least 0.4 arcsec, some twice the FWHM of VIS, from the deflector.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC, aperture_noise

STANDS_OUT_SNR = 1.5  # per pixel
DETECTABLE_SNR = 20.0
DETECTABLE_RADIUS_ARCSEC = 0.4

Truth = dict[str, Tensor]


def arc_mask(lensed: Tensor) -> Tensor:
    """Where lensed light (object, band, y, x), blurred, stands out of the noise: (object, y, x) bool."""
    snr = lensed / _noise()[:, None, None]
    best = snr.flatten(2).amax(2).argmax(1)
    shown = snr[torch.arange(len(snr)), best]
    return avg_pool2d(shown, 3, stride=1, padding=1) > STANDS_OUT_SNR


def arc_truth(lensed: Tensor, foreground: Tensor, mask: Tensor, x: Tensor, y: Tensor) -> Truth:
    """Columns about the arcs. lensed, foreground : (object, band, y, x) blurred; x, y : the deflector, arcsec."""
    flux = (lensed * mask[:, None]).sum((-2, -1))
    variance = _noise()[:, None, None].square() + _photon_noise()[:, None, None] * (lensed + foreground)
    correlation = torch.tensor([aperture_noise(band) for band in BANDS])
    noise = (variance * mask[:, None]).sum((-2, -1)).sqrt() * correlation
    snr = torch.where(noise > 0, flux / noise, 0.0)
    together = snr.square().sum(1).sqrt()
    radius = _mean_radius(lensed, mask, x, y)
    detectable = (together >= DETECTABLE_SNR) & (radius >= DETECTABLE_RADIUS_ARCSEC)
    return {
        **{f"sim_arc_mag_{band.lower()}": mag for band, mag in zip(BANDS, _mags(lensed).T, strict=True)},
        **{f"sim_arc_snr_{band.lower()}": value for band, value in zip(BANDS, snr.T, strict=True)},
        "sim_arc_snr": together,
        "sim_arc_px": mask.sum((-2, -1)).float(),
        "sim_arc_radius_arcsec": radius,
        "sim_arc_is_detectable": detectable.float(),
    }


def _mags(lensed: Tensor) -> Tensor:
    """AB magnitude (object, band) of the images' light inside the cutout."""
    zero = torch.tensor([OPTICS[band].zero_point_mag for band in BANDS])
    return zero - 2.5 * lensed.sum((-2, -1)).clamp(min=1e-12).log10()


def _mean_radius(lensed: Tensor, mask: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Mean distance of the light in the mask from (x, y), arcsec; 0 where the mask is empty."""
    height, width = mask.shape[-2:]
    columns = (torch.arange(width) - (width - 1) / 2) * PIXEL_SCALE_ARCSEC
    rows = (torch.arange(height) - (height - 1) / 2) * PIXEL_SCALE_ARCSEC
    distance = torch.hypot(columns[None, None] - x[:, None, None], rows[None, :, None] - y[:, None, None])
    light = (lensed / _noise()[:, None, None]).sum(1) * mask
    return (light * distance).sum((-2, -1)) / light.sum((-2, -1)).clamp(min=1e-12)


def _noise() -> Tensor:
    return torch.tensor([OPTICS[band].noise_rms for band in BANDS])


def _photon_noise() -> Tensor:
    return torch.tensor([OPTICS[band].photon_noise for band in BANDS])
