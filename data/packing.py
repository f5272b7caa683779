"""Cutouts into the store and their rows into the catalogue: planes first, in batches; rows every few seconds.

A process killed at any moment leaves every finished unit whole, and of the others nothing that counts.
"""

import time
from collections.abc import Callable

from data.campaign import Campaign
from data.cutouts import Cutout
from data.objects import StoredObject

_BATCH_BYTES = 2**25
_FIRST_SAVE_S = 1.0  # the first objects are to be seen at once
_SAVE_EVERY_S = 3.0
_SAVING_SHARE = 0.05  # of the time; a catalogue of a million rows takes seconds to write


class Packer:
    """Takes cutouts and gives them a place. Only what `save` has written counts."""

    def __init__(self, campaign: Campaign, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = campaign.catalogue_path
        self._clock = clock
        self._table = campaign.objects()
        self._store = campaign.cutouts_to_fill(self._table)
        self._waiting: list[Cutout] = []
        self._waiting_bytes = 0
        self._rows: list[StoredObject] = []
        self._next_save = clock() + _FIRST_SAVE_S

    def add(self, cutout: Cutout) -> None:
        """Take a cutout whose id is new."""
        self._waiting.append(cutout)
        self._waiting_bytes += sum(plane.flux.nbytes for plane in cutout.planes.values())
        if self._waiting_bytes >= _BATCH_BYTES:
            self._write_planes()

    def is_due(self) -> bool:
        """Whether it is time to save: not in the middle of a file, which would then count as read."""
        return self._clock() >= self._next_save

    def save(self) -> None:
        """Write what is waiting, and the catalogue."""
        started = self._clock()
        self._write_planes()
        if self._rows:
            self._table = self._table.with_rows(self._rows)
            self._rows = []
            self._table.save(self._path)
        now = self._clock()
        self._next_save = now + max(_SAVE_EVERY_S, (now - started) / _SAVING_SHARE)

    def _write_planes(self) -> None:
        if self._waiting:
            self._rows += self._store.append(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
