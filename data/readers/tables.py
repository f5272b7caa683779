"""Catalogue files as Arrow tables: CSV, FITS, VOTable, ECSV, Parquet, recognised by content."""

import codecs
import csv
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from data.errors import CatalogueError

# Small letters, in order of preference.
ID_NAMES = (
    *(
        "object_id",
        "objectid",
        "id",
        "object_name",
        "source_id",
        "target_id",
        "galaxy_id",
        "cutout_id",
        "id_str",
    ),
    *("objid", "obj_id", "object", "name", "target", "source"),
)
RA_NAMES = (
    *("ra_deg", "ra", "right_ascension", "raj2000", "ra_j2000", "alpha_j2000", "ra_icrs", "_raj2000"),
    "ra [deg]",
)
DEC_NAMES = (
    "dec_deg",
    "dec",
    "declination",
    "dej2000",
    "decj2000",
    "dec_j2000",
    "delta_j2000",
    "de_icrs",
    "_dej2000",
    "dec [deg]",
)
FILE_NAMES = (
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "cutout",
    "cutout_file",
    "image",
    "fits",
)

_SKIPPED = b"rows_skipped"
_INT64 = range(-(2**63), 2**63)


def read_table(path: Path) -> pa.Table:
    """The catalogue as it stands, one column per column; columns of arrays are left out.

    Raises
    ------
    CatalogueError
        If the file is none of the known formats, or damaged.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CatalogueError(f"catalogue {path} cannot be opened: {error.strerror}") from error
    if not head:
        raise CatalogueError(f"catalogue {path} is empty (0 bytes)")
    try:
        if head.startswith(b"PAR1"):
            return _with_distinct_names(pq.read_table(path))
        format_ = _astropy_format(head)
        return _with_distinct_names(_by_astropy(path, format_) if format_ else _csv(path))
    except (OSError, ValueError, TypeError, KeyError, UnicodeError, pa.ArrowException, csv.Error) as error:
        raise CatalogueError(f"catalogue {path} cannot be read: {error}") from error


def column_called(names: Iterable[str], aliases: Iterable[str]) -> str | None:
    """The column that goes by one of these aliases, whatever its case; the first alias wins.

    >>> column_called(["RAJ2000", "Name", "ID"], ID_NAMES)
    'ID'
    """
    by_small = {name.strip().lower(): name for name in reversed(list(names))}
    return next((by_small[alias] for alias in aliases if alias in by_small), None)


def plain_value(value: Any) -> object:
    """A number, text, truth value or None; whole numbers beyond 64 bits as text, which keeps their value."""
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").rstrip("\0 ")
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def _astropy_format(head: bytes) -> str | None:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"SIMPLE  =") or head.startswith(b"\x1f\x8b"):
        return "fits"
    if text.startswith(b"<"):
        return "votable"
    return "ascii.ecsv" if text.startswith(b"# %ECSV") else None


def _by_astropy(path: Path, format_: str) -> pa.Table:
    from astropy.table import Table
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        # Units and UCDs that break a standard: the values are what we take.
        warnings.simplefilter("ignore", AstropyWarning)
        table = Table.read(path, format=format_)
    scalar = [
        name
        for name in table.colnames
        if getattr(table[name], "ndim", 1) == 1 and hasattr(table[name], "dtype")
    ]
    return pa.table({name: _arrow(table[name]) for name in scalar})


def _arrow(column: Any) -> pa.Array:
    mask = np.broadcast_to(np.asarray(getattr(column, "mask", False)), (len(column),))
    values = np.ma.getdata(np.asarray(column))
    if values.dtype.kind in "biuf":
        return pa.array(values.astype(values.dtype.newbyteorder("=")), mask=mask)
    plain = [
        None if hidden else plain_value(value) for value, hidden in zip(values.tolist(), mask, strict=True)
    ]
    return pa.array([None if value is None else str(value) for value in plain])


def rows_skipped(table: pa.Table) -> int:
    """How many rows of the file are not in the table, since they did not fit its header."""
    return int((table.schema.metadata or {}).get(_SKIPPED, b"0"))


def _csv(path: Path) -> pa.Table:
    """CSV with a header line, above it comments with #. Ids and file names are text: 00123 is not 123."""
    encoding, comments, delimiter, names = _csv_dialect(path)
    as_text = [name for name in names if name.strip().lower() in (*ID_NAMES, *FILE_NAMES)]
    skipped = 0

    def skip(_row: pyarrow.csv.InvalidRow) -> str:
        nonlocal skipped
        skipped += 1
        return "skip"

    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(encoding=encoding, skip_rows=comments, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(as_text, pa.string())),
    )
    return table.replace_schema_metadata({_SKIPPED: str(skipped)})


def _with_distinct_names(table: pa.Table) -> pa.Table:
    """The second of two columns of one name gets a number."""
    seen: Counter[str] = Counter()
    names = []
    for name in table.column_names:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return table.rename_columns(names).replace_schema_metadata(table.schema.metadata)


def _csv_dialect(path: Path) -> tuple[str, int, str, list[str]]:
    """Encoding, lines of comment before the header, delimiter, and the header's names."""
    raw = path.read_bytes()
    try:
        text, encoding = raw.decode("utf-8-sig"), "utf8"
    except UnicodeDecodeError:
        text, encoding = raw.decode("latin-1"), "latin-1"
    if "\0" in text[:4096]:
        raise CatalogueError(f"catalogue {path} is neither text nor one of FITS, VOTable, ECSV, Parquet")
    lines = text.splitlines()
    skipped = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    header = lines[skipped] if lines else ""
    delimiter = max(",;\t|", key=header.count)
    return encoding, skipped, delimiter, next(csv.reader([header], delimiter=delimiter), [])
