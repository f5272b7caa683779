"""Ten million positions compared with known lenses and with each other, against Astropy on a sample of them."""

import multiprocessing
import resource
import time

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, search_around_sky
from numpy.typing import NDArray

from data.crossmatch import DUPLICATE_RADIUS_ARCSEC, KNOWN_RADIUS_ARCSEC
from data.known_lenses import LENSCAT, known_lenses_in
from data.sky_neighbours import first_of_groups, nearest_within
from tests.benchmarks.rows import Row, at_least, at_most

NUMBER, EVERY = 10_000_000, 20
_FIELDS = ((269.7, 66.0), (61.2, -48.4), (52.9, -28.1))  # the deep fields of Euclid
Degrees = NDArray[np.float64]


def bench() -> list[Row]:
    """Rows for one core."""
    with multiprocessing.get_context("spawn").Pool(1) as process:  # whose memory is its own
        ours_s, peak_mib, found = process.apply(_ours)
    astropy_s = _astropy()
    told = f"{ours_s:.1f} s, {found:,} duplicates; Astropy {astropy_s:.1f} s for one in {EVERY}"
    return [
        at_least(
            "ten million positions against lenscat and each other: speed, Astropy's is 1",
            (astropy_s / (NUMBER // EVERY)) / (ours_s / NUMBER),
            1,
            "times",
            reference=told,
        ),
        at_most("the same: memory", peak_mib, 1536, "MiB", reference="positions and Python included"),
    ]


def _ours() -> tuple[float, float, int]:
    """Seconds, the most memory in MiB, duplicates."""
    ra_deg, dec_deg = _positions()
    begun = time.perf_counter()
    first = first_of_groups(ra_deg, dec_deg, radius_arcsec=DUPLICATE_RADIUS_ARCSEC)
    lenses = known_lenses_in(LENSCAT)
    nearest_within(ra_deg, dec_deg, of=(lenses.ra_deg, lenses.dec_deg), radius_arcsec=KNOWN_RADIUS_ARCSEC)
    took_s = time.perf_counter() - begun
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return took_s, peak_mib, int((first != np.arange(NUMBER)).sum())


def _astropy() -> float:
    """Seconds for a part of the sky that has so many positions in it, as dense as all of it."""
    ra_deg, dec_deg = _positions()
    here = np.argsort(ra_deg)[: NUMBER // EVERY]
    lenses = known_lenses_in(LENSCAT)
    begun = time.perf_counter()
    sample = SkyCoord(ra_deg[here], dec_deg[here], unit="deg")
    sample.match_to_catalog_sky(SkyCoord(lenses.ra_deg, lenses.dec_deg, unit="deg"))
    search_around_sky(sample, sample, DUPLICATE_RADIUS_ARCSEC * u.arcsec)
    return time.perf_counter() - begun


def _positions() -> tuple[Degrees, Degrees]:
    """As in `tests.fixtures.surveys`: three fields."""
    random = np.random.default_rng(1)
    centres = np.array(_FIELDS)[random.integers(0, len(_FIELDS), NUMBER)]
    dec_deg = np.clip(centres[:, 1] + random.normal(0, 4, NUMBER), -89, 89)
    ra_deg = (centres[:, 0] + random.normal(0, 4, NUMBER) / np.cos(np.radians(dec_deg))) % 360
    return ra_deg, dec_deg
