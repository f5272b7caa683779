"""What 10^9 scores cost: built, asked and drawn on this machine. `python -m tests.survey_plan 1000000000 [FOLDER]`.

The numbers are drawn at random, the layout is that of a survey's scores: one Parquet file for each few million objects,
the most lens-like first, so that a question about the best reads the first of them. Needs 20 GB for 10^9.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy_healpix import HEALPix
from scipy.special import ndtri

from dashboard.plots import survey
from data.sky_projection import SkyProjection

CHUNK = 5_000_000
CELL_ORDER = 9
MEMORY = "2GB"
BEST = 300_000
BINS = 200
FILTER = "logit > 2 AND i_e < 22"
_FIELDS = ((269.7, 66.0), (61.2, -48.4), (52.9, -28.1))  # the deep fields of Euclid

Made = TypeVar("Made")


def main(number: int, folder: Path) -> None:
    counts = timed("built, with HEALPix counts", lambda: build(folder, number))
    parts = sorted(folder.glob("part-*.parquet"))
    size_gb = sum(part.stat().st_size for part in parts) / 1e9
    print(f"  {number:,} rows in {len(parts)} files, {size_gb:.1f} GB")
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'")
        connection.execute("SET temp_directory = $1", [str(folder / "spill")])
        connection.execute(f"CREATE VIEW scores AS SELECT * FROM read_parquet('{folder}/part-*.parquet')")

        def ask(query: str) -> list[tuple[object, ...]]:
            return connection.execute(query).fetchall()

        first = f"SELECT object_id FROM scores WHERE {FILTER} ORDER BY logit DESC LIMIT 100"
        timed("first page: two filters, the most lens-like first", lambda: ask(first))
        timed("the same again", lambda: ask(first))
        timed(
            f"the best {BEST:,}",
            lambda: ask(f"SELECT object_id FROM scores ORDER BY logit DESC LIMIT {BEST}"),
        )
        timed("how many meet the filter", lambda: ask(f"SELECT count(*) FROM scores WHERE {FILTER}"))
        bright = "SELECT object_id FROM scores WHERE ra_deg < 60 ORDER BY i_e LIMIT 100"
        timed("first page of a filter and an order that the layout does not help", lambda: ask(bright))
        binned = (
            f"SELECT floor(i_e * 10), floor(logit * 5), count(*) FROM scores GROUP BY ALL LIMIT {BINS**2}"
        )
        timed("magnitude against score, counted in bins", lambda: ask(binned))
    projection = SkyProjection.about(np.array([ra for ra, _ in _FIELDS], np.float32))
    view = survey.View(-180.0, 180.0, -90.0, 90.0, 700, 350)
    cells = cells_at(counts, 6)
    timed("sky drawn from the counts", lambda: survey.sky_density(cells, cells, projection, view))
    print(f"  this process at most {psutil.Process().memory_info().rss / 2**20:,.0f} MiB at the end")


def timed(what: str, work: Callable[[], Made]) -> Made:
    begun = time.perf_counter()
    made = work()
    print(f"{time.perf_counter() - begun:10.2f} s  {what}", flush=True)
    return made


def build(folder: Path, number: int) -> np.ndarray:
    """Write the files; how many objects are in each HEALPix cell."""
    random = np.random.default_rng(1)
    healpix = HEALPix(2**CELL_ORDER, order="nested")
    counts = np.zeros(12 * 4**CELL_ORDER, np.int64)
    for part, first in enumerate(range(0, number, CHUNK)):
        rows = np.arange(first, min(first + CHUNK, number))
        centres = np.array(_FIELDS, np.float32)[random.integers(0, len(_FIELDS), len(rows))]
        dec = np.clip(centres[:, 1] + random.normal(0, 4, len(rows)), -89, 89).astype(np.float32)
        ra = (
            centres[:, 0] + random.normal(0, 4, len(rows)).astype(np.float32) / np.cos(np.radians(dec))
        ) % 360
        # The quantiles of a normal distribution, the largest first: as if they had been sorted.
        logit = (-6 - 3 * ndtri((rows + 0.5) / number)).astype(np.float32)
        columns = {
            "object_id": rows,
            "ra_deg": ra,
            "dec_deg": dec,
            "logit": logit,
            "i_e": random.normal(22, 1.5, len(rows)).astype(np.float32),
        }
        cells = healpix.lonlat_to_healpix(ra * u.deg, dec * u.deg)
        counts += np.bincount(cells, minlength=len(counts))
        pq.write_table(pa.table(columns), folder / f"part-{part:05d}.parquet", row_group_size=500_000)
    return counts


def cells_at(counts: np.ndarray, order: int) -> np.ndarray:
    """Counts in larger cells."""
    return counts.reshape(12 * 4**order, -1).sum(axis=1)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or not sys.argv[1].isdecimal():
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) == 3 else None) as name:
        main(int(sys.argv[1]), Path(name))
