"""Parquet, with units and descriptions where Astropy looks for them and where Arrow does.

Astropy reads a null text as "None" and whole numbers with nulls as floats: text that is missing is therefore
empty, and a column of whole numbers too large for a float is written as text if it has nulls.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.catalogue_columns import TEXT
from data.exports.astropy_header import header_lines

_EXACT_IN_FLOAT = 2**53


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write one file, compressed with Zstandard."""
    for index, field in enumerate(table.schema):
        if _loses_digits(table[field.name]):
            field = field.with_type(TEXT)
        if field.type == TEXT:
            table = table.set_column(index, field, pc.fill_null(table[field.name].cast(TEXT), ""))
    metadata = {
        **(table.schema.metadata or {}),
        **{f"table::len::{name}": str(_longest(table[name])) for name in _texts(table)},
        "table_meta_yaml": "\n".join(header_lines(table)),
    }
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


def _texts(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if field.type == TEXT]


def _longest(texts: pa.ChunkedArray) -> int:
    return max(1, pc.max(pc.utf8_length(texts)).as_py() or 0)


def _loses_digits(values: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(values.type) or not values.null_count:
        return False
    extremes = pc.min_max(values).as_py()
    return extremes["max"] is not None and max(-extremes["min"], extremes["max"]) > _EXACT_IN_FLOAT
