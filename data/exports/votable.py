"""VOTable 1.4 with the rows as BINARY2: every character of a text survives, and what is missing is flagged.

In TABLEDATA, XML would change line ends and forbid control characters, and Astropy drops spaces round text.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.catalogue_columns import TEXT, described, free_name
from data.exports.provenance import provenance_in

Bytes = NDArray[np.uint8]

_CHUNK_ROWS = 2_000
# Arrow type: VOTable type, and NumPy type in the file.
_FIXED = {
    pa.float64(): ("double", ">f8"),
    pa.float32(): ("float", ">f4"),
    pa.int64(): ("long", ">i8"),
    pa.bool_(): ("boolean", "S1"),
}
_HEAD = """\
<?xml version="1.0" encoding="utf-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results">
<COOSYS ID="icrs" system="ICRS"/>
"""
_TAIL = """
</STREAM></BINARY2></DATA>
</TABLE>
</RESOURCE>
</VOTABLE>
"""


def write_votable(table: pa.Table, path: Path) -> None:
    """Write one RESOURCE with one TABLE; provenance in INFO elements."""
    with path.open("wb") as opened:
        opened.write(_HEAD.encode())
        opened.writelines(f"{line}\n".encode() for line in _description(table))
        opened.write(b'<DATA><BINARY2><STREAM encoding="base64">\n')
        opened.writelines(_base64(_rows(batch) for batch in table.to_batches(max_chunksize=_CHUNK_ROWS)))
        opened.write(_TAIL.encode())


def _description(table: pa.Table) -> Iterator[str]:
    for name, value in provenance_in(table).items():
        yield f"<INFO name={_quoted(name)} value={_quoted(str(value))}/>"
    yield f'<TABLE name="lensvet" nrows="{table.num_rows}">'
    for field, identifier in zip(table.schema, _identifiers(table.column_names), strict=True):
        yield from _field(field, identifier)


def _field(field: pa.Field, identifier: str) -> Iterator[str]:
    metadata = described(field)
    attributes = {
        "name": field.name,
        "ID": identifier,
        "datatype": "unicodeChar" if field.type == TEXT else _FIXED[field.type][0],
        "arraysize": "*" if field.type == TEXT else "",
        "unit": metadata.get("unit", ""),
        "ucd": metadata.get("ucd", ""),
        "ref": "icrs" if metadata.get("ucd", "").startswith("pos.eq") else "",
    }
    yield (
        "<FIELD " + " ".join(f"{name}={_quoted(value)}" for name, value in attributes.items() if value) + ">"
    )
    yield f"<DESCRIPTION>{escape(metadata.get('description', ''))}</DESCRIPTION>"
    yield "</FIELD>"


def _identifiers(names: list[str]) -> list[str]:
    """XML identifiers like the names, each once: Astropy names columns by them unless told otherwise."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        found.append(free_name(plain if re.match("[A-Za-z_]", plain) else f"_{plain}", found))
    return found


def _quoted(text: str) -> str:
    """An attribute's value in quotes, without the characters that XML 1.0 cannot write."""
    return quoteattr(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _rows(batch: pa.RecordBatch) -> bytes:
    """Rows as BINARY2 has them (VOTable 1.4, sect. 6.4), one after the other: null flags, then the cells."""
    nulls = [np.asarray(column.is_null()) for column in batch.columns]
    flags = np.packbits(np.stack(nulls, axis=1), axis=1)
    cells = [(flags.ravel(), np.full(len(flags), flags.shape[1])), *map(_cells, batch.columns)]
    row_sizes = np.sum([sizes for _, sizes in cells], axis=0)
    packed = np.empty(row_sizes.sum(), np.uint8)
    positions = np.cumsum(row_sizes) - row_sizes
    for content, sizes in cells:
        starts = np.cumsum(sizes) - sizes
        packed[np.repeat(positions - starts, sizes) + np.arange(len(content))] = content
        positions = positions + sizes
    return packed.tobytes()


def _cells(column: pa.Array) -> tuple[Bytes, NDArray[np.int64]]:
    """The bytes of a column's cells, one after the other, and how many each has."""
    if column.type == TEXT:
        texts = [text.encode("utf-16-be") for text in column.fill_null("").to_pylist()]
        joined = b"".join((len(text) // 2).to_bytes(4, "big") + text for text in texts)
        return np.frombuffer(joined, np.uint8), np.array([4 + len(text) for text in texts], np.int64)
    fixed = _plain_values(column).astype(_FIXED[column.type][1])
    return fixed.view(np.uint8), np.full(len(fixed), fixed.itemsize, np.int64)


def _plain_values(column: pa.Array) -> NDArray[np.generic]:
    """Values with something harmless where they are null."""
    if pa.types.is_boolean(column.type):
        return np.where(column.is_null(), b"?", np.where(column.fill_null(False), b"T", b"F"))
    return np.asarray(column.fill_null(0) if pa.types.is_integer(column.type) else column)


def _base64(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Base64 in lines of 76, as one stream whatever the blocks."""
    left = b""
    for block in blocks:
        left += block
        whole = len(left) // 57 * 57  # bytes that fill lines
        yield base64.encodebytes(left[:whole])
        left = left[whole:]
    yield base64.encodebytes(left)
