"""Groups of galaxies: two to six early types in a common halo, whose arcs lie farther out than one galaxy's.

Made to look like the group-scale lenses and galaxy pairs of Euclid Q1: members of about one brightness close
together, light between them, Einstein radii of 1 to 4 arcsec.
"""

import torch
from torch import Tensor

from data.simulations.artefacts import mark_some
from data.simulations.contaminants import finished
from data.simulations.cosmology import einstein_radius_arcsec
from data.simulations.dice import Dice
from data.simulations.galaxies import (
    NOTHING_MAG,
    Galaxy,
    blue_or_red,
    draw_early_type,
    early_type_beside,
    early_type_of_mag,
    with_colours,
)
from data.simulations.lensing import Mass, source_position
from data.simulations.light import Sersic, Sky
from data.simulations.populations import Population, velocity_dispersion_km_s
from data.simulations.strong_lenses import (
    Lens,
    Truth,
    finished_lens,
    members_truth,
    place_source,
    single_source,
)

_CLOSE_CHANCES = (0.9, 0.5, 0.3, 0.2)  # of members that may lie within the arcs
_OUTER_CHANCES = (0.6, 0.5, 0.4)  # of members farther out


def rich_group_lens(dice: Dice, sky: Sky, population: Population) -> Truth:
    """A halo and its galaxies deflect one source; `lens_x_arcsec` is the brightest galaxy's place.

    `theta_E_arcsec` is the halo's and the brightest galaxy's; what the other members add is left out of it, though they
    deflect too.
    """
    z_lens = _redshift(dice)
    first, others = _draw_members(dice, sky, z_lens)
    z_source, mag = population.sources(dice, z_lens)
    theta_e = dice.log_uniform(1.0, 4.0)
    masses = [_mass_of(galaxy, z_lens, z_source) for galaxy in (first, *others)]
    shear, direction = dice.normal(0, 0.05).abs().clamp(max=0.15), dice.angle()
    x, y = _halo_centre(dice, first, others)
    halo = Mass(
        x=x,
        y=y,
        axis_ratio=dice.uniform(0.5, 0.95),
        angle=dice.angle(),
        # Concentric isothermal masses add up in theta_E; the brightest galaxy is near the halo's centre.
        theta_e_arcsec=torch.maximum(theta_e - masses[0].theta_e_arcsec, 0.3 * theta_e),
        shear_1=shear * direction.cos(),
        shear_2=shear * direction.sin(),
        slope=torch.full((dice.number,), 2.0),
    )
    # A brighter source than a lone galaxy's: Q1's groups were found by their arcs.
    source = place_source(dice, halo, z_source, mag - 0.5, population)
    beta = source_position([halo, *masses], sky.x, sky.y)
    sigma = velocity_dispersion_km_s(first.mags[:, 0], z_lens)
    lens = Lens(halo, first, z_lens, sigma)
    arcs = single_source(sky, lens, source, beta) | members_truth(others)
    body = first.shape
    total = halo.theta_e_arcsec + masses[0].theta_e_arcsec
    where = {"theta_E_arcsec": total, "lens_x_arcsec": body.x, "lens_y_arcsec": body.y}
    target = {"sim_target_x_arcsec": body.x, "sim_target_y_arcsec": body.y}
    return {**finished_lens(dice, sky, lens, arcs), **where, **target}


def group_with_companions(dice: Dice, sky: Sky) -> Truth:
    """The same groups with nothing behind them, and small galaxies, most of them blue, where arcs would lie."""
    redshift = _redshift(dice)
    first, _ = _draw_members(dice, sky, redshift)
    distance = dice.log_uniform(1.0, 4.0)
    for chance in (0.8, 0.7, 0.5, 0.4):
        angle, away = dice.angle(), distance * dice.normal(1, 0.2).clamp(0.5, 1.5)
        shape = Sersic(
            first.shape.x + away * angle.cos(),
            first.shape.y + away * angle.sin(),
            dice.uniform(0.2, 1),
            torch.where(dice.chance(0.4), angle + torch.pi / 2, dice.angle()),
            dice.uniform(0.6, 2),
            dice.log_uniform(0.08, 0.5),
        )
        mag = torch.where(dice.chance(chance), dice.uniform(22.0, 25.3), NOTHING_MAG)
        colour = blue_or_red(dice, dice.chance(0.2))
        sky.add_galaxy(shape, Galaxy(shape, with_colours(dice, mag, vis_y=colour, scatter=0.15)).flux)
    truth = finished(dice, sky, first, redshift)
    mark_some(dice, sky, chance=0.08)
    return truth


def _redshift(dice: Dice) -> Tensor:
    return dice.normal(0.5, 0.15).clamp(0.15, 0.9)


def _draw_members(dice: Dice, sky: Sky, redshift: Tensor) -> tuple[Galaxy, list[Galaxy]]:
    """Paint a group: (the brightest galaxy, those that may lie within the arcs); more are painted farther out."""
    x, y = dice.near_centre()
    mag = dice.normal(19.7 + 4.0 * (redshift - 0.5), 0.7).clamp(17.5, 21.8)
    first = early_type_of_mag(dice, x, y, mag=mag, redshift=redshift)
    draw_early_type(dice, sky, first)
    others = []
    for number, chance in enumerate(_CLOSE_CHANCES):
        nearest, farthest = (0.5, 2.2) if number == 0 else (0.8, 4.0)
        faintest = 1.2 if number == 0 else 2.5
        others.append(_draw_member(dice, sky, first, chance, nearest, farthest, faintest))
    for chance in _OUTER_CHANCES:
        _draw_member(dice, sky, first, chance, 3.5, 7.0, 2.5)
    _draw_light_between(dice, sky, first, others[0])
    return first, others


def _draw_member(
    dice: Dice, sky: Sky, first: Galaxy, chance: float, nearest: float, farthest: float, faintest: float
) -> Galaxy:
    """An early type of the group's redshift, up to `faintest` magnitudes fainter than the first."""
    distance, angle = dice.uniform(nearest, farthest), dice.angle()
    fainter = dice.uniform(0.1, faintest)
    radius = first.shape.radius_arcsec * 10 ** (-0.2 * fainter)
    shape = early_type_beside(dice, first.shape, distance, angle, radius_arcsec=radius, scatter=(0.7, 1.1))
    there = torch.where(dice.chance(chance), fainter, NOTHING_MAG)
    galaxy = Galaxy(shape, first.mags + there[:, None] + dice.normal(0, 0.03)[:, None])
    sky.add_galaxy(shape, galaxy.flux)
    return galaxy


def _draw_light_between(dice: Dice, sky: Sky, first: Galaxy, second: Galaxy) -> None:
    """Diffuse light about the two brightest, in half of the groups."""
    middle = dice.uniform(0, 0.5)
    body, other = first.shape, second.shape
    shape = Sersic(
        body.x + middle * (other.x - body.x),
        body.y + middle * (other.y - body.y),
        dice.uniform(0.5, 0.95),
        dice.angle(),
        dice.uniform(0.7, 1.5),
        dice.uniform(1.5, 3.5),
    )
    fainter = torch.where(dice.chance(0.5), dice.uniform(0.3, 2.0), NOTHING_MAG)
    sky.add_galaxy(shape, Galaxy(shape, first.mags + fainter[:, None]).flux)


def _mass_of(galaxy: Galaxy, z_lens: Tensor, z_source: Tensor) -> Mass:
    """The mass that Faber-Jackson gives a galaxy, up to 300 km/s; none if it is not there."""
    sigma = velocity_dispersion_km_s(galaxy.mags[:, 0], z_lens).clamp(max=300)
    there = galaxy.mags[:, 0] < NOTHING_MAG / 2
    theta_e = torch.where(there, einstein_radius_arcsec(sigma, z_lens, z_source), 0.0)
    shape = galaxy.shape
    zero = torch.zeros_like(theta_e)
    return Mass(shape.x, shape.y, shape.axis_ratio.clamp(max=0.97), shape.angle, theta_e, zero, zero)


def _halo_centre(dice: Dice, first: Galaxy, others: list[Galaxy]) -> tuple[Tensor, Tensor]:
    """On the brightest galaxy within 0.1 arcsec, or, in half of the groups, on the way to the centre of light."""
    flux = torch.stack([galaxy.flux[:, 0] for galaxy in (first, *others)])
    share = flux / flux.sum(0)
    towards = torch.where(dice.chance(0.5), dice.uniform(0, 0.8), 0.0)
    places = []
    for axis in ("x", "y"):
        where = torch.stack([getattr(galaxy.shape, axis) for galaxy in (first, *others)])
        offset = (share * where).sum(0) - where[0]
        places.append(dice.normal(where[0] + towards * offset, 0.1))
    return places[0], places[1]
