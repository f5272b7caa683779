"""Gravitational lensing on caustics: elliptical power laws with external shear, and two source planes.

Lens equation beta = theta - alpha(theta). Isothermal: Kormann, Schneider & Bartelmann 1994, A&A 284, 285; other
slopes: Tessore & Metcalf 2015, A&A 580, A79. Theta_E is the radius of the circle whose area the critical curve
of the unsheared isothermal ellipsoid encloses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from caustics.lenses.func import reduced_deflection_angle_epl, reduced_deflection_angle_sie
from torch import Tensor

_DIRECTIONS = 1024  # of the table behind power laws: linear between them errs by some 1e-5 arcsec
_TERMS = 24  # of Tessore & Metcalf's series; their ratio is below (1 - q) / (1 + q)

Position = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Mass:
    """One deflector per object, each field (object,); shear components about the deflector's own centre.

    slope : of the three-dimensional density, 2 if isothermal; None: isothermal, which is faster.
    """

    x: Tensor
    y: Tensor
    axis_ratio: Tensor
    angle: Tensor
    theta_e_arcsec: Tensor
    shear_1: Tensor
    shear_2: Tensor
    slope: Tensor | None = None


def deflection(mass: Mass, x: Tensor, y: Tensor) -> Position:
    """Reduced deflection at (y, x) or (object, y, x) positions, shear included: two (object, y, x), arcsec."""
    dx, dy = x - _wide(mass.x), y - _wide(mass.y)
    alpha_x, alpha_y = _isothermal(mass, x, y) if mass.slope is None else _power_law(mass, mass.slope, dx, dy)
    shear_1, shear_2 = _wide(mass.shear_1), _wide(mass.shear_2)
    return alpha_x + shear_1 * dx + shear_2 * dy, alpha_y + shear_2 * dx - shear_1 * dy


def source_position(mass: Mass | Sequence[Mass], x: Tensor, y: Tensor) -> Position:
    """Where in the source plane the image positions come from: two (object, y, x), arcsec."""
    beta_x, beta_y = x, y
    for one in (mass,) if isinstance(mass, Mass) else mass:
        alpha_x, alpha_y = deflection(one, x, y)
        beta_x, beta_y = beta_x - alpha_x, beta_y - alpha_y
    return beta_x, beta_y


def two_source_positions(
    main: Mass, near: Mass | None, near_share: Tensor, x: Tensor, y: Tensor
) -> tuple[Position, Position]:
    """Where image positions come from in a near and in a far source plane (Schneider et al. 1992, Sect. 9.1).

    main : the deflector, its strength that for far sources. near_share : (object,), its strength for near
    sources over that. near : mass in the near plane, which deflects what lies behind; its place that in the plane.
    """
    alpha_x, alpha_y = deflection(main, x, y)
    share = _wide(near_share)
    near_x, near_y = x - share * alpha_x, y - share * alpha_y
    far_x, far_y = x - alpha_x, y - alpha_y
    if near is not None:
        further_x, further_y = deflection(near, near_x, near_y)
        far_x, far_y = far_x - further_x, far_y - further_y
    return (near_x, near_y), (far_x, far_y)


def _isothermal(mass: Mass, x: Tensor, y: Tensor) -> Position:
    shape = (mass.x, mass.y, mass.axis_ratio, mass.angle, mass.theta_e_arcsec)
    alpha_x, alpha_y = reduced_deflection_angle_sie(*map(_wide, shape), x, y, 1e-4)
    return torch.as_tensor(alpha_x), torch.as_tensor(alpha_y)


def _power_law(mass: Mass, slope: Tensor, dx: Tensor, dy: Tensor) -> Position:
    """Scale-free: alpha(lambda theta) = lambda^(2 - slope) alpha(theta), so that one circle tells all."""
    table_x, table_y = _round_a_circle(mass, slope)
    radius = torch.hypot(dx, dy).clamp(min=1e-4)
    growth = (radius / _wide(mass.theta_e_arcsec).clamp(min=1e-6)) ** (2 - _wide(slope))
    place = (torch.atan2(dy, dx) / (2 * torch.pi) % 1).flatten(1) * _DIRECTIONS
    before = place.long().clamp(max=_DIRECTIONS - 1)
    share = place - before
    return (
        _between(table_x, before, share).view_as(growth) * growth,
        _between(table_y, before, share).view_as(growth) * growth,
    )


def _round_a_circle(mass: Mass, slope: Tensor) -> Position:
    """Deflection in `_DIRECTIONS` + 1 directions at theta_E from the centre, each (object, direction)."""
    angle = torch.linspace(0, 2 * torch.pi, _DIRECTIONS + 1)
    columns = (mass.axis_ratio, mass.angle, mass.theta_e_arcsec, slope - 1)
    q, phi, theta_e, t = (value[:, None] for value in columns)
    zero = torch.zeros(())
    alpha_x, alpha_y = reduced_deflection_angle_epl(
        zero, zero, q, phi, theta_e, t, theta_e * angle.cos(), theta_e * angle.sin(), _TERMS, 1
    )
    return torch.as_tensor(alpha_x), torch.as_tensor(alpha_y)


def _between(table: Tensor, before: Tensor, share: Tensor) -> Tensor:
    return torch.lerp(table.gather(1, before), table.gather(1, before + 1), share)


def _wide(value: Tensor) -> Tensor:
    return value[:, None, None]
