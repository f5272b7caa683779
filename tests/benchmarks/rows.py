"""One line of the benchmark table."""

from typing import TypedDict


class Row(TypedDict):
    """A figure measured in this run. reference : what it is measured against; target : in words."""

    name: str
    value: float
    unit: str
    reference: str
    target: str
    holds: bool


def at_most(name: str, value: float, limit: float, unit: str, *, reference: str = "") -> Row:
    """A figure that should not exceed a limit."""
    return Row(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        target=f"<= {limit:g} {unit}",
        holds=value <= limit,
    )


def at_least(name: str, value: float, limit: float, unit: str, *, reference: str = "") -> Row:
    """A figure that should reach a limit."""
    return Row(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        target=f">= {limit:g} {unit}",
        holds=value >= limit,
    )
