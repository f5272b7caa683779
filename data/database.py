"""Connections to the label store's database: a SQLite file that survives a kill, or PostgreSQL by URL."""

import sqlite3
import time

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

BUSY_TIMEOUT_S = 60
_POOL = {"pool_size": 10, "max_overflow": 40}  # web servers answer about forty requests at once


def connect_to(url: str) -> sa.Engine:
    """An engine for a SQLAlchemy URL. Nothing is opened before it is used."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, **_POOL)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S}, **_POOL)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def for_writing(engine: sa.Engine) -> sa.Engine:
    """The same engine for transactions that write: in SQLite they take the lock at once and wait for it."""
    return engine.execution_options(begin="BEGIN IMMEDIATE")


def without_password(url: str) -> str:
    """The URL as it may stand in a message."""
    try:
        parsed = sa.make_url(url)
        open_query = {
            k: v for k, v in parsed.query.items() if not k.lower().endswith(("password", "passfile"))
        }
        return parsed.set(query=open_query).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "of this campaign"


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # Without this the driver begins transactions itself, as readers that turn into writers: two of those at
    # once fail with "database is locked" whatever the timeout.
    connection.isolation_level = None
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once. The first connection changes the file, the others find it so."""
    for attempts_left in reversed(range(BUSY_TIMEOUT_S * 20)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # This statement does not wait for a lock: two processes that make the database at once meet here.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
            time.sleep(0.05)
