"""Scores on disk: `scores/<model_version>/part-*.parquet`, written part by part, read with DuckDB.

A part is whole or absent. An object that a network cannot score has a row too: null logit and the reason.
`features/<model_version>/` has a part of the same name for each, written before it: what the network made of the image.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.files import as_pattern, written_atomically

SCORE_SCHEMA = pa.schema(
    [
        pa.field("object_id", pa.string(), nullable=False),
        pa.field("logit", pa.float64()),
        pa.field("p_lens", pa.float64()),
        pa.field("x_arcsec", pa.float64()),  # predicted position; null for a network that predicts none
        pa.field("y_arcsec", pa.float64()),
        pa.field("position_sigma_arcsec", pa.float64()),
        pa.field("ra_deg", pa.float64()),  # of the predicted position
        pa.field("dec_deg", pa.float64()),
        pa.field("where_why", pa.float64()),
        pa.field("reason", pa.string()),  # why there is no score
        pa.field("bands_missing", pa.string()),  # "Y,J,H": the model judged without them; null if it had all
    ]
)


def next_part(folder: Path) -> str:
    """The name of the part after the last one that one process wrote; those of partitions have names of their own."""
    numbers = (re.fullmatch(r"part-(\d{6,})", part.stem) for part in folder.glob("part-*.parquet"))
    return f"part-{max((int(number[1]) for number in numbers if number), default=-1) + 1:06d}.parquet"


def write_part(folder: Path, rows: pa.Table, *, name: str | None = None) -> Path:
    """Write one finished part, after the last one there or under a name; columns and types as in `SCORE_SCHEMA`."""
    path = folder / (name or next_part(folder))
    with written_atomically(path) as partial:
        pq.write_table(rows.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA), partial, compression="zstd")
    return path


def write_features(
    folder: Path, object_ids: Sequence[str], features: NDArray[np.float16], *, name: str
) -> Path:
    """Write what a network made of some objects: features (object, number), under the name of their part of scores."""
    flat = pa.array(features.reshape(-1), pa.float16())
    columns = {
        "object_id": pa.array(object_ids, pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(flat, features.shape[1]),
    }
    path = folder / name
    with written_atomically(path) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")
    return path


def read_features(part: Path) -> tuple[pa.Array, NDArray[np.float16]]:
    """Ids of the objects of one part, and their features (object, number)."""
    rows = pq.read_table(part, partitioning=None).combine_chunks()
    column = rows["features"].combine_chunks()
    flat: NDArray[np.float16] = column.flatten().to_numpy(zero_copy_only=False)
    return rows["object_id"].combine_chunks(), flat.reshape(len(column), column.type.list_size)


def read_part(part: Path) -> pa.Table:
    """The rows of one part; a column that it lacks, since it was written before there was one, is null."""
    rows = pq.read_table(part, partitioning=None)
    missing = [field for field in SCORE_SCHEMA if field.name not in rows.column_names]
    for field in missing:
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA)


def scored_ids(parts: Sequence[Path]) -> set[str]:
    """Ids that have a row, scored or refused."""
    ids = (pq.read_table(part, columns=["object_id"], partitioning=None)["object_id"] for part in parts)
    return {object_id for some in ids for object_id in some.to_pylist()}


def scores_of(parts: Sequence[Path], object_ids: Iterable[str]) -> dict[str, dict[str, object]]:
    """Score rows by object id; an object without a row is left out. A column that older parts lack is null."""
    import duckdb  # not where scores are only written: a Dask worker that ends with it prints a page of nonsense

    wanted = list(object_ids)
    if not parts or not wanted:
        return {}
    names = [as_pattern(part) for part in parts]
    query = (
        "SELECT * FROM read_parquet($names, union_by_name := true, hive_partitioning := false) "
        "WHERE object_id IN (SELECT unnest($wanted))"
    )
    # A connection of our own: the module's is shared by all threads.
    with duckdb.connect() as connection:
        rows = connection.sql(query, params={"names": names, "wanted": wanted}).to_arrow_table()
    nothing = dict.fromkeys(SCORE_SCHEMA.names)
    return {row["object_id"]: {**nothing, **row} for row in rows.to_pylist()}
