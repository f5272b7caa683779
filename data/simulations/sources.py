"""What is lensed: discs with star-forming clumps and arms, and smooth red galaxies, traced through a lens."""

from dataclasses import dataclass

import torch
from torch import Tensor

from data.simulations.dice import Dice
from data.simulations.galaxies import Galaxy, blue_or_red, with_colours
from data.simulations.light import Sersic, spiral_arms

_MOST_CLUMPS = 4


@dataclass(frozen=True)
class Source:
    """One source per object. clumps : shapes and shares of the light, drawn on top of the body."""

    galaxy: Galaxy
    redshift: Tensor
    is_red: Tensor
    has_arms: Tensor
    pitch: Tensor
    phase: Tensor
    clumps: tuple[tuple[Sersic, Tensor], ...]

    def light(self, beta_x: Tensor, beta_y: Tensor) -> Tensor:
        """Brightness at source-plane positions (object, y, x), flux per fine pixel; sums to 1 if unlensed."""
        body = self.galaxy.shape
        rows = self.has_arms.nonzero()[:, 0]
        light = _whole(body, beta_x, beta_y)
        if len(rows):
            two = torch.full((len(rows),), 2.0)
            light[rows] = spiral_arms(
                body.rows(rows),
                beta_x[rows],
                beta_y[rows],
                arms=two,
                pitch=self.pitch[rows],
                contrast=1.2 * two,
                phase=self.phase[rows],
            )
        in_clumps = torch.zeros(len(light))
        for shape, share in self.clumps:
            some = (share > 0).nonzero()[:, 0]
            if len(some):
                light[some] += share[some, None, None] * _whole(shape.rows(some), beta_x[some], beta_y[some])
            in_clumps = in_clumps + share
        return light / (1 + in_clumps)[:, None, None]


def _whole(shape: Sersic, beta_x: Tensor, beta_y: Tensor) -> Tensor:
    """A Sersic galaxy that the softened core costs no light: magnification must not depend on size."""
    return shape.at(beta_x, beta_y) / shape.share_kept()[:, None, None]


def draw_source(
    dice: Dice, x: Tensor, y: Tensor, *, redshift: Tensor, mag: Tensor, red_share: float
) -> Source:
    """A source at (x, y) of the source plane; brighter ones are larger. Blue ones have clumps, some have arms."""
    is_red = dice.chance(red_share)
    radius = (10 ** dice.normal(log_radius_arcsec(mag), 0.15)).clamp(0.05, 0.6)
    index = torch.where(is_red, dice.uniform(1.5, 4), dice.uniform(0.6, 1.6))
    body = Sersic(x, y, dice.uniform(0.35, 1), dice.angle(), index, radius)
    mags = with_colours(dice, mag, vis_y=blue_or_red(dice, is_red), scatter=0.1)
    return Source(
        galaxy=Galaxy(body, mags),
        redshift=redshift,
        is_red=is_red,
        has_arms=dice.chance(0.25) & ~is_red,
        pitch=dice.uniform(0.25, 0.6),
        phase=dice.angle(),
        clumps=tuple(_clump(dice, body, ~is_red) for _ in range(_MOST_CLUMPS)),
    )


def log_radius_arcsec(mag: Tensor) -> Tensor:
    """log10 of the half-light radius of sources of this VIS magnitude, in the mean."""
    return -0.72 - 0.08 * (mag - 24.5)


def _clump(dice: Dice, body: Sersic, allowed: Tensor) -> tuple[Sersic, Tensor]:
    """A star-forming region of the disc, within 1.5 of its half-light radii, in every other blue source."""
    dx, dy = dice.in_disc(1.5 * body.radius_arcsec)
    one = torch.ones(dice.number)
    shape = Sersic(body.x + dx, body.y + dy, one, 0 * one, one, dice.uniform(0.03, 0.08))
    return shape, torch.where(dice.chance(0.5) & allowed, dice.uniform(0.03, 0.2), 0.0)
