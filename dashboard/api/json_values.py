"""Values of a catalogue as JSON: no NaN, no types that JSON has not."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def as_json(value: object) -> Json:
    """The value in JSON's types: NaN and infinity as null, times in ISO 8601, bytes as text.

    >>> as_json({"mag": float("nan"), "bands": ("VIS", "Y")})
    {'mag': None, 'bands': ['VIS', 'Y']}
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case bytes():
            return value.decode("utf-8", "replace")
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():
            return as_json(float(value))
        case Mapping():
            return {str(name): as_json(entry) for name, entry in value.items()}
        case Iterable():
            return [as_json(entry) for entry in value]
        case _:
            return str(value)
