"""Packed cutouts in Zarr: one group per layout, in it one (object, y, x) float32 array per band.

    cutouts.zarr/100x100-1f3a9c02/VIS      flux; `rms/VIS` and `psf/VIS` beside it where the survey gave them
    attributes of the group                bands, shapes, pixel scales (arcsec)

A layout is what objects must share to be stacked: bands, shapes and pixel scales. Chunks hold about 256 KiB, so that
one object is cheap to show: with 1 MiB the server takes twice as long for a page of a hundred, and a batch is scored
no faster. Rows beyond what `catalogue.parquet` claims are leftovers of a killed ingest; the next one writes over them.
"""

import contextlib
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs import blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from data.cutouts import Cutout, Plane, planes_hash
from data.errors import StoreError
from data.kept import Kept
from data.objects import StoredObject

CHUNK_BYTES = 2**18
# Noise hardly compresses: bitshuffle saves 4 % more than shuffle and takes three times as long to read.
# The checksum comes last: a damaged chunk is found before Blosc decodes it, which may crash on one.
_COMPRESSION = (BloscCodec(cname="lz4", clevel=3, shuffle="shuffle"), Crc32cCodec())

Layout = tuple[tuple[Any, ...], ...]


class CutoutStore:
    """The packed cutouts of one campaign. Several threads may read from it; only one may append.

    path : a folder, or an address that fsspec knows.
    next_rows : for each group, the first row that is free (`ObjectTable.next_rows`); needed to append only.
    keep_bytes : of chunks that were read lately and hold other objects that may be asked for next.
    """

    def __init__(
        self, path: Path | str, next_rows: dict[str, int] | None = None, *, keep_bytes: int = 0
    ) -> None:
        self.path = path
        self._blocks: Kept[NDArray[np.float32]] | None = (
            Kept(keep_bytes, size_of=lambda block: block.nbytes) if keep_bytes else None
        )
        try:
            self._root = zarr.open_group(path, mode="a" if next_rows is not None else "r")
        except Exception as error:  # each object store has errors of its own
            if isinstance(path, Path):
                raise
            raise StoreError(f"no packed cutouts can be read at {path}: {error!r:.300}") from error
        self._next_rows = dict(next_rows or {})
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._groups: dict[str, zarr.Group] = {}

    def append(self, cutouts: Sequence[Cutout]) -> list[StoredObject]:
        """Write the planes of these cutouts and return the rows that claim them, in the same order."""
        by_layout: dict[Layout, list[int]] = defaultdict(list)
        for index, cutout in enumerate(cutouts):
            by_layout[layout_of(cutout)].append(index)
        stored: dict[int, StoredObject] = {}
        for layout, indices in by_layout.items():
            group, first = self._write([cutouts[i] for i in indices], layout)
            for offset, index in enumerate(indices):
                cutout = cutouts[index]
                stored[index] = stored_as(
                    cutout, group, first + offset, planes_hash=planes_hash(cutout.planes)
                )
        return [stored[index] for index in range(len(cutouts))]

    def read(self, stored: StoredObject, *, with_noise: bool = False) -> dict[str, Plane]:
        """The planes of one object by band; RMS and PSF planes only if asked for."""
        group = self._group(stored.cutout_group)
        scales = group.attrs["pixel_scales_arcsec"]
        zero_points = dict(zip(stored.bands, stored.zero_points_mag, strict=True))
        row = stored.cutout_row
        return {
            band: Plane(
                flux=self._plane(f"{stored.cutout_group}/{band}", row),
                pixel_scale_arcsec=float(scales[band]),  # type: ignore[index,call-overload,arg-type]  # JSON
                zero_point_mag=zero_points[band],
                rms=self._optional(stored.cutout_group, f"rms/{band}", row) if with_noise else None,
                psf=self._optional(stored.cutout_group, f"psf/{band}", row) if with_noise else None,
            )
            for band in stored.bands
        }

    def read_batch(self, group: str, rows: NDArray[np.int64], band: str) -> NDArray[np.float32]:
        """Flux of several objects of one group: (object, y, x) in the order of `rows`, which is read as whole chunks.

        Raises
        ------
        StoreError
            If the group has no such band.
        """
        name = f"{group}/{band}"
        array = self._array(name)
        if int(rows.max()) >= array.shape[0]:  # appended since it was opened
            self._arrays.pop(name, None)
            array = self._array(name)
        if int(rows.max()) >= array.shape[0]:
            raise StoreError(
                f"{self.path}/{name} holds {array.shape[0]:,} objects and the catalogue says more: restore both from "
                "one backup, or ingest again"
            )
        if not isinstance(self.path, Path):
            return self._from_afar(array, rows)
        length = array.chunks[0]
        first = int(rows.min()) // length
        last = int(rows.max()) // length + 1
        block = np.empty(((last - first) * length, *array.shape[1:]), np.float32)
        for index in range(first, last):
            self._chunk_into(block[(index - first) * length :][:length], name, array, index)
        places = rows - first * length
        if (np.diff(places) == 1).all():
            return block[int(places[0]) : int(places[0]) + len(places)]
        return block[places]

    def will_read(self, group: str, rows: NDArray[np.int64], band: str) -> None:
        """Let the disk begin to fetch what `read_batch` will be asked for, where the system can be told."""
        if not isinstance(self.path, Path) or not hasattr(os, "posix_fadvise"):
            return
        with contextlib.suppress(StoreError):  # who reads it will say so
            length = self._array(f"{group}/{band}").chunks[0]
            for index in range(int(rows.min()) // length, int(rows.max()) // length + 1):
                with contextlib.suppress(OSError), self._file(f"{group}/{band}", index).open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def bands(self, group: str) -> tuple[str, ...]:
        """The bands of the objects of a group."""
        return tuple(self._group(group).attrs["bands"])  # type: ignore[arg-type]  # JSON

    def pixel_scale_arcsec(self, group: str, band: str) -> float:
        """Pixel scale of a band in a group, NaN if unknown."""
        return float(self._group(group).attrs["pixel_scales_arcsec"][band])  # type: ignore[index,call-overload,arg-type]  # JSON

    def shape(self, group: str, band: str) -> tuple[int, int]:
        """(y, x) of a band in a group."""
        _, height, width = self._array(f"{group}/{band}").shape
        return height, width

    def chunk_length(self, group: str) -> int:
        """How many objects one chunk of the group holds: reading in these steps decompresses nothing twice."""
        bands = self._group(group).attrs["bands"]
        return min(self._array(f"{group}/{band}").chunks[0] for band in bands)  # type: ignore[union-attr]  # JSON

    def _group(self, name: str) -> zarr.Group:
        if name not in self._groups:
            try:
                self._groups[name] = self._root[name]  # type: ignore[assignment]  # layouts are groups
            except KeyError:
                raise StoreError(
                    f"{self.path} has no group {name}: was it copied in part? ingest again"
                ) from None
        return self._groups[name]

    def _array(self, name: str) -> "zarr.Array[Any]":
        # An open array is kept: looking it up reads its metadata from disk each time. A reader that must see rows
        # appended by another process opens a new store.
        found = self._arrays.get(name)
        if found is not None:
            return found
        try:
            opened: zarr.Array[Any] = self._root[name]  # type: ignore[assignment]  # bands are arrays
        except KeyError:
            raise StoreError(f"{self.path} has no array {name}") from None
        self._arrays[name] = opened
        return opened

    def _from_afar(self, array: "zarr.Array[Any]", rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """From an object store, which zarr asks for all chunks at once."""
        first = int(rows.min())
        # A store, a checksum and a codec have errors of their own each.
        try:
            block: NDArray[np.float32] = np.asarray(array[first : int(rows.max()) + 1], np.float32)
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(f"{self.path} did not answer, or is damaged: {error!r:.300}") from error
        return block[rows - first]

    def _plane(self, name: str, row: int) -> NDArray[np.float32]:
        array = self._array(name)
        if row >= array.shape[0]:  # appended since it was opened
            self._arrays.pop(name, None)
            array = self._array(name)
        if self._blocks is None:
            return np.asarray(array[row], dtype=np.float32)
        length = array.chunks[0]
        first = row // length * length
        key = (name, first, array.shape[0])
        block = self._blocks.get(key, lambda: self._chunk(name, array, first // length))
        plane: NDArray[np.float32] = block[row - first]
        return plane

    def _chunk(self, name: str, array: "zarr.Array[Any]", index: int) -> NDArray[np.float32]:
        chunk = np.empty(array.chunks, np.float32)
        return chunk[: self._chunk_into(chunk, name, array, index)]

    def _chunk_into(self, chunk: NDArray[np.float32], name: str, array: "zarr.Array[Any]", index: int) -> int:
        """Read a chunk, decoded here where it is as we write them: through zarr it takes three times as long.

        Gives how many rows of it there are.
        """
        ours = [type(codec) for codec in array.metadata.codecs[1:]] == [type(one) for one in _COMPRESSION]  # type: ignore[union-attr]  # version 3
        first = index * len(chunk)
        try:
            if ours and isinstance(self.path, Path):
                with contextlib.suppress(FileNotFoundError):
                    data = np.frombuffer(self._file(name, index).read_bytes(), np.uint8)
                    body, checksum = data[:-4], data[-4:]
                    if len(body) and google_crc32c.value(body) == int.from_bytes(
                        checksum.tobytes(), "little"
                    ):
                        blosc.decompress(body, chunk)
                        return len(chunk)
            # A chunk that is not there, written by others, or damaged, about which zarr knows what to say.
            rows = np.asarray(array[first : first + len(chunk)], dtype=np.float32)
        except (ValueError, RuntimeError, OSError) as error:
            raise StoreError(
                f"{self.path}/{name} cannot be read ({error!s:.200}): if it is damaged, restore it from a backup, or "
                "ingest again"
            ) from error
        chunk[: len(rows)] = rows
        return len(rows)

    def _file(self, name: str, index: int) -> Path:
        """Of a chunk of an array, in a folder."""
        return Path(self.path) / name / "c" / str(index) / "0" / "0"

    def _optional(self, group: str, name: str, row: int) -> NDArray[np.float32] | None:
        try:
            return self._plane(f"{group}/{name}", row)
        except StoreError:
            return None

    def _write(self, cutouts: Sequence[Cutout], layout: Layout) -> tuple[str, int]:
        first_cutout = cutouts[0]
        name = _group_name(first_cutout, layout)
        if name not in self._root or "bands" not in self._group(name).attrs:
            self._create(name, first_cutout)
        first = self._next_rows.get(name, 0)
        for band, plane in first_cutout.planes.items():
            self._fill(f"{name}/{band}", first, [c.planes[band].flux for c in cutouts])
            if plane.rms is not None:
                self._fill(f"{name}/rms/{band}", first, [c.planes[band].rms for c in cutouts])
            if plane.psf is not None:
                self._fill(f"{name}/psf/{band}", first, [c.planes[band].psf for c in cutouts])
        self._next_rows[name] = first + len(cutouts)
        return name, first

    def _create(self, name: str, cutout: Cutout) -> None:
        group = self._root.create_group(name, overwrite=True)
        for band, plane in cutout.planes.items():
            for array_name, values in (
                (band, plane.flux),
                (f"rms/{band}", plane.rms),
                (f"psf/{band}", plane.psf),
            ):
                if values is not None:
                    length = max(1, CHUNK_BYTES // (4 * values.size))
                    group.create_array(
                        array_name,
                        shape=(0, *values.shape),
                        chunks=(min(length, 256), *values.shape),
                        dtype="float32",
                        fill_value=float("nan"),
                        compressors=_COMPRESSION,
                        dimension_names=("object", "y", "x"),
                    )
        # The attributes come last and in one write: a group that lacks them was left by a killed ingest.
        self._groups[name] = group.update_attributes(
            {
                "bands": list(cutout.planes),
                "shapes": {b: list(p.flux.shape) for b, p in cutout.planes.items()},
                "pixel_scales_arcsec": {b: p.pixel_scale_arcsec for b, p in cutout.planes.items()},
            }
        )

    def _fill(self, name: str, first: int, planes: Sequence[NDArray[np.float32] | None]) -> None:
        array = self._array(name)
        last = first + len(planes)
        if array.shape[0] < last:
            array.resize((last, *array.shape[1:]))
        array[first:last] = np.stack([plane for plane in planes if plane is not None]).astype(
            np.float32, copy=False
        )


def layout_of(cutout: Cutout) -> Layout:
    """What objects must share to be stacked."""
    return tuple(
        (
            band,
            plane.flux.shape,
            repr(plane.pixel_scale_arcsec),
            None if plane.rms is None else plane.rms.shape,
            None if plane.psf is None else plane.psf.shape,
        )
        for band, plane in cutout.planes.items()
    )


def _group_name(cutout: Cutout, layout: Layout) -> str:
    height, width = next(iter(cutout.planes.values())).flux.shape
    digest = hashlib.blake2b(json.dumps(layout).encode(), digest_size=4).hexdigest()
    return f"{height}x{width}-{digest}"


def stored_as(cutout: Cutout, group: str, row: int, *, planes_hash: str) -> StoredObject:
    """The row that claims the planes of a cutout, at their place in the store."""
    return StoredObject(
        object_id=cutout.object_id,
        ra_deg=cutout.ra_deg,
        dec_deg=cutout.dec_deg,
        kind=cutout.kind,
        bands=cutout.bands,
        zero_points_mag=tuple(plane.zero_point_mag for plane in cutout.planes.values()),
        cd_deg=cutout.cd_deg,
        planes_hash=planes_hash,
        cutout_group=group,
        cutout_row=row,
        source_files=cutout.source_files,
        warnings=cutout.warnings,
        columns=dict(cutout.columns),
        centre_deg=cutout.centre_deg,
    )
