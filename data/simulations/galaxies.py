"""Populations: how bright, large and red galaxies and stars are, as (object, ...) draws.

Magnitudes AB. Colours and sizes are set so that simulated early types and field galaxies look like those in
Euclid Q1 cutouts: VIS-Y from 0.8 at redshift 0.3 to 1.7 at 0.8, field galaxies bluer and fainter.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.simulations.dice import Dice
from data.simulations.instrument import BANDS, FIELD_PX, flux_of_mag
from data.simulations.light import Sersic, Sky

NOTHING_MAG = 60.0  # a galaxy that is not there
_LARGEST_RADIUS_ARCSEC = 8.0  # of early types; those of the cutout's size or more are alike


@dataclass(frozen=True)
class Galaxy:
    """Shape and AB magnitudes (object, band) of one galaxy per object."""

    shape: Sersic
    mags: Tensor

    @property
    def flux(self) -> Tensor:
        """(object, band), each in its band's unit."""
        return torch.stack([flux_of_mag(self.mags[:, i], band) for i, band in enumerate(BANDS)], 1)


def mags_by_band(galaxy: Galaxy) -> dict[str, Tensor]:
    """The magnitudes as truth: VIS as a catalogue would state it, and each band."""
    told = {f"sim_mag_{band.lower()}": galaxy.mags[:, index] for index, band in enumerate(BANDS)}
    return {"mag_vis": galaxy.mags[:, 0], **told}


def early_type(dice: Dice, x: Tensor, y: Tensor, *, theta_e_arcsec: Tensor, redshift: Tensor) -> Galaxy:
    """A massive elliptical; brighter for a larger Einstein radius, fainter and redder with redshift."""
    mag = dice.normal(20.5 + 4.2 * (redshift - 0.5) - 2.2 * torch.log10(theta_e_arcsec), 0.5)
    return early_type_of_mag(dice, x, y, mag=mag, redshift=redshift)


def early_type_of_mag(dice: Dice, x: Tensor, y: Tensor, *, mag: Tensor, redshift: Tensor) -> Galaxy:
    """A massive elliptical of this VIS magnitude; redder with redshift, larger if brighter."""
    radius = 10 ** dice.normal(-0.12 - 0.17 * (mag - 20.5), 0.12)
    shape = Sersic(
        x,
        y,
        dice.uniform(0.5, 0.98),
        dice.angle(),
        dice.uniform(2.5, 5.5),
        radius.clamp(0.2, _LARGEST_RADIUS_ARCSEC),
    )
    return Galaxy(shape, with_colours(dice, mag, vis_y=0.8 + 1.8 * (redshift - 0.3), scatter=0.12))


def early_type_beside(
    dice: Dice,
    body: Sersic,
    distance: Tensor,
    angle: Tensor,
    *,
    radius_arcsec: Tensor,
    scatter: tuple[float, float],
) -> Sersic:
    """The shape of an early type at that distance in arcsec; scatter : factors of its radius, 0.12 at least."""
    return Sersic(
        body.x + distance * angle.cos(),
        body.y + distance * angle.sin(),
        dice.uniform(0.5, 1),
        dice.angle(),
        dice.uniform(2, 4.5),
        (radius_arcsec * dice.uniform(*scatter)).clamp(min=0.12),
    )


def with_colours(dice: Dice, mag: Tensor, *, vis_y: Tensor | float, scatter: float) -> Tensor:
    """Magnitudes (object, band) from VIS and a VIS-Y colour; redder in VIS-Y is redder in Y-J and J-H."""
    first = dice.normal(torch.as_tensor(vis_y), scatter)
    second = dice.normal(redder_by(first), 0.03 + scatter / 4)
    third = dice.normal(redder_by(first), 0.03 + scatter / 4)
    return torch.stack([mag, mag - first, mag - first - second, mag - first - second - third], 1)


def redder_by(vis_y: Tensor) -> Tensor:
    """Y-J and J-H of galaxies of a VIS-Y colour; twelve of Q1 brighter than 22 follow them within 0.02 and 0.1 mag."""
    return 0.12 + 0.2 * vis_y


def draw_early_type(dice: Dice, sky: Sky, galaxy: Galaxy) -> None:
    """Paint an elliptical as a Sersic body and a faint, slightly twisted envelope."""
    body = galaxy.shape
    envelope = Sersic(
        dice.normal(body.x, 0.02),
        dice.normal(body.y, 0.02),
        dice.normal(body.axis_ratio, 0.1).clamp(0.45, 1),
        dice.normal(body.angle, 0.2),
        torch.ones(dice.number),
        body.radius_arcsec * dice.uniform(1.2, 2.5),
    )
    share = dice.uniform(0, 0.35)[:, None]
    sky.add_galaxy(body, galaxy.flux * (1 - share))
    sky.add_galaxy(envelope, galaxy.flux * share)


def field_galaxy(dice: Dice, x: Tensor, y: Tensor, *, brightest: float, present: Tensor) -> Galaxy:
    """A galaxy of the field: numbers grow as 10^(0.35 mag) down to VIS 26.5."""
    mag = 26.5 + torch.log10(dice.uniform(10 ** (0.35 * (brightest - 26.5)), 1)) / 0.35
    radius = 10 ** dice.normal(-0.45 - 0.09 * (mag - 23), 0.18)
    shape = Sersic(x, y, dice.uniform(0.25, 1), dice.angle(), dice.log_uniform(0.7, 3), radius.clamp(0.08, 1))
    mags = with_colours(dice, mag, vis_y=0.55, scatter=0.4)
    return Galaxy(shape, torch.where(present[:, None], mags, NOTHING_MAG))


def draw_field(dice: Dice, sky: Sky) -> None:
    """Neighbours anywhere in the cutout; in 10 arcsec some three faint galaxies, now and then a bright one
    or a star, and as many per area in a larger one."""
    half = sky.half_width_arcsec
    for _ in range(max(1, round((sky.field_px / FIELD_PX) ** 2))):
        for chance, brightest in ((0.8, 22.5), (0.8, 22.5), (0.6, 22.5), (0.4, 22.5), (0.35, 18.5)):
            x, y = dice.uniform(-half, half), dice.uniform(-half, half)
            galaxy = field_galaxy(dice, x, y, brightest=brightest, present=dice.chance(chance))
            sky.add_galaxy(galaxy.shape, galaxy.flux)
        x, y = dice.uniform(-half, half), dice.uniform(-half, half)
        draw_star(dice, sky, x, y, mag=torch.where(dice.chance(0.08), dice.uniform(19, 24), NOTHING_MAG))


def draw_star(dice: Dice, sky: Sky, x: Tensor, y: Tensor, *, mag: Tensor) -> None:
    """A point source, and three thin spikes through it that show where it is bright."""
    one = torch.ones(dice.number)
    mags = with_colours(dice, mag, vis_y=0.4, scatter=0.4)
    point = Galaxy(Sersic(x, y, one, 0 * one, 0.5 * one, 0.02 * one), mags)
    sky.add_galaxy(point.shape, point.flux)
    first = dice.angle()
    for turn in (0.0, torch.pi / 3, 2 * torch.pi / 3):
        spike = Sersic(x, y, 0.03 * one, first + turn, one, 0.9 * one)
        sky.add_galaxy(spike, 0.006 * point.flux)


def blue_or_red(dice: Dice, red: Tensor) -> Tensor:
    """VIS-Y of a source: most are star-forming and blue, some are red. red : (object,) bool."""
    return torch.where(red, dice.normal(1.4, 0.3), dice.normal(0.25, 0.3))
