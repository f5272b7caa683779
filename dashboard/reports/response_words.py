"""What `/why` says above its plots, in plain language; numbers with 95 % intervals."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dashboard.reports.wording import counted
from data.shares import Share
from lensmodel.evaluation.agreement_figures import Separation
from lensmodel.evaluation.metrics import Claims
from lensmodel.evaluation.responses import OperatingPoint, Partition, difference_interval, share_of
from lensmodel.probes import Profile

FEW = 10  # with fewer objects a share is not worth a sentence
_ENDS = {
    "theta_E_arcsec": ("of the smallest Einstein radii", "of the largest"),
    "arc_snr": ("of the faintest arcs", "of the brightest"),
    "arc_colour_mag": ("of the bluest arcs", "of the reddest"),
    "source_mag": ("of the brightest sources", "of the faintest"),
    "colour_mag": ("of the bluest objects", "of the reddest"),
    "psf_fwhm_arcsec": ("where the PSF is sharpest", "where it is widest"),
    "distance_arcsec": ("nearest to the centre", "farthest from it"),
}


def in_short(share: Share) -> str:
    """A share with half the width of its interval.

    >>> in_short(Share(71, 100))
    '71 % ± 9 %'
    """
    low, high = share.interval
    return f"{100 * share.value:.0f} % ± {50 * (high - low):.0f} %"


def headline(model: str, found: Share, passed: Share, point: OperatingPoint) -> str:
    """What a model finds in all, and what passes beside it."""
    if not found.of:
        return f"{model}: no lens was scored."
    said = f"{model} finds {counted(found)} of the lenses"
    if not passed.of:
        return f"{said} at {point.title}; there are no non-lenses to take for one."
    return f"{said} at {point.title}: {passed.number:,} of {passed.of:,} non-lenses pass."


def feedback_sentence(model: str, found: Separation) -> str | None:
    """How well `where_why` knows what people flagged as right for the wrong reason; None if nobody did."""
    if not found.below:
        return None
    flagged = f"{found.below:,} object{'s' if found.below > 1 else ''} flagged as right for the wrong reason"
    if not found.above:
        return f"{flagged}: nothing else that {model} takes for a lens is graded yet, to compare their where/why with."
    low, high = (100 * bound for bound in found.interval)
    return (
        f"Where/why of {model} is lower for what people flagged as right for the wrong reason in "
        f"{100 * found.share:.0f} % of the pairs ({low:.0f} to {high:.0f} %; {found.below:,} flagged, "
        f"{found.above:,} graded and not flagged so). 50 % would be chance."
    )


def subtype_sentence(model: str, partition: Partition, shares: Sequence[Share]) -> str | None:
    """Which kinds are found most and least, of those with enough objects."""
    ranked = sorted(
        (
            (share, group.name)
            for share, group in zip(shares, partition.groups, strict=True)
            if share.of >= FEW
        ),
        key=lambda pair: pair[0].value,
    )
    if len(ranked) < 2:
        return None
    (least, worst), (most, best) = ranked[0], ranked[-1]
    return f"{model} finds {in_short(most)} of {best} lenses, {in_short(least)} of {worst} lenses."


def colour_sentence(
    model: str, colours: Partition | None, subtypes: Partition | None, taken: Claims, rows: Claims
) -> str | None:
    """Blue sources against red ones: of rings where there are enough of both, and of all lenses."""
    if colours is None:
        return None
    index = {group.name: number for number, group in enumerate(colours.groups)}
    if {"blue", "red"} - set(index):
        return None
    blue, red = (rows & (colours.bin_of == index[name]) for name in ("blue", "red"))
    said = _blue_and_red(taken, blue, red, "lenses of blue sources", "of red ones")
    rings = [] if subtypes is None else [group.rows for group in subtypes.groups if group.name == "ring"]
    of_rings = (
        _blue_and_red(taken, blue & rings[0], red & rings[0], "blue rings", "of red ones") if rings else None
    )
    known = [some for some in (of_rings, said) if some is not None]
    return f"{model} finds {'; '.join(known)}." if known else None


def against_sentence(model: str, partition: Partition, shares: Sequence[Share]) -> str | None:
    """The first bin of a quantity against the last, and whether they differ beyond chance."""
    known = [(share, group) for share, group in zip(shares, partition.groups, strict=True) if share.of >= FEW]
    if len(known) < 2:
        return None
    (low, first), (high, last) = known[0], known[-1]
    starts, ends = _ENDS[partition.name]
    unit = {"arcsec": "″", "mag": " mag"}.get(partition.unit, "")
    at_first = f"{in_short(low)} {starts} ({first.name}{unit})"
    at_last = f"{in_short(high)} {ends} ({last.name}{unit})"
    return f"{model} finds {at_first} and {at_last}{_beyond_chance(high, low)}."


def contaminant_sentence(model: str, partition: Partition, shares: Sequence[Share]) -> str | None:
    """What is taken for lenses most often."""
    passed = sorted(
        ((share, group.name) for share, group in zip(shares, partition.groups, strict=True) if share.number),
        key=lambda pair: (-pair[0].number, pair[1]),
    )
    if not passed:
        return f"{model} takes none of them for a lens."
    listed = ", ".join(f"{name} ({share.number:,} of {share.of:,})" for share, name in passed[:3])
    total = sum(share.number for share, _ in passed)
    return f"{model} takes {total:,} non-lenses for lenses, most of them: {listed}."


def stack_sentence(model: str, method: str, profile: Profile, lenses: int) -> str:
    """Where the maps of found lenses are strongest."""
    low, high = profile.strongest_interval
    return (
        f"{model} looks mostly at r = {profile.strongest:.1f} θ_E ({low:.1f} to {high:.1f}) by {method}; half of the "
        f"map's strength is within {profile.half:.1f} θ_E. Mean of {lenses:,} lenses that it finds."
    )


def colours_sentence(model: str, colour: str, medians: Mapping[str, tuple[float, float]]) -> str | None:
    """medians : by outcome, of the light that mattered and of the rest, mag."""
    known = [
        f"{outcome} {_signed(mattered - others)}"
        for outcome, (mattered, others) in medians.items()
        if math.isfinite(mattered - others)
    ]
    if not known:
        return None
    return (
        f"{model}: light where the map is strong, against the other light of the same cutouts, in {colour} "
        f"(mag; positive is redder): {', '.join(known)}."
    )


def selection_words(partitions: Sequence[Partition], selection: Mapping[str, frozenset[int]]) -> str:
    """What is selected, in words; empty if nothing is."""
    return "; ".join(
        f"{partition.title.lower()} {', '.join(partition.groups[index].name for index in sorted(chosen))}"
        for partition in partitions
        if (chosen := selection.get(partition.name))
    )


def cautions(point: OperatingPoint, is_lens: Claims, scored: Claims) -> list[str]:
    """What a reader must know before quoting a figure."""
    others = int((scored & ~is_lens).sum())
    if point.false_positive_rate is not None and others * point.false_positive_rate < 1:
        return [
            f"With {others:,} non-lenses {point.title} means none at all: the threshold hangs on the single "
            "highest one. Simulate more, or choose another operating point."
        ]
    return []


def _blue_and_red(taken: Claims, blue: Claims, red: Claims, one: str, other: str) -> str | None:
    first, second = share_of(taken, blue), share_of(taken, red)
    if min(first.of, second.of) < FEW:
        return None
    return f"{in_short(first)} of {one}, {in_short(second)} {other}{_beyond_chance(first, second)}"


def _beyond_chance(first: Share, second: Share) -> str:
    low, high = difference_interval(first, second)
    if low <= 0 <= high:
        return " (no difference beyond chance)"
    return f" (difference {100 * abs(first.value - second.value):.0f} %, {_span(low, high)})"


def _span(low: float, high: float) -> str:
    bounds = np.sort(np.abs([low, high]))
    return f"{100 * bounds[0]:.0f} to {100 * bounds[1]:.0f} %"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
