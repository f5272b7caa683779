"""Positions in a cutout and on the sky: the tangent-plane projection about the cutout's centre.

Offsets are in arcsec from the centre pixel index (n - 1) / 2, x right and y up as FITS is drawn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def separation_arcsec(first_deg: tuple[float, float], second_deg: tuple[float, float]) -> float:
    """Angle between two positions (ra, dec): the haversine formula, exact for small angles too."""
    ra1, dec1, ra2, dec2 = map(math.radians, (*first_deg, *second_deg))
    haversine = (
        math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    )
    return 3600 * math.degrees(2 * math.asin(min(1.0, math.sqrt(haversine))))


@dataclass(frozen=True)
class TangentPlane:
    """Where a cutout lies on the sky: the position of its centre and the CD matrix of its reference plane.

    cd_deg : (cd11, cd12, cd21, cd22) in degrees per pixel, FITS WCS Paper II (Calabretta & Greisen 2002).
    """

    ra_deg: float
    dec_deg: float
    cd_deg: tuple[float, float, float, float]

    @property
    def pixel_scale_arcsec(self) -> float:
        """Geometric mean of the two axes."""
        cd11, cd12, cd21, cd22 = self.cd_deg
        return 3600 * math.sqrt(abs(cd11 * cd22 - cd12 * cd21))

    def sky_of(
        self, x_arcsec: ArrayLike, y_arcsec: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(ra_deg, dec_deg) of offsets from the centre: gnomonic deprojection, Paper II eqs. 14, 15 and 55."""
        scale = self.pixel_scale_arcsec
        dx = np.asarray(x_arcsec, float) / scale
        dy = np.asarray(y_arcsec, float) / scale
        cd11, cd12, cd21, cd22 = self.cd_deg
        xi = np.radians(cd11 * dx + cd12 * dy)
        eta = np.radians(cd21 * dx + cd22 * dy)
        dec0 = math.radians(self.dec_deg)
        denominator = math.cos(dec0) - eta * math.sin(dec0)
        ra_deg = self.ra_deg + np.degrees(np.arctan2(xi, denominator))
        dec = np.arctan2(math.sin(dec0) + eta * math.cos(dec0), np.hypot(xi, denominator))
        return ra_deg % 360, np.degrees(dec)

    def offsets_of(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(x_arcsec, y_arcsec) from the centre of sky positions: gnomonic projection, Paper II eqs. 12, 13 and 54.

        NaN for a position more than 90 degrees away.
        """
        dra = np.radians(np.asarray(ra_deg, float) - self.ra_deg)
        dec, dec0 = np.radians(np.asarray(dec_deg, float)), math.radians(self.dec_deg)
        cosine = np.sin(dec) * math.sin(dec0) + np.cos(dec) * math.cos(dec0) * np.cos(dra)
        cosine = np.where(cosine > 0, cosine, np.nan)
        xi = np.cos(dec) * np.sin(dra) / cosine
        eta = (np.sin(dec) * math.cos(dec0) - np.cos(dec) * math.sin(dec0) * np.cos(dra)) / cosine
        return self.along_axes(3600 * np.degrees(xi), 3600 * np.degrees(eta))

    def along_axes(
        self, east_arcsec: ArrayLike, north_arcsec: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(x_arcsec, y_arcsec) of a step to the east and to the north in the tangent plane."""
        cd11, cd12, cd21, cd22 = self.cd_deg
        step = np.linalg.solve(
            np.array([[cd11, cd12], [cd21, cd22]]) * 3600,
            np.stack([np.atleast_1d(east_arcsec), np.atleast_1d(north_arcsec)]),
        )
        x_arcsec, y_arcsec = step.reshape(2, *np.shape(east_arcsec)) * self.pixel_scale_arcsec
        return x_arcsec, y_arcsec
