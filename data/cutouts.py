"""A cutout: one object's image planes, by band name, with what is needed to place them on the sky."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError

Plane2D = NDArray[np.float32]
Kind = Literal["flux", "colour"]


@dataclass(frozen=True)
class Plane:
    """One band of a cutout.

    flux : (y, x) float32 in the survey's unit, y up as FITS is drawn, NaN where nothing was measured.
    pixel_scale_arcsec : NaN if unknown. zero_point_mag : AB, NaN if unknown.
    rms : (y, x), same unit as flux. psf : (y, x), normalised or not, as it came.
    """

    flux: Plane2D
    pixel_scale_arcsec: float = float("nan")
    zero_point_mag: float = float("nan")
    rms: Plane2D | None = None
    psf: Plane2D | None = None


@dataclass(frozen=True)
class Cutout:
    """One object: planes by band name, its position, and where it came from.

    ra_deg, dec_deg : ICRS position of the object, the catalogue's if there is one; NaN if unknown.
    cd_deg : (cd11, cd12, cd21, cd22) of the reference plane in degrees per pixel (FITS WCS Paper II), None if
        the orientation is unknown or not believed; the tangent point is the centre of the cutout.
    centre_deg : (ra, dec) of that centre, from the WCS; None if only the object's own position is known.
    kind : `flux` if pixels are proportional to flux, `colour` for display images that no network should score.
    columns : the catalogue's own columns for this object.
    """

    object_id: str
    planes: Mapping[str, Plane]
    ra_deg: float = float("nan")
    dec_deg: float = float("nan")
    cd_deg: tuple[float, float, float, float] | None = None
    kind: Kind = "flux"
    columns: Mapping[str, object] = field(default_factory=dict)
    source_files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    centre_deg: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not self.planes:
            raise UnreadableCutoutError(f"cutout {self.object_id!r} has no image planes")
        for name, plane in self.planes.items():
            if plane.flux.ndim != 2 or 0 in plane.flux.shape:
                raise UnreadableCutoutError(
                    f"band {name} of {self.object_id!r} has shape {plane.flux.shape}; expected (y, x)"
                )

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(self.planes)


def planes_hash(planes: Mapping[str, Plane]) -> str:
    """Hex digest (BLAKE2b, 128 bits) of what an inspector is shown: band names, shapes, scales and flux values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, plane in sorted(planes.items()):
        digest.update(f"{name}\0{plane.flux.shape}\0{plane.pixel_scale_arcsec!r}\0".encode())
        digest.update(np.ascontiguousarray(plane.flux, dtype="<f4").data)
    return digest.hexdigest()
