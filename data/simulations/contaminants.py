"""What is mistaken for lenses: each function paints one class and returns the truth about its target."""

from collections.abc import Sequence

import torch
from torch import Tensor

from data.simulations.dice import Dice
from data.simulations.galaxies import (
    NOTHING_MAG,
    Galaxy,
    blue_or_red,
    draw_early_type,
    draw_field,
    draw_star,
    early_type,
    field_galaxy,
    mags_by_band,
    with_colours,
)
from data.simulations.lenses import Truth, draw_deflector, draw_red_companion
from data.simulations.light import Sersic, Sky, annulus, spiral_arms


def elliptical(dice: Dice, sky: Sky) -> Truth:
    """The same ellipticals as the lenses', with nothing behind them."""
    lens = draw_deflector(dice, sky)
    return finished(dice, sky, lens.galaxy, lens.redshift)


def elliptical_with_companions(dice: Dice, sky: Sky) -> Truth:
    """The same ellipticals with one to four small galaxies round them, of any colour, as arcs would lie."""
    lens = draw_deflector(dice, sky)
    draw_red_companion(dice, sky, lens, chance=0.5)
    for chance in (1.0, 0.6, 0.4):
        _draw_blue_companion(dice, sky, lens.galaxy, chance=chance)
    return finished(dice, sky, lens.galaxy, lens.redshift)


def spiral(dice: Dice, sky: Sky) -> Truth:
    """A bulge and a disc with logarithmic arms; brighter than the deflectors or as bright."""
    x, y = dice.near_centre()
    mag = dice.uniform(18.8, 22.3)
    radius = (10 ** dice.normal(-0.02 - 0.11 * (mag - 20.5), 0.12)).clamp(0.35, 1.6)
    disc = Sersic(x, y, dice.uniform(0.35, 1), dice.angle(), torch.ones(dice.number), radius)
    arms = _with_arms(dice, sky, disc, numbers=(0.1, 0.7, 0.1, 0.1), widest_pitch=0.6, contrast=(0.7, 5))
    mags = with_colours(dice, mag, vis_y=dice.normal(0.55, 0.2), scatter=0.1)
    sky.add(arms, Galaxy(disc, mags).flux)
    bulge = bulge_of(dice, disc, mags)
    sky.add_galaxy(bulge.shape, bulge.flux)
    return finished(dice, sky, Galaxy(disc, mags), dice.uniform(0.1, 0.6))


def disc_galaxy(dice: Dice, sky: Sky) -> Truth:
    """What most galaxies are: a smooth disc at any inclination with a bulge, in some faint arms or star-forming clumps,
    and up to two small galaxies beside it."""
    x, y = dice.near_centre()
    mag = dice.uniform(19.3, 23)
    radius = (10 ** dice.normal(-0.05 - 0.1 * (mag - 20.5), 0.15)).clamp(0.2, 1.8)
    disc = Sersic(x, y, dice.uniform(0.25, 1), dice.angle(), dice.uniform(0.8, 1.4), radius)
    mags = with_colours(dice, mag, vis_y=dice.normal(0.75, 0.3), scatter=0.1)
    arms = _with_arms(dice, sky, disc, numbers=(0.2, 0.6, 0.1, 0.1), widest_pitch=0.6, contrast=(-1, 0.8))
    sky.add(arms, Galaxy(disc, mags).flux)
    bulge = bulge_of(dice, disc, mags)
    sky.add_galaxy(bulge.shape, bulge.flux)
    for chance in (0.4, 0.3, 0.2):
        _draw_clump(dice, sky, disc, mags, chance=chance)
    for chance in (0.6, 0.3):
        away, angle = dice.uniform(0.7, 3.5), dice.angle()
        at = x + away * angle.cos(), y + away * angle.sin()
        other = field_galaxy(dice, *at, brightest=22, present=dice.chance(chance))
        sky.add_galaxy(other.shape, other.flux)
    return finished(dice, sky, Galaxy(disc, mags), dice.uniform(0.1, 0.8))


def ring_galaxy(dice: Dice, sky: Sky) -> Truth:
    """A red centre in a ring of young stars, even or lopsided; an inclined ring is an ellipse."""
    x, y = dice.near_centre()
    redshift = dice.uniform(0.15, 0.7)
    centre = early_type(dice, x, y, theta_e_arcsec=dice.log_uniform(0.5, 1.5), redshift=redshift)
    draw_early_type(dice, sky, centre)
    radius = dice.log_uniform(0.6, 2.4)
    shape = Sersic(
        dice.normal(x, 0.05), dice.normal(y, 0.05), dice.uniform(0.3, 1), dice.angle(), radius, radius
    )
    light = annulus(
        shape,
        sky.x,
        sky.y,
        width=radius * dice.uniform(0.1, 0.35),
        lopsided=dice.uniform(0, 1.0),
        phase=dice.angle(),
    )
    mag = centre.mags[:, 0] + dice.uniform(-0.3, 2)
    sky.add(light, Galaxy(shape, with_colours(dice, mag, vis_y=dice.normal(0.4, 0.2), scatter=0.1)).flux)
    return finished(dice, sky, centre, redshift)


def nearby_galaxy(dice: Dice, sky: Sky) -> Truth:
    """A galaxy so near that it fills the cutout: a smooth early type, or a disc with faint arms and a bulge."""
    x, y = dice.near_centre()
    mag = dice.uniform(16.8, 19.8)
    radius = (10 ** dice.normal(0.3 - 0.15 * (mag - 18), 0.15)).clamp(0.7, 4)
    redshift = dice.uniform(0.03, 0.3)
    is_disc = dice.chance(0.5)
    index = torch.where(is_disc, torch.ones(dice.number), dice.uniform(2, 4.5))
    body = Sersic(x, y, dice.uniform(0.3, 1), dice.angle(), index, radius)
    arms = _with_arms(
        dice,
        sky,
        body,
        numbers=(0.1, 0.6, 0.2, 0.1),
        widest_pitch=0.5,
        contrast=(-0.7, 1.2),
        there=is_disc,
    )
    vis_y = torch.where(is_disc, dice.normal(0.5, 0.2), dice.normal(0.8, 0.12))
    mags = with_colours(dice, mag, vis_y=vis_y, scatter=0.1)
    sky.add(arms, Galaxy(body, mags).flux)
    bulge = bulge_of(dice, body, mags)
    sky.add_galaxy(bulge.shape, bulge.flux * is_disc[:, None])
    return finished(dice, sky, Galaxy(body, mags), redshift)


def blank_sky(dice: Dice, sky: Sky) -> Truth:
    """No target: faint galaxies as they lie anywhere, in half of the cutouts twice as dense, and nothing else."""
    draw_field(dice, sky)
    half = sky.half_width_arcsec
    crowded = dice.chance(0.5)
    for _ in range(3):
        place = dice.uniform(-half, half), dice.uniform(-half, half)
        galaxy = field_galaxy(dice, *place, brightest=21.5, present=crowded & dice.chance(0.8))
        sky.add_galaxy(galaxy.shape, galaxy.flux)
    nowhere = torch.zeros(dice.number)
    return {"sim_target_x_arcsec": nowhere, "sim_target_y_arcsec": nowhere.clone()}


def edge_on_disc(dice: Dice, sky: Sky) -> Truth:
    """A thin disc seen from its edge, with a bulge."""
    x, y = dice.near_centre()
    mag = dice.uniform(19.5, 23)
    radius = (10 ** dice.normal(0.05 - 0.1 * (mag - 20.5), 0.12)).clamp(0.35, 1.8)
    disc = Sersic(x, y, dice.uniform(0.1, 0.3), dice.angle(), torch.ones(dice.number), radius)
    mags = with_colours(dice, mag, vis_y=dice.normal(0.8, 0.3), scatter=0.1)
    sky.add_galaxy(disc, Galaxy(disc, mags).flux)
    bulge = bulge_of(dice, disc, mags)
    sky.add_galaxy(bulge.shape, bulge.flux)
    return finished(dice, sky, Galaxy(disc, mags), dice.uniform(0.1, 0.7))


def merger(dice: Dice, sky: Sky) -> Truth:
    """Two or three galaxies of one colour close together, with a tidal tail that bends like an arc."""
    lens = draw_deflector(dice, sky)
    draw_red_companion(dice, sky, lens, chance=1.0)
    draw_red_companion(dice, sky, lens, chance=0.4)
    body = lens.galaxy.shape
    distance, angle, radius = dice.uniform(0, 2), dice.angle(), dice.uniform(0.8, 3)
    tail = Sersic(
        body.x + distance * angle.cos(),
        body.y + distance * angle.sin(),
        dice.uniform(0.3, 1),
        dice.angle(),
        radius,
        radius,
    )
    light = annulus(
        tail, sky.x, sky.y, width=dice.uniform(0.12, 0.5), lopsided=dice.uniform(1, 8), phase=dice.angle()
    )
    mags = lens.galaxy.mags + dice.uniform(1, 3.5)[:, None] - dice.uniform(0, 0.5)[:, None] * _bluer()
    sky.add(light, Galaxy(tail, mags).flux)
    return finished(dice, sky, lens.galaxy, lens.redshift)


def star(dice: Dice, sky: Sky) -> Truth:
    """A star or quasar, often with something faint beside it."""
    x, y = dice.near_centre()
    mag = dice.uniform(18, 23)
    draw_star(dice, sky, x, y, mag=mag)
    dx, dy = dice.in_disc(torch.full((dice.number,), 2.0))
    other = field_galaxy(dice, x + dx, y + dy, brightest=21, present=dice.chance(0.6))
    sky.add_galaxy(other.shape, other.flux)
    point = Galaxy(other.shape, torch.stack([mag] * 4, 1))
    return finished(dice, sky, point, torch.zeros(dice.number), x=x, y=y)


def blend(dice: Dice, sky: Sky) -> Truth:
    """Two to four unrelated galaxies that overlap on the sky."""
    x, y = dice.near_centre()
    redshift = dice.uniform(0.2, 1)
    first = field_galaxy(dice, x, y, brightest=19.5, present=dice.chance(1))
    bright = Galaxy(
        first.shape, first.mags - (first.mags[:, :1] - 20.5).clamp(min=0) * dice.uniform(0.3, 1)[:, None]
    )
    sky.add_galaxy(bright.shape, bright.flux)
    for chance in (1.0, 0.6, 0.4):
        dx, dy = dice.in_disc(torch.full((dice.number,), 1.8))
        other = field_galaxy(dice, x + dx, y + dy, brightest=21, present=dice.chance(chance))
        shown = Galaxy(other.shape, other.mags - dice.uniform(0, 2.5)[:, None])
        sky.add_galaxy(shown.shape, shown.flux)
    return finished(dice, sky, bright, redshift)


def _draw_clump(dice: Dice, sky: Sky, disc: Sersic, mags: Tensor, *, chance: float) -> None:
    """A star-forming region in a disc, 2.5 to 5 magnitudes fainter and bluer."""
    dx, dy = dice.in_disc(2 * disc.radius_arcsec)
    one = torch.ones(dice.number)
    shape = Sersic(
        disc.x + dx, disc.y + dy, dice.uniform(0.5, 1), dice.angle(), one, dice.uniform(0.05, 0.15)
    )
    fainter = torch.where(dice.chance(chance), dice.uniform(2.5, 5), NOTHING_MAG)
    bluer = dice.uniform(0.1, 0.5)[:, None] * _bluer()
    sky.add_galaxy(shape, Galaxy(shape, mags + fainter[:, None] - bluer + bluer[:, :1]).flux)


def _draw_blue_companion(dice: Dice, sky: Sky, host: Galaxy, *, chance: float) -> None:
    """A small galaxy 0.5 to 2.8 arcsec from the host, at any angle, some of them long and thin."""
    distance, angle = dice.uniform(0.5, 2.8), dice.angle()
    shape = Sersic(
        host.shape.x + distance * angle.cos(),
        host.shape.y + distance * angle.sin(),
        dice.uniform(0.2, 1),
        dice.angle(),
        dice.uniform(0.6, 2),
        dice.log_uniform(0.08, 0.5),
    )
    mag = (host.mags[:, 0] + dice.uniform(0.8, 4.2)).clamp(21, 25.5)
    colour = blue_or_red(dice, dice.chance(0.2))
    mags = with_colours(dice, torch.where(dice.chance(chance), mag, NOTHING_MAG), vis_y=colour, scatter=0.15)
    sky.add_galaxy(shape, Galaxy(shape, mags).flux)


def _with_arms(
    dice: Dice,
    sky: Sky,
    disc: Sersic,
    *,
    numbers: Sequence[float],
    widest_pitch: float,
    contrast: tuple[float, float],
    there: Tensor | float = 1.0,
) -> Tensor:
    """A disc with arms that wind either way. numbers : weights of one, two, ... arms. there : (object,), 0 none.

    contrast : range, of which what is below 0 means none either.
    """
    return spiral_arms(
        disc,
        sky.x,
        sky.y,
        arms=1.0 + dice.pick(numbers),
        pitch=dice.uniform(0.15, widest_pitch) * torch.where(dice.chance(0.5), 1.0, -1.0),
        contrast=dice.uniform(*contrast).clamp(min=0) * there,
        phase=dice.angle(),
    )


def bulge_of(dice: Dice, disc: Sersic, mags: Tensor) -> Galaxy:
    """A bulge 0.3 to 2.5 magnitudes fainter than its disc in VIS, and redder."""
    shape = Sersic(
        disc.x,
        disc.y,
        (disc.axis_ratio + dice.uniform(0.1, 0.5)).clamp(max=1),
        disc.angle,
        dice.uniform(1.5, 4),
        (disc.radius_arcsec * dice.uniform(0.1, 0.35)).clamp(min=0.08),
    )
    redder = dice.uniform(0, 0.7)[:, None] * _bluer()
    return Galaxy(shape, mags + dice.uniform(0.3, 2.5)[:, None] + redder - 0.4 * redder[:, :1])


def _bluer() -> Tensor:
    """(1, band): magnitudes by which each band changes when a stellar population gets redder by one unit."""
    return torch.tensor([[1.0, 0.35, 0.15, 0.0]])


def finished(
    dice: Dice,
    sky: Sky,
    target: Galaxy,
    redshift: Tensor,
    *,
    x: Tensor | None = None,
    y: Tensor | None = None,
) -> Truth:
    """Paint the neighbours and tell the truth about the target; x, y: where it is if not at its shape's centre."""
    draw_field(dice, sky)
    return {
        "z_phot": dice.normal(redshift, 0.04).clamp(min=0.0),
        "sim_redshift": redshift,
        **mags_by_band(target),
        "sim_target_x_arcsec": target.shape.x if x is None else x,
        "sim_target_y_arcsec": target.shape.y if y is None else y,
    }
