"""What figures are called and mean, and the sentences that say how models did, in plain language."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lensmodel.evaluation.comparison import Comparison, ModelReport
from lensmodel.evaluation.figures import GroupFigures

_FEW = 1000  # non-lenses: with fewer, 0.1 % of them is no object


@dataclass(frozen=True)
class FigureWords:
    """How a figure is shown. unit : "%" for shares, "″" for angles, "" for plain numbers."""

    title: str
    unit: str
    meaning: str


FIGURE_WORDS: dict[str, FigureWords] = {
    "auroc": FigureWords(
        "AUROC", "", "How often a lens scores above a non-lens, of all pairs. 1 is perfect, 0.5 is chance."
    ),
    "recall_at_fpr_1pct": FigureWords(
        "Completeness at 1 % false positives",
        "%",
        "Lenses found when the threshold lets at most 1 in 100 non-lenses pass.",
    ),
    "recall_at_fpr_0p1pct": FigureWords(
        "Completeness at 0.1 % false positives",
        "%",
        "The same for 1 in 1,000. With fewer than 1,000 non-lenses none may pass.",
    ),
    "tpr0": FigureWords("TPR0", "%", "Lenses that score above every non-lens."),
    "tpr10": FigureWords("TPR10", "%", "Lenses found before the tenth non-lens is."),
    "f1": FigureWords(
        "F1 at p_lens 0.5", "", "Harmonic mean of purity and completeness of what has p_lens from 0.5 up."
    ),
    "ece": FigureWords(
        "Calibration error",
        "",
        "Mean difference between p_lens and the share of lenses that have it, in ten bins. 0 is honest.",
    ),
    "position_error_median_arcsec": FigureWords(
        "Position error, median",
        "″",
        "Distance of the predicted from the true place of the lens, of all lenses.",
    ),
    "position_error_p68_arcsec": FigureWords(
        "Position error, 68 %", "″", "68 % of the lenses have a smaller one."
    ),
    "position_error_p95_arcsec": FigureWords(
        "Position error, 95 %", "″", "95 % of the lenses have a smaller one."
    ),
    "position_pull": FigureWords(
        "Pull of the position",
        "",
        "Spread of the errors per axis over the stated sigma: below 1 sigma is too wide, above too narrow.",
    ),
}


def shown(name: str, value: float) -> str:
    """A figure as people read it; a dash if it has no meaning here.

    >>> shown("recall_at_fpr_1pct", 0.6068), shown("auroc", 0.95916), shown("f1", float("nan"))
    ('60.7 %', '0.959', '–')
    """
    if not math.isfinite(value):
        return "–"
    unit = FIGURE_WORDS[name].unit
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:.3f}{unit}"


def shown_interval(name: str, interval: tuple[float, float]) -> str:
    """An interval as people read it; empty if it is not known."""
    if not all(map(math.isfinite, interval)):
        return ""
    low, high = (shown(name, bound) for bound in interval)
    return f"{low.removesuffix(' %')} to {high}"


def sentences(comparison: Comparison) -> list[str]:
    """What came out, the most important first."""
    said = [text for report in comparison.models for text in _about(report)]
    return said + list(_cautions(comparison))


def _about(report: ModelReport) -> Iterator[str]:
    """What is to be said about one model."""
    total = report.scored + sum(report.reasons.values())
    if not report.scored:
        yield f"{report.name} scored none of the {total:,} objects. {_main_reason(report)}"
        return
    if report.reasons:
        refused = total - report.scored
        yield (
            f"{report.name} scored {report.scored:,} of {total:,} objects and refused {refused:,}. "
            f"{_main_reason(report)}"
        )
    figures, intervals = report.own.figures, report.own.intervals
    if math.isfinite(figures["auroc"]):
        name = "recall_at_fpr_1pct"
        yield (
            f"{report.name} finds {shown(name, figures[name])} of the lenses "
            f"({shown_interval(name, intervals[name])}) while 1 in 100 non-lenses passes as one; "
            f"a lens scores above a non-lens in {100 * figures['auroc']:.1f} % of all pairs."
        )
    twins = report.own.twins
    if twins.pairs:
        low, high = (f"{100 * bound:.1f}" for bound in twins.interval)
        yield (
            f"{report.name} scores {twins.above:,} of {twins.pairs:,} lenses above the same object without its "
            f"source: {100 * twins.share:.1f} % ({low} to {high} %). Chance is 50 %."
        )
    yield from _about_subtypes(report)
    yield from _about_positions(report)


def _about_subtypes(report: ModelReport) -> Iterator[str]:
    known = [found for found in report.own.by_subtype if math.isfinite(found.share_found)]
    lenses = sorted((found for found in known if found.group.is_lens), key=lambda found: found.share_found)
    if len(lenses) > 1:
        yield (
            f"{report.name} misses {_named(lenses[0])} most and {_named(lenses[-1])} least, "
            "at 1 in 100 non-lenses."
        )
    false = sorted(
        (found for found in known if not found.group.is_lens and found.found), key=lambda found: -found.found
    )
    if false:
        passed = sum(found.found for found in false)
        listed = ", ".join(f"{found.group.name} ({found.found})" for found in false[:3])
        yield f"{report.name} takes {passed:,} non-lenses for lenses there, most of them: {listed}."


def _about_positions(report: ModelReport) -> Iterator[str]:
    figures = report.own.figures
    if not math.isfinite(figures["position_error_median_arcsec"]):
        if not report.card.predicts_position:
            yield f"{report.name} predicts no position."
        return
    median, most = (
        shown(name, figures[name]) for name in ("position_error_median_arcsec", "position_error_p95_arcsec")
    )
    yield f"{report.name} places lenses within {median} in the median, and 95 % of them within {most}."
    pull = figures["position_pull"]
    if math.isfinite(pull) and not 0.9 <= pull <= 1.1:
        how = "wide" if pull < 1 else "narrow"
        yield f"The position uncertainty that {report.name} states is too {how}: errors are {pull:.2f} of it."


def _cautions(comparison: Comparison) -> Iterator[str]:
    """What a reader must know before quoting a figure."""
    truth = comparison.truth
    if comparison.detectable_only:
        yield "Lenses whose arcs nobody could see are left out: the figures are of detectable arcs."
    lenses = int(truth.is_lens.sum())
    others = len(truth) - lenses
    if not lenses or not others:
        absent = "lenses" if not lenses else "non-lenses"
        yield f"The campaign has no {absent}: figures that compare the two have no value here."
    elif others < _FEW:
        yield (
            f"With {others:,} non-lenses a false-positive rate of 0.1 % allows no false positive, so that figure "
            "hangs on a single object: use some thousands to quote it."
        )
    if len(comparison.compared) > 1 and not comparison.common:
        yield "No object was scored by all models: their figures are of different objects and do not compare."


def _named(found: GroupFigures) -> str:
    return f"{found.group.name} ({100 * found.share_found:.0f} % of {found.objects:,} found)"


def _main_reason(report: ModelReport) -> str:
    (reason, number), *others = report.reasons.most_common()
    more = f" ({number:,} objects; {len(others)} other reasons for the rest)" if others else ""
    return f"Why: {reason}{more}."
