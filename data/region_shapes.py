"""Shapes that somebody drew on an image, and which pixels they cover, in arcsec from the cutout's centre."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Covered = NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """A shape of `SHAPES` in the plane of a cutout.

    points_arcsec : (point, 2) of x and y; the centre, or the corners of a polygon.
    sizes_arcsec : radii or full widths as DS9 orders them. angles_deg : where a panda begins and ends.
    axes : (2, 2), rows are the unit vectors of the shape's own axes.
    """

    kind: str
    points_arcsec: Numbers
    sizes_arcsec: tuple[float, ...] = ()
    angles_deg: tuple[float, ...] = ()
    axes: Numbers | None = None

    def covers(self, x_arcsec: Numbers, y_arcsec: Numbers) -> Covered:
        """Whether positions lie in the shape; they may have any shape that broadcasts."""
        if self.kind == "polygon":
            return _in_polygon(self.points_arcsec, x_arcsec, y_arcsec)
        dx = x_arcsec - self.points_arcsec[0, 0]
        dy = y_arcsec - self.points_arcsec[0, 1]
        axes = np.eye(2) if self.axes is None else self.axes
        along, across = axes[0, 0] * dx + axes[0, 1] * dy, axes[1, 0] * dx + axes[1, 1] * dy
        return SHAPES[self.kind](self, along, across)


def offsets_arcsec(shape: tuple[int, int], pixel_scale_arcsec: float) -> tuple[Numbers, Numbers]:
    """x (1, width) and y (height, 1) of pixels from the centre of an image of that shape."""
    height, width = shape
    y: Numbers = (np.arange(height, dtype=float) - (height - 1) / 2) * pixel_scale_arcsec
    x: Numbers = (np.arange(width, dtype=float) - (width - 1) / 2) * pixel_scale_arcsec
    return x[None, :], y[:, None]


def _in_circle(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    return np.asarray(np.hypot(along, across) <= shape.sizes_arcsec[0])


def _in_annulus(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    radius = np.hypot(along, across)
    return (radius >= min(shape.sizes_arcsec)) & (radius <= max(shape.sizes_arcsec))


def _in_ellipse(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    """Two half axes; with four or more, the ring between the first pair and the last."""
    inside = [
        (along / a) ** 2 + (across / b) ** 2 <= 1
        for a, b in zip(shape.sizes_arcsec[::2], shape.sizes_arcsec[1::2], strict=True)
    ]
    return inside[-1] & ~inside[0] if len(inside) > 1 else inside[0]


def _in_box(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    width, height = shape.sizes_arcsec
    return (np.abs(along) <= width / 2) & (np.abs(across) <= height / 2)


def _in_panda(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    """A piece of an annulus, between two angles."""
    start, stop = shape.angles_deg
    opening = (stop - start) % 360 or 360
    angle = (np.degrees(np.arctan2(across, along)) - start) % 360
    return _in_annulus(shape, along, across) & (angle <= opening)


def _nowhere(shape: Shape, along: Numbers, across: Numbers) -> Covered:
    return np.zeros(np.broadcast(along, across).shape, bool)


SHAPES: dict[str, Callable[[Shape, Numbers, Numbers], Covered]] = {
    "point": _nowhere,
    "circle": _in_circle,
    "annulus": _in_annulus,
    "ellipse": _in_ellipse,
    "box": _in_box,
    "panda": _in_panda,
}


def _in_polygon(corners: Numbers, x: Numbers, y: Numbers) -> Covered:
    """By the number of edges to the right: odd is inside."""
    inside = np.zeros(np.broadcast(x, y).shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crossing = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        inside ^= ((y1 > y) != (y2 > y)) & (x < crossing)
    return inside
