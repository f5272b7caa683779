"""What somebody changes in an object's pixels to see what the network then says: strokes of a brush that hide them,
and a simulated lens.

Positions are in arcsec from the cutout's centre, x right, y up. This imports nothing that computes: the web process
says with it what is asked, `filling` and `what_if` do it in the process that holds the networks.
"""

from dataclasses import dataclass

from data.simulations.injected_lens import InjectedLens

Position = tuple[float, float]

# The first is the default: in a galaxy's light, sky is a hole, and a network may take the rim of a hole for a ring.
FILLS = {
    "median": "the median of what is visible within an arcsec",
    "sky": "the sky's level, without noise",
    "noise": "the sky's level and its noise, copied from where nothing is seen",
}


@dataclass(frozen=True)
class Stroke:
    """The path of a round brush."""

    radius_arcsec: float
    points_arcsec: tuple[Position, ...]


@dataclass(frozen=True)
class Change:
    """What is done to the pixels: strokes hide them, then the light of a lens is added.

    fill : one of `FILLS`. bands : those in which pixels are hidden, None for all.
    """

    strokes: tuple[Stroke, ...] = ()
    fill: str = "median"
    bands: tuple[str, ...] | None = None
    lens: InjectedLens | None = None
