"""Triggers that refuse to change or remove rows, whoever asks: a stored vote outlives every program error."""

from collections.abc import Iterator


def append_only(dialect: str, table: str, *keys: str) -> Iterator[str]:
    """SQL that makes a table append-only, for `sqlite` or `postgresql`; keys are its unique columns."""
    return _postgresql(table) if dialect == "postgresql" else _sqlite(table, keys)


def _sqlite(table: str, keys: tuple[str, ...]) -> Iterator[str]:
    for action in ("UPDATE", "DELETE"):
        yield f"""
            CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""
    # REPLACE removes the old row without firing a DELETE trigger (sqlite.org/lang_conflict.html).
    for key in keys:
        yield f"""
            CREATE TRIGGER {table}_same_{key} BEFORE INSERT ON {table}
            WHEN NEW.{key} IN (SELECT {key} FROM {table})
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"""  # noqa: S608  # the names are our own


def _postgresql(table: str) -> Iterator[str]:
    yield """
        CREATE OR REPLACE FUNCTION lensvet_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"""
    yield f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION lensvet_append_only()"""
