"""A campaign cut into partitions: whole steps of one group, of which a run makes one file of scores each.

Steps are those of `lensmodel.batches`, so that an image is in the same batch whoever scores it, and whatever the size
of the partitions. DuckDB plans them from the files: no more than a row per partition is held in memory.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.files import parquet_in_sql
from data.objects import StoredObject, stored_objects
from lensmodel.batches import OBJECTS_PER_STEP, chunks_per_step, step_of

if TYPE_CHECKING:
    import duckdb

LARGEST = 65_536  # objects; a survey of 10^9 makes 15,000 files
SMALLEST = OBJECTS_PER_STEP
USUAL = 4_096
PER_WORKER = 32  # partitions at least, so that all end at about the same time
_MEMORY = "1GB"
_READ = (
    "object_id",
    "ra_deg",
    "dec_deg",
    "kind",
    "bands",
    "cd_deg",
    "centre_deg",
    "cutout_group",
    "cutout_row",
)


@dataclass(frozen=True)
class Partition:
    """Objects of one group that have no score yet: those of rows from `first` to `last` of the store.

    rows : which of them, if some are scored already; None for all that the catalogue has there.
    """

    group: str
    first: int
    last: int
    number: int
    rows: tuple[int, ...] | None = None

    def part_of(self, steps: Sequence[Sequence[StoredObject]]) -> str:
        """Name of the file of the scores of its objects: of other objects it is another."""
        # Our groups have plain names; of a store by others no name may lead elsewhere.
        is_plain = re.fullmatch(r"[\w.-]+", self.group, re.ASCII) is not None
        group = self.group if is_plain else hashlib.blake2b(self.group.encode(), digest_size=8).hexdigest()
        ids = json.dumps([stored.object_id for step in steps for stored in step])
        digest = hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
        return f"part-{group}-{self.first:010d}-{self.last:010d}-{digest}.parquet"


@dataclass(frozen=True)
class Plan:
    """What is to be scored. already_there : objects that have a row."""

    partitions: list[Partition]
    already_there: int

    @property
    def waiting(self) -> int:
        return sum(partition.number for partition in self.partitions)


def planned(campaign: Campaign, model_version: str, *, workers: int) -> Plan:
    """The partitions of all objects that have no row of this model version, for so many workers."""
    import duckdb  # not in workers, which plan nothing: one that ends with it prints a page of nonsense

    parts = campaign.score_parts(model_version)
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET temp_directory = $1", [str(campaign.path / ".spill")])
        connection.execute("CREATE VIEW objects AS SELECT * FROM " + parquet_in_sql(campaign.catalogue_path))
        done = (
            f"SELECT object_id FROM {parquet_in_sql(*parts)}"
            if parts
            else "SELECT NULL::VARCHAR AS object_id WHERE false"
        )
        connection.execute(f"CREATE VIEW done AS {done}")
        total = _one(connection, "SELECT count(*) FROM objects")
        waiting = (
            _one(connection, "SELECT count(*) FROM objects ANTI JOIN done USING (object_id)")
            if parts
            else total
        )
        layouts = _layouts(connection, campaign.cutouts())
        connection.register("layouts", layouts)
        found = connection.sql(_PLAN, params=[_steps(waiting, workers)]).to_arrow_table().to_pylist()
    partitions = [
        Partition(
            group=row["cutout_group"],
            first=row["first"],
            last=row["last"],
            number=row["number"],
            rows=None if row["rows"] is None else tuple(row["rows"]),
        )
        for row in found
    ]
    return Plan(partitions, total - waiting)


def objects_in(catalogue: Path, partition: Partition, *, chunk: int) -> list[list[StoredObject]]:
    """The objects of a partition, in the steps that they are scored in; chunk : rows of one chunk of its group."""
    table = ds.dataset(catalogue, format="parquet")
    rows = ds.field("cutout_row")
    wanted = (
        (ds.field("cutout_group") == partition.group) & (rows >= partition.first) & (rows <= partition.last)
    )
    if partition.rows is not None:
        wanted &= rows.isin(list(partition.rows))
    found = table.to_table([name for name in _READ if name in table.schema.names], filter=wanted)
    found = found.sort_by("cutout_row")
    edges = np.flatnonzero(np.diff(step_of(found["cutout_row"].to_numpy(), chunk))) + 1
    bounds = [0, *edges.tolist(), len(found)]
    objects = stored_objects(found)
    return [objects[first:last] for first, last in pairwise(bounds) if last > first]


def groups_in(catalogue: Path) -> list[StoredObject]:
    """One object of each group and kind that a catalogue has."""
    import duckdb

    with duckdb.connect() as connection:
        names = ", ".join(
            name for name in _READ if name in ds.dataset(catalogue, format="parquet").schema.names
        )
        query = f"SELECT DISTINCT ON (cutout_group, kind, bands) {names} FROM {parquet_in_sql(catalogue)}"
        return stored_objects(connection.sql(query).to_arrow_table())


# The step is that of `lensmodel.batches.step_of`; rows are listed where some of a partition are there already.
_PLAN = """
    WITH placed AS (
        SELECT o.cutout_group, o.cutout_row, d.object_id IS NULL AS waits,
               ((o.cutout_row // l.chunk + l.chunks - 1) // l.chunks) // $1 AS number_of_partition
        FROM objects o JOIN layouts l ON l.name = o.cutout_group
        LEFT JOIN (SELECT DISTINCT object_id FROM done) d ON d.object_id = o.object_id
    )
    SELECT cutout_group,
           min(cutout_row) FILTER (waits) AS first, max(cutout_row) FILTER (waits) AS last,
           count(*) FILTER (waits) AS number,
           CASE WHEN count(*) FILTER (waits) < count(*)
                THEN list(cutout_row ORDER BY cutout_row) FILTER (waits) END AS rows
    FROM placed GROUP BY cutout_group, number_of_partition
    HAVING count(*) FILTER (waits) > 0
    ORDER BY cutout_group, first
"""


def _steps(waiting: int, workers: int) -> int:
    """How many steps make a partition: of the usual size, larger in a survey, smaller where there is little to do."""
    for_all = waiting // (workers * PER_WORKER)
    size = min(max(USUAL, waiting // 10_000), for_all, LARGEST)
    return max(SMALLEST, size) // OBJECTS_PER_STEP


def _layouts(connection: "duckdb.DuckDBPyConnection", store: CutoutStore) -> pa.Table:
    names = [row[0] for row in connection.execute("SELECT DISTINCT cutout_group FROM objects").fetchall()]
    chunks = [store.chunk_length(name) for name in names]
    return pa.table(
        {
            "name": pa.array(names, pa.string()),
            "chunk": pa.array(chunks, pa.int64()),
            "chunks": pa.array([chunks_per_step(chunk) for chunk in chunks], pa.int64()),
        }
    )


def _one(connection: "duckdb.DuckDBPyConnection", query: str) -> int:
    (number,) = connection.execute(query).fetchone()  # type: ignore[misc]  # it gives one row
    return int(number)
