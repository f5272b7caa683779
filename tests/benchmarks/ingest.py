"""Ingest of Euclid-like four-band FITS files, against reading the same files with Astropy alone."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from astropy.io import fits

from data.campaign import create_campaign
from data.ingest import ingest
from tests.benchmarks.rows import Row, at_least
from tests.fixtures.euclid_files import write_euclid

FILES = 400
LEAST_SHARE = 0.7


def bench() -> list[Row]:
    """Objects per second of both; files are warm, and each is the best of two, taken in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source").mkdir()
        files = [write_euclid(folder / "source" / f"object-{n:04d}.fits", seed=n) for n in range(FILES)]
        astropy_s = ingest_s = float("inf")
        for turn in range(2):
            astropy_s = min(astropy_s, _seconds(lambda: [_read_with_astropy(file) for file in files]))
            campaign = folder / f"campaign-{turn}"
            ingest_s = min(ingest_s, _seconds(lambda path=campaign: _ingest(path, folder / "source")))
    reference = f"{FILES / ingest_s:.0f} objects/s; astropy alone in one process {FILES / astropy_s:.0f}"
    return [
        at_least(
            "ingest of four-band FITS", astropy_s / ingest_s, LEAST_SHARE, "of astropy", reference=reference
        )
    ]


def _read_with_astropy(path: Path) -> dict[str, tuple[object, object]]:
    """Pixels of all planes and the zero points: the least that any reader has to do."""
    with fits.open(path) as file:
        return {hdu.name: (hdu.data, hdu.header.get("MAGZERO")) for hdu in file[1:]}


def _ingest(path: Path, source: Path) -> None:
    report = ingest(create_campaign(path, survey="euclid"), [source], remember=False)
    assert report.added == FILES


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
