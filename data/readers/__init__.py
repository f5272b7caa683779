"""Readers, one file format each, found by the first bytes of a file.

To add one: a module with the two functions of `data.readers.parts.Reader`, and a row in `READERS`.
"""

from collections.abc import Iterator
from pathlib import Path

from data.errors import UnreadableCutoutError
from data.readers import fits_files, hdf5_files, numpy_files, pictures
from data.readers.parts import Content, Reader

READERS: dict[str, Reader] = {
    "FITS": fits_files,
    "HDF5": hdf5_files,
    "NPZ and NPY": numpy_files,
    "PNG and JPEG": pictures,
}

# What claims to be an image by its name: if no reader knows its content, it is rejected with a reason.
# Anything else (README, MANIFEST.csv, map.txt, LICENSE) is left alone.
_IMAGE_SUFFIXES = frozenset(
    {".fits", ".fit", ".fts", ".fz", ".h5", ".hdf5", ".hdf", ".he5", ".npz", ".npy", ".pkl", ".pickle"}
    | {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".webp", ".bmp"}
)
_HEAD_BYTES = 16


def reader_of(path: Path) -> Reader | None:
    """The reader for this file by its content; None for a file that is no image and does not claim to be one.

    Raises
    ------
    UnreadableCutoutError
        If it claims to be an image and no reader knows it.
    """
    head = _head(path)
    for reader in READERS.values():
        if reader.recognises(head):
            return reader
    if is_image_name(path):
        raise UnreadableCutoutError(_why_unknown(path, head))
    return None


def is_image_name(path: Path) -> bool:
    """Whether the name claims that the file is an image: cutout.fits, cutout.fits.gz."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower()
    return suffix in _IMAGE_SUFFIXES


def read_file(path: Path) -> Iterator[Content]:
    """The objects in a file; none if it is no image.

    Raises
    ------
    UnreadableCutoutError
        With the reason.
    """
    try:
        reader = reader_of(path)
        if reader is not None:
            yield from reader.read(path)
    except UnreadableCutoutError:
        raise
    except OSError as error:
        raise UnreadableCutoutError(f"cannot be read: {error.strerror or error}") from error
    except (
        Exception
    ) as error:  # a damaged file makes the libraries below raise anything, and the rest goes on
        raise UnreadableCutoutError(f"damaged: {type(error).__name__}: {error}") from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    is_other_archive = head.startswith(b"\x1f\x8b") and not is_image_name(path)
    return b"" if is_other_archive else head


def _why_unknown(path: Path, head: bytes) -> str:
    if not head:
        return "empty file (0 bytes): copy it again"
    if path.suffix.lower() in {".pkl", ".pickle"} or (head[:1] == b"\x80" and head[1:2] <= b"\x05"):
        return "a pickle, which can run code when read: save the arrays as FITS, HDF5 or NPZ"
    return f"begins with {head[:8]!r}, which is none of {', '.join(READERS)}: is it damaged?"
