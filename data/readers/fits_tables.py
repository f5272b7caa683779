"""FITS binary tables that hold images: one object per row, one column per band."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data.readers.naming import split_label
from data.readers.parts import Content, Part
from data.readers.tables import DEC_NAMES, ID_NAMES, RA_NAMES, plain_value


def table_contents(file: Any, numbers: Sequence[int]) -> Iterator[Content]:
    """The objects in these tables of a file that Astropy has opened; nothing for a table without images."""
    for number in numbers:
        yield from _rows(file[number].data)


def _rows(table: Any) -> Iterator[Content]:
    images = [name for name in table.dtype.names or () if len(table.dtype[name].shape) >= 2]
    scalars = [name for name in table.dtype.names or () if not table.dtype[name].shape]
    if not images:
        return
    for row in range(len(table)):
        values = {name: plain_value(table[name][row]) for name in scalars}
        yield Content(
            parts=tuple(_part(name, np.asarray(table[name][row])) for name in images),
            object_name=str(_first(values, ID_NAMES, "")),
            ra_deg=_number(_first(values, RA_NAMES, "")),
            dec_deg=_number(_first(values, DEC_NAMES, "")),
            columns=values,
        )


def _part(name: str, values: Any) -> Part:
    label, role = split_label(name)
    return Part(values, role=role, label=label)


def _first(values: dict[str, object], names: Sequence[str], default: object) -> object:
    by_small = {name.lower(): value for name, value in values.items()}
    return next((by_small[name] for name in names if name in by_small), default)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")
