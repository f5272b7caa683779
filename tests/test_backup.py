"""A backup is whole, holds no secret, and becomes the same campaign again, on either database."""

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from data import label_store, migrations
from data.backup import LABELS, MANIFEST, restore_backup, write_backup
from data.campaign import Campaign, open_campaign
from data.catalogue import catalogue_rows, vote_rows
from data.database import connect_to, for_writing
from data.errors import BackupError, CampaignError
from data.inspection import settings_from
from data.inspection_store import InspectionStore
from data.label_store import LabelStore
from data.people_store import PeopleStore
from tests.conftest import PROJECT
from tests.fixtures.campaigns import add_scores, filled_campaign
from tests.fixtures.postgresql import new_database
from tests.fixtures.votes import EVERYTHING, a_vote


@pytest.fixture
def voted(tmp_path, database_url) -> Campaign:
    """A campaign with votes, people and a session, in a file or in PostgreSQL."""
    campaign = filled_campaign(tmp_path / "c", ["a", "b"], size_px=4)
    add_scores(campaign, {"a": 1.0})
    campaign = keeping_votes_in(campaign, database_url)
    with LabelStore.open(campaign.database_url) as labels:
        for vote in (a_vote(**EVERYTHING), a_vote(object_id="b"), a_vote(object_id="b", inspector="Ivo")):
            labels.add(vote)
        labels.record_reveal("Ivo", "b")
        PeopleStore(labels.engine).add("Ivo", "inspector", by="test")
        inspections = InspectionStore(labels.engine)
        session = inspections.open(settings_from({"title": "Best"}), [("a", None), ("b", "lens")], by="Lea")
        inspections.decide(session.session_id, "a", "C", "no counter-image", by="Lea")
    return campaign


def keeping_votes_in(campaign: Campaign, url: str) -> Campaign:
    text = campaign.settings_path.read_text()
    plain = url.replace("postgresql+psycopg", "postgresql").removeprefix("sqlite:///")
    campaign.settings_path.write_text(text.replace('"labels.sqlite"', json.dumps(plain)))
    return open_campaign(campaign.path)


def contents(campaign: Campaign) -> tuple[object, ...]:
    with LabelStore.open(campaign.database_url) as labels:
        inspections = InspectionStore(labels.engine)
        return (
            list(labels.all_votes()),
            labels.revealed_ids("Ivo"),
            PeopleStore(labels.engine).everybody(),
            [(one, inspections.items(one.session_id)) for one in inspections.all()],
            inspections.final_grades(),
            catalogue_rows(campaign, labels),
            vote_rows(labels),
        )


def test_a_backup_becomes_the_same_campaign_again(voted, tmp_path):
    summary = write_backup(voted, tmp_path / "b.tar", with_cutouts=True)
    assert (summary.rows["votes"], summary.rows["people"], summary.rows["inspection_items"]) == (3, 1, 2)
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "again")
    assert contents(restored) == contents(voted)
    assert restored.identifier == voted.identifier
    assert restored.objects().table.equals(voted.objects().table)
    assert restored.score_parts("evidence-net-0123abcd")
    stored = restored.objects().get("a")
    assert restored.cutouts().read(stored).keys() == voted.cutouts().read(stored).keys()


def test_votes_move_to_postgresql_and_go_on_there(voted, tmp_path, postgresql_server):
    write_backup(voted, tmp_path / "b.tar")
    url = new_database(postgresql_server).replace("postgresql+psycopg", "postgresql")
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "again", database=url)
    assert restored.database == url
    assert not (restored.path / LABELS).exists()
    assert contents(restored) == contents(voted)
    with LabelStore.open(restored.database_url) as labels:
        assert labels.add(a_vote())
        with labels.engine.begin() as connection, pytest.raises(Exception, match="append-only"):
            connection.exec_driver_sql("DELETE FROM votes")
    with pytest.raises(BackupError, match="empty one"):
        restore_backup(tmp_path / "b.tar", tmp_path / "third", database=url)
    write_backup(restored, tmp_path / "b2.tar")
    home = restore_backup(tmp_path / "b2.tar", tmp_path / "home")
    assert len(contents(home)[0]) == 4


def test_a_restored_store_takes_votes_and_loses_none(voted, tmp_path):
    write_backup(voted, tmp_path / "b.tar")
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "again")
    with LabelStore.open(restored.database_url) as labels:
        vote = a_vote()
        assert labels.add(vote)
        assert not labels.add(replace(vote))
        assert labels.number_of_votes() == 4


def test_a_backup_taken_while_people_vote_has_every_vote_acknowledged_before(voted, tmp_path):
    command = [sys.executable, str(PROJECT / "tests/fixtures/vote_writer.py"), voted.database_url]
    writers = [
        subprocess.Popen(
            [*command, name], stdout=subprocess.PIPE, text=True, cwd=PROJECT, env={"PYTHONPATH": str(PROJECT)}
        )
        for name in ("Ana", "Ben")
    ]
    try:
        acknowledged = [writer.stdout.readline().strip() for _ in range(40) for writer in writers]
        write_backup(voted, tmp_path / "b.tar")
        more = [writer.stdout.readline().strip() for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            writer.stdout.close()
    assert all(more)
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "again")
    with LabelStore.open(restored.database_url) as labels:
        kept = {vote.vote_id for vote in labels.all_votes()}
    assert set(acknowledged) <= kept


def test_no_password_and_no_secret_gets_into_a_backup(tmp_path):
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    (campaign.path / ".secret").write_bytes(b"keep me to yourself")
    text = campaign.settings_path.read_text()
    out = tmp_path / "b.tar"
    write_backup(campaign, out)
    # As if votes were in a database with a password, of which no copy can be made here.
    campaign.settings_path.write_text(
        text.replace('"labels.sqlite"', '"postgresql://vet:hunter2@db.example.org/q1"  # ours')
    )
    from data.backup import _settings_without_database

    assert "hunter2" not in _settings_without_database(campaign.settings_path.read_text())
    assert b"keep me to yourself" not in out.read_bytes()
    with tarfile.open(out) as archive:
        assert not [name for name in archive.getnames() if name.startswith(".")]


@pytest.fixture
def backup(tmp_path) -> Path:
    campaign = filled_campaign(tmp_path / "c", ["a"], size_px=4)
    write_backup(campaign, tmp_path / "b.tar")
    return tmp_path / "b.tar"


def test_a_backup_that_was_cut_short_or_changed_is_refused(backup, tmp_path):
    whole = backup.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 12_000):
        backup.write_bytes(whole[:size])
        with pytest.raises(BackupError):
            restore_backup(backup, tmp_path / "again")
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        at = archive.getmember("catalogue.parquet").offset_data + 40
    backup.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(BackupError, match=r"catalogue\.parquet.*not as it was written"):
        restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "scores/../../evil", ".secret", "scores\\..\\evil", "evil.sh", "scores/x"],
)
def test_a_file_that_no_backup_has_is_refused(backup, tmp_path, name):
    with tarfile.open(backup, "a") as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(BackupError):
        restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_in_a_backup_is_refused(backup, tmp_path, kind):
    with tarfile.open(backup, "a") as archive:
        info = tarfile.TarInfo("scores/link")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(BackupError):
        restore_backup(backup, tmp_path / "again")


def test_nothing_is_written_over(backup, tmp_path):
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "mine.txt").write_text("mine")
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(backup, tmp_path / "again")
    with pytest.raises(BackupError, match="there already"):
        write_backup(open_campaign(tmp_path / "c"), backup)


def test_the_manifest_tells_what_is_in_it(backup):
    with tarfile.open(backup) as archive:
        manifest = json.load(archive.extractfile(MANIFEST))
    assert manifest["schema"] >= "0003"
    assert manifest["rows"]["votes"] == 0
    assert set(manifest["sha256"]) == {"labels.sqlite", "campaign.toml", "catalogue.parquet"}


@pytest.mark.parametrize("step", ["_restore_labels", "written_atomically", "open_campaign"])
def test_a_restore_that_is_killed_leaves_no_campaign_or_a_whole_one(voted, tmp_path, step):
    write_backup(voted, tmp_path / "b.tar")
    dying = (
        "import os, signal, sys; from pathlib import Path; import data.backup as backup\n"
        f"backup.{step} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "backup.restore_backup(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", dying, str(tmp_path / "b.tar"), str(tmp_path / "again")]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    if step == "open_campaign":  # all is written by then
        assert contents(open_campaign(tmp_path / "again"))[:1] == contents(voted)[:1]
    else:
        with pytest.raises(CampaignError):
            open_campaign(tmp_path / "again")
        with pytest.raises(BackupError, match="new folder"):
            restore_backup(tmp_path / "b.tar", tmp_path / "again")
        assert contents(restore_backup(tmp_path / "b.tar", tmp_path / "third")) == contents(voted)


def with_labels(backup: Path, labels: Path, *, schema: str) -> None:
    """Put another label store into a backup, as another LensVet would have written it."""
    with tarfile.open(backup) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    files[LABELS] = labels.read_bytes()
    manifest = json.loads(files.pop(MANIFEST)) | {"schema": schema}
    manifest["sha256"][LABELS] = hashlib.sha256(files[LABELS]).hexdigest()
    files[MANIFEST] = json.dumps(manifest).encode()
    with tarfile.open(backup, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def labels_of_revision(path: Path, revision: str, vote) -> Path:
    engine = connect_to(f"sqlite:///{path}")
    with for_writing(engine).begin() as connection:
        migrations.upgrade(connection, revision)
        connection.execute(sa.insert(label_store._VOTES).values(label_store._row_of(vote)))
    engine.dispose()
    return path


def test_a_backup_of_the_first_lensvet_is_brought_up_to_date(backup, tmp_path):
    vote = a_vote(**EVERYTHING)
    with_labels(backup, labels_of_revision(tmp_path / "old.sqlite", "0001", vote), schema="0001")
    restored = restore_backup(backup, tmp_path / "again")
    with LabelStore.open(restored.database_url) as labels:
        assert list(labels.all_votes()) == [vote]
        assert InspectionStore(labels.engine).all() == []


def test_a_backup_of_a_newer_lensvet_is_refused(backup, tmp_path):
    newer = labels_of_revision(tmp_path / "new.sqlite", migrations.HEAD, a_vote())
    with_labels(backup, newer, schema="9999")
    with pytest.raises(BackupError, match=r"schema 9999.*update LensVet"):
        restore_backup(backup, tmp_path / "again")
    assert not (tmp_path / "again").exists()
