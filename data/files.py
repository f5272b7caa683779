"""Files that are whole or absent: written aside, flushed to disk, then renamed. And one lock per writer."""

import contextlib
import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from data.errors import CampaignError


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it into place when the block ends, remove it on error.

    A process killed in between leaves `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, values: object) -> None:
    """Write values that JSON can hold, NaN not among them, for people to read as well."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    with written_atomically(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def in_sql(*paths: Path) -> str:
    """Files as texts in a query of DuckDB, with commas between."""
    return ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in paths)


def parquet_in_sql(*paths: Path, options: str = "union_by_name = true") -> str:
    """These Parquet files as a table in a query of DuckDB, whatever its folders are called."""
    files = in_sql(*(Path(as_pattern(path.resolve())) for path in paths))
    return f"read_parquet([{files}], hive_partitioning = false, {options})"


def as_pattern(path: Path) -> str:
    """The pattern that only this file fits."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", str(path))


@contextlib.contextmanager
def held_alone(path: Path, *, doing: str, in_turn: bool = False) -> Iterator[None]:
    """Hold the lock file `path` for this process; the system frees it when the process ends, however it ends.

    in_turn : wait for another holder, for work that takes a moment.

    Raises
    ------
    CampaignError
        If another process holds it, and we do not wait, or the file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if in_turn else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise CampaignError(
                f"another process is already {doing} in {path.parent}: wait for it or stop it, then try again"
            ) from error
        except OSError as error:
            raise CampaignError(
                f"{path.parent} cannot be locked ({error}): use a file system with locks, such as NFS 4"
            ) from error
        yield
