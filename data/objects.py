"""The objects of a campaign: `catalogue.parquet`, one row per object, and where its planes are stored.

A row here is what makes an ingested cutout count: planes are written first, the row last.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.errors import StoreError
from data.files import written_atomically
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
    """The rows of `catalogue.parquet`, looked up by `object_id`; holds the Arrow table, not Python rows."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        ids = table["object_id"].to_pylist()
        self._row_of: dict[str, int] = {object_id: row for row, object_id in enumerate(ids)}
        if len(self._row_of) != len(ids):
            raise StoreError("catalogue.parquet names an object twice: restore it from a backup")

    @classmethod
    def load(cls, path: Path) -> "ObjectTable":
        """Read the table; an absent file is an empty table."""
        if not path.exists():
            return cls(pa.table({n: pa.array([], t) for n, t in STORAGE_COLUMNS.items()}))
        try:
            return cls(pq.read_table(path, memory_map=False, partitioning=None))
        except pa.ArrowException as error:
            raise StoreError(
                f"{path} is damaged ({error}): restore it from a backup, or ingest again"
            ) from error

    def save(self, path: Path) -> None:
        """Replace the file at once, so that a reader or a killed process never sees half of it."""
        with written_atomically(path) as partial:
            pq.write_table(self.table, partial, compression="zstd")

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._row_of

    @property
    def ids(self) -> Sequence[str]:
        """Object ids in catalogue order."""
        return list(self._row_of)

    def get(self, object_id: str) -> StoredObject | None:
        """The object of that id, or None."""
        row = self._row_of.get(object_id)
        return None if row is None else _stored_object(self.table.slice(row, 1).to_pylist()[0])

    def rows_of(self, object_ids: Iterable[str]) -> list[StoredObject]:
        """The objects of these ids, in their order; an id that is not there is left out."""
        rows = np.array([self._row_of[i] for i in object_ids if i in self._row_of], np.int64)
        return [_stored_object(values) for values in self.table.take(rows).to_pylist()]

    def row_numbers(self, object_ids: Iterable[str]) -> NDArray[np.int64]:
        """The row of each id, -1 where there is none."""
        return np.fromiter((self._row_of.get(i, -1) for i in object_ids), np.int64)

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
