"""The whole sky on a plane: the equal-area projection of Hammer (1892), east to the left. Pure.

Snyder 1987, "Map projections: a working manual", USGS Professional Paper 1395, p. 182.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Degrees = NDArray[np.floating]


@dataclass(frozen=True)
class SkyProjection:
    """Hammer's projection about a right ascension. Plane coordinates are in degrees: true lengths in the middle."""

    centre_ra_deg: float

    @classmethod
    def about(cls, ra_deg: ArrayLike) -> "SkyProjection":
        """With the mean direction of these right ascensions in the middle, 0 if there are none."""
        angles = np.radians(np.asarray(ra_deg, float))
        angles = angles[np.isfinite(angles)]
        if not len(angles):
            return cls(0.0)
        middle = np.degrees(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean()))
        return cls(round(float(middle), 3) % 360)

    def project(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """x, y in degrees, x growing to the west; NaN where a coordinate is."""
        ra_deg, dec_deg = np.asarray(ra_deg), np.asarray(dec_deg)
        half = np.radians((ra_deg - self.centre_ra_deg + 180) % 360 - 180) / 2
        dec = np.radians(dec_deg)
        z = np.sqrt(1 + np.cos(dec) * np.cos(half))
        x = -np.degrees(2 * np.sqrt(2) * np.cos(dec) * np.sin(half) / z)
        y = np.degrees(np.sqrt(2) * np.sin(dec) / z)
        return x.astype(np.float32), y.astype(np.float32)

    def unproject(self, x_deg: ArrayLike, y_deg: ArrayLike) -> tuple[Degrees, Degrees]:
        """Right ascension from 0 to 360 and declination; NaN outside the sky."""
        x, y = -np.radians(np.asarray(x_deg, float)), np.radians(np.asarray(y_deg, float))
        with np.errstate(invalid="ignore"):
            z = np.sqrt(1 - (x / 4) ** 2 - (y / 2) ** 2)
            half = np.arctan2(z * x, 2 * (2 * z**2 - 1))
            dec_deg = np.degrees(np.arcsin(z * y))
            outside = 2 * z**2 < 1
        ra_deg = (self.centre_ra_deg + np.degrees(2 * half)) % 360
        return np.where(outside, np.nan, ra_deg), np.where(outside, np.nan, dec_deg)
