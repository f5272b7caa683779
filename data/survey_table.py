"""One table of all objects and what models say of them, for filters and orders over millions: Parquet, read by DuckDB.

`write_survey_table` joins `catalogue.parquet` with `scores/` and `crossmatch.parquet`; the most lens-like come first.
`SurveyTable` answers from the file, never whole in memory; votes change all the time, and are joined when a question
speaks of them.
"""

import hashlib
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data import crossmatch
from data.campaign import Campaign
from data.catalogue_columns import free_name
from data.consensus import summarise
from data.embeddings import write_embedding
from data.files import in_sql, parquet_in_sql, written_atomically
from data.filters import Condition, Every, Missing, Not, as_sql, checked, columns_of, quoted
from data.label_store import LabelStore
from data.objects import STORAGE_COLUMNS
from data.priors import logit_shift

ROW = "row"  # of the catalogue
_PLACE = "file_row_number"
_VOTE_KINDS = {"grade": "text", "mean_score": "number", "score_spread": "number", "n_votes": "number"}
VOTE_COLUMNS = tuple(_VOTE_KINDS)
DISAGREEMENT = "disagreement"
MEMORY = "1GB"  # of DuckDB, beyond which it writes to disk
_ROW_GROUP = 100_000
_LOOKED_AT = 10_000
_SKY = ("ra_deg", "dec_deg")
OBJECT_COLUMNS = ("object_id", *_SKY)
CROSSMATCH_COLUMNS = (*crossmatch.HINTS, *crossmatch.DUPLICATES)
EMBEDDINGS = (("pc1", "pc2"), ("umap1", "umap2"))
NEAR_LENS = "near_lens"
_SCORES = ("logit", "x_arcsec", "y_arcsec", "position_sigma_arcsec", "where_why", "bands_missing")
_MADE_OF = b"lensvet.made_of"


@dataclass(frozen=True)
class Order:
    """The order of a page: by a column, what is missing last."""

    column: str
    descending: bool = False


def write_survey_table(
    campaign: Campaign, model_version: str, path: Path, *, lenses: Sequence[str] = (), threads: int = 2
) -> int:
    """Write the table of one model, whole or not at all, and the embedding that it joins; how many rows it has.

    p_lens is at the campaign's prior. Other models' p_lens stand beside it, named `p_lens_` and the version, and
    `disagreement`, the difference of the largest and the smallest. The crossmatch is brought up to date first.
    lenses : ids graded so, for `near_lens`.
    """
    # Stated before it is read: what comes in between makes the table out of date, and not wrong.
    made = made_of(campaign, model_version, lenses=len(lenses))
    crossmatch.bring_up_to_date(campaign)
    write_embedding(campaign, model_version, campaign.embedding_path(model_version), lenses=lenses)
    with written_atomically(path) as partial, duckdb.connect() as connection:
        memory_mb = max(1000, pq.read_metadata(campaign.catalogue_path).num_rows // 25_000)
        connection.execute(f"SET threads = {threads}; SET memory_limit = '{memory_mb}MB'")
        connection.execute("SET preserve_insertion_order = false")  # it is ordered by score
        connection.execute(f"SET temp_directory = {in_sql(path.parent / '.spill')}")
        plain = partial.with_name(f"{partial.name}.plain")
        try:
            select = _select(campaign, model_version)
            connection.execute(
                f"COPY ({select}) TO {in_sql(plain)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
            )
            return _with_note(plain, partial, made)
        finally:
            plain.unlink(missing_ok=True)


def made_of(campaign: Campaign, model_version: str, *, lenses: int = 0) -> str:
    """What a table is made of, as a text: it is made anew when this is another one.

    lenses : how many are graded so; a table is not made anew for each of many.
    """
    parts = {
        version: [(part.name, part.stat().st_mtime_ns) for part in campaign.score_parts(version)]
        for version in campaign.scored_versions()
    }
    catalogue = campaign.catalogue_path
    stamp = catalogue.stat().st_mtime_ns if catalogue.exists() else None
    umap = campaign.embedding_path(model_version, umap=True)
    drawn = umap.stat().st_mtime_ns if umap.exists() else None
    graded = round(10 * math.log2(1 + lenses))
    return json.dumps(
        [model_version, stamp, campaign.prior, parts, drawn, graded, crossmatch.made_of(campaign)]
    )


def made_of_in(path: Path) -> str | None:
    """What the table in a file is made of; None if there is no such file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    found = metadata.get(_MADE_OF)
    return None if found is None else found.decode()


def votes_table(store: LabelStore) -> pa.Table:
    """What the votes come to, a row per object with any: object_id and `VOTE_COLUMNS`."""
    tallies = list(store.grade_tallies())
    summary = summarise(np.array([(t.n_a, t.n_b, t.n_c, t.n_x) for t in tallies], np.int64).reshape(-1, 4))
    return pa.table(
        {
            "object_id": pa.array([tally.object_id for tally in tallies], pa.string()),
            "grade": pa.array([grade or None for grade in summary.grade.tolist()], pa.string()),
            "mean_score": pa.array(summary.mean, pa.float64(), from_pandas=True),
            "score_spread": pa.array(summary.spread, pa.float64(), from_pandas=True),
            "n_votes": pa.array(summary.n_votes, pa.int64()),
        }
    )


def kinds_with_votes(table: "SurveyTable") -> dict[str, str]:
    """`number` or `text` of each column that a filter may speak of."""
    return table.kinds | _VOTE_KINDS


class SurveyTable:
    """Questions to a table that `write_survey_table` wrote. Safe from several threads.

    votes : of `votes_table`, None where a question may not speak of votes. version : changes with what it is made of.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        self.path = path
        self.version = hashlib.blake2b((made_of_in(path) or "").encode(), digest_size=4).hexdigest()
        self._connection = duckdb.connect()
        self._connection.execute(f"SET threads = {threads}; SET memory_limit = '{MEMORY}'")
        self._connection.execute("SET parquet_metadata_cache = true")
        source = parquet_in_sql(path, options="file_row_number = true")
        self._connection.execute(f"CREATE VIEW survey AS SELECT * FROM {source}")
        described = self._connection.execute(f"DESCRIBE SELECT * EXCLUDE ({_PLACE}) FROM survey").fetchall()
        self.kinds = {name: "text" if kind == "VARCHAR" else "number" for name, kind, *_ in described}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def close(self) -> None:
        """Give back the memory."""
        self._connection.close()

    def count(self, condition: Condition, votes: pa.Table | None = None) -> int:
        """How many objects meet a condition.

        Raises
        ------
        FilterError
            If it speaks of a column that is not there.
        """
        return int(self._asked("count(*)", condition, votes)["count_star()"][0].as_py())

    def rows(
        self, condition: Condition, votes: pa.Table | None = None, *, order: Order | None = None
    ) -> NDArray[np.int64]:
        """Catalogue rows of the objects that meet a condition, in the file's order or another.

        Raises
        ------
        FilterError
        """
        found = self._asked(ROW, condition, votes, ordered=_missing_last(order), by=order)
        return np.asarray(found[ROW], np.int64)

    def places(self, condition: Condition, votes: pa.Table | None = None) -> NDArray[np.int64]:
        """Rows of the file that meet a condition, in no order.

        Raises
        ------
        FilterError
        """
        return np.asarray(self._asked(_PLACE, condition, votes)[_PLACE], np.int64)

    def page(
        self,
        condition: Condition = Every(),  # noqa: B008 - it is frozen
        votes: pa.Table | None = None,
        *,
        order: Order | None = None,
        offset: int = 0,
        limit: int = 100,
        columns: Sequence[str] = (ROW, "object_id"),
    ) -> pa.Table:
        """Some rows of those that meet a condition, in the file's order or another.

        Raises
        ------
        FilterError
        """
        wanted, limits = ", ".join(map(quoted, columns)), f"LIMIT {limit:d} OFFSET {offset:d}"
        if order is not None:
            # By a plain column that has a value DuckDB finds the first of millions without sorting them.
            there = Every((condition, Not(Missing(order.column))))
            found = self._asked(wanted, there, votes, ordered=_by(order), limits=limits)
            if len(found) == limit:
                return found
        return self._asked(wanted, condition, votes, ordered=_missing_last(order), limits=limits, by=order)

    def at(self, place: int) -> dict[str, object]:
        """All that the table says in a row of the file."""
        with self._cursor() as cursor:
            sql = f"SELECT * EXCLUDE ({_PLACE}) FROM survey WHERE {_PLACE} = ?"
            return dict(cursor.sql(sql, params=[place]).to_arrow_table().to_pylist()[0])

    def columns(self, names: Sequence[str], *, every: int = 1) -> dict[str, NDArray[np.float32]]:
        """Whole columns as float32, NaN where there is no number; every so many rows of the file."""
        wanted = ", ".join(f"CAST({quoted(name)} AS FLOAT) AS {quoted(name)}" for name in names)
        where = f"WHERE {_PLACE} % {every:d} = 0" if every > 1 else ""
        with self._cursor() as cursor:
            found = cursor.execute(f"SELECT {wanted} FROM survey {where}").fetchnumpy()
        return {
            name: np.ma.filled(np.ma.asarray(found[name], np.float32), np.nan).astype(np.float32, copy=False)
            for name in names
        }

    def categories(self, column: str, votes: pa.Table | None = None, *, most: int = 12) -> list[str]:
        """The values of a column of text, most frequent first; none if there are more than `most`."""
        source = self._joined({column}, votes)
        with self._cursor() as cursor:
            if votes is not None:
                cursor.register("votes", votes)
            name = quoted(column)
            first = f"SELECT count(DISTINCT {name}) FROM (SELECT {name} FROM {source} LIMIT {_LOOKED_AT})"
            if cursor.execute(first).fetchall()[0][0] > most:  # ids, say: not all of them are counted
                return []
            grouped = f"SELECT {name} FROM {source} WHERE {name} IS NOT NULL GROUP BY ALL"
            sql = f"{grouped} ORDER BY count(*) DESC, 1 LIMIT {most + 1:d}"
            found = [str(row[0]) for row in cursor.execute(sql).fetchall()]
        return found if len(found) <= most else []

    def codes(
        self, column: str, values: Sequence[str], votes: pa.Table | None = None, *, every: int = 1
    ) -> NDArray[np.uint8]:
        """For every so many rows of the file, the place of the value of a column of text among some, from 1; else 0."""
        source = self._joined({column}, votes)
        with self._cursor() as cursor:
            if votes is not None:
                cursor.register("votes", votes)
            wanted = f"{_PLACE}, list_position($values, {quoted(column)})::UTINYINT"
            sql = f"SELECT {wanted} FROM {source} WHERE {quoted(column)} IS NOT NULL"
            found = cursor.execute(sql, {"values": list(values)}).fetchnumpy()
        places, numbers = found.values()
        codes = np.zeros(-(-len(self) // every), np.uint8)
        kept = np.asarray(places) % every == 0
        codes[np.asarray(places)[kept] // every] = np.ma.filled(np.ma.asarray(numbers), 0)[kept]
        return codes

    def _joined(self, named: set[str], votes: pa.Table | None) -> str:
        return (
            "survey JOIN votes USING (object_id)"
            if votes is not None and named - set(self.kinds)
            else "survey"
        )

    def _asked(
        self,
        wanted: str,
        condition: Condition,
        votes: pa.Table | None,
        *,
        ordered: str = "",
        limits: str = "",
        by: Order | None = None,
    ) -> pa.Table:
        kinds = self.kinds if votes is None else kinds_with_votes(self)
        condition = checked(condition, kinds)
        where, values = as_sql(condition)
        named = columns_of(condition) | ({by.column} if by else set())
        with self._cursor() as cursor:
            source = "survey"
            if votes is not None and named - set(self.kinds):
                cursor.register("votes", votes)
                source = "survey LEFT JOIN votes USING (object_id)"
            sql = f"SELECT {wanted} FROM {source} WHERE {where} {ordered} {limits}"
            return cursor.sql(sql, params=values).to_arrow_table()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            return self._connection.cursor()


def _select(campaign: Campaign, model_version: str) -> str:
    """The query that makes a table; what is missing is NULL in it, never NaN or empty text."""
    versions = [model_version, *(one for one in campaign.scored_versions() if one != model_version)]
    p_lens = [_p_lens(campaign, version, f"s{n}") for n, version in enumerate(versions)]
    files = (campaign.embedding_path(model_version, umap=umap) for umap in (False, True))
    embeddings = [file for file in files if file.exists()]
    columns = [
        f"c.file_row_number AS {ROW}",
        *(_there("c", name, pa.float64() if name in _SKY else pa.string()) for name in OBJECT_COLUMNS),
        f"{p_lens[0]} AS p_lens",
        *(f"s0.{name} AS {name}" for name in _SCORES),
        *(
            f"{sql} AS {quoted(f'p_lens_{version}')}"
            for version, sql in list(zip(versions, p_lens, strict=True))[1:]
        ),
        *(
            [f"greatest({', '.join(p_lens)}) - least({', '.join(p_lens)}) AS {DISAGREEMENT}"]
            if p_lens[1:]
            else []
        ),
        *(f"m.{name} AS {name}" for name in CROSSMATCH_COLUMNS),
        *(f"e{n}.{name}" for n, file in enumerate(embeddings) for name in pq.read_schema(file).names[1:]),
        *_surveys_own(pq.read_schema(campaign.catalogue_path)),
    ]
    joins = [
        f"LEFT JOIN ({_scores_of(campaign, version)}) s{n} ON s{n}.object_id = c.object_id"
        for n, version in enumerate(versions)
    ]
    joins += [
        f"LEFT JOIN {parquet_in_sql(file)} e{n} ON e{n}.object_id = c.object_id"
        for n, file in enumerate(embeddings)
    ]
    return f"""
        SELECT {", ".join(columns)}
        FROM {parquet_in_sql(campaign.catalogue_path, options="file_row_number = true")} c {" ".join(joins)}
        LEFT JOIN {parquet_in_sql(campaign.crossmatch_path)} m ON m.object_id = c.object_id
        ORDER BY s0.logit DESC NULLS LAST, c.file_row_number
    """


def _surveys_own(schema: pa.Schema) -> list[str]:
    """The catalogue's own columns of numbers and text; one whose name is taken gets the prefix `cat_`."""
    taken = [ROW, *OBJECT_COLUMNS, "p_lens", *_SCORES, DISAGREEMENT, *CROSSMATCH_COLUMNS, *VOTE_COLUMNS]
    taken += [NEAR_LENS, *(name for pair in EMBEDDINGS for name in pair)]
    columns = []
    for field in schema:
        if field.name not in STORAGE_COLUMNS and _is_plain(field.type):
            taken.append(free_name(field.name, taken))
            columns.append(_there("c", field.name, field.type, named=taken[-1]))
    return columns


def _there(table: str, name: str, kind: pa.DataType, *, named: str | None = None) -> str:
    column = f"{table}.{quoted(name)}"
    if pa.types.is_floating(kind):
        column = f"CASE WHEN NOT isnan({column}) THEN {column} END"
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = f"nullif({column}, '')"
    return f"{column} AS {quoted(named or name)}"


def _scores_of(campaign: Campaign, version: str) -> str:
    parts = campaign.score_parts(version)
    if not parts:
        nothing = ", ".join(f"NULL::DOUBLE AS {name}" for name in ("p_lens", *_SCORES))
        return f"SELECT NULL::VARCHAR AS object_id, {nothing} WHERE false"
    # Older parts lack columns that newer ones have. An object has one row: runs score what has none.
    return f"SELECT * FROM {parquet_in_sql(*parts)}"


def _p_lens(campaign: Campaign, version: str, alias: str) -> str:
    shift = logit_shift(campaign, version)
    return f"{alias}.p_lens" if shift is None else f"1 / (1 + exp(-({alias}.logit + {shift!r})))"


def _with_note(plain: Path, target: Path, made: str) -> int:
    """Copy a table group by group, with what it is made of in its schema."""
    with pq.ParquetFile(plain) as source:
        schema = source.schema_arrow.with_metadata({_MADE_OF: made.encode()})
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for group in range(source.num_row_groups):
                writer.write_table(source.read_row_group(group).cast(schema), row_group_size=_ROW_GROUP)
        return int(source.metadata.num_rows)


def _is_plain(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_boolean(kind)
    )


def _by(order: Order) -> str:
    return f"ORDER BY {quoted(order.column)} {'DESC' if order.descending else 'ASC'}, {ROW}"


def _missing_last(order: Order | None) -> str:
    return "" if order is None else _by(order).replace(", ", " NULLS LAST, ", 1)
