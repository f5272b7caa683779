"""`rejected.csv` of a campaign: one line per file that was not ingested, or not wholly, with the reason."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from data.files import written_atomically
from data.readers.units import Rejected

_COLUMNS = ("file", "reason")


class Rejections:
    """The rejected files of earlier runs and of this one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = _read(path)
        self._saved_s = path.stat().st_mtime if path.exists() else 0.0
        self._kept = dict(self._saved)  # of earlier runs, and still true
        self._reasons: dict[str, str] = {}
        self._objects: Counter[str] = Counter()

    def add(self, rejected: Rejected) -> None:
        """Note a file; of several objects of one file the first reason stands, and how many there are."""
        self._reasons.setdefault(rejected.file, rejected.reason)
        self._objects[rejected.file] += 1

    def earlier_reason(self, path: Path) -> str | None:
        """Why an earlier run rejected this file, unless that was forgotten."""
        return self._kept.get(str(path))

    def forget(self, paths: Iterable[Path]) -> None:
        """These files are read again: what an earlier run said of them no longer counts."""
        for path in paths:
            self._kept.pop(str(path), None)

    def forget_missing(self) -> None:
        """Files that are no longer there need no reason."""
        self.forget([Path(file) for file in self._kept if not Path(file).exists()])

    def forget_changed(self, paths: Iterable[Path]) -> None:
        """Files that changed since they were rejected may be whole now."""
        kept = (path for path in paths if str(path) in self._kept)
        self.forget([path for path in kept if path.exists() and path.stat().st_ctime > self._saved_s])

    def of_this_run(self) -> list[Rejected]:
        return [Rejected(file, self._worded(file)) for file in self._reasons]

    def __len__(self) -> int:
        return len(self._reasons)

    def save(self) -> None:
        """Replace the file at once, in the order of file names, if there is anything new to say."""
        worded = self._kept | {file: self._worded(file) for file in self._reasons}
        if worded == self._saved:
            return
        with (
            written_atomically(self._path) as partial,
            partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows(sorted(worded.items()))
        self._saved = worded

    def _worded(self, file: str) -> str:
        more = self._objects[file] - 1
        return self._reasons[file] + (f" (and {more} more of its objects)" if more else "")


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row[0]: row[1] for row in csv.reader(file) if len(row) == 2 and tuple(row) != _COLUMNS}
