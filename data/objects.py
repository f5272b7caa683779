"""The objects of a campaign: `catalogue.parquet`, one row per object, and where its planes are stored.

A row here is what makes an ingested cutout count: planes are written first, the row last.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.util import hash_array

from data.errors import StoreError
from data.files import written_atomically
from data.kept import Kept
from data.sky import TangentPlane

STORAGE_COLUMNS: dict[str, pa.DataType] = {
    "object_id": pa.string(),
    "ra_deg": pa.float64(),
    "dec_deg": pa.float64(),
    "kind": pa.string(),
    "bands": pa.list_(pa.string()),
    "zero_points_mag": pa.list_(pa.float64()),
    "cd_deg": pa.list_(pa.float64()),
    "planes_hash": pa.string(),
    "cutout_group": pa.string(),
    "cutout_row": pa.int64(),
    "source_files": pa.list_(pa.string()),
    "warnings": pa.list_(pa.string()),
    "centre_deg": pa.list_(pa.float64()),
}

LARGE = 500_000  # rows, beyond which a table stays in its file
_GROUP_ROWS = 20_000
_GROUPS_KEPT = 16
_HASHED = 100_000


@dataclass(frozen=True)
class StoredObject:
    """One row of `catalogue.parquet`: fields as in `data.cutouts.Cutout`, and the place of its planes in the store.

    columns : what the catalogue said beside the position, as Python values.
    """

    object_id: str
    ra_deg: float
    dec_deg: float
    kind: str
    bands: tuple[str, ...]
    zero_points_mag: tuple[float, ...]
    cd_deg: tuple[float, float, float, float] | None
    planes_hash: str
    cutout_group: str
    cutout_row: int
    source_files: tuple[str, ...]
    warnings: tuple[str, ...]
    columns: Mapping[str, object]
    centre_deg: tuple[float, float] | None = None

    @property
    def sky(self) -> TangentPlane | None:
        """The sky about the cutout's centre, which need not be where the object is; None if it is not known."""
        ra_deg, dec_deg = self.centre_deg or (self.ra_deg, self.dec_deg)
        if self.cd_deg is None or not math.isfinite(ra_deg + dec_deg):
            return None
        return TangentPlane(ra_deg, dec_deg, self.cd_deg)

    def row(self) -> dict[str, object]:
        """As a row for Parquet; the catalogue's columns stand beside ours and never replace them."""
        own = {name: getattr(self, name) for name in STORAGE_COLUMNS}
        return {**{k: v for k, v in self.columns.items() if k not in STORAGE_COLUMNS}, **own}


class ObjectTable:
    """The rows of `catalogue.parquet`, looked up by `object_id`.

    Of a table of many rows only the ids are held in memory; what else is asked for is read from the file, which stays
    the one that was opened when it is replaced on disk.
    """

    def __init__(self, table: pa.Table | pq.ParquetFile) -> None:
        self._file = table if isinstance(table, pq.ParquetFile) else None
        self._table = None if isinstance(table, pq.ParquetFile) else table
        self.id_column: pa.ChunkedArray = (
            table["object_id"]
            if isinstance(table, pa.Table)
            else table.read(columns=["object_id"])["object_id"]
        )
        self._groups: Kept[pa.Table] = Kept(_GROUPS_KEPT)
        hashes = _hashes(self.id_column)
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._order]
        if self._has_twins():
            raise StoreError("catalogue.parquet names an object twice: restore it from a backup")

    @classmethod
    def load(cls, path: Path) -> "ObjectTable":
        """Read the table; an absent file is an empty table."""
        if not path.exists():
            return cls(pa.table({n: pa.array([], t) for n, t in STORAGE_COLUMNS.items()}))
        try:
            if pq.read_metadata(path).num_rows > LARGE:
                return cls(pq.ParquetFile(path))
            return cls(pq.read_table(path, memory_map=False, partitioning=None))
        except pa.ArrowException as error:
            raise StoreError(
                f"{path} is damaged ({error}): restore it from a backup, or ingest again"
            ) from error

    @property
    def table(self) -> pa.Table:
        """All columns of all rows; of a large table, read from the file each time."""
        return self._file.read() if self._table is None and self._file is not None else self._table

    def save(self, path: Path) -> None:
        """Replace the file at once, so that a reader or a killed process never sees half of it."""
        with written_atomically(path) as partial:
            pq.write_table(self.table, partial, compression="zstd", row_group_size=_GROUP_ROWS)

    def __len__(self) -> int:
        return len(self.id_column)

    def __contains__(self, object_id: object) -> bool:
        return isinstance(object_id, str) and bool(self.row_numbers([object_id])[0] >= 0)

    @property
    def ids(self) -> list[str]:
        """Object ids in catalogue order."""
        ids: list[str] = self.id_column.to_pylist()
        return ids

    def get(self, object_id: str) -> StoredObject | None:
        """The object of that id, or None."""
        found = self.rows_of([object_id])
        return found[0] if found else None

    def rows_of(self, object_ids: Iterable[str]) -> list[StoredObject]:
        """The objects of these ids, in their order; an id that is not there is left out."""
        rows = self.row_numbers(object_ids)
        return stored_objects(self.take(rows[rows >= 0]))

    def row_numbers(self, object_ids: Iterable[str]) -> NDArray[np.int64]:
        """The row of each id, -1 where there is none."""
        wanted = pa.array(list(object_ids), pa.string())
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1, np.int64)
        places = np.searchsorted(self._hashes, _hashes(wanted)).clip(max=len(self) - 1)
        rows = self._order[places].astype(np.int64)
        is_it = pc.equal(self.id_column.take(pa.array(rows)), wanted).to_numpy()
        return np.where(is_it, rows, -1)

    def take(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
        """These rows in their order, of all columns or of some."""
        if self._table is not None:
            return (self._table if columns is None else self._table.select(columns)).take(
                pa.array(rows, pa.int64())
            )
        assert self._file is not None
        if not len(rows):
            return self._file.schema_arrow.empty_table().select(columns or self._file.schema_arrow.names)
        ends = np.cumsum(
            [self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)]
        )
        groups = np.searchsorted(ends, rows, side="right")
        needed = np.unique(groups)
        starts = np.concatenate([[0], ends])[needed]
        tables = [self._group(int(group), columns) for group in needed]
        before = np.concatenate([[0], np.cumsum([len(table) for table in tables])])[:-1]
        places = np.searchsorted(needed, groups)
        return pa.concat_tables(tables).take(pa.array(rows - starts[places] + before[places]))

    def _group(self, number: int, columns: Sequence[str] | None) -> pa.Table:
        file = self._file
        assert file is not None
        named = None if columns is None else list(columns)
        return self._groups.get(
            (number, None if named is None else tuple(named)),
            lambda: file.read_row_group(number, columns=named),
        )

    def _has_twins(self) -> bool:
        """Whether an id is there twice; two ids of the same hash would count as well."""
        return bool((self._hashes[1:] == self._hashes[:-1]).any())

    def with_rows(self, objects: Sequence[StoredObject]) -> "ObjectTable":
        """A table with these objects added; columns that only some rows have are null in the others."""
        if not objects:
            return self
        tables = _agreeing(self.table, _table_of(objects))
        return ObjectTable(pa.concat_tables(tables, promote_options="permissive"))

    def next_rows(self) -> dict[str, int]:
        """For each group of the store, the first row that no object claims yet."""
        claimed = self.table.select(["cutout_group", "cutout_row"]).group_by("cutout_group")
        largest = claimed.aggregate([("cutout_row", "max")]).to_pylist()
        return {entry["cutout_group"]: entry["cutout_row_max"] + 1 for entry in largest}


def stored_objects(rows: pa.Table) -> list[StoredObject]:
    """Rows of a catalogue as objects; a column that was not read is empty."""
    return [_stored_object(values) for values in rows.to_pylist()]


def _hashes(ids: pa.ChunkedArray | pa.Array) -> NDArray[np.uint64]:
    """64 bits of each id; ten million of them agree by chance once in 400,000 catalogues."""
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    pieces = [chunk.slice(first, _HASHED) for chunk in chunks for first in range(0, len(chunk), _HASHED)]
    found = [hash_array(np.asarray(piece.to_numpy(zero_copy_only=False), object)) for piece in pieces]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def _table_of(objects: Sequence[StoredObject]) -> pa.Table:
    rows = [stored.row() for stored in objects]
    extra = dict.fromkeys(name for row in rows for name in row if name not in STORAGE_COLUMNS)
    arrays = {name: pa.array([row[name] for row in rows], kind) for name, kind in STORAGE_COLUMNS.items()}
    for name in extra:
        arrays[name] = _array_of([row.get(name) for row in rows])
    return pa.table(arrays)


def _agreeing(first: pa.Table, second: pa.Table) -> list[pa.Table]:
    """Both tables, with text in the columns that are numbers in one and text in the other."""
    for name in set(first.column_names) & set(second.column_names):
        kinds = first.schema.field(name).type, second.schema.field(name).type
        is_mixed = any(map(pa.types.is_string, kinds)) or any(map(pa.types.is_boolean, kinds))
        if kinds[0] != kinds[1] and is_mixed and not any(map(pa.types.is_null, kinds)):
            first, second = (
                table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.string()))
                for table in (first, second)
            )
    return [first, second]


def _array_of(values: list[object]) -> pa.Array:
    """One type per column: text where the values of a column do not agree on a number."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def _stored_object(values: dict[str, object]) -> StoredObject:
    own = {name: values.pop(name, None) for name in STORAGE_COLUMNS}
    for name in ("bands", "zero_points_mag", "source_files", "warnings"):
        own[name] = tuple(own[name] or ())  # type: ignore[arg-type]  # Arrow lists come as Python lists
    for name in ("cd_deg", "centre_deg"):
        own[name] = tuple(own[name]) if own[name] else None  # type: ignore[arg-type]  # same
    for name in ("ra_deg", "dec_deg"):
        own[name] = float("nan") if own[name] is None else own[name]
    return StoredObject(columns=values, **own)  # type: ignore[arg-type]  # the schema above fixes the types
