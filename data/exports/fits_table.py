"""FITS binary table. Text is UTF-8, columns as wide as their longest value; missing values as FITS has them.

FITS takes trailing spaces for padding. They are in the file, followed by NUL where the column is wider, and
come back with `Table.read(path, strip_spaces=False)`; by default Astropy drops them, and line ends too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits
from numpy.typing import NDArray

from data.catalogue_columns import TEXT, described
from data.errors import ExportError
from data.exports.provenance import provenance_in

LARGEST_BYTES = 2**31
MOST_COLUMNS = 999  # FITS 4.0, sect. 7.3.1
_BLOCK_BYTES = 2880
_CHUNK_BYTES = 2**24
_WHOLE_NULL = np.iinfo(np.int64).min
_TRUTH_NULL = -1
_KEYWORDS = {
    "inspectors": "INSPECT",
    "model_sha256": "MODELSHA",
    "consensus": "CONSENS",
    "crossmatch": "XMATCH",
}


@dataclass(frozen=True)
class _Layout:
    """How a column lies in a row: TFORM, the NumPy type of a cell, and TNULL."""

    tform: str
    dtype: str
    null: int | None = None


def write_fits(table: pa.Table, path: Path) -> None:
    """Write an empty primary HDU and one table.

    Raises
    ------
    ExportError
        If the table has too many columns, or one long text makes all rows too wide to be of use.
    """
    layouts = [_layout(table[name]) for name in table.column_names]
    row = np.dtype([(f"c{n}", layout.dtype) for n, layout in enumerate(layouts)])
    _check_size(table, layouts, row)
    with path.open("wb") as opened:
        opened.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        opened.write(_header(table, layouts, row).tostring().encode("ascii"))
        for batch in table.to_batches(max_chunksize=max(1, _CHUNK_BYTES // row.itemsize)):
            opened.write(_rows(batch, layouts, row).tobytes())
        _pad(opened)


def _layout(values: pa.ChunkedArray) -> _Layout:
    if values.type == TEXT:
        width = max(1, pc.max(pc.binary_length(values)).as_py() or 0)
        return _Layout(f"{width}A", f"S{width}")
    if pa.types.is_boolean(values.type):
        return _Layout("I", ">i2", _TRUTH_NULL) if values.null_count else _Layout("L", "S1")
    if pa.types.is_integer(values.type):
        return _Layout("K", ">i8", _WHOLE_NULL if values.null_count else None)
    return _Layout("D", ">f8") if pa.types.is_float64(values.type) else _Layout("E", ">f4")


def _check_size(table: pa.Table, layouts: list[_Layout], row: np.dtype[np.void]) -> None:
    if len(layouts) > MOST_COLUMNS:
        raise ExportError(
            f"the catalogue has {len(layouts)} columns, FITS has room for {MOST_COLUMNS}: "
            "choose .vot, .ecsv, .csv or .parquet"
        )
    if row.itemsize * table.num_rows > LARGEST_BYTES:
        widest, name = max(
            (np.dtype(layout.dtype).itemsize, name)
            for layout, name in zip(layouts, table.column_names, strict=True)
        )
        raise ExportError(
            f"FITS gives each row the width of the longest text ({name}, {widest:,} bytes): "
            f"{row.itemsize * table.num_rows / 2**30:.1f} GiB; choose .vot, .ecsv, .csv or .parquet"
        )


def _header(table: pa.Table, layouts: list[_Layout], row: np.dtype[np.void]) -> fits.Header:
    header = fits.BinTableHDU().header
    header["NAXIS1"], header["NAXIS2"], header["TFIELDS"] = row.itemsize, table.num_rows, len(layouts)
    for number, (field, layout) in enumerate(zip(table.schema, layouts, strict=True), start=1):
        for keyword, value in _column_cards(field, layout):
            header[f"{keyword}{number}"] = value
    for name, value in provenance_in(table).items():
        header[_KEYWORDS.get(name, name.upper())] = _ascii(value) if isinstance(value, str) else value
    header["EXTNAME"] = "LENSVET"
    return header


def _column_cards(field: pa.Field, layout: _Layout) -> Iterator[tuple[str, str | int]]:
    metadata = described(field)
    yield "TTYPE", _ascii(field.name)
    yield "TFORM", layout.tform
    for keyword, name in (("TUNIT", "unit"), ("TUCD", "ucd"), ("TCOMM", "description")):
        if name in metadata:
            yield keyword, _ascii(metadata[name])
    if layout.null is not None:
        yield "TNULL", layout.null


def _rows(batch: pa.RecordBatch, layouts: list[_Layout], row: np.dtype[np.void]) -> NDArray[np.void]:
    rows = np.empty(batch.num_rows, row)
    for n, (column, layout) in enumerate(zip(batch.columns, layouts, strict=True)):
        rows[f"c{n}"] = _cells(column, layout)
    return rows


def _cells(column: pa.Array, layout: _Layout) -> NDArray[np.generic]:
    if column.type == TEXT:
        texts = column.fill_null("").to_pylist()
        return np.array([text.encode() for text in texts], layout.dtype)
    if layout.tform == "L":
        return np.where(np.asarray(column), b"T", b"F")
    if layout.null is not None:
        return np.asarray(column.cast(pa.int64()).fill_null(layout.null))
    return np.asarray(column)


def _ascii(text: str) -> str:
    """Headers are ASCII: anything else as Python writes it in a string, such as \\u5f27."""
    return "".join(character if " " <= character <= "~" else ascii(character)[1:-1] for character in text)


def _pad(opened: BinaryIO) -> None:
    opened.write(b"\0" * (-opened.tell() % _BLOCK_BYTES))
