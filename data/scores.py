"""Scores on disk: `scores/<model_version>/part-*.parquet`, written part by part, read with DuckDB.

A part is whole or absent. An object that a network cannot score has a row too: null logit and the reason.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data.files import written_atomically

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


def write_part(folder: Path, rows: pa.Table) -> Path:
    """Write one finished part after the last one there; columns and types as in `SCORE_SCHEMA`."""
    taken = [int(part.stem.removeprefix("part-")) for part in folder.glob("part-*.parquet")]
    path = folder / f"part-{max(taken, default=-1) + 1:06d}.parquet"
    with written_atomically(path) as partial:
        pq.write_table(rows.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA), partial, compression="zstd")
    return path


def read_part(part: Path) -> pa.Table:
    """The rows of one part; a column that it lacks, since it was written before there was one, is null."""
    rows = pq.read_table(part, partitioning=None)
    missing = [field for field in SCORE_SCHEMA if field.name not in rows.column_names]
    for field in missing:
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA)


def scored_ids(parts: Sequence[Path]) -> set[str]:
    """Ids that have a row, scored or refused."""
    return {i for part in parts for i in pq.read_table(part, columns=["object_id"])["object_id"].to_pylist()}


def scores_of(parts: Sequence[Path], object_ids: Iterable[str]) -> dict[str, dict[str, object]]:
    """Score rows by object id; an object without a row is left out. A column that older parts lack is null."""
    wanted = list(object_ids)
    if not parts or not wanted:
        return {}
    names = [str(part) for part in parts]
    query = "SELECT * FROM read_parquet($names, union_by_name := true) WHERE object_id IN (SELECT unnest($wanted))"
    # A connection of our own: the module's is shared by all threads.
    with duckdb.connect() as connection:
        rows = connection.sql(query, params={"names": names, "wanted": wanted}).to_arrow_table()
    nothing = dict.fromkeys(SCORE_SCHEMA.names)
    return {row["object_id"]: {**nothing, **row} for row in rows.to_pylist()}
