"""The numbers of a survey table in memory, for plots of all of it: float32, one value per row of the file.

A table of more than `MOST` rows is thinned: every so many rows of the file, in which the most lens-like come first, so
that each part of the ranking keeps its share. Safe from several threads.
"""

import threading

import numpy as np
import pyarrow as pa
from astropy import units as u
from astropy_healpix import HEALPix
from numpy.typing import NDArray

from data.filters import Condition, Every, as_mask, checked, columns_of
from data.sky_projection import SkyProjection
from data.survey_table import SurveyTable, kinds_with_votes

MOST = 12_000_000
CELL_ORDER = 9  # of HEALPix: cells of 6.9 arcmin
Numbers = NDArray[np.float32]
Mask = NDArray[np.bool_]
Codes = NDArray[np.uint8]


class SurveyColumns:
    """Columns of one table, read when they are first asked for."""

    def __init__(self, table: SurveyTable, *, most: int = MOST) -> None:
        self.table = table
        self.total = len(table)
        self.every = max(1, -(-self.total // most))
        self._columns: dict[str, Numbers] = {}
        self._categories: dict[str, tuple[pa.Table | None, list[str], Codes]] = {}
        self._sky: tuple[SkyProjection, Numbers, Numbers] | None = None
        self._cells: NDArray[np.int32] | None = None
        self._all_on_sky: dict[int, NDArray[np.int64]] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return -(-self.total // self.every)

    def column(self, name: str) -> Numbers:
        """A column of numbers, NaN where there is none."""
        with self._lock:
            if name not in self._columns:
                self._columns |= self.table.columns([name], every=self.every)
            return self._columns[name]

    def categories(self, name: str, votes: pa.Table | None = None) -> tuple[list[str], Codes]:
        """The values of a column of text, and for each row the place of its own among them from 1, or 0.

        votes : for what they come to, which is asked once for each state of them; of their grades, the best first.
        """
        with self._lock:
            kept = self._categories.get(name)
            if kept is None or kept[0] is not votes:
                values = self.table.categories(name, votes)
                if votes is not None:
                    values.sort()
                kept = votes, values, self.table.codes(name, values, votes, every=self.every)
                self._categories[name] = kept
            return kept[1:]

    def sky(self) -> tuple[SkyProjection, Numbers, Numbers]:
        """A projection that has the survey in its middle, and where in it the objects are: x, y in degrees."""
        with self._lock:
            if self._sky is None:
                columns = self.table.columns(["ra_deg", "dec_deg"], every=self.every)
                projection = SkyProjection.about(columns["ra_deg"])
                self._sky = projection, *projection.project(columns["ra_deg"], columns["dec_deg"])
                self._cells = _cells(columns["ra_deg"], columns["dec_deg"])
            return self._sky

    def counts_on_sky(self, order: int, mask: Mask | None) -> NDArray[np.int64]:
        """How many objects are in each HEALPix cell of an order up to `CELL_ORDER`, nested."""
        self.sky()
        assert self._cells is not None
        if mask is None and order in self._all_on_sky:
            return self._all_on_sky[order]
        cells = self._cells if mask is None else self._cells[mask]
        counts = np.bincount(cells[cells >= 0], minlength=12 * 4**CELL_ORDER)
        found: NDArray[np.int64] = counts.reshape(12 * 4**order, -1).sum(axis=1) * self.every
        if mask is None:
            self._all_on_sky[order] = found
        return found

    def mask(self, condition: Condition, votes: pa.Table | None = None) -> Mask | None:
        """Which rows meet a condition; None if all do.

        Raises
        ------
        FilterError
            If it speaks of a column that is not there.
        """
        condition = checked(condition, kinds_with_votes(self.table))
        if condition == Every():
            return None
        named = columns_of(condition)
        if all(self.table.kinds.get(name) == "number" for name in named):
            return as_mask(condition, {name: self.column(name) for name in named}, len(self))
        places = self.table.places(condition, votes)
        met = np.zeros(len(self), bool)
        met[places[places % self.every == 0] // self.every] = True
        return met


def _cells(ra_deg: Numbers, dec_deg: Numbers) -> NDArray[np.int32]:
    """The nested HEALPix cell of each position, -1 where there is none."""
    cells = np.full(len(ra_deg), -1, np.int32)
    healpix = HEALPix(2**CELL_ORDER, order="nested")
    for first in range(0, len(ra_deg), 1_000_000):
        some = slice(first, first + 1_000_000)
        there = np.isfinite(ra_deg[some]) & np.isfinite(dec_deg[some])
        found = healpix.lonlat_to_healpix(ra_deg[some][there] * u.deg, dec_deg[some][there] * u.deg)
        cells[some][there] = found
    return cells
