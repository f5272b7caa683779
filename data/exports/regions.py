"""DS9 regions: a circle round each object, coloured by grade, and a cross where the model puts the lens."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.exports.provenance import provenance_in

RADIUS_ARCSEC = 3.0
_COLOURS = {"A": "green", "B": "cyan", "C": "yellow", "X": "red", None: "white"}


def write_regions(table: pa.Table, path: Path) -> None:
    """Write one line per object that has a sky position; how many have none stands in a comment."""
    names = ["object_id", "ra_deg", "dec_deg", "grade", "n_votes", "predicted_ra_deg", "predicted_dec_deg"]
    rows = table.select(names).to_pylist()
    placed = [row for row in rows if row["ra_deg"] is not None and row["dec_deg"] is not None]
    with path.open("w", encoding="utf-8", newline="\n") as opened:
        opened.write("# Region file format: DS9 version 4.1\n")
        opened.writelines(f"# {name}: {_line(str(value))}\n" for name, value in provenance_in(table).items())
        opened.write(f"# objects without a sky position, left out: {len(rows) - len(placed)}\n")
        opened.write("global width=1\nicrs\n")
        opened.writelines(f"{line}\n" for row in placed for line in _regions(row))


def _regions(row: dict[str, Any]) -> Iterator[str]:
    colour = _COLOURS[row["grade"]]
    grade = row["grade"] or "not graded"
    text = _text(f"{row['object_id']} {grade}")
    yield f'circle({row["ra_deg"]!r},{row["dec_deg"]!r},{RADIUS_ARCSEC}") # color={colour} text={{{text}}}'
    if row["predicted_ra_deg"] is not None and row["predicted_dec_deg"] is not None:
        yield f"point({row['predicted_ra_deg']!r},{row['predicted_dec_deg']!r}) # point=cross color={colour}"


def _text(text: str) -> str:
    """Text for braces: DS9 has no way to write a brace within them, so they become parentheses."""
    return _line(text).translate(str.maketrans("{}", "()"))


def _line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
