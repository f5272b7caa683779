"""The schema of the label store: an older database is upgraded with its votes, a newer one is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from data import label_store, migrations
from data.database import connect_to, for_writing
from data.errors import CampaignError
from data.label_store import LabelStore
from tests.fixtures.votes import EVERYTHING, a_vote


@pytest.fixture
def engine(database_url):
    opened = connect_to(database_url)
    yield opened
    opened.dispose()


def _at_revision(engine: sa.Engine, revision: str) -> None:
    with for_writing(engine).begin() as connection:
        migrations.upgrade(connection, revision)


def _revision(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()


def test_the_head_is_the_last_revision():
    config = Config()
    config.set_main_option("script_location", str(migrations._FOLDER))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]


def test_a_database_of_the_first_revision_is_upgraded_with_its_votes(engine, database_url):
    _at_revision(engine, "0001")
    assert not sa.inspect(engine).has_table("reveals")
    votes = [a_vote(**EVERYTHING), a_vote(object_id="object-2")]
    with for_writing(engine).begin() as connection:
        for vote in votes:
            connection.execute(sa.insert(label_store._VOTES).values(label_store._row_of(vote)))
    with LabelStore.open(database_url) as store:
        assert list(store.all_votes()) == votes
        store.record_reveal("Ana", "object-2")
        assert store.add(a_vote())
    assert _revision(engine) == migrations.HEAD


def test_a_database_of_a_newer_lensvet_is_refused_and_left_as_it_is(engine, database_url):
    vote = a_vote()
    with LabelStore.open(database_url) as store:
        store.add(vote)
    with for_writing(engine).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CampaignError, match=r"schema 9999.*up to .*update LensVet"):
        LabelStore.open(database_url)
    assert _revision(engine) == "9999"


def test_the_store_speaks_of_the_columns_that_the_schema_has(engine, database_url):
    LabelStore.open(database_url).close()
    found = sa.inspect(engine)
    assert [column["name"] for column in found.get_columns("votes")] == list(label_store._VOTES.c.keys())
    assert {column["name"] for column in found.get_columns("reveals")} >= set(label_store._REVEALS.c.keys())


def test_a_failed_upgrade_leaves_the_database_as_it_was(engine, database_url):
    _at_revision(engine, "0001")
    with for_writing(engine).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE reveals (seq integer)")  # in the way of revision 0002
    with pytest.raises(CampaignError, match="reveals"):
        LabelStore.open(database_url)
    assert _revision(engine) == "0001"


def test_eight_threads_that_open_a_new_database_at_once_all_succeed(database_url):
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(LabelStore.open, [database_url] * 8))
    for number, store in enumerate(stores):
        store.add(a_vote(inspector=f"inspector {number}"))
    assert stores[0].number_of_votes() == 8
    for store in stores:
        store.close()
