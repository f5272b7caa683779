"""Gravitational lensing on caustics: singular isothermal ellipsoids with external shear.

Lens equation beta = theta - alpha(theta); Kormann, Schneider & Bartelmann 1994, A&A 284, 285. Theta_E is the
radius of the circle whose area the critical curve of the unsheared ellipsoid encloses.
"""

from dataclasses import dataclass

import torch
from caustics.lenses.func import reduced_deflection_angle_sie
from torch import Tensor


@dataclass(frozen=True)
class Mass:
    """One deflector per object, each field (object,); shear components about the deflector's own centre."""

    x: Tensor
    y: Tensor
    axis_ratio: Tensor
    angle: Tensor
    theta_e_arcsec: Tensor
    shear_1: Tensor
    shear_2: Tensor


def source_position(mass: Mass, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the source plane the image positions (y, x) come from: two (object, y, x), arcsec."""
    wide = {name: value[:, None, None] for name, value in vars(mass).items()}
    alpha_x, alpha_y = reduced_deflection_angle_sie(
        wide["x"], wide["y"], wide["axis_ratio"], wide["angle"], wide["theta_e_arcsec"], x, y, 1e-4
    )
    dx, dy = x - wide["x"], y - wide["y"]
    sheared_x = wide["shear_1"] * dx + wide["shear_2"] * dy
    sheared_y = wide["shear_2"] * dx - wide["shear_1"] * dy
    return x - torch.as_tensor(alpha_x) - sheared_x, y - torch.as_tensor(alpha_y) - sheared_y
