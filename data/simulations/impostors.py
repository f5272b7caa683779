"""Galaxies that come closest to lenses: barred discs, tidal arms, companions that stand on a circle."""

import torch
from torch import Tensor

from data.simulations.contaminants import bulge_of, finished
from data.simulations.dice import Dice
from data.simulations.galaxies import NOTHING_MAG, Galaxy, blue_or_red, early_type, with_colours
from data.simulations.lenses import Truth, draw_deflector, draw_red_companion
from data.simulations.light import Sersic, Sky, annulus, spiral_arms


def barred_disc(dice: Dice, sky: Sky) -> Truth:
    """A disc seen face-on with a bar, two arms from its ends and, in some, a ring round it."""
    x, y = dice.near_centre()
    mag = dice.uniform(18.8, 21.8)
    radius = (10 ** dice.normal(0.05 - 0.1 * (mag - 20.5), 0.1)).clamp(0.4, 1.6)
    disc = Sersic(x, y, dice.uniform(0.7, 1), dice.angle(), torch.ones(dice.number), radius)
    mags = with_colours(dice, mag, vis_y=dice.normal(0.6, 0.2), scatter=0.1)
    arms = spiral_arms(
        disc,
        sky.x,
        sky.y,
        arms=torch.full((dice.number,), 2.0),
        pitch=dice.uniform(0.2, 0.5) * torch.where(dice.chance(0.5), 1.0, -1.0),
        contrast=dice.uniform(1, 3),
        phase=dice.angle(),
    )
    sky.add(arms, Galaxy(disc, mags).flux)
    length = radius * dice.uniform(0.4, 0.8)
    bar = Sersic(x, y, dice.uniform(0.2, 0.4), dice.angle(), dice.uniform(0.4, 0.7), length)
    sky.add_galaxy(bar, Galaxy(bar, _redder(mags, 0.3) + dice.uniform(0.7, 1.8)[:, None]).flux)
    bulge = bulge_of(dice, disc, mags)
    sky.add_galaxy(bulge.shape, bulge.flux)
    ring = Sersic(x, y, disc.axis_ratio, disc.angle, length, 1.6 * length)
    light = annulus(
        ring, sky.x, sky.y, width=0.18 * length, lopsided=dice.uniform(0, 1.5), phase=dice.angle()
    )
    faintness = torch.where(dice.chance(0.5), dice.uniform(0.8, 2), NOTHING_MAG)
    sky.add(light, Galaxy(ring, _redder(mags, -0.3) + faintness[:, None]).flux)
    return finished(dice, sky, Galaxy(disc, mags), dice.uniform(0.1, 0.6))


def tidal_arms(dice: Dice, sky: Sky) -> Truth:
    """Two galaxies past their encounter: broad, faint tails that start at them and curve away on both sides."""
    lens = draw_deflector(dice, sky)
    draw_red_companion(dice, sky, lens, chance=0.9)
    body = lens.galaxy.shape
    turn, way = torch.where(dice.chance(0.5), 1.0, -1.0), dice.angle()
    for side in (0.0, torch.pi):
        curve = dice.uniform(0.8, 2.6)
        towards = way + side
        shape = Sersic(
            body.x + curve * towards.cos(),
            body.y + curve * towards.sin(),
            dice.uniform(0.5, 1),
            towards,
            curve,
            curve,
        )
        light = annulus(
            shape,
            sky.x,
            sky.y,
            width=curve * dice.uniform(0.08, 0.2),
            lopsided=dice.uniform(1.8, 5),
            phase=torch.pi + turn * dice.uniform(0.3, 1.2),
        )
        fainter = dice.uniform(1.2, 3.2)[:, None]
        sky.add(light, Galaxy(shape, _redder(lens.galaxy.mags, -0.3) + fainter).flux)
    return finished(dice, sky, lens.galaxy, lens.redshift)


def companions_on_circle(dice: Dice, sky: Sky) -> Truth:
    """An elliptical and two to five small galaxies of one colour at one distance from it, as images would stand."""
    x, y = dice.near_centre()
    redshift = dice.normal(0.55, 0.2).clamp(0.2, 1.1)
    host = early_type(dice, x, y, theta_e_arcsec=dice.log_uniform(0.5, 2.5), redshift=redshift)
    sky.add_galaxy(host.shape, host.flux)
    distance, colour = dice.log_uniform(0.6, 2.3), blue_or_red(dice, dice.chance(0.25))
    mag = (host.mags[:, 0] + dice.uniform(1.5, 4)).clamp(22, 25.3)
    for chance in (1.0, 1.0, 0.6, 0.5, 0.3):
        angle, away = dice.angle(), distance * dice.normal(1, 0.06)
        along = torch.where(dice.chance(0.4), angle + torch.pi / 2, dice.angle())
        shape = Sersic(
            x + away * angle.cos(),
            y + away * angle.sin(),
            dice.uniform(0.25, 1),
            along,
            dice.uniform(0.6, 2),
            dice.log_uniform(0.08, 0.35),
        )
        there = torch.where(dice.chance(chance), mag + dice.normal(0, 0.5), NOTHING_MAG)
        galaxy = Galaxy(shape, with_colours(dice, there, vis_y=colour, scatter=0.04))
        sky.add_galaxy(shape, galaxy.flux)
    return finished(dice, sky, host, redshift)


def _redder(mags: Tensor, change: float) -> Tensor:
    """Magnitudes (object, band) of a population redder in VIS-Y by `change`, as bright in VIS."""
    return mags - change * torch.tensor([0.0, 1.0, 1.2, 1.35])
