"""What a model finds in parts of a campaign at an operating point, each part chosen or not. Pure.

A `Partition` divides the lenses, or the non-lenses, into bins of one quantity or into kinds. A selection names
some of its bins; selections in several partitions restrict one another, each its own class only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.shares import Interval, Share
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.breakdowns import CATEGORIES, QUANTITIES, Group, bins_of, categories_of, subtypes_of
from lensmodel.evaluation.metrics import Claims, Numbers, allowed_false_positives, threshold_at
from lensmodel.evaluation.truth import Truth

Selection = Mapping[str, frozenset[int]]  # bins by the name of their partition

OUTSIDE = -1


@dataclass(frozen=True)
class OperatingPoint:
    """What is taken for a lens: all above a rate of false positives, or from a p_lens up."""

    name: str
    title: str
    false_positive_rate: float | None = None
    p_lens: float | None = None


OPERATING_POINTS: dict[str, OperatingPoint] = {
    point.name: point
    for point in (
        OperatingPoint("fpr_1pct", "1 % false positives", false_positive_rate=0.01),
        OperatingPoint("fpr_0p1pct", "0.1 % false positives", false_positive_rate=0.001),
        OperatingPoint("p_half", "p_lens above 0.5", p_lens=0.5),
    )
}


@dataclass(frozen=True)
class Partition:
    """Bins of lenses, or of non-lenses. bin_of : (object,), the bin of each, `OUTSIDE` for those in none."""

    name: str
    title: str
    unit: str
    groups: tuple[Group, ...]
    bin_of: NDArray[np.int16]

    @property
    def is_of_lenses(self) -> bool:
        return self.groups[0].is_lens

    @property
    def is_ordered(self) -> bool:
        """Whether the bins are of a quantity, from low to high."""
        return bool(np.isfinite(self.groups[0].middle))


def taken_at(point: OperatingPoint, logit: Numbers, p_lens: Numbers, is_lens: Claims) -> Claims:
    """What is taken for a lens, (object,); what has no score is not.

    Raises
    ------
    EvaluationError
        If the point is a rate of false positives and no non-lens was scored.
    """
    if point.false_positive_rate is None:
        above: Claims = p_lens > (point.p_lens or 0.0)
        return above
    scored = np.isfinite(logit)
    others = int((scored & ~is_lens).sum())
    if not others:
        raise EvaluationError(
            "no non-lens was scored, so there is no rate of false positives: choose p_lens above 0.5"
        )
    allowed = allowed_false_positives(point.false_positive_rate, others)
    taken: Claims = logit > threshold_at(logit[scored], is_lens[scored], false_positives=allowed)
    return taken


def partitions_of(truth: Truth) -> list[Partition]:
    """All that the truth allows: by subtype, by kind, by quantity, and the contaminants."""
    subtypes = subtypes_of(truth)
    made = [
        partition_of("subtype", "Subtype", [group for group in subtypes if group.is_lens]),
        *(partition_of(name, title, categories_of(truth, name)) for name, title in CATEGORIES.items()),
        *(partition_of(name, row.title, bins_of(truth, name), row.unit) for name, row in QUANTITIES.items()),
        partition_of("contaminant", "Contaminant", [group for group in subtypes if not group.is_lens]),
    ]
    return [partition for partition in made if partition is not None]


def partition_of(name: str, title: str, groups: Iterable[Group], unit: str = "") -> Partition | None:
    """The groups as one partition; None if there are none."""
    kept = tuple(groups)
    if not kept:
        return None
    bin_of = np.full(len(kept[0].rows), OUTSIDE, np.int16)
    for index, group in enumerate(kept):
        bin_of[group.rows] = index
    return Partition(name, title, unit, kept, bin_of)


def shares_in(partition: Partition, taken: Claims, rows: Claims) -> list[Share]:
    """Of each bin, how many of its objects among `rows` are taken."""
    inside = rows & (partition.bin_of != OUTSIDE)
    bins, number = partition.bin_of[inside], len(partition.groups)
    of = np.bincount(bins, minlength=number)
    found = np.bincount(bins, taken[inside], minlength=number)
    return [Share(int(some), int(every)) for some, every in zip(found, of, strict=True)]


def share_of(taken: Claims, rows: Claims) -> Share:
    """How many of these rows are taken."""
    return Share(int((taken & rows).sum()), int(rows.sum()))


def selected(
    partitions: Iterable[Partition], selection: Selection, is_lens: Claims, *, apart_from: str = ""
) -> Claims:
    """Objects in chosen bins of every partition of their class in which some are chosen, (object,).

    apart_from : a partition whose own selection does not count.
    """
    rows = np.ones(len(is_lens), bool)
    for partition in partitions:
        chosen = selection.get(partition.name)
        if chosen and partition.name != apart_from:
            is_chosen = np.zeros(len(partition.groups) + 1, bool)  # the last one for those outside
            is_chosen[list(chosen)] = True
            rows &= is_chosen[partition.bin_of] | (is_lens != partition.is_of_lenses)
    return rows


def chosen_objects(partitions: Iterable[Partition], selection: Selection, is_lens: Claims) -> Claims:
    """As `selected`; where bins of one class only are chosen, without the other class."""
    known = list(partitions)
    rows = selected(known, selection, is_lens)
    classes = {partition.is_of_lenses for partition in known if selection.get(partition.name)}
    return rows & (is_lens == classes.pop()) if len(classes) == 1 else rows


def difference_interval(first: Share, second: Share) -> Interval:
    """95 % interval of the difference of two shares of different objects (Newcombe 1998, Stat. Med. 17, 873, no. 10).

    >>> [round(bound, 4) for bound in difference_interval(Share(56, 70), Share(48, 80))]
    [0.0524, 0.3339]
    """
    (low, high), (other_low, other_high) = first.interval, second.interval
    difference = first.value - second.value
    down = np.hypot(first.value - low, other_high - second.value)
    up = np.hypot(high - first.value, second.value - other_low)
    return float(difference - down), float(difference + up)
