"""What each inspector of a group session is like: on known objects, beside the others, on repeats, in time. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from data.consensus import POINTS
from data.reliability import weighted_kappa
from data.shares import Share
from data.swap import SAYS_LENS

BREAK_S = 600.0  # a longer look at one object is a break


@dataclass(frozen=True)
class Look:
    """One inspector's grade of one object. is_repeat : the second look of the same inspector at it."""

    inspector: str
    object_id: str
    grade: str
    is_repeat: bool = False
    elapsed_ms: int | None = None


@dataclass(frozen=True)
class Bias:
    """Own points minus the mean of the others' for the same object, over objects; NaN where there is too little."""

    value: float
    standard_error: float
    objects: int


@dataclass(frozen=True)
class Seconds:
    """Time per grade: median and what 10 and 90 % stay below; NaN of none. breaks : left out, over ten minutes."""

    median: float
    low: float
    high: float
    breaks: int


@dataclass(frozen=True)
class InspectorReport:
    """One inspector. grades_of_lenses, grades_of_non_lenses : how often each grade was given to known objects.

    lenses_found : known lenses graded A or B. non_lenses_told : known non-lenses graded C or X.
    same_on_repeats : repeats with the same grade; near_on_repeats : at most one apart. kappa : of both looks, weighted.
    """

    grades: int
    grades_of_lenses: dict[str, int]
    grades_of_non_lenses: dict[str, int]
    lenses_found: Share
    non_lenses_told: Share
    bias: Bias
    same_on_repeats: Share
    near_on_repeats: Share
    kappa: float
    seconds: Seconds


def inspector_reports(looks: Iterable[Look], known: Mapping[str, bool]) -> dict[str, InspectorReport]:
    """A report for each inspector by name.

    looks : blind grades, oldest first; of several first looks at an object the last counts.
    known : whether each object that was mixed in is a lens.
    """
    first: dict[str, dict[str, Look]] = defaultdict(dict)
    second: dict[str, dict[str, Look]] = defaultdict(dict)
    for look in looks:
        (second if look.is_repeat else first)[look.inspector][look.object_id] = look
    points_on: dict[str, list[int]] = defaultdict(list)
    for mine in first.values():
        for look in mine.values():
            points_on[look.object_id].append(POINTS[look.grade])
    return {name: _report(first[name], second[name], points_on, known) for name in sorted(first)}


def _report(
    first: Mapping[str, Look],
    second: Mapping[str, Look],
    points_on: Mapping[str, list[int]],
    known: Mapping[str, bool],
) -> InspectorReport:
    of_lenses, of_others = (
        [look.grade for look in first.values() if known.get(look.object_id) is kind] for kind in (True, False)
    )
    pairs = [
        (POINTS[first[object_id].grade], POINTS[look.grade])
        for object_id, look in second.items()
        if object_id in first
    ]
    apart = [abs(one - other) for one, other in pairs]
    return InspectorReport(
        grades=len(first),
        grades_of_lenses={grade: of_lenses.count(grade) for grade in POINTS},
        grades_of_non_lenses={grade: of_others.count(grade) for grade in POINTS},
        lenses_found=Share(sum(POINTS[grade] >= SAYS_LENS for grade in of_lenses), len(of_lenses)),
        non_lenses_told=Share(sum(POINTS[grade] < SAYS_LENS for grade in of_others), len(of_others)),
        bias=_bias(first, points_on),
        same_on_repeats=Share(apart.count(0), len(apart)),
        near_on_repeats=Share(sum(distance <= 1 for distance in apart), len(apart)),
        kappa=weighted_kappa([one for one, _ in pairs], [other for _, other in pairs])
        if pairs
        else float("nan"),
        seconds=_seconds([*first.values(), *second.values()]),
    )


def _bias(first: Mapping[str, Look], points_on: Mapping[str, list[int]]) -> Bias:
    differences = []
    for object_id, look in first.items():
        points, mine = points_on[object_id], POINTS[look.grade]
        if len(points) > 1:
            differences.append(mine - (sum(points) - mine) / (len(points) - 1))
    if not differences:
        return Bias(float("nan"), float("nan"), 0)
    error = (
        float(np.std(differences, ddof=1) / len(differences) ** 0.5) if len(differences) > 1 else float("nan")
    )
    return Bias(float(np.mean(differences)), error, len(differences))


def _seconds(looks: Iterable[Look]) -> Seconds:
    taken = [look.elapsed_ms / 1000 for look in looks if look.elapsed_ms is not None]
    short = [seconds for seconds in taken if seconds <= BREAK_S]
    if not short:
        return Seconds(float("nan"), float("nan"), float("nan"), len(taken))
    low, median, high = np.percentile(short, [10, 50, 90])
    return Seconds(float(median), float(low), float(high), len(taken) - len(short))
