"""What the crossmatch says of an object, while the catalogue grows: nothing that was true of an earlier catalogue."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from data import crossmatch
from data.campaign import Campaign
from data.errors import CatalogueError
from data.objects import ObjectTable

Row = dict[str, object]

# The first candidate is to be painted before a process is started for this.
PATIENCE_S = 3.0


@dataclass(frozen=True)
class Match:
    """Of one object. known_lens : None if it is none. duplicate : the object that it is too, None if it is no other."""

    known_lens: Row | None
    duplicate: Row | None


class LiveCrossmatch:
    """Reads `crossmatch.parquet`. prepare : called where that is not up to date. Safe from several threads."""

    def __init__(self, campaign: Campaign, prepare: Callable[[], None]) -> None:
        self._campaign, self._prepare = campaign, prepare
        self._lock = threading.Lock()
        self._read: tuple[crossmatch.Made, ObjectTable] | None = None
        self._waiting: threading.Timer | None = None

    def of(self, object_id: str) -> Match | None:
        """What it says of an object; None while that is not known."""
        with self._lock:
            try:
                made = crossmatch.made_of(self._campaign)
            except CatalogueError:  # a filter says what is damaged; grading goes on without it
                return None
            if self._read is None or self._read[0] != made:
                self._read = self._read_anew(made)
            if self._read is None:
                self._prepare_soon()
                return None
            table = self._read[1]
        rows = table.row_numbers([object_id])
        found = table.take(rows[rows >= 0]).to_pylist()
        return _match(found[0], made) if found else Match(None, None)

    def close(self) -> None:
        """Begin nothing any more."""
        with self._lock:
            if self._waiting is not None:
                self._waiting.cancel()

    def _read_anew(self, made: crossmatch.Made) -> tuple[crossmatch.Made, ObjectTable] | None:
        path = self._campaign.crossmatch_path
        if crossmatch.made_of_in(path) != made:
            return None
        table = ObjectTable.load(path)
        # It may have been replaced between the two.
        return (made, table) if crossmatch.made_of_in(path) == made else None

    def _prepare_soon(self) -> None:
        if self._waiting is None or not self._waiting.is_alive():
            self._waiting = threading.Timer(PATIENCE_S, self._prepare)
            self._waiting.daemon = True
            self._waiting.start()


def _match(row: Row, made: crossmatch.Made) -> Match:
    known, duplicate = None, None
    if row["known_lens"] is not None:
        known = {
            "name": row["known_lens"],
            "grading": row["known_lens_grading"],
            "type": row["known_lens_type"],
            "z_lens": row["known_lens_z"],
            "reference": row["known_lens_reference"],
            "separation_arcsec": row["known_lens_arcsec"],
            "catalogue": crossmatch.edition_in_words(made),
        }
    if row["duplicate_of"] is not None:
        duplicate = {"object_id": row["duplicate_of"], "separation_arcsec": row["duplicate_arcsec"]}
    return Match(known, duplicate)
