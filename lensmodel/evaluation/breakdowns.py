"""Groups of objects that figures are given for: each subtype, and lenses in bins of a quantity or of a kind."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lensmodel.evaluation.metrics import Claims
from lensmodel.evaluation.truth import Truth

_MOST_BINS = 8
_LENSES_PER_BIN = 20  # with fewer the interval of a share is wider than 0.4


@dataclass(frozen=True)
class Quantity:
    """Something that figures may depend on, a key of `Truth.quantities`."""

    name: str
    title: str
    unit: str


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("theta_E_arcsec", "Einstein radius", "arcsec"),
        Quantity("arc_snr", "S/N of the arcs", ""),
        Quantity("arc_colour_mag", "Colour of the arcs", "mag"),
        Quantity("source_mag", "Brightness of the source without the lens", "mag"),
        Quantity("colour_mag", "Colour of the whole object", "mag"),
        Quantity("psf_fwhm_arcsec", "Width of the PSF (FWHM)", "arcsec"),
        Quantity("distance_arcsec", "Distance of the lens from the centre of the image", "arcsec"),
    )
}

# Kinds of lenses that go across the subtypes, by name: a key of `Truth.categories`, and what it is called.
CATEGORIES: dict[str, str] = {"source_colour": "Colour of the source"}


@dataclass(frozen=True)
class Group:
    """Some objects, all lenses or all non-lenses. rows : (object,), which of the truth's.

    low, high : bounds of the quantity, of which the objects lie from `low` up to and with `high`. middle : its
    median over them.
    """

    name: str
    is_lens: bool
    rows: Claims
    low: float = float("nan")
    high: float = float("nan")
    middle: float = float("nan")

    @property
    def objects(self) -> int:
        return int(self.rows.sum())


def subtypes_of(truth: Truth) -> list[Group]:
    """Lenses of each subtype, then non-lenses of each, by name."""
    groups = []
    for is_lens in (True, False):
        of_class = truth.is_lens == is_lens
        for name in np.unique(truth.subtype[of_class]):
            groups.append(Group(str(name), is_lens, of_class & (truth.subtype == name)))
    return groups


def bins_of(truth: Truth, quantity: str) -> list[Group]:
    """Lenses in bins of about equal number; one bin if there are few, none if the quantity is not known."""
    values = truth.quantities.get(quantity)
    if values is None:
        return []
    known = truth.is_lens & np.isfinite(values)
    edges = equal_edges(values[known])
    groups = []
    for low, high in itertools.pairwise(edges):
        above = values >= low if low == edges[0] else values > low
        rows = known & above & (values <= high)
        if rows.any():
            middle = float(np.median(values[rows]))
            groups.append(
                Group(f"{_short(low)} to {_short(high)}", True, rows, float(low), float(high), middle)
            )
    return groups


def categories_of(truth: Truth, category: str) -> list[Group]:
    """Lenses of each kind of a category, by name; none if it is not known."""
    kinds = truth.categories.get(category)
    if kinds is None:
        return []
    known = truth.is_lens & (kinds != "")
    return [Group(str(name), True, known & (kinds == name)) for name in np.unique(kinds[known])]


def equal_edges(values: ArrayLike) -> list[float]:
    """Edges of up to eight bins with about the same number of values, at least twenty if there are that many.

    >>> equal_edges([1, 1, 1])
    [1.0, 1.0]
    """
    known = np.asarray(values, float)
    if not len(known):
        return []
    number = int(np.clip(len(known) // _LENSES_PER_BIN, 1, _MOST_BINS))
    edges: list[float] = np.unique(np.quantile(known, np.linspace(0, 1, number + 1))).tolist()
    return edges if len(edges) > 1 else edges * 2


def _short(value: float) -> str:
    """Three digits, and no powers of ten for thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
