"""Lenses from populations: masses by velocity dispersion, one or two source planes, groups of deflectors.

Fluxes are those of the sources times what the lens does to them; `configurations` names the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from data.simulations import configurations
from data.simulations.artefacts import mark_some
from data.simulations.cosmology import distance_ratio, einstein_radius_arcsec
from data.simulations.dice import Dice
from data.simulations.galaxies import (
    NOTHING_MAG,
    Galaxy,
    draw_early_type,
    draw_field,
    early_type_beside,
    early_type_of_mag,
    mags_by_band,
)
from data.simulations.lensing import Mass, source_position, two_source_positions
from data.simulations.light import Sky
from data.simulations.populations import Population, faber_jackson_mag
from data.simulations.sources import Source, draw_source

SMALLEST_THETA_E_ARCSEC, LARGEST_THETA_E_ARCSEC = 0.45, 2.8
_ATTEMPTS = 6  # to draw a pair of deflector and source with an Einstein radius in that range
_REACH = 0.8  # sources lie within so many theta_E, as often at any distance: near ones are magnified more

Truth = dict[str, Tensor]


@dataclass(frozen=True)
class Lens:
    """A deflector for sources at one redshift: its mass there, its light."""

    mass: Mass
    galaxy: Galaxy
    redshift: Tensor
    sigma_km_s: Tensor


def galaxy_lens(dice: Dice, sky: Sky, population: Population) -> Truth:
    """An elliptical power law with shear in front of one source."""
    z_lens, sigma, z_source, mag = deflector_and_source(dice, population)
    lens = _draw_lens(dice, sky, z_lens, sigma, z_source)
    source = place_source(dice, lens.mass, z_source, mag, population)
    beta = source_position(lens.mass, sky.x, sky.y)
    return finished_lens(dice, sky, lens, single_source(sky, lens, source, beta))


def group_lens(dice: Dice, sky: Sky, population: Population) -> Truth:
    """An elliptical with one to three companions at its redshift, all of which deflect, and one source."""
    z_lens, sigma, z_source, mag = deflector_and_source(dice, population)
    lens = _draw_lens(dice, sky, z_lens, sigma, z_source)
    drawn = [_draw_companion(dice, sky, lens, z_source, chance) for chance in (1.0, 0.5, 0.25)]
    companions, galaxies = [mass for mass, _ in drawn], [galaxy for _, galaxy in drawn]
    source = place_source(dice, lens.mass, z_source, mag, population)
    beta = source_position([lens.mass, *companions], sky.x, sky.y)
    arcs = single_source(sky, lens, source, beta) | members_truth(galaxies)
    return finished_lens(dice, sky, lens, arcs)


def compound_lens(dice: Dice, sky: Sky, population: Population, *, largest_offset: float = 0.5) -> Truth:
    """Two sources in two planes: both deflected by the lens, the far one by the near one's mass as well.

    largest_offset : of the sources from the axis, in theta_E; small ones make double rings.
    """
    z_lens, sigma, z_near, mag_near = deflector_and_source(dice, population)
    z_near = torch.minimum(z_near, z_lens + 1.5)
    z_far, mag_far = population.sources(dice, z_near)
    lens = _draw_lens(dice, sky, z_lens, sigma, z_far)
    share = distance_ratio(z_lens, z_near) / distance_ratio(z_lens, z_far)
    seen_near = replace(lens, mass=replace(lens.mass, theta_e_arcsec=share * lens.mass.theta_e_arcsec))
    near = place_source(dice, seen_near.mass, z_near, mag_near - 0.7, population, reach=largest_offset)
    far = place_source(dice, lens.mass, z_far, mag_far - 0.7, population, reach=largest_offset)
    near_mass = _mass_of_source(dice, near, z_far)
    beta_near, beta_far = two_source_positions(lens.mass, near_mass, share, sky.x, sky.y)
    arcs = _two(sky, lens, near, far, beta_near, beta_far)
    arcs["sim_theta_E_near_source_arcsec"] = near_mass.theta_e_arcsec
    return finished_lens(dice, sky, seen_near, arcs)


def double_ring_lens(dice: Dice, sky: Sky, population: Population) -> Truth:
    """`compound_lens` with both sources close to the axis; what it makes is named by its images all the same."""
    return compound_lens(dice, sky, population, largest_offset=0.12)


def deflector_and_source(dice: Dice, population: Population) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(lens redshift, velocity dispersion, source redshift, source magnitude), drawn again and again until
    theta_E is one that VIS resolves; what still is not is left to be clamped."""
    z_lens, sigma = population.deflectors(dice)
    z_source, mag = population.sources(dice, z_lens)
    for _ in range(_ATTEMPTS):
        theta_e = einstein_radius_arcsec(sigma, z_lens, z_source)
        again = (theta_e < SMALLEST_THETA_E_ARCSEC) | (theta_e > LARGEST_THETA_E_ARCSEC)
        other_z_lens, other_sigma = population.deflectors(dice)
        other_z_source, other_mag = population.sources(dice, other_z_lens)
        z_lens, sigma = torch.where(again, other_z_lens, z_lens), torch.where(again, other_sigma, sigma)
        z_source, mag = torch.where(again, other_z_source, z_source), torch.where(again, other_mag, mag)
    return z_lens, sigma, z_source, mag


def _draw_lens(dice: Dice, sky: Sky, z_lens: Tensor, sigma: Tensor, z_source: Tensor) -> Lens:
    x, y = dice.near_centre()
    galaxy = early_type_of_mag(dice, x, y, mag=faber_jackson_mag(dice, sigma, z_lens), redshift=z_lens)
    # Some deflectors are faint for their mass, and a few are dark.
    fainter = torch.where(dice.chance(0.08), dice.uniform(1.5, 4), 0.0)
    fainter = torch.where(dice.chance(0.02), NOTHING_MAG - 20, fainter)
    galaxy = Galaxy(galaxy.shape, galaxy.mags + fainter[:, None])
    draw_early_type(dice, sky, galaxy)
    shear, direction = dice.normal(0, 0.05).abs().clamp(max=0.15), dice.angle()
    theta_e = einstein_radius_arcsec(sigma, z_lens, z_source)
    mass = Mass(
        x=x,
        y=y,
        axis_ratio=dice.normal(galaxy.shape.axis_ratio, 0.1).clamp(0.45, 0.97),
        angle=dice.normal(galaxy.shape.angle, 0.15),
        theta_e_arcsec=theta_e.clamp(SMALLEST_THETA_E_ARCSEC, LARGEST_THETA_E_ARCSEC),
        shear_1=shear * direction.cos(),
        shear_2=shear * direction.sin(),
        slope=dice.normal(2.05, 0.15).clamp(1.7, 2.4),  # Auger et al. 2010, ApJ 724, 511: 2.08 +- 0.16
    )
    return Lens(mass, galaxy, z_lens, sigma)


def members_truth(galaxies: Sequence[Galaxy]) -> Truth:
    """Where the other galaxies of a group are and how bright in VIS, NaN where there is none:
    sim_member_1_x_arcsec, …_y_arcsec, …_mag_vis and so on."""
    truth = {}
    for number, galaxy in enumerate(galaxies, start=1):
        mag = galaxy.mags[:, 0]
        told = {"x_arcsec": galaxy.shape.x, "y_arcsec": galaxy.shape.y, "mag_vis": mag}
        for name, values in told.items():
            truth[f"sim_member_{number}_{name}"] = torch.where(mag < NOTHING_MAG / 2, values, torch.nan)
    return truth


def _draw_companion(dice: Dice, sky: Sky, lens: Lens, z_source: Tensor, chance: float) -> tuple[Mass, Galaxy]:
    """A galaxy of the group, 0.3 to 2.5 mag fainter, with the mass that Faber-Jackson gives it."""
    present = dice.chance(chance)
    distance, angle = dice.uniform(0.8, 3.2), dice.angle()
    fainter = dice.uniform(0.3, 2.5)
    body = lens.galaxy.shape
    radius = body.radius_arcsec * 10 ** (-0.2 * fainter)
    shape = early_type_beside(dice, body, distance, angle, radius_arcsec=radius, scatter=(0.8, 1.2))
    galaxy = Galaxy(shape, lens.galaxy.mags + torch.where(present, fainter, NOTHING_MAG)[:, None])
    sky.add_galaxy(shape, galaxy.flux)
    theta_e = einstein_radius_arcsec(lens.sigma_km_s * 10 ** (-0.1 * fainter), lens.redshift, z_source)
    zero = torch.zeros(dice.number)
    strength = torch.where(present, theta_e, 0.0)
    mass = Mass(shape.x, shape.y, shape.axis_ratio.clamp(max=0.97), shape.angle, strength, zero, zero)
    return mass, galaxy


def place_source(
    dice: Dice, mass: Mass, redshift: Tensor, mag: Tensor, population: Population, reach: float = _REACH
) -> Source:
    """A source near the axis of a deflector: as often at any distance up to `reach` times its theta_E."""
    distance, angle = reach * mass.theta_e_arcsec * dice.uniform(0, 1), dice.angle()
    x, y = mass.x + distance * angle.cos(), mass.y + distance * angle.sin()
    return draw_source(dice, x, y, redshift=redshift, mag=mag, red_share=population.red_sources)


def _mass_of_source(dice: Dice, near: Source, z_far: Tensor) -> Mass:
    """The near source as a deflector of the far one: an isothermal ellipsoid of 60 to 180 km/s, or none."""
    sigma = torch.where(dice.chance(0.7), dice.uniform(60, 180), 0.0)
    body = near.galaxy.shape
    zero = torch.zeros(dice.number)
    theta_e = einstein_radius_arcsec(sigma, near.redshift, z_far)
    return Mass(body.x, body.y, body.axis_ratio.clamp(0.5, 0.97), body.angle, theta_e, zero, zero)


def single_source(sky: Sky, lens: Lens, source: Source, beta: tuple[Tensor, Tensor]) -> Truth:
    """Paint the images of a lens's one source. beta : (x, y) where the sky's positions come from."""
    profile, truth = _draw_images(sky, source, beta)
    centre = lens.mass.x, lens.mass.y
    body = source.galaxy.shape
    count = configurations.image_count(*beta, (body.x, body.y), sky.x, sky.y, centre)
    reach, piece = configurations.reach_of(configurations.shown(profile, source.galaxy.flux), *centre)
    return {
        **truth,
        "configuration": configurations.single(count, reach, piece),
        "sim_images": count,
        "sim_arc_reach": reach,
        "sim_source_offset_arcsec": torch.hypot(body.x - centre[0], body.y - centre[1]),
    }


def _two(
    sky: Sky,
    lens: Lens,
    near: Source,
    far: Source,
    beta_near: tuple[Tensor, Tensor],
    beta_far: tuple[Tensor, Tensor],
) -> Truth:
    centre = lens.mass.x, lens.mass.y
    far_profile, far_truth = _draw_images(sky, far, beta_far)
    near_profile, truth = _draw_images(sky, near, beta_near)
    reach_far, _ = configurations.reach_of(configurations.shown(far_profile, far.galaxy.flux), *centre)
    reach_near, _ = configurations.reach_of(configurations.shown(near_profile, near.galaxy.flux), *centre)
    return {
        **truth,
        **{f"{name}_2": value for name, value in far_truth.items()},
        "configuration": configurations.compound(reach_near, reach_far),
        "sim_arc_reach": reach_near,
        "sim_arc_reach_2": reach_far,
        "sim_theta_E_2_arcsec": lens.mass.theta_e_arcsec,
    }


def _draw_images(sky: Sky, source: Source, beta: tuple[Tensor, Tensor]) -> tuple[Tensor, Truth]:
    """Paint the images of a source; their profile, which sums to the magnification."""
    profile = source.light(*beta)
    sky.add_images(profile, source.galaxy.flux)
    return profile, {
        "sim_source_redshift": source.redshift,
        "sim_source_mag_vis": source.galaxy.mags[:, 0],
        "sim_source_is_red": source.is_red.float(),
        "sim_source_x_arcsec": source.galaxy.shape.x,
        "sim_source_y_arcsec": source.galaxy.shape.y,
        "sim_source_radius_arcsec": source.galaxy.shape.radius_arcsec,
        "sim_magnification": profile.sum((-2, -1)),
    }


def finished_lens(dice: Dice, sky: Sky, lens: Lens, arcs: Truth) -> Truth:
    """Paint the neighbours and the detector's marks; the truth of a lens whose arcs are painted."""
    draw_field(dice, sky)
    mark_some(dice, sky, chance=0.08)
    mass = lens.mass
    assert mass.slope is not None
    return {
        "theta_E_arcsec": mass.theta_e_arcsec,
        "lens_x_arcsec": mass.x,
        "lens_y_arcsec": mass.y,
        "z_phot": dice.normal(lens.redshift, 0.04).clamp(min=0.05),
        "sim_redshift": lens.redshift,
        "sim_sigma_km_s": lens.sigma_km_s,
        "sim_axis_ratio": mass.axis_ratio,
        "sim_angle_rad": mass.angle,
        "sim_shear_1": mass.shear_1,
        "sim_shear_2": mass.shear_2,
        "sim_slope": mass.slope,
        "sim_target_x_arcsec": mass.x,
        "sim_target_y_arcsec": mass.y,
        **mags_by_band(lens.galaxy),
        **arcs,
    }
