"""NPZ and NPY: arrays by name, never pickles."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.named_arrays import content_of
from data.readers.parts import LARGEST_BYTES, Content

_PICKLED = "holds pickled Python objects, which can run code when read: save plain arrays instead"


def recognises(head: bytes) -> bool:
    return head.startswith((b"\x93NUMPY", b"PK\x03\x04"))


def read(path: Path) -> Iterator[Content]:
    """One object: each array is a band, or a cube whose bands another key names."""
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"
    try:
        arrays = _members(path) if is_archive else {"": np.load(path, allow_pickle=False)}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise UnreadableCutoutError(_PICKLED) from error
        raise
    yield content_of(arrays)


def _members(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an archive; `meta_` before a key, as in cutouts of the Legacy Surveys, is taken off."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if not any(member.filename.endswith(".npy") for member in members):
        raise UnreadableCutoutError("a zip archive without arrays: unpack it, and give the files in it")
    if sum(member.file_size for member in members) > LARGEST_BYTES:
        raise UnreadableCutoutError(
            f"more than {LARGEST_BYTES >> 30} GiB when unpacked: too large for a cutout"
        )
    with np.load(path, allow_pickle=False) as arrays:
        return {name.removeprefix("meta_"): arrays[name] for name in arrays.files}
