"""Light on the noiseless sky: a canvas for many objects, and the brightness profiles of galaxies.

Positions in arcsec from the cutout's centre, angles in radians counter-clockwise from x. A profile is
(object, y, x) on the fine grid and sums to 1 over all space, so that fluxes are those of whole galaxies.
"""

from dataclasses import dataclass

import torch
from caustics.light.func import brightness_sersic, k_sersic
from torch import Tensor

from data.simulations.instrument import FIELD_PX, MARGIN_PX, OVERSAMPLING, PIXEL_SCALE_ARCSEC, binned

FINE_PX = (FIELD_PX + 2 * MARGIN_PX) * OVERSAMPLING
FINE_SCALE_ARCSEC = PIXEL_SCALE_ARCSEC / OVERSAMPLING
NO_FLUX = 1e-5  # VIS; AB magnitude 37
CORE_ARCSEC = 0.02  # added to radii: softens cusps that the fine grid cannot sample, see `share_kept`


@dataclass(frozen=True)
class Sersic:
    """One galaxy per object: centre, axis ratio, angle, Sersic index, half-light radius, each (object,)."""

    x: Tensor
    y: Tensor
    axis_ratio: Tensor
    angle: Tensor
    index: Tensor
    radius_arcsec: Tensor

    def rows(self, rows: Tensor) -> "Sersic":
        """The galaxies of these objects only."""
        return Sersic(**{name: value[rows] for name, value in vars(self).items()})

    def at(self, x: Tensor, y: Tensor) -> Tensor:
        """Brightness at positions (…, y, x), flux per fine pixel; Ciotti & Bertin 1999, A&A 352, 447."""
        k = k_sersic(self.index)
        total = (
            2 * torch.pi * self.index * self.axis_ratio * self.radius_arcsec**2
            * torch.exp(k + torch.lgamma(2 * self.index)) * k ** (-2 * self.index)
        )  # fmt: skip
        peak = FINE_SCALE_ARCSEC**2 / total
        shape = (self.x, self.y, self.axis_ratio, self.angle, self.index, self.radius_arcsec, peak)
        x0, y0, q, phi, n, radius, amplitude = (_over_pixels(value) for value in shape)
        return torch.as_tensor(
            brightness_sersic(x0, y0, q, phi, n, radius, amplitude, x, y, _over_pixels(k), CORE_ARCSEC)
        )

    def share_kept(self) -> Tensor:
        """Share of its light (object,) that `at` keeps from a galaxy, having softened its core.

        The integral of r exp(-k ((r + core) / R)^(1/n)) over that without a core: 0.9 at R = 0.4 arcsec, 0.7 at 0.1.
        """
        k, n = k_sersic(self.index), self.index
        core = CORE_ARCSEC / self.radius_arcsec
        inside = k * core ** (1 / n)
        lost = core * k**n * torch.exp(torch.lgamma(n) - torch.lgamma(2 * n))
        kept = torch.special.gammaincc(2 * n, inside) - lost * torch.special.gammaincc(n, inside)
        return torch.as_tensor(kept)


class Sky:
    """The noiseless sky of several objects: VIS on the fine grid, Y, J, H in pixels.

    vis, nir : what lies in front, (object, y, x) fine and (object, band, y, x).
    lensed : the same pair for the images of lensed sources, None while there are none.
    detector : (object, band, y, x) without margin, what no PSF blurs; None while there is nothing.
    """

    def __init__(self, number: int, field_px: int = FIELD_PX) -> None:
        self.number = number
        self.field_px = field_px
        self.x, self.y = _grid((field_px + 2 * MARGIN_PX) * OVERSAMPLING)
        self.vis, self.nir = self._dark()
        self.lensed: tuple[Tensor, Tensor] | None = None
        self.detector: Tensor | None = None

    @property
    def half_width_arcsec(self) -> float:
        """From the centre to a little beyond the cutout's edge: where neighbours still matter."""
        return self.field_px * PIXEL_SCALE_ARCSEC / 2 + 0.2

    def add(self, profile: Tensor, flux: Tensor) -> None:
        """Add a profile (object, y, x) with fluxes (object, band)."""
        _paint(self.vis, self.nir, profile, flux)

    def add_images(self, profile: Tensor, flux: Tensor) -> None:
        """Add the lensed images of a source, apart from what lies in front."""
        self.lensed = self.lensed or self._dark()
        _paint(*self.lensed, profile, flux)

    def add_to_detector(self, row: int, planes: Tensor) -> None:
        """Add (band, y, x) to one object as the detector records it: no PSF, no noise of its own."""
        if self.detector is None:
            self.detector = torch.zeros(self.number, *planes.shape)
        self.detector[row] += planes

    def add_galaxy(self, shape: Sersic, flux: Tensor) -> None:
        """Add one Sersic galaxy per object; where it is fainter than any detection, none is drawn."""
        rows = (flux[:, 0] > NO_FLUX).nonzero()[:, 0]
        if len(rows) == self.number:
            self.add(shape.at(self.x, self.y), flux)
        elif len(rows):
            profile = shape.rows(rows).at(self.x, self.y)
            self.vis.index_add_(0, rows, profile * _over_pixels(flux[rows, 0]))
            nir = binned(profile, OVERSAMPLING)[:, None] * flux[rows, 1:, None, None]
            self.nir.index_add_(0, rows, nir)

    def _dark(self) -> tuple[Tensor, Tensor]:
        fine = self.x.shape[-1]
        coarse = fine // OVERSAMPLING
        return torch.zeros(self.number, fine, fine), torch.zeros(self.number, 3, coarse, coarse)


def spiral_arms(
    disc: Sersic, x: Tensor, y: Tensor, *, arms: Tensor, pitch: Tensor, contrast: Tensor, phase: Tensor
) -> Tensor:
    """A disc with logarithmic spiral arms, theta = ln(r) / tan(pitch); about unit sum.

    contrast : 0 none; 3 arms that outshine the disc between them. arms : number of arms.
    """
    u, v, radius = _in_plane(disc, x, y)
    winding = torch.atan2(v, u) - torch.log(radius) / _over_pixels(pitch.tan())
    wave = torch.cos(_over_pixels(arms) * winding + _over_pixels(phase))
    ridge = torch.exp(_over_pixels(contrast) * (wave - 1))
    return disc.at(x, y) * (0.15 + ridge) / (0.15 + _over_pixels(torch.exp(-0.7 * contrast)))


def annulus(ring: Sersic, x: Tensor, y: Tensor, *, width: Tensor, lopsided: Tensor, phase: Tensor) -> Tensor:
    """A Gaussian annulus of mean radius `ring.radius_arcsec`, unit sum; Sersic index is not used.

    width : standard deviation, arcsec. lopsided : 0 an even ring; above 2 an arc about `phase`.
    """
    u, v, radius = _in_plane(ring, x, y)
    across = torch.exp(-0.5 * ((radius - _over_pixels(ring.radius_arcsec)) / _over_pixels(width)) ** 2)
    along = torch.exp(_over_pixels(lopsided) * (torch.cos(torch.atan2(v, u) - _over_pixels(phase)) - 1))
    return unit_sum(across * along)


def unit_sum(profile: Tensor) -> Tensor:
    """Scale (object, y, x) to sum 1; what is dark stays dark."""
    return profile / profile.sum((-2, -1), keepdim=True).clamp(min=1e-12)


def _in_plane(shape: Sersic, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Positions in the plane of an inclined disc, u along its major axis, and their radius; arcsec."""
    dx, dy = x - _over_pixels(shape.x), y - _over_pixels(shape.y)
    cosine, sine = _over_pixels(shape.angle.cos()), _over_pixels(shape.angle.sin())
    u, v = dx * cosine + dy * sine, (dy * cosine - dx * sine) / _over_pixels(shape.axis_ratio)
    return u, v, torch.sqrt(u**2 + v**2 + CORE_ARCSEC**2)


def _paint(vis: Tensor, nir: Tensor, profile: Tensor, flux: Tensor) -> None:
    vis.addcmul_(profile, _over_pixels(flux[:, 0]))
    nir.addcmul_(binned(profile, OVERSAMPLING)[:, None], flux[:, 1:, None, None])


def _grid(size_px: int) -> tuple[Tensor, Tensor]:
    """(x, y) of the fine pixels, each (y, x), arcsec."""
    offset = (torch.arange(size_px) - (size_px - 1) / 2) * FINE_SCALE_ARCSEC
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    return x, y


def _over_pixels(value: Tensor) -> Tensor:
    """(object,) made to broadcast over (object, y, x)."""
    return value[:, None, None]
