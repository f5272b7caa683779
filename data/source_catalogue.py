"""The catalogue that comes with the cutouts: which row describes which file, and what it says of the object.

A row belongs to a file that it names (column `file`, `path`, ...), or whose stem is its id.
`des_[gri].fits[3]` is the fourth object in the stacks that the pattern matches.
"""

import fnmatch
import math
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.cutouts import Cutout
from data.files import written_atomically
from data.readers.assembly import Known
from data.readers.mosaics import Positions
from data.readers.parts import UNKNOWN, band_list
from data.readers.tables import (
    DEC_NAMES,
    FILE_NAMES,
    ID_NAMES,
    RA_NAMES,
    column_called,
    plain_value,
    read_table,
    rows_skipped,
)
from data.sky import separation_arcsec

_SCALE_NAMES = ("pixel_scale_arcsec", "pixel_scale", "pixscale")
_BAND_NAMES = ("bands", "band", "filters", "filter")


@dataclass(frozen=True)
class Entry:
    """What the catalogue says of one object.

    object_id : "" if it gives none. shares_id : whether it gives the same id to other files too.
    """

    object_id: str
    ra_deg: float
    dec_deg: float
    columns: Mapping[str, object]
    shares_id: bool = False

    @property
    def known(self) -> Known:
        """What helps to read the files: the names of their bands, the pixel scale."""
        bands = self.columns.get(column_called(self.columns, _BAND_NAMES) or "", "")
        scale = self.columns.get(column_called(self.columns, _SCALE_NAMES) or "")
        return Known(tuple(band_list(bands)), _number(scale))


class SourceCatalogue:
    """A catalogue, searchable by file and by id.

    ids : (row,), "" where there is none. ra_deg, dec_deg : (row,), NaN where the row has no usable position.
    warnings : what is wrong with the catalogue itself, counted.
    """

    def __init__(self, table: pa.Table) -> None:
        names = table.column_names
        self._id = column_called(names, ID_NAMES)
        self._ra, self._dec = column_called(names, RA_NAMES), column_called(names, DEC_NAMES)
        self._rows = int(table.num_rows)
        self._columns = {name: table[name].combine_chunks() for name in names}
        self.ids = self._texts(self._id)
        self.ra_deg, self.dec_deg = _positions(self._values(self._ra), self._values(self._dec))
        self._row_of_id = {
            object_id: row for row, object_id in reversed(list(enumerate(self.ids))) if object_id
        }
        self._times_given = Counter(self.ids)
        self._by_name, self._by_pattern = _file_rows(self._texts(column_called(names, FILE_NAMES)))
        self.warnings = Counter(dict(self._problems(rows_skipped(table))))

    @classmethod
    def open(cls, path: Path) -> "SourceCatalogue":
        """Read a catalogue file.

        Raises
        ------
        CatalogueError
            If it cannot be read.
        """
        return cls(read_table(path))

    def __len__(self) -> int:
        return self._rows

    @property
    def has_positions(self) -> bool:
        return bool(np.isfinite(self.ra_deg).any())

    def rows_of(self, files: Sequence[Path], stems: Sequence[str], index: int | None = None) -> list[int]:
        """The rows for the object in these files, or for the one at `index` in a stack; empty without one."""
        named = [row for file in files for row in self._rows_naming(file, index)]
        of_stem = [self._row_of_id[stem] for stem in stems if stem in self._row_of_id]
        return list(dict.fromkeys(named)) or of_stem[:1]

    def entry(self, rows: Sequence[int]) -> Entry:
        """What these rows say of one object: columns in which they agree, and the first usable position."""
        names = {self.ids[row] for row in rows}
        object_id = names.pop() if len(names) == 1 else ""
        shares_id = bool(object_id) and self._times_given[object_id] > len(rows)
        usable = next((row for row in rows if math.isfinite(self.ra_deg[row])), rows[0])
        own = [self._id] if object_id and not shares_id else []
        own += [self._ra, self._dec] if math.isfinite(self.ra_deg[usable]) else []
        return Entry(
            object_id=object_id,
            ra_deg=float(self.ra_deg[usable]),
            dec_deg=float(self.dec_deg[usable]),
            columns={name: value for name, value in self._agreed(rows) if name not in own},
            shares_id=shares_id,
        )

    def positions(self, rows: Iterable[int], *, without: Container[str] = ()) -> Positions:
        """Where these rows say that objects are, each id once; rows without a position are left out.

        A row without an id is named after its position. without : ids that are not wanted.
        """
        chosen: dict[str, int] = {}
        for row in rows:
            if math.isfinite(self.ra_deg[row]):
                name = self.ids[row] or position_name(self.ra_deg[row], self.dec_deg[row])
                if name not in without:
                    chosen.setdefault(name, row)
        at = list(chosen.values())
        return Positions(at, list(chosen), self.ra_deg[at], self.dec_deg[at])

    def _rows_naming(self, file: Path, index: int | None) -> list[int]:
        """Rows whose path ends this file's path; a row with other folders counts if no other has the name."""
        named = [(given, row) for given, at, row in self._by_name.get(file.name, ()) if at == index]
        for pattern, rows in self._by_pattern.items():
            if index is not None and index in rows and fnmatch.fnmatchcase(file.name, Path(pattern).name):
                named.append((str(Path(pattern).with_name(file.name)), rows[index]))
        fitting = [row for given, row in named if f"/{file.as_posix()}".endswith("/" + given.lstrip("./"))]
        return fitting or [row for _, row in named if len(named) == 1]

    def _agreed(self, rows: Sequence[int]) -> Iterator[tuple[str, object]]:
        for name, column in self._columns.items():
            values = [plain_value(column[row].as_py()) for row in rows]
            if len(set(map(repr, values))) == 1:
                yield name, values[0]

    def _problems(self, skipped: int) -> Iterator[tuple[str, int]]:
        if skipped:
            yield "catalogue rows left out: they have more or fewer values than the header has names", skipped
        unusable = np.flatnonzero(np.isnan(self.ra_deg))
        if self._ra and self._dec and len(unusable):
            row = int(unusable[0])
            given = (
                f"{self._ra} {self._values(self._ra)[row]!r}, {self._dec} {self._values(self._dec)[row]!r}"
            )
            yield (
                f"catalogue rows without a usable position: the first is row {row + 1}, {given[:120]}",
                len(unusable),
            )
        repeated = sum(times - 1 for object_id, times in self._times_given.items() if object_id)
        if repeated:
            yield "catalogue rows that repeat an id", repeated

    def _values(self, name: str | None) -> list[object]:
        return [None] * self._rows if name is None else list(self._columns[name].to_pylist())

    def _texts(self, name: str | None) -> list[str]:
        return ["" if value is None else str(plain_value(value)) for value in self._values(name)]


def write_rows(catalogue: Path, rows: Sequence[int], path: Path) -> None:
    """Write some rows of a catalogue file as a Parquet file, under the names that they have.

    Raises
    ------
    CatalogueError
        If it cannot be read.
    """
    with written_atomically(path) as partial:
        pq.write_table(read_table(catalogue).take(pa.array(rows, pa.int64())), partial, compression="zstd")


def described(cutout: Cutout, entry: Entry) -> Cutout:
    """The cutout under the catalogue's id, at its position, with its columns.

    A WCS that puts the centre further away than the cutout is large is reported and not believed.
    """
    warnings = list(cutout.warnings)
    if entry.shares_id and entry.object_id != cutout.object_id:
        warnings.append(
            f"id shared by several files: the catalogue's {entry.object_id[:100]!r}; the stem is used"
        )
    has_position = math.isfinite(entry.ra_deg)
    cd_deg, centre_deg = cutout.cd_deg, cutout.centre_deg
    if has_position and centre_deg is not None:
        plane = next(iter(cutout.planes.values()))
        field_arcsec = max(plane.flux.shape) * plane.pixel_scale_arcsec
        off_arcsec = separation_arcsec(centre_deg, (entry.ra_deg, entry.dec_deg))
        if off_arcsec > field_arcsec:
            warnings.append(
                f"WCS not believed: its centre is {off_arcsec:.0f} arcsec from the catalogue's position, "
                f"and the cutout measures {field_arcsec:.1f} arcsec"
            )
            cd_deg = centre_deg = None
    return replace(
        cutout,
        object_id=cutout.object_id if entry.shares_id or not entry.object_id else entry.object_id,
        ra_deg=entry.ra_deg if has_position else cutout.ra_deg,
        dec_deg=entry.dec_deg if has_position else cutout.dec_deg,
        cd_deg=cd_deg,
        centre_deg=centre_deg,
        columns={**cutout.columns, **entry.columns},
        warnings=tuple(warnings),
    )


def position_name(ra_deg: float, dec_deg: float) -> str:
    """A name made of a position, digits cut off, as the IAU asks.

    >>> position_name(266.3231377, 65.93682015)
    'J174517.55+655612.5'
    """
    centiseconds = math.floor(ra_deg % 360 * 24000 + 1e-6)
    tenths = math.floor(abs(dec_deg) * 36000 + 1e-6)
    hours, rest = divmod(centiseconds, 360000)
    degrees, arc_rest = divmod(tenths, 36000)
    ra = f"{hours:02d}{rest // 6000:02d}{rest % 6000 / 100:05.2f}"
    dec = f"{degrees:02d}{arc_rest // 600:02d}{arc_rest % 600 / 10:04.1f}"
    return f"J{ra}{'-' if dec_deg < 0 else '+'}{dec}"


def _positions(ra: list[object], dec: list[object]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both coordinates in degrees, NaN in both where either is missing, no number, or off the sphere."""
    ra_deg = np.array([_number(value) for value in ra])
    dec_deg = np.array([_number(value) for value in dec])
    usable = (ra_deg >= -180) & (ra_deg <= 360) & (np.abs(dec_deg) <= 90)
    return np.where(usable, ra_deg % 360, np.nan), np.where(usable, dec_deg, np.nan)


def _file_rows(
    given: Sequence[str],
) -> tuple[dict[str, list[tuple[str, int | None, int]]], dict[str, dict[int, int]]]:
    """Rows by the file's name, (path as given, index in a stack, row), and rows by index for each pattern."""
    by_name: dict[str, list[tuple[str, int | None, int]]] = defaultdict(list)
    by_pattern: dict[str, dict[int, int]] = defaultdict(dict)
    for row, text in enumerate(given):
        path = text.strip().replace("\\", "/")
        if indexed := re.fullmatch(r"(.+)\[(\d{1,9})\]", path):
            by_pattern[indexed[1]].setdefault(int(indexed[2]), row)
            by_name[Path(indexed[1]).name].append((indexed[1], int(indexed[2]), row))
        elif path:
            by_name[Path(path).name].append((path, None, row))
    is_pattern = {pattern: rows for pattern, rows in by_pattern.items() if re.search(r"[*?\[]", pattern)}
    return by_name, is_pattern


def _number(value: object) -> float:
    """A finite number of a catalogue, given as number or text, else NaN."""
    try:
        number = float(value) if isinstance(value, int | float | str) else UNKNOWN
    except ValueError:
        return UNKNOWN
    return number if math.isfinite(number) else UNKNOWN
