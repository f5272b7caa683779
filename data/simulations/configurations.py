"""What lensed images look like, read off them: how many there are, how far round the lens they reach."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data.simulations.arcs import STANDS_OUT_SNR
from data.simulations.instrument import BANDS, OPTICS, OVERSAMPLING, PIXEL_SCALE_ARCSEC, binned

CONFIGURATIONS = ("double", "quad", "arc", "ring", "compound arc", "double ring")
DOUBLE, QUAD, ARC, RING, COMPOUND_ARC, DOUBLE_RING = range(len(CONFIGURATIONS))
RING_REACH = 0.8  # of the full circle; a ring may have gaps
SECOND_RING_REACH = 0.6  # the two of a double ring: the outer one is mostly faint
ARC_REACH = 60 / 360

_OF_PEAK = 0.2
_SECTORS = 36
_CORE_ARCSEC = 0.12  # round the lens's centre: there is the faint image that an isothermal core does not show


def image_count(
    beta_x: Tensor,
    beta_y: Tensor,
    source: tuple[Tensor, Tensor],
    x: Tensor,
    y: Tensor,
    lens: tuple[Tensor, Tensor],
) -> Tensor:
    """How many images a point source has: (object,), the one in the lens's core not counted.

    beta_x, beta_y : (object, y, x), where the positions x, y (y, x) come from. A triangle of neighbouring
    positions holds an image if its own image in the source plane holds the source.
    """
    u, v = beta_x - source[0][:, None, None], beta_y - source[1][:, None, None]
    away = torch.hypot(x - lens[0][:, None, None], y - lens[1][:, None, None]) > _CORE_ARCSEC
    corner = [
        (
            u[:, i : u.shape[1] - 1 + i, j : u.shape[2] - 1 + j],
            v[:, i : v.shape[1] - 1 + i, j : v.shape[2] - 1 + j],
        )
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    inside = _holds_origin(corner[0], corner[1], corner[2]) | _holds_origin(corner[3], corner[2], corner[1])
    return (inside & away[:, :-1, :-1]).sum((-2, -1))


def reach_of(mask: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """How far round (x, y) a mask (object, y, x) reaches, as shares of the circle: (in all, longest piece)."""
    height, width = mask.shape[-2:]
    columns = (torch.arange(width) - (width - 1) / 2) * PIXEL_SCALE_ARCSEC
    rows = (torch.arange(height) - (height - 1) / 2) * PIXEL_SCALE_ARCSEC
    direction = torch.atan2(rows[None, :, None] - y[:, None, None], columns[None, None] - x[:, None, None])
    sector = (direction / (2 * torch.pi) % 1 * _SECTORS).long().clamp(max=_SECTORS - 1)
    lit = torch.zeros(len(mask), _SECTORS).scatter_add_(1, sector.flatten(1), mask.flatten(1).float()) > 0
    longest = torch.zeros(len(mask))
    running = torch.zeros(len(mask))
    for index in range(2 * _SECTORS):  # twice round, for pieces that cross the start
        running = (running + 1) * lit[:, index % _SECTORS]
        longest = torch.maximum(longest, running)
    return lit.float().mean(1), longest.clamp(max=_SECTORS) / _SECTORS


def shown(profile: Tensor, flux: Tensor) -> Tensor:
    """Where images are bright, in the band that shows them best, before the PSF: (object, y, x) bool.

    Bright is above the noise and above a share of the peak, lest the wings of a bright arc close a ring.

    profile : (object, y, x) fine, sums to the magnification; flux : (object, band), unlensed.
    """
    noise = torch.tensor([OPTICS[band].noise_rms for band in BANDS])
    best = (flux / noise).max(1).values
    snr = avg_pool2d(binned(profile, OVERSAMPLING) * best[:, None, None], 3, stride=1, padding=1)
    peak = snr.amax((-2, -1), keepdim=True)
    return (snr > STANDS_OUT_SNR) & (snr > _OF_PEAK * peak)


def single(count: Tensor, reach: Tensor, piece: Tensor) -> Tensor:
    """Name of one source's images (object,): a ring by its reach, else a quad by number, an arc by its length."""
    name = torch.where(piece >= ARC_REACH, ARC, DOUBLE)
    name = torch.where(count >= 4, QUAD, name)
    return torch.where(reach >= RING_REACH, RING, name)


def compound(reach_near: Tensor, reach_far: Tensor) -> Tensor:
    """Name of two sources' images: a double ring if both go most of the way round."""
    both = torch.minimum(reach_near, reach_far)
    return torch.where(both >= SECOND_RING_REACH, DOUBLE_RING, COMPOUND_ARC)


def _holds_origin(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], c: tuple[Tensor, Tensor]) -> Tensor:
    turns = [p[0] * q[1] - p[1] * q[0] > 0 for p, q in ((a, b), (b, c), (c, a))]
    return (turns[0] == turns[1]) & (turns[1] == turns[2])
