"""Binary answers: four bytes of magic, length of the header (uint32 LE), JSON header, float32 LE planes.

The header is padded with spaces so that data start at a multiple of 8 bytes; a Float32Array can then be
laid over them.
"""

import json
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dashboard.api.json_values import as_json

PLANES = b"LVP1"
MAP = b"LVM1"
WHAT_IF = b"LVW1"
CELLS = b"LVC1"
VERDICTS = b"LVV1"
ALIGNMENT = 8


def framed(magic: bytes, header: Mapping[str, object], planes: Sequence[NDArray[np.float32]]) -> bytes:
    """Header and planes as one message; planes are (y, x), row 0 at the bottom of the image."""
    text = json.dumps(as_json(header), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-(len(magic) + 4 + len(text)) % ALIGNMENT)
    data = [np.ascontiguousarray(plane, dtype="<f4").tobytes() for plane in planes]
    return b"".join([magic, struct.pack("<I", len(text)), text, *data])
