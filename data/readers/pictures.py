"""PNG and JPEG: colour for the eye, no fluxes. Stored from the top row; our planes begin at the bottom."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import UnreadableCutoutError
from data.readers.parts import Content, Part

_LARGEST_SIDE_PX = 4096


def recognises(head: bytes) -> bool:
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def read(path: Path) -> Iterator[Content]:
    """One object with planes R, G and B, 0 to 255: equal where it is grey, NaN where it is transparent."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that are refused here before a pixel is read
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            pixels = _rgba(picture)
    colours = np.where(pixels[..., 3:] > 0, pixels[..., :3], np.nan)[::-1]
    yield Content(tuple(Part(colours[..., i], label=name) for i, name in enumerate("RGB")), kind="colour")


def _rgba(picture: Any) -> NDArray[np.float32]:
    """(y, x, 4), from the top row."""
    width, height = picture.size
    if max(picture.size) > _LARGEST_SIDE_PX:
        raise UnreadableCutoutError(
            f"a picture of {width}x{height} px; expected at most {_LARGEST_SIDE_PX} px a side: cut it"
        )
    if picture.mode.startswith("I"):  # grey with 16 bits, which Pillow would clip at 255
        grey = np.asarray(picture, np.float32) / 257
        return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)
    return np.asarray(picture.convert("RGBA"), np.float32)
