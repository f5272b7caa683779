"""Simulated lenses: an elliptical (or a small group) in front of one or two lensed sources."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from data.simulations.dice import Dice
from data.simulations.galaxies import (
    Galaxy,
    blue_or_red,
    draw_early_type,
    draw_field,
    early_type,
    early_type_beside,
    mags_by_band,
    with_colours,
)
from data.simulations.lensing import Mass, source_position
from data.simulations.light import Sersic, Sky, unit_sum

Truth = dict[str, Tensor]


@dataclass(frozen=True)
class Deflector:
    """The lens of each object: its mass, its light and its redshift."""

    mass: Mass
    galaxy: Galaxy
    redshift: Tensor


def draw_deflector(dice: Dice, sky: Sky) -> Deflector:
    """Paint ellipticals of theta_E 0.5 to 2.5 arcsec; the mass follows the light with some scatter."""
    x, y = dice.near_centre()
    theta_e = dice.log_uniform(0.5, 2.5)
    redshift = dice.normal(0.58, 0.2).clamp(0.2, 1.1)
    galaxy = early_type(dice, x, y, theta_e_arcsec=theta_e, redshift=redshift)
    draw_early_type(dice, sky, galaxy)
    shear, direction = dice.normal(0, 0.05).abs().clamp(max=0.15), dice.angle()
    mass = Mass(
        x=x,
        y=y,
        axis_ratio=dice.normal(galaxy.shape.axis_ratio, 0.1).clamp(0.45, 0.97),
        angle=dice.normal(galaxy.shape.angle, 0.15),
        theta_e_arcsec=theta_e,
        shear_1=shear * direction.cos(),
        shear_2=shear * direction.sin(),
    )
    return Deflector(mass, galaxy, redshift)


def draw_lensed_source(
    dice: Dice,
    sky: Sky,
    lens: Deflector,
    *,
    nearest: float,
    farthest: float,
    red: float,
    fainter: float = 0.0,
) -> Truth:
    """Paint the images of a source whose distance from the axis is between two multiples of theta_E.

    Their total VIS magnitude is 0 to 2.6 below the deflector's (`fainter` more), and never beyond 24.3.
    """
    angle = dice.angle()
    distance = lens.mass.theta_e_arcsec * (dice.uniform(nearest**2, farthest**2)).sqrt()
    x, y = lens.mass.x + distance * angle.cos(), lens.mass.y + distance * angle.sin()
    mag = (lens.galaxy.mags[:, 0] + dice.uniform(0.0, 2.6) + fainter).clamp(20.6, 24.3)
    is_red = dice.chance(red)
    images = unit_sum(_source_light(dice, x, y, *source_position(lens.mass, sky.x, sky.y)))
    painted = Galaxy(lens.galaxy.shape, with_colours(dice, mag, vis_y=blue_or_red(dice, is_red), scatter=0.1))
    sky.add_images(images, painted.flux)
    return {
        "sim_arc_is_red": is_red.float(),
        "sim_source_offset_arcsec": distance,
    }


def arc(dice: Dice, sky: Sky) -> Truth:
    """One blue source off the axis: arcs, doubles and quads."""
    lens = draw_deflector(dice, sky)
    return _finished(
        dice, sky, lens, draw_lensed_source(dice, sky, lens, nearest=0.12, farthest=0.65, red=0.0)
    )


def red_arc(dice: Dice, sky: Sky) -> Truth:
    """One red source off the axis."""
    lens = draw_deflector(dice, sky)
    images = draw_lensed_source(dice, sky, lens, nearest=0.1, farthest=0.6, red=1.0)
    return _finished(dice, sky, lens, images)


def ring(dice: Dice, sky: Sky) -> Truth:
    """A source almost on the axis: Einstein rings, some of them red."""
    lens = draw_deflector(dice, sky)
    return _finished(
        dice, sky, lens, draw_lensed_source(dice, sky, lens, nearest=0.0, farthest=0.12, red=0.25)
    )


def group(dice: Dice, sky: Sky) -> Truth:
    """One or two red companions stand within the arcs' reach; their own mass is left to the shear."""
    lens = draw_deflector(dice, sky)
    for chance in (1.0, 0.5):
        draw_red_companion(dice, sky, lens, chance=chance)
    return _finished(
        dice, sky, lens, draw_lensed_source(dice, sky, lens, nearest=0.05, farthest=0.55, red=0.15)
    )


def compound(dice: Dice, sky: Sky) -> Truth:
    """Two sources at different distances behind one deflector; the nearer one's own mass is neglected."""
    lens = draw_deflector(dice, sky)
    first = draw_lensed_source(dice, sky, lens, nearest=0.0, farthest=0.45, red=0.15)
    theta_e_2 = lens.mass.theta_e_arcsec * dice.uniform(1.15, 1.7)
    farther = Deflector(replace(lens.mass, theta_e_arcsec=theta_e_2), lens.galaxy, lens.redshift)
    draw_lensed_source(dice, sky, farther, nearest=0.0, farthest=0.4, red=0.2, fainter=0.6)
    return _finished(dice, sky, lens, {**first, "sim_theta_E_2_arcsec": theta_e_2})


def draw_red_companion(dice: Dice, sky: Sky, lens: Deflector, *, chance: float) -> None:
    """A galaxy of the deflector's colour, 0.3 to 3 magnitudes fainter, 0.5 to 2.5 arcsec away."""
    distance, angle = dice.uniform(0.5, 2.5), dice.angle()
    body = lens.galaxy.shape
    shape = early_type_beside(
        dice, body, distance, angle, radius_arcsec=body.radius_arcsec, scatter=(0.3, 0.8)
    )
    mags = lens.galaxy.mags + torch.where(dice.chance(chance), dice.uniform(0.3, 3), 40.0)[:, None]
    sky.add_galaxy(shape, Galaxy(shape, mags).flux)


def _source_light(dice: Dice, x: Tensor, y: Tensor, beta_x: Tensor, beta_y: Tensor) -> Tensor:
    """A source seen at (beta_x, beta_y): a Sersic disc with up to two star-forming clumps."""
    radius = dice.log_uniform(0.07, 0.35)
    disc = Sersic(x, y, dice.uniform(0.4, 1), dice.angle(), dice.uniform(0.6, 2), radius)
    light = disc.at(beta_x, beta_y)
    for chance in (0.5, 0.3):
        dx, dy = dice.in_disc(1.5 * radius)
        one = torch.ones(dice.number)
        clump = Sersic(x + dx, y + dy, one, 0 * one, one, dice.uniform(0.03, 0.08))
        share = torch.where(dice.chance(chance), dice.uniform(0.05, 0.3), 0.0)
        light = light + share[:, None, None] * clump.at(beta_x, beta_y)
    return light


def _finished(dice: Dice, sky: Sky, lens: Deflector, arcs: Truth) -> Truth:
    draw_field(dice, sky)
    return {
        "theta_E_arcsec": lens.mass.theta_e_arcsec,
        "lens_x_arcsec": lens.mass.x,
        "lens_y_arcsec": lens.mass.y,
        "z_phot": dice.normal(lens.redshift, 0.04).clamp(min=0.05),
        "sim_redshift": lens.redshift,
        **mags_by_band(lens.galaxy),
        "sim_target_x_arcsec": lens.mass.x,
        "sim_target_y_arcsec": lens.mass.y,
        **arcs,
    }
