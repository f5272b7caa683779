"""HDF5: the datasets of the root by name, such as lenstronomy's image_data and transform_pix2angle."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.named_arrays import content_of
from data.readers.parts import LARGEST_BYTES, Content


def recognises(head: bytes) -> bool:
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def read(path: Path) -> Iterator[Content]:
    """One object."""
    import h5py

    with h5py.File(path, "r") as file:
        arrays = {**dict(_datasets(file)), **{name: np.asarray(value) for name, value in file.attrs.items()}}
    yield content_of(arrays)


def _datasets(file: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """A link or a dataset that points outside the file is not followed: a file speaks for itself only."""
    import h5py

    total_bytes = 0
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            continue
        found = file[name]
        if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual or found.size is None:
            continue
        # What a file claims, not what it holds: unwritten datasets take no room on disk and all of it in memory.
        total_bytes += found.size * found.dtype.itemsize
        if total_bytes > LARGEST_BYTES:
            raise UnreadableCutoutError(f"dataset {name} has the shape {found.shape}: too large for a cutout")
        yield name, np.asarray(found.asstr()[()] if h5py.check_string_dtype(found.dtype) else found[()])
