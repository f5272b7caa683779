"""One file that holds a campaign: settings, catalogue, scores and every vote, as they were at one moment.

A tar archive: `manifest.json` with a SHA-256 of every other file, the label store as `labels.sqlite` whatever database
it is kept in, and the campaign's files. Maps are left out, they can be computed again; so is the server's secret.
"""

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO

import sqlalchemy as sa

from data.campaign import Campaign, open_campaign
from data.database import connect_to
from data.errors import BackupError
from data.files import written_atomically
from data.label_store import LabelStore
from data.migrations import HEAD
from data.table_copy import copy_sqlite, copy_tables, is_empty, row_counts

MANIFEST, LABELS, SETTINGS = "manifest.json", "labels.sqlite", "campaign.toml"
_FILES = ("catalogue.parquet", "rejected.csv", "known_lenses.parquet", "crossmatch.parquet")
_FOLDERS = ("scores", "features")
_BULK = ("cutouts.zarr", "truth.zarr")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class BackupSummary:
    """What a backup holds. rows : of the label store, by table. has_cutouts : their pixels too."""

    campaign: str
    made_at: str
    rows: dict[str, int]
    files: int
    has_cutouts: bool


def write_backup(campaign: Campaign, out: Path, *, with_cutouts: bool = False) -> BackupSummary:
    """Write a backup while people go on voting: it holds all votes that were acknowledged before it began.

    Raises
    ------
    BackupError
        If the file is there already.
    """
    if out.exists():
        raise BackupError(f"{out} is there already: choose another name, or remove it")
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="lensvet-backup-") as folder, written_atomically(out) as partial:
        labels = Path(folder) / LABELS
        rows = _copy_labels(campaign, labels)
        settings = _settings_without_database(campaign.settings_path.read_text(encoding="utf-8"))
        hashes: dict[str, str] = {}
        with tarfile.open(partial, "w") as archive:
            hashes[LABELS] = _add(archive, LABELS, labels)
            for name, path in _campaign_files(campaign.path, with_cutouts=with_cutouts):
                hashes[name] = _add(archive, name, path)
            hashes[SETTINGS] = _add_bytes(archive, SETTINGS, settings.encode())
            summary = BackupSummary(campaign.identifier, made_at, rows, len(hashes), with_cutouts)
            manifest = {"lensvet": version("lensvet"), "schema": HEAD, **vars(summary), "sha256": hashes}
            _add_bytes(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
    return summary


def restore_backup(path: Path, folder: Path, *, database: str | None = None) -> Campaign:
    """Make the campaign of a backup in a new folder; votes go to a file there, or to an empty PostgreSQL database.

    The settings are written last: a restore that was cut short leaves nothing that is taken for a campaign.

    Raises
    ------
    BackupError
        If the backup is damaged or of a newer LensVet, or the folder or the database is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty: restore into a new folder")
    if database is not None and not is_empty(_sqlalchemy_url(database)):
        raise BackupError("the database holds votes already: restore into an empty one")
    manifest = _checked_manifest(path)
    folder.mkdir(parents=True, exist_ok=True)
    settings = b""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name in manifest["sha256"]:
                content = archive.extractfile(member)
                assert content is not None
                if member.name == SETTINGS:
                    settings = content.read()
                    continue
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    while chunk := content.read(_CHUNK):
                        file.write(chunk)
    _restore_labels(folder / LABELS, database)
    text = settings.decode()
    if database is not None:
        text = _with_database(text, database)
        (folder / LABELS).unlink()
    with written_atomically(folder / SETTINGS) as partial:
        partial.write_text(text, encoding="utf-8")
    return open_campaign(folder)


def _copy_labels(campaign: Campaign, target: Path) -> dict[str, int]:
    # Opened as a store, so that an older schema is brought up to date first.
    with LabelStore.open(campaign.database_url) as labels:
        if labels.engine.dialect.name == "sqlite":
            copy_sqlite(labels.engine, target)
            copy = connect_to(f"sqlite:///{target}")
            rows = row_counts(copy)
        else:
            copy = connect_to(f"sqlite:///{target}")
            rows = copy_tables(labels.engine, copy, revision=HEAD)
        _settle(copy)
    return rows


def _settle(engine: sa.Engine) -> None:
    """Leave one file: nothing of it waits in a log beside it."""
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()


def _restore_labels(labels: Path, database: str | None) -> None:
    """Bring the votes' schema up to date, and move them where they belong."""
    with LabelStore.open(f"sqlite:///{labels.resolve()}") as restored:
        if database is not None:
            target = connect_to(_sqlalchemy_url(database))
            try:
                copy_tables(restored.engine, target, revision=HEAD)
            finally:
                target.dispose()


def _checked_manifest(path: Path) -> dict[str, dict[str, str]]:
    """The manifest of an archive in which every file is as it was written, and no other is."""
    found: dict[str, str] = {}
    manifest: dict[str, dict[str, str]] | None = None
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() and _is_ours(member.name) else None
                if content is None:
                    raise BackupError(
                        f"{path} holds {member.name!r:.80}, which no backup has: do not trust it"
                    )
                if member.name == MANIFEST:
                    manifest = json.loads(content.read())
                else:
                    found[member.name] = _hash(content)
    except (tarfile.TarError, EOFError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BackupError(f"{path} is damaged, or no backup ({error}): take another one") from error
    if manifest is None or not isinstance(manifest.get("sha256"), dict):
        raise BackupError(f"{path} has no manifest: it was cut short, or is no backup")
    schema = str(manifest.get("schema", ""))
    if schema > HEAD:
        raise BackupError(f"{path} has schema {schema}, this LensVet knows up to {HEAD}: update LensVet")
    damaged = sorted(name for name, digest in manifest["sha256"].items() if found.get(name) != digest)
    damaged += sorted(set(found) - set(manifest["sha256"]))
    if damaged:
        raise BackupError(
            f"{path} is damaged: {damaged[0]!r:.80} is not as it was written; take another backup"
        )
    return manifest


def _is_ours(name: str) -> bool:
    """Whether a backup may hold a file of this name: no way out of the folder, no hidden file."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\\" in name or any(part.startswith("..") for part in parts):
        return False
    if len(parts) == 1:
        return name in (MANIFEST, LABELS, SETTINGS, *_FILES)
    return parts[0] in (*_FOLDERS, *_BULK)


def _campaign_files(folder: Path, *, with_cutouts: bool) -> Iterator[tuple[str, Path]]:
    for name in _FILES:
        if (folder / name).is_file():
            yield name, folder / name
    for top in (*_FOLDERS, *(_BULK if with_cutouts else ())):
        for path in sorted((folder / top).rglob("*")):
            if path.is_file() and not path.is_symlink() and not _is_unfinished(path):
                yield path.relative_to(folder).as_posix(), path


def _is_unfinished(path: Path) -> bool:
    """What another command is just writing."""
    return path.name.startswith(".") and path.suffix == ".partial"


def _add(archive: tarfile.TarFile, name: str, path: Path) -> str:
    """Add a file as it is now, and return its hash; the size is taken once, so that one that grows does no harm."""
    info = archive.gettarinfo(str(path), arcname=name)
    _make_plain(info)
    with path.open("rb") as file:
        content = file.read(info.size)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
    return hashlib.sha256(content).hexdigest()


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> str:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mtime = int(datetime.now(UTC).timestamp())
    _make_plain(info)
    archive.addfile(info, io.BytesIO(content))
    return hashlib.sha256(content).hexdigest()


def _make_plain(info: tarfile.TarInfo) -> None:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600


def _hash(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _settings_without_database(settings: str) -> str:
    """The settings with votes in a file: where they were kept may have a password in it, and is not where they go."""
    return re.sub(r"(?m)^database\s*=.*$", f'database = "{LABELS}"', settings)


def _with_database(settings: str, database: str) -> str:
    line = f"database = {json.dumps(database)}"
    replaced, count = re.subn(r"(?m)^database\s*=.*$", lambda _: line, settings)
    return replaced if count else f"{line}\n{settings}"


def _sqlalchemy_url(database: str) -> str:
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database)
