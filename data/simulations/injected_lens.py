"""What is to be injected. Importing this needs no torch; `data.simulations.injection` draws it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InjectedLens:
    """A deflector at (x, y) from the cutout's centre, and the source behind it.

    mag_vis : of the source, AB, unlensed. vis_y : its colour VIS - Y, that of the other bands follows. offset : of
    the source from the axis, in Einstein radii. angle_deg : counter-clockwise from x, in which direction the source
    is; the deflector turns with it.
    """

    x_arcsec: float
    y_arcsec: float
    theta_e_arcsec: float
    mag_vis: float
    vis_y: float
    offset: float
    angle_deg: float
