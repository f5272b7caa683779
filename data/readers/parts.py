"""What a file holds before it is an object: arrays, and what the file says about each of them.

Readers turn files into `Content`; `data.readers.assembly` turns contents into cutouts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from data.cutouts import Kind
from data.errors import UnreadableCutoutError
from data.sky import TangentPlane

Role = Literal["flux", "rms", "variance", "weight", "psf", "ignored"]
UNKNOWN = float("nan")
LARGEST_BYTES = 2**31  # of one array in memory; what is larger is a mosaic or a mistake


def _no_sky() -> TangentPlane | None:
    return None


@dataclass(frozen=True)
class Part:
    """One array of a file.

    values : (y, x); (n, y, x) where the file does not say whether n counts bands or objects.
    label : the band as the extension or key names it, or "". filter_name : as a keyword states it.
    impossible_scale_arcsec : what the file states in place of a pixel scale that can be meant.
    sky : called for one part per object only, since a WCS costs more than reading the plane.
    """

    values: NDArray[Any]
    role: Role = "flux"
    label: str = ""
    filter_name: str = ""
    pixel_scale_arcsec: float = UNKNOWN
    impossible_scale_arcsec: float = UNKNOWN
    zero_point_mag: float = UNKNOWN
    sky: Callable[[], TangentPlane | None] = _no_sky


@dataclass(frozen=True)
class Content:
    """What a file holds of one object. object_name : only where one file names several objects."""

    parts: tuple[Part, ...]
    kind: Kind = "flux"
    object_name: str = ""
    ra_deg: float = UNKNOWN
    dec_deg: float = UNKNOWN
    columns: Mapping[str, object] = field(default_factory=dict)


class Reader(Protocol):
    """One file format. A module with these two functions is one."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that starts with these bytes has this format."""

    def read(self, path: Path) -> Iterator[Content]:
        """The objects in the file, one after the other.

        Raises
        ------
        UnreadableCutoutError
            If the file is damaged or holds no image; the message is the reason in `rejected.csv`.
        """


def along_bands(part: Part, bands: Sequence[str]) -> list[Part]:
    """One part per band of an array (band, y, x) or (y, x, band), whichever axis has that many entries."""
    axis = next((axis for axis in (0, -1) if part.values.shape[axis] == len(bands)), None)
    if axis is None:
        raise UnreadableCutoutError(
            f"an array of shape {part.values.shape} does not hold the {len(bands)} bands {', '.join(bands)}"
        )
    planes = np.moveaxis(part.values, axis, 0)
    return [replace(part, values=plane, label=band) for plane, band in zip(planes, bands, strict=True)]


def bands_first(values: NDArray[Any], most: int) -> NDArray[Any]:
    """An array (y, x, n) with few n becomes (n, y, x); any other stays as it is."""
    height, width, last = values.shape
    return np.moveaxis(values, -1, 0) if last <= most and last < min(height, width) else values


def band_list(text: object) -> list[str]:
    """Band names out of one text: "grz", "g,r,z", "VIS+NIR_Y" or a sequence of names.

    >>> band_list("grz"), band_list("VIS+NIR_Y (2 HDUs)"), band_list(["g", "r"])
    (['g', 'r', 'z'], ['VIS', 'NIR_Y'], ['g', 'r'])
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        return [str(name).strip() for name in text] if isinstance(text, Sequence) else []
    names = text.split("(")[0].replace("+", " ").replace(",", " ").replace("/", " ").split()
    return list(names[0]) if len(names) == 1 and set(names[0]) <= set("ugrizyY") else names
