"""What networks say of an image and of its variants, and windows of it. Needs no torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from data.cutouts import Plane
from lensmodel.counterfactuals.subjects import Position, Subject

AS_IS, ARCS_ERASED, CONTROL_ERASED = "as_is", "arcs_erased", "control_erased"
VARIANTS = (AS_IS, ARCS_ERASED, CONTROL_ERASED)
WINDOW_ARCSEC = 10.0  # of a network that takes any size


@dataclass(frozen=True)
class Verdict:
    """What a network says of one image; the position from the centre of the cutout, None if it predicts none."""

    logit: float
    p_lens: float
    x_arcsec: float | None
    y_arcsec: float | None


@dataclass(frozen=True)
class Judged:
    """Verdicts of one network on one object, by variant; none if the object is refused.

    windows : in the order of the shifts. shifts_arcsec : (x, y) of the windows' centres from where they stand in the
    middle, which is the lens if one is known.
    """

    reason: str | None = None
    whole: Mapping[str, Verdict] = field(default_factory=dict)
    windows: Mapping[str, list[Verdict]] = field(default_factory=dict)
    window_arcsec: float | None = None
    shifts_arcsec: Sequence[Position] = ()

    def fall(self, variant: str) -> float | None:
        """By how much the logit of the whole image falls; None if there is no such variant."""
        if variant not in self.whole:
            return None
        return self.whole[AS_IS].logit - self.whole[variant].logit

    def window_fall(self, variant: str) -> float | None:
        """The median of the same over the windows."""
        if variant not in self.windows:
            return None
        pairs = zip(self.windows[AS_IS], self.windows[variant], strict=True)
        return float(np.median([before.logit - after.logit for before, after in pairs]))


@dataclass(frozen=True)
class Counterfactual:
    """One object with its variants and what the networks say of them.

    planes : by variant and band. control_share : the area of the control in that of the arcs. control_turn_deg : by how
    much the arcs' mask was turned about the lens to get it.
    """

    subject: Subject
    planes: Mapping[str, Mapping[str, Plane]]
    judged: Mapping[str, Judged]
    control_share: float | None
    control_turn_deg: float | None


def cut(
    planes: Mapping[str, Plane], centre_arcsec: Position, side_arcsec: float
) -> tuple[dict[str, Plane], Position]:
    """A window of the planes, and where its centre is: it stays inside the image and cuts no pixel of any band.

    It is larger than asked for by up to a pixel of the coarsest band.
    """
    coarsest = max(planes.values(), key=lambda plane: plane.pixel_scale_arcsec)
    scale = coarsest.pixel_scale_arcsec
    edges: list[tuple[float, float]] = []
    for length, offset in zip(coarsest.flux.shape, reversed(centre_arcsec), strict=True):
        number = min(length, math.ceil(side_arcsec / scale - 1e-3))
        first = min(max(round((length - number) / 2 + offset / scale), 0), length - number)
        edges.append(((first - length / 2) * scale, (first + number - length / 2) * scale))
    window = {}
    for band, plane in planes.items():
        rows, columns = (
            slice(*(max(0, round(edge / plane.pixel_scale_arcsec + length / 2)) for edge in both))
            for length, both in zip(plane.flux.shape, edges, strict=True)
        )
        window[band] = Plane(plane.flux[rows, columns], plane.pixel_scale_arcsec, plane.zero_point_mag)
    (low_y, high_y), (low_x, high_x) = edges
    return window, ((low_x + high_x) / 2, (low_y + high_y) / 2)
