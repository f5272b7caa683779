"""Copies all tables of a label store to another one, row by row, as they were at one moment."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from data import migrations
from data.database import connect_to, for_writing

_ROWS = 5_000
_OWN = ("alembic_version",)


def copy_sqlite(source: sa.Engine, target: Path) -> None:
    """A SQLite label store into a file, consistent while others write (SQLite's online backup)."""
    with source.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        with sqlite3.connect(target) as copy:
            driver.backup(copy)
            # One file, without the log beside it that the original keeps.
            copy.execute("PRAGMA journal_mode = DELETE")
        copy.close()


def copy_tables(source: sa.Engine, target: sa.Engine, *, revision: str) -> dict[str, int]:
    """All rows of all tables into an empty database, whose schema is made first; how many by table.

    The source is read in one transaction, which sees one moment while others write.
    """
    with for_writing(target).begin() as writing:
        migrations.upgrade(writing, revision)
    isolation = "REPEATABLE READ" if source.dialect.name == "postgresql" else "SERIALIZABLE"
    with (
        source.connect().execution_options(isolation_level=isolation) as reading,
        for_writing(target).begin() as writing,
    ):
        return {name: _copy_table(reading, writing, table) for name, table in _tables(reading).items()}


def row_counts(engine: sa.Engine) -> dict[str, int]:
    """How many rows each table has."""
    with engine.connect() as connection:
        return {
            name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
            for name, table in _tables(connection).items()
        }


def _tables(connection: sa.Connection) -> dict[str, sa.Table]:
    """By name, those that others refer to first."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return {table.name: table for table in metadata.sorted_tables if table.name not in _OWN}


def _copy_table(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> int:
    order = [table.c.seq] if "seq" in table.c else []
    rows = reading.execute(sa.select(table).order_by(*order), execution_options={"yield_per": _ROWS})
    count = 0
    for some in rows.mappings().partitions(_ROWS):
        _insert(writing, table, (dict(row) for row in some))
        count += len(some)
    if count and order and writing.dialect.name == "postgresql":
        # Numbers were given, not drawn: the next one drawn must come after them.
        sequence = sa.func.pg_get_serial_sequence(table.name, "seq")
        writing.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.seq))))
    return count


def _insert(writing: sa.Connection, table: sa.Table, rows: Iterable[dict[str, object]]) -> None:
    names = list(table.c.keys())
    plain = sa.table(table.name, *(sa.column(name) for name in names))
    writing.execute(sa.insert(plain), list(rows))


def is_empty(url: str) -> bool:
    """Whether a database holds no label store yet, or one without rows."""
    engine = connect_to(url)
    try:
        return not any(row_counts(engine).values())
    finally:
        engine.dispose()
