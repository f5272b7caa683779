"""Large images and a catalogue of positions: a cutout round each position, from memory-mapped files.

A position is looked up in every image by that image's WCS: how tiles and bands are spread over files is free.
"""

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.assembly import Known, Source, cutout_of
from data.readers.fits_files import opened_for_windows
from data.readers.fits_header import FitsHeader
from data.readers.naming import band_called, role_within, split_stem
from data.readers.parts import Content, Part
from data.readers.sky_frames import frame_of, pixel_scale_arcsec, pixels_of
from data.readers.unit_reader import Found
from data.readers.units import Rejected, SourceFile
from data.surveys import Survey

MOSAIC_SIDE_PX = 500  # a smaller image is a cutout, whatever positions lie in it
FIELD_ARCSEC = 20.0  # of a cutout: networks that look at 66 px of 0.3 arcsec need no more
_MARGIN = 1.05  # pixels are a little larger towards the edges of a tangent plane
_SMALLEST_FILE_BYTES = 100_000  # no image that large fits in fewer


@dataclass(frozen=True)
class Positions:
    """Where to cut, by the catalogue. rows : (n,), in the catalogue. ra_deg, dec_deg : (n,), all finite."""

    rows: Sequence[int]
    object_ids: Sequence[str]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class _Image:
    """One open image of a mosaic.

    pixels : (n, (x, y)) of the positions, zero-based. holds : (n,), which of them are in it.
    """

    file: SourceFile
    part: Part
    header: FitsHeader
    pixels: NDArray[np.float64]
    holds: NDArray[np.bool_]


def holds_positions(path: Path, positions: Positions) -> bool:
    """Whether a file holds an image larger than a cutout with some of these positions in it."""
    try:
        if path.stat().st_size < _SMALLEST_FILE_BYTES or not _is_fits(path):
            return False
        with contextlib.ExitStack() as stack:
            return any(image.holds.any() for image in _images_of(path, positions, stack))
    except (OSError, UnreadableCutoutError):
        return False  # the reason is found when the file is read


def circles_of(path: Path) -> list[tuple[float, float, float]]:
    """Circles on the sky that hold the large images of a file: RA, Dec and radius of each, in degrees.

    None if it is no such file.

    Raises
    ------
    UnreadableCutoutError
        If its headers are damaged.
    OSError
    """
    circles = []
    with contextlib.ExitStack() as stack:
        if path.stat().st_size < _SMALLEST_FILE_BYTES or not _is_fits(path):
            return []
        for _, header in stack.enter_context(opened_for_windows(path)):
            sky = frame_of(header, header.shape) if min(header.shape) >= MOSAIC_SIDE_PX else None
            if sky is not None:
                pixel_deg = max(math.hypot(*sky.cd_deg[::2]), math.hypot(*sky.cd_deg[1::2]))
                half_diagonal_px = math.hypot(*header.shape) / 2
                circles.append((sky.ra_deg, sky.dec_deg, _MARGIN * half_diagonal_px * pixel_deg))
    return circles


def cut_mosaics(
    paths: Sequence[Path], positions: Positions, survey: Survey, *, field_arcsec: float = FIELD_ARCSEC
) -> Iterator[tuple[int, Found | Rejected]]:
    """The place of each position in `positions`, and the cutout there, under the catalogue's id.

    field_arcsec : side of a cutout.
    """
    with contextlib.ExitStack() as stack:
        images: list[_Image] = []
        for path in paths:
            images += _images_of(path, positions, stack)
        inside = np.any([image.holds for image in images], axis=0) if images else np.zeros(0, bool)
        for place in np.flatnonzero(inside).tolist():
            here = [image for image in images if image.holds[place]]
            yield (
                place,
                _cut(positions.object_ids[place], _one_per_band(here, survey), place, survey, field_arcsec),
            )


def _cut(
    name: str, images: Sequence[_Image], place: int, survey: Survey, field_arcsec: float
) -> Found | Rejected:
    try:
        sources = [Source(image.file, Content((_window(image, place, field_arcsec),))) for image in images]
        return Found(cutout_of(name, sources, survey, Known()))
    except Exception as error:  # damaged pixels make the libraries below raise anything, and the rest goes on
        return Rejected(str(images[0].file.path), f"at the position of {name[:100]!r}: {error}")


def _is_fits(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(9) == b"SIMPLE  ="


def _images_of(path: Path, positions: Positions, stack: contextlib.ExitStack) -> Iterator[_Image]:
    file_role = role_within(path.stem)
    for part, header in stack.enter_context(opened_for_windows(path)):
        if min(header.shape) < MOSAIC_SIDE_PX:
            continue
        role = part.role if part.role != "flux" else file_role
        pixels = pixels_of(header, positions.ra_deg, positions.dec_deg)
        inside = (pixels > -0.5) & (pixels < np.array(header.shape[::-1]) - 0.5)
        yield _Image(
            file=SourceFile(path, split_stem(path.stem).band, role),
            part=replace(part, role=role, pixel_scale_arcsec=pixel_scale_arcsec(header)),
            header=header,
            pixels=pixels,
            holds=np.asarray(inside.all(axis=1)),
        )


def _one_per_band(images: Sequence[_Image], survey: Survey) -> list[_Image]:
    """Where tiles overlap, the first that holds the position."""
    chosen: dict[tuple[str, str], _Image] = {}
    for image in images:
        band = band_called((image.part.label, image.part.filter_name, image.file.band), survey)
        chosen.setdefault((band, image.part.role), image)
    return list(chosen.values())


def _window(image: _Image, place: int, field_arcsec: float) -> Part:
    """The pixels round a position; NaN where they would lie beyond the image's edge."""
    scale = image.part.pixel_scale_arcsec
    side = round(field_arcsec / scale) if scale > 0 else MOSAIC_SIDE_PX // 2
    x0, y0 = (math.floor(centre - (side - 1) / 2 + 0.5) for centre in image.pixels[place])
    height, width = image.header.shape
    rows, columns = (
        slice(max(start, 0), min(start + side, end)) for start, end in ((y0, height), (x0, width))
    )
    window = np.full((side, side), np.nan, np.float32)
    window[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = image.part.values[
        rows, columns
    ]
    sky = functools.partial(frame_of, image.header, window.shape, (y0, x0))
    return replace(image.part, values=window, sky=sky)
