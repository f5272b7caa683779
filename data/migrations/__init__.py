"""The schema of the label store, revision by revision (Alembic); `versions/` holds one file for each."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from data.errors import CampaignError

HEAD = "0003"
_FOLDER = Path(__file__).parent


def is_current(connection: Connection) -> bool:
    """Whether the database has the schema that this LensVet writes."""
    return _stored_revision(connection) == HEAD


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Bring the database to a revision, inside the transaction that `connection` has open.

    Raises
    ------
    CampaignError
        If a newer LensVet wrote the database.
    """
    # Alembic takes a third of a second to import; a database that is up to date never needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    stored = _stored_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if stored is not None and stored not in known:
        raise CampaignError(
            f"the label store has schema {stored}, this LensVet knows schemas up to {HEAD}: "
            "a newer LensVet wrote it, so update LensVet to open it"
        )
    command.upgrade(config, revision)


def _stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    stored = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if stored is None else str(stored)
