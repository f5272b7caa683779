"""The YAML in which Astropy keeps units, descriptions, UCDs and provenance, in ECSV and in Parquet."""

from collections.abc import Collection

import pyarrow as pa
from astropy.table import Column, Table
from astropy.table.meta import get_yaml_from_table

from data.catalogue_columns import described
from data.exports.provenance import provenance_in


def header_lines(table: pa.Table, *, as_json: Collection[str] = ()) -> list[str]:
    """The header of a table, line by line. as_json : columns whose text is written as JSON."""
    columns = [_column(field, is_json=field.name in as_json) for field in table.schema]
    lines: list[str] = get_yaml_from_table(Table(columns, meta=provenance_in(table)))
    return lines


def _column(field: pa.Field, *, is_json: bool) -> Column:
    metadata = described(field)
    is_text = pa.types.is_string(field.type)
    return Column(
        name=field.name,
        dtype=object if is_json else str if is_text else field.type.to_pandas_dtype(),
        unit=metadata.get("unit"),
        description=metadata.get("description"),
        meta={"ucd": metadata["ucd"]} if "ucd" in metadata else None,
    )
