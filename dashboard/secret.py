"""The server's secret: made at the first start, readable by nobody else, never a default. It signs and hides."""

import hashlib
import os
import secrets
from pathlib import Path

from dashboard.errors import ServeError

SIZE = 32
NAME = ".secret"


def secret_of(folder: Path) -> bytes:
    """The secret of a campaign, made if there is none yet. Whoever reads it can sign in as anybody.

    Raises
    ------
    ServeError
        If the file is not as we made it, or others may read it.
    """
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(descriptor, "wb") as file:
        made = secrets.token_bytes(SIZE)
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    return made


def derived(secret: bytes, purpose: str, size: int = 32) -> bytes:
    """A key for one purpose, so that what is signed for one opens nothing for another."""
    return hashlib.blake2b(purpose.encode(), key=secret, digest_size=size).digest()


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise ServeError(
            f"{path} can be read by others: chmod 600 {path}, or remove it, which signs everybody out"
        )
    found = path.read_bytes()
    if len(found) != SIZE:
        raise ServeError(
            f"{path} has {len(found)} bytes, expected {SIZE}: remove it, which signs everybody out"
        )
    return found
