"""Which deflectors and sources there are: redshifts, velocity dispersions, magnitudes, colours.

A population is a row of `POPULATIONS`; a scene draws from the one it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from data.simulations.cosmology import distance_modulus_mag
from data.simulations.dice import Dice

# Velocity dispersions of early types: Choi, Park & Vogeley 2007, ApJ 658, 884, as Collett 2015 uses them.
_SIGMA_STAR_KM_S, _SIGMA_ALPHA, _SIGMA_BETA = 161.0, 2.32, 2.67
_SIGMA_RANGE_KM_S = (160.0, 400.0)
# Faber-Jackson: sigma = 200 km/s at M_r = -22.1, L grows as sigma^4; Bernardi et al. 2003, AJ 125, 1849.
_MAG_AT_200_KM_S = -22.1
# An early type in VIS: bluer light shifts in, the population grows younger; magnitudes per unit of redshift.
_K_AND_EVOLUTION_MAG = 0.5
_COUNTS_SLOPE = 0.3  # log10 of source numbers per magnitude
_FAINTEST_SOURCE_MAG = 26.3


@dataclass(frozen=True)
class Population:
    """Deflectors and sources.

    deflectors : dice -> redshift, velocity dispersion in km/s, each (object,).
    sources : dice, redshift to lie behind -> redshift, unlensed VIS magnitude.
    red_sources : share of sources that are red.
    """

    shows: str
    deflectors: Callable[[Dice], tuple[Tensor, Tensor]]
    sources: Callable[[Dice, Tensor], tuple[Tensor, Tensor]]
    red_sources: float


def faber_jackson_mag(dice: Dice, sigma_km_s: Tensor, redshift: Tensor) -> Tensor:
    """Apparent VIS magnitude of an early type of this velocity dispersion; 0.3 mag of scatter."""
    absolute = _MAG_AT_200_KM_S - 10 * (sigma_km_s / 200).log10()
    return dice.normal(absolute + distance_modulus_mag(redshift) + _K_AND_EVOLUTION_MAG * redshift, 0.3)


def velocity_dispersion_km_s(mag_vis: Tensor, redshift: Tensor) -> Tensor:
    """`faber_jackson_mag` the other way, without its scatter."""
    absolute = mag_vis - distance_modulus_mag(redshift) - _K_AND_EVOLUTION_MAG * redshift
    return 200 * 10 ** (-0.1 * (absolute - _MAG_AT_200_KM_S))


def _lensing_ellipticals(dice: Dice) -> tuple[Tensor, Tensor]:
    """As numerous as observed, times the cross-section for lensing, which grows as sigma^4."""
    sigma = torch.linspace(*_SIGMA_RANGE_KM_S, 200)
    scaled = sigma / _SIGMA_STAR_KM_S
    weight = scaled ** (_SIGMA_ALPHA - 1 + 4) * torch.exp(-(scaled**_SIGMA_BETA))
    drawn = sigma[dice.pick(weight.tolist())] + dice.uniform(-0.6, 0.6)
    return _folded_at(0.15, dice.normal(0.55, 0.2)), drawn


def _folded_at(lowest: float, values: Tensor) -> Tensor:
    """Values below the lowest mirrored at it, so that they do not pile up there."""
    return lowest + (values - lowest).abs()


def _nearby_ellipticals(dice: Dice) -> tuple[Tensor, Tensor]:
    """As near and massive as those of SLACS (Bolton et al. 2008, ApJ 682, 964)."""
    return _folded_at(0.06, dice.normal(0.2, 0.07)), _folded_at(180, dice.normal(260, 40))


def _any_elliptical(dice: Dice) -> tuple[Tensor, Tensor]:
    return dice.uniform(0.15, 1.1), dice.uniform(180, 350)


def _counted_sources(dice: Dice, behind: Tensor) -> tuple[Tensor, Tensor]:
    """Redshifts about a median of 1.7 as in Collett 2015; numbers grow with magnitude as galaxies are counted."""
    redshift = behind + 0.25 + (-_folded_at(-1.6, dice.normal(0, 1.0))).exp() * 0.8
    bright, faint = 22.0, _FAINTEST_SOURCE_MAG
    floor = 10 ** (_COUNTS_SLOPE * (bright - faint))
    return redshift, faint + dice.uniform(floor, 1).log10() / _COUNTS_SLOPE


def _any_source(dice: Dice, behind: Tensor) -> tuple[Tensor, Tensor]:
    reach = dice.uniform(0.2, 1)
    return behind + 0.2 + reach * (5 - behind), dice.uniform(22, _FAINTEST_SOURCE_MAG)


POPULATIONS: dict[str, Population] = {
    "survey": Population(
        "ellipticals by their cross-section, sources as counted", _lensing_ellipticals, _counted_sources, 0.25
    ),
    "wilde2022": Population(
        "red deflectors with Faber-Jackson masses, blue sources (after Wilde et al. 2022, MNRAS 512, 3464)",
        _lensing_ellipticals,
        _counted_sources,
        0.0,
    ),
    "nearby": Population(
        "bright deflectors at redshifts up to 0.35, sources as counted",
        _nearby_ellipticals,
        _counted_sources,
        0.25,
    ),
    "uniform": Population(
        "every redshift, mass and magnitude of a range equally often", _any_elliptical, _any_source, 0.3
    ),
}
