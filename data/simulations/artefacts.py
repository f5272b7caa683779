"""What the telescope and the detector add: spikes, ghosts, cosmic rays, trails, bad columns.

Detector marks bypass the PSF; they are added to lenses and contaminants alike by `mark_some`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from data.simulations.contaminants import finished
from data.simulations.dice import Dice
from data.simulations.galaxies import Galaxy, with_colours
from data.simulations.instrument import BANDS, OPTICS
from data.simulations.lenses import Truth, draw_deflector
from data.simulations.light import Sersic, Sky, annulus

_SPIKES = 3  # lines through the star: Euclid's three vanes make six arms
_VIS_NOISE = OPTICS["VIS"].noise_rms

Mark = Callable[[Dice, int], Tensor]


def star_with_spikes(dice: Dice, sky: Sky) -> Truth:
    """A bright star with its six diffraction spikes."""
    x, y = dice.near_centre()
    mag = dice.uniform(14.5, 19)
    one = torch.ones(dice.number)
    point = Galaxy(
        Sersic(x, y, one, 0 * one, 0.5 * one, 0.02 * one), with_colours(dice, mag, vis_y=0.4, scatter=0.4)
    )
    sky.add_galaxy(point.shape, point.flux)
    first = dice.angle()
    for turn in range(_SPIKES):
        spike = Sersic(x, y, 0.02 * one, first + turn * torch.pi / _SPIKES, one, dice.uniform(1.5, 3.0))
        sky.add_galaxy(spike, dice.uniform(0.004, 0.015)[:, None] * point.flux)
    return finished(dice, sky, point, torch.zeros(dice.number))


def ghost(dice: Dice, sky: Sky) -> Truth:
    """An elliptical beside or within the out-of-focus ring that a bright star elsewhere leaves in VIS."""
    lens = draw_deflector(dice, sky)
    body, radius = lens.galaxy.shape, dice.uniform(0.8, 3)
    dx, dy = dice.in_disc(torch.full((dice.number,), 1.5))
    ring = Sersic(body.x + dx, body.y + dy, dice.uniform(0.85, 1), dice.angle(), radius, radius)
    light = annulus(
        ring,
        sky.x,
        sky.y,
        width=radius * dice.uniform(0.06, 0.2),
        lopsided=dice.uniform(0, 0.4),
        phase=dice.angle(),
    )
    brightest = light.amax((-2, -1)) * 4  # per pixel: a pixel holds four fine ones
    flux = dice.log_uniform(1.5, 12) * _VIS_NOISE / brightest
    sky.add(light, torch.stack([flux, 0 * flux, 0 * flux, 0 * flux], 1))
    return finished(dice, sky, lens.galaxy, lens.redshift)


def cosmic_ray(dice: Dice, sky: Sky) -> Truth:
    """An elliptical with one to three straight tracks of cosmic rays in VIS."""
    return _marked(dice, sky, cosmic_ray_mark)


def satellite_trail(dice: Dice, sky: Sky) -> Truth:
    """An elliptical and the trail of a satellite across VIS."""
    return _marked(dice, sky, trail_mark)


def bad_column(dice: Dice, sky: Sky) -> Truth:
    """An elliptical and a hot or dead column of one band, whole or in part."""
    return _marked(dice, sky, column_mark)


def mark_some(dice: Dice, sky: Sky, *, chance: float) -> None:
    """Put one of the detector's marks on some objects, so that no class is known by them."""
    for row in dice.chance(chance).nonzero()[:, 0].tolist():
        one = dice.alone()
        mark = MARKS[int(one.pick([1] * len(MARKS)))]
        sky.add_to_detector(row, mark(one, sky.field_px))


def cosmic_ray_mark(one: Dice, side_px: int) -> Tensor:
    """Tracks (band, y, x) of 2 to 25 px, sharper than the PSF and of any brightness."""
    planes = torch.zeros(len(BANDS), side_px, side_px)
    middle = side_px / 2
    for _ in range(1 + int(one.pick([5, 3, 2]))):
        dx, dy = one.in_disc(torch.tensor([middle * 0.7]))
        length, angle = float(one.log_uniform(2, 25)), float(one.angle())
        along, across = _along_line(side_px, float(dx), float(dy), angle)
        track = (across.abs() < 0.6) & (along.abs() < length / 2)
        planes[0] += track * float(one.log_uniform(10, 300)) * _VIS_NOISE
    return planes


def trail_mark(one: Dice, side_px: int) -> Tensor:
    """A straight line (band, y, x) through the whole field, 1.2 to 4 px wide."""
    planes = torch.zeros(len(BANDS), side_px, side_px)
    angle = float(one.angle())
    distance = float(one.uniform(-0.35, 0.35)) * side_px
    _, across = _along_line(side_px, -distance * _sin(angle), distance * _cos(angle), angle)
    level = float(one.log_uniform(2, 25)) * _VIS_NOISE
    planes[0] = level * torch.exp(-0.5 * (across / float(one.uniform(1.2, 4))) ** 2)
    return planes


def column_mark(one: Dice, side_px: int) -> Tensor:
    """A column (band, y, x): one pixel wide in VIS, three in the bands resampled from 0.3 arcsec."""
    planes = torch.zeros(len(BANDS), side_px, side_px)
    band = int(one.pick([1] * len(BANDS)))
    width = 1 if band == 0 else 3
    first = int(one.uniform(0, side_px - width))
    start = int(one.uniform(0, side_px / 2)) if bool(one.chance(0.5)) else 0
    level = float(one.log_uniform(4, 40)) * (1 if bool(one.chance(0.6)) else -0.3)
    planes[band, start:, first : first + width] = level * OPTICS[BANDS[band]].noise_rms
    return planes


MARKS: tuple[Mark, ...] = (cosmic_ray_mark, trail_mark, column_mark)


def _marked(dice: Dice, sky: Sky, mark: Mark) -> Truth:
    lens = draw_deflector(dice, sky)
    for row in range(dice.number):
        sky.add_to_detector(row, mark(dice.alone(), sky.field_px))
    return finished(dice, sky, lens.galaxy, lens.redshift)


def _along_line(side_px: int, x_px: float, y_px: float, angle: float) -> tuple[Tensor, Tensor]:
    """Pixel positions along and across a line through (x, y), pixels from the centre."""
    offset = torch.arange(side_px) - (side_px - 1) / 2
    y, x = torch.meshgrid(offset - y_px, offset - x_px, indexing="ij")
    return x * _cos(angle) + y * _sin(angle), y * _cos(angle) - x * _sin(angle)


def _cos(angle: float) -> float:
    return float(torch.cos(torch.tensor(angle)))


def _sin(angle: float) -> float:
    return float(torch.sin(torch.tensor(angle)))
