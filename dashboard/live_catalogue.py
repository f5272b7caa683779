"""The objects of a campaign while it grows: `catalogue.parquet`, read again when it was replaced."""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.objects import ObjectTable, rows_in

HUGE = 20_000_000  # rows: their ids alone take half a gigabyte


@dataclass(frozen=True)
class Catalogue:
    """One state of the catalogue. version : another number for each state that this process has seen."""

    table: ObjectTable
    version: int

    def __len__(self) -> int:
        return len(self.table)

    def listed(self, rows: NDArray[np.int64]) -> list[tuple[str, str]]:
        """(object_id, planes_hash) of these rows, in their order."""
        wanted = self.table.take(rows, ["object_id", "planes_hash"])
        return list(zip(*(column.to_pylist() for column in wanted.columns), strict=True))


class LiveCatalogue:
    """Gives the catalogue as it is on disk now. Safe from several threads.

    It is read at once, so that a damaged one is told when the server starts; one beyond `HUGE` rows when it is first
    asked for, since pages that show a survey as a whole do without it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, ...] | None, Catalogue] | None = None
        if rows_in(path) <= HUGE:
            self.now()

    def now(self) -> Catalogue:
        with self._lock:
            # The stamp is taken before reading: a file replaced in between is read once more the next time.
            stamp = _stamp_of(self._path)
            if self._read is None or stamp != self._read[0]:
                version = 0 if self._read is None else self._read[1].version + 1
                self._read = stamp, Catalogue(ObjectTable.load(self._path), version=version)
            return self._read[1]


def _stamp_of(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
