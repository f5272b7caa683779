"""FITS headers, read where asked: the files of a campaign hold millions of cards, and few are needed."""

import functools
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from data.errors import UnreadableCutoutError

_BLOCK, _CARD = 2880, 80
_END = b"END".ljust(_CARD)
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'")
_MOST_AXES = 999
_MOST_BLOCKS = 4000  # of one header: 144,000 cards; what is longer is no header
_NO_OFFSET, _NO_SCALE = {"", "0", "0.", "0.0"}, {"", "1", "1.", "1.0"}


class FitsHeader:
    """The keyword values of one header; of a keyword that stands twice, the first, as Astropy does."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        cards = [raw[start : start + _CARD] for start in range(0, len(raw), _CARD)]
        self._values = {card[:8].rstrip(): card[10:] for card in reversed(cards) if card[8:10] == "= "}

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._values

    def text(self, *keywords: str) -> str:
        """The value of the first of these keywords that is there, as text; "" if none is."""
        for keyword in keywords:
            raw = self._values.get(keyword)
            if raw is not None:
                quoted = _QUOTED.match(raw) if "'" in raw else None
                return quoted[1].replace("''", "'").strip() if quoted else raw.split("/", 1)[0].strip()
        return ""

    def number(self, *keywords: str) -> float:
        """The first of these keywords that is a number; NaN if none is."""
        for keyword in keywords:
            if keyword in self._values:
                try:
                    value = float(self.text(keyword).replace("D", "E"))
                except ValueError:
                    continue
                if math.isfinite(value):
                    return value
        return math.nan

    def whole(self, keyword: str, default: int = 0) -> int:
        """A whole number.

        Raises
        ------
        UnreadableCutoutError
            If the keyword is there and is none.
        """
        text = self.text(keyword)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise UnreadableCutoutError(
                f"FITS keyword {keyword} is {text!r}; expected a whole number"
            ) from None

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """The axes of the array in NumPy's order; those of the image where the image is compressed."""
        return self._axes("ZNAXIS") if self.is_compressed else self._axes("NAXIS")

    @functools.cached_property
    def kind(self) -> str:
        """IMAGE (the first unit, too), BINTABLE, ..."""
        return self.text("XTENSION") or "IMAGE"

    @functools.cached_property
    def is_compressed(self) -> bool:
        return self.kind == "BINTABLE" and self.text("ZIMAGE") == "T"

    @property
    def is_table(self) -> bool:
        return self.kind in {"BINTABLE", "TABLE"} and not self.is_compressed

    @property
    def is_plain_image(self) -> bool:
        """Whether the bytes after the header are the pixels: no table, no scaling, no blank value."""
        is_image = self.kind == "IMAGE" and self.text("GROUPS") != "T"
        is_scaled = (
            "BLANK" in self or self.text("BZERO") not in _NO_OFFSET or self.text("BSCALE") not in _NO_SCALE
        )
        return is_image and not is_scaled

    @functools.cached_property
    def data_bytes(self) -> int:
        """Length of the data after the header, without padding: FITS standard 4.0, eqs. 1 and 2."""
        axes = self._axes("NAXIS") if self.is_compressed else self.shape
        elements = math.prod(axes) if axes else 0
        extra = self.whole("PCOUNT") if "PCOUNT" in self else 0
        return abs(self.whole("BITPIX")) // 8 * self.whole("GCOUNT", 1) * (elements + extra)

    def _axes(self, keyword: str) -> tuple[int, ...]:
        number = self.whole(keyword)
        if not 0 <= number <= _MOST_AXES:
            raise UnreadableCutoutError(f"FITS keyword {keyword} is {number}; expected 0 to {_MOST_AXES}")
        axes = tuple([self.whole(f"{keyword}{axis}") for axis in range(number, 0, -1)])
        if any(length < 0 for length in axes):
            raise UnreadableCutoutError(f"a FITS image of shape {axes}: no axis can be negative")
        return axes


class Extension(NamedTuple):
    """Where one header-and-data unit lies in the file."""

    number: int
    header: FitsHeader
    offset: int


def extensions(buffer: memoryview) -> Iterator[Extension]:
    """The units of a FITS file, in order.

    Raises
    ------
    UnreadableCutoutError
        If the file ends before its last unit does.
    """
    offset = index = 0
    while offset < len(buffer) and (index == 0 or bytes(buffer[offset : offset + 8]) == b"XTENSION"):
        header, offset = _header_at(buffer, offset)
        end = offset + header.data_bytes
        if end > len(buffer):
            raise UnreadableCutoutError(
                f"truncated FITS: {len(buffer)} bytes, extension {index} ends at {end}: copy the file again"
            )
        yield Extension(index, header, offset)
        offset += -(-header.data_bytes // _BLOCK) * _BLOCK
        index += 1


def _header_at(buffer: memoryview, offset: int) -> tuple[FitsHeader, int]:
    start = offset
    for _ in range(_MOST_BLOCKS):
        block = bytes(buffer[offset : offset + _BLOCK])
        if len(block) < _BLOCK:
            raise UnreadableCutoutError("truncated FITS: the file ends inside a header: copy it again")
        end = next((at for at in range(0, _BLOCK, _CARD) if block.startswith(_END, at)), None)
        if end is not None:
            raw = bytes(buffer[start : offset + end]).decode("ascii", "replace")
            return FitsHeader(raw), offset + _BLOCK
        offset += _BLOCK
    raise UnreadableCutoutError(f"a FITS header of more than {_MOST_BLOCKS} blocks: is this a FITS file?")
