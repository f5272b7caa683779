"""Simulated Euclid cutouts with truth: lenses by caustics, contaminants, Euclid's pixels, PSF and noise.

`simulate` writes them into a campaign; it imports torch, so it is loaded only when called. This module and
`menu` import nothing else, so that a command can list the recipes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.campaign import Campaign


def simulate(
    campaign: Campaign,
    *,
    number: int,
    seed: int,
    recipe: str = "training",
    nir: str = "resampled",
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Add simulated objects with their truth to a campaign; the number added, those that were there not counted.

    nir : "native" for Y, J, H in their own pixels of 0.3 arcsec, "resampled" for those of VIS.
    workers : processes that draw. on_progress : called with the number that is there after each chunk.
    Errors as in `data.simulations.writing`.
    """
    from data.simulations.writing import write_simulations

    return write_simulations(
        campaign, number=number, seed=seed, recipe=recipe, nir=nir, workers=workers, on_progress=on_progress
    )
