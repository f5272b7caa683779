"""FITS: a band per file, many bands in one, cubes, stacks of objects, compressed images, tables of images.

Plain images are taken straight from the file's bytes, which is several times faster than Astropy for cutouts,
where headers take longer than pixels; what is scaled, compressed or a table is read by Astropy.
"""

import contextlib
import functools
import gzip
import math
import mmap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.fits_header import Extension, FitsHeader, extensions
from data.readers.fits_tables import table_contents
from data.readers.naming import split_label
from data.readers.parts import LARGEST_BYTES, UNKNOWN, Content, Part, along_bands, band_list
from data.readers.sky_frames import frame_of, impossible_scale_arcsec, pixel_scale_arcsec

READ_AT_ONCE_BYTES = 2**24  # a larger file is memory-mapped
_GZIP = b"\x1f\x8b"
_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_ZERO_POINTS = ("MAGZERO", "MAGZERPT", "MAGZPT", "ZEROPNT", "MAGZP", "PHOTZP", "ZEROPOINT", "ZP")
_NO_LABEL = {"PRIMARY", "COMPRESSED_IMAGE"}


def recognises(head: bytes) -> bool:
    return head.startswith(b"SIMPLE  =") or head.startswith(_GZIP)


def read(path: Path) -> Iterator[Content]:
    """One object, or one per row of a table of images."""
    buffer = _buffer(path)
    units = list(extensions(buffer))
    parts = list(_parts(path, buffer, units))
    if parts:
        yield Content(tuple(parts))
        return
    tables = [unit.number for unit in units if unit.header.is_table]
    count = 0
    with _opened_by_astropy(path) as file:
        for content in table_contents(file, tables):
            yield content
            count += 1
    if not count:
        raise UnreadableCutoutError(_why_empty(units))


@contextlib.contextmanager
def opened_for_windows(path: Path) -> Iterator[list[tuple[Part, FitsHeader]]]:
    """The images (y, x) of a file while it is open; pixels are read where they are sliced, nowhere else."""
    buffer = _buffer(path)
    units = list(extensions(buffer))
    with _opened_by_astropy(path, memmap=False) as file:
        yield [
            (header_part(header, units[0].header, _sliceable(buffer, unit, file)), header)
            for unit in units
            if _is_image(header := unit.header)
        ]


def header_part(header: FitsHeader, primary: FitsHeader, values: Any) -> Part:
    """A part with what its own header says; filter and zero point may stand in the file's first instead."""
    label, role = split_label("" if (name := header.text("EXTNAME")) in _NO_LABEL else name)
    both = (header, primary)
    return Part(
        values=values,
        role=role,
        label=label,
        filter_name=next(filter(None, (h.text("BAND", "FILTER", "FILTERS") for h in both)), ""),
        pixel_scale_arcsec=pixel_scale_arcsec(header) if role == "flux" else UNKNOWN,
        impossible_scale_arcsec=impossible_scale_arcsec(header) if role == "flux" else UNKNOWN,
        zero_point_mag=_zero_point(*both) if role == "flux" else UNKNOWN,
        sky=functools.partial(frame_of, header, header.shape),
    )


def _buffer(path: Path) -> memoryview:
    with path.open("rb") as file:
        if file.read(2) == _GZIP:
            return _unzipped(path)
        file.seek(0)
        if path.stat().st_size <= READ_AT_ONCE_BYTES:
            return memoryview(file.read())
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _unzipped(path: Path) -> memoryview:
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise UnreadableCutoutError(f"damaged gzip file: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise UnreadableCutoutError(f"more than {LARGEST_BYTES >> 30} GiB when unpacked: unpack it yourself")
    if not content.startswith(b"SIMPLE  ="):
        raise UnreadableCutoutError("a gzip file that holds no FITS: unpack it")
    return memoryview(content)


def _parts(path: Path, buffer: memoryview, units: Sequence[Extension]) -> Iterator[Part]:
    images = [unit for unit in units if not unit.header.is_table and len(unit.header.shape) >= 2]
    others = [unit.number for unit in images if not unit.header.is_plain_image]
    by_astropy = _read_by_astropy(path, others) if others else {}
    for number, header, offset in images:
        if header.is_plain_image:
            values = _pixels(buffer, header, offset)
        else:
            header, values = by_astropy[number]
        yield from _named_planes(header_part(header, units[0].header, _without_ones(values)), header)


def _pixels(buffer: memoryview, header: FitsHeader, offset: int) -> NDArray[Any]:
    bitpix = header.whole("BITPIX")
    if bitpix not in _DTYPES:
        raise UnreadableCutoutError(
            f"FITS keyword BITPIX is {bitpix}; expected one of {', '.join(map(str, _DTYPES))}"
        )
    shape = header.shape
    return np.frombuffer(buffer, _DTYPES[bitpix], math.prod(shape), offset).reshape(shape)


def _is_image(header: FitsHeader) -> bool:
    return not header.is_table and len(header.shape) == 2


def _sliceable(buffer: memoryview, unit: Extension, file: Any) -> Any:
    """Something that gives pixels for a slice, in the shape of the image."""
    if unit.header.is_plain_image:
        return _pixels(buffer, unit.header, unit.offset)
    return file[unit.number].section


@contextlib.contextmanager
def _opened_by_astropy(path: Path, *, memmap: bool = True) -> Iterator[Any]:
    """The file as Astropy sees it; what it cannot read has a reason."""
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # Header cards that break the standard in ways that do not matter for pixels.
            warnings.simplefilter("ignore", AstropyWarning)
            file = fits.open(path, memmap=memmap)
    except (OSError, ValueError, TypeError, VerifyError) as error:
        raise UnreadableCutoutError(f"damaged FITS: {error}") from error
    with file:
        yield file


def _read_by_astropy(path: Path, numbers: Sequence[int]) -> dict[int, tuple[FitsHeader, NDArray[Any]]]:
    found = {}
    with _opened_by_astropy(path, memmap=False) as file:
        for number in numbers:
            header = FitsHeader(file[number].header.tostring(endcard=False, padding=False))
            found[number] = (header, np.array(file[number].data))
    return found


def _named_planes(part: Part, header: FitsHeader) -> list[Part]:
    """A cube whose header names its bands becomes one part per band."""
    if part.values.ndim != 3:
        return [part]
    names = band_list(header.text("BANDS"))
    for keyword in ("BAND", "FILTER"):
        first = 0 if f"{keyword}0" in header else 1
        numbered = (header.text(f"{keyword}{first + i}") for i in range(min(part.values.shape[0], 100)))
        names = names or [name for name in numbered if name]
    return along_bands(part, names) if len(names) in part.values.shape else [part]


def _without_ones(values: NDArray[Any]) -> NDArray[Any]:
    """(1, 1, y, x) is (y, x): radio and drizzled images carry empty axes."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    return values


def _zero_point(*headers: FitsHeader) -> float:
    """AB zero point: stated, or from the inverse sensitivity of HST images.

    STmag to AB at the pivot wavelength: WFC3 Data Handbook, Sect. 9.1.
    """
    for header in headers:
        if not math.isnan(stated := header.number(*_ZERO_POINTS)):
            return stated
    flam, pivot = headers[0].number("PHOTFLAM"), headers[0].number("PHOTPLAM")
    if flam > 0 and pivot > 0:
        return -2.5 * math.log10(flam) - 21.10 - 5 * math.log10(pivot) + 18.6921
    return UNKNOWN


def _why_empty(units: Sequence[Extension]) -> str:
    if any(unit.header.is_table for unit in units):
        return "a FITS table without images: if it is a catalogue, give it with --catalogue"
    shapes = ", ".join(str(unit.header.shape) for unit in units)
    return f"FITS without an image: extensions have the shapes {shapes}; expected (y, x) or (n, y, x)"
