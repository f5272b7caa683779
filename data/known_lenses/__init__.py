"""Catalogues of known lenses: lenscat as it is shipped, or any table with positions that somebody gives.

`lenscat.parquet` is made by `python -m data.known_lenses.renew`; `lenscat.md` says of which release, and its licence.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.errors import CatalogueError
from data.files import written_atomically
from data.readers.tables import ID_NAMES, column_called, plain_value, read_table
from data.source_catalogue import SourceCatalogue, position_name

LENSCAT = Path(__file__).with_name("lenscat.parquet")
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("ra_deg", pa.float64()),
        ("dec_deg", pa.float64()),
        ("z_lens", pa.float64()),
        ("grading", pa.string()),
        ("type", pa.string()),
        ("reference", pa.string()),
    ]
)

_NOTE = b"lensvet.known_lenses"
_NAMES = ("name", *ID_NAMES)
_Z_NAMES = ("z_lens", "zlens", "z_l", "zl", "z_d", "redshift", "z")
_GRADING_NAMES = ("grading", "grade")
_TYPE_NAMES = ("type", "lens_type")
_REFERENCE_NAMES = ("reference", "references", "ref", "refs", "bibcode", "paper")
_HASHED_BYTES = 1 << 20


@dataclass(frozen=True)
class Edition:
    """Which catalogue it is. sha256 : of the file that it was read from."""

    title: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.title} {self.version}".strip()


@dataclass(frozen=True)
class KnownLenses:
    """Known lenses. table : a row each, of `SCHEMA`; null where nothing is said, a position always is."""

    table: pa.Table
    edition: Edition

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ra_deg(self) -> NDArray[np.float64]:
        return np.asarray(self.table["ra_deg"], np.float64)

    @property
    def dec_deg(self) -> NDArray[np.float64]:
        return np.asarray(self.table["dec_deg"], np.float64)

    def save(self, path: Path) -> None:
        """Write them to a Parquet file that says which catalogue they are."""
        noted = self.table.replace_schema_metadata({_NOTE: json.dumps(vars(self.edition))})
        with written_atomically(path) as partial:
            pq.write_table(noted, partial, compression="zstd", compression_level=19)


def known_lenses_in(path: Path) -> KnownLenses:
    """The lenses of a file that `KnownLenses.save` wrote.

    Raises
    ------
    CatalogueError
        If it is damaged.
    """
    edition = edition_of(path)
    return KnownLenses(pq.read_table(path, partitioning=None).select(SCHEMA.names), edition)


def edition_of(path: Path) -> Edition:
    """Which catalogue a file that `KnownLenses.save` wrote holds.

    Raises
    ------
    CatalogueError
        If it is damaged.
    """
    try:
        return Edition(**json.loads((pq.read_schema(path).metadata or {})[_NOTE]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"{path} is damaged ({error}): lensvet crossmatch makes it anew") from error


def read_known_lenses(path: Path, *, title: str | None = None, version: str | None = None) -> KnownLenses:
    """Read lenses from a table of any format that ingest takes: positions, and what else it has of `SCHEMA`.

    title, version : the file's name, and the first digits of its SHA-256, where none are given.

    Raises
    ------
    CatalogueError
        If it cannot be read, or has no position.
    """
    table = read_table(path)
    catalogue = SourceCatalogue(table)
    rows = np.flatnonzero(np.isfinite(catalogue.ra_deg))
    if not len(rows):
        raise CatalogueError(
            f"known lenses {path} have no usable position; expected RA and Dec in degrees, "
            "in columns such as ra_deg and dec_deg"
        )
    ra_deg, dec_deg = catalogue.ra_deg[rows], catalogue.dec_deg[rows]
    columns = {name: table[name].take(pa.array(rows)) for name in table.column_names}
    names = _column(columns, _NAMES, _distinct)
    values = {
        "name": [name or position_name(*at) for name, *at in zip(names, ra_deg, dec_deg, strict=True)],
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "z_lens": _column(columns, _Z_NAMES, _redshift),
        "grading": _column(columns, _GRADING_NAMES, _distinct),
        "type": _column(columns, _TYPE_NAMES, _distinct),
        "reference": _column(columns, _REFERENCE_NAMES, _distinct),
    }
    digest = _sha256(path)
    edition = Edition(title or path.name, digest[:8] if version is None else version, digest)
    return KnownLenses(pa.table(values, SCHEMA), edition)


def _column(
    columns: Mapping[str, pa.ChunkedArray], aliases: Iterable[str], read: Callable[[object], object]
) -> list[object]:
    name = column_called(columns, aliases)
    rows = len(next(iter(columns.values())))
    return [None] * rows if name is None else [read(value) for value in columns[name].to_pylist()]


def _distinct(value: object) -> str | None:
    """A text, each of its parts once: lenscat joins what several papers say by |.

    >>> _distinct("A1835 | Abell1835 | A1835")
    'A1835 | Abell1835'
    """
    text = "" if value is None else str(plain_value(value))
    parts = dict.fromkeys(part.strip() for part in text.split(" | "))
    return " | ".join(part for part in parts if part) or None


def _redshift(value: object) -> float | None:
    """The first plain number above 0; `0.3?`, `measured` and `-` are none.

    >>> _redshift("0.252 | 0.2595 | nan"), _redshift("0.3?")
    (0.252, None)
    """
    parts = (part.strip() for part in str(plain_value(value)).split("|"))
    numbers = (float(part) for part in parts if re.fullmatch(r"\d{1,3}(\.\d*)?(e[-+]?\d{1,2})?", part))
    return next((number for number in numbers if number > 0), None)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASHED_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
