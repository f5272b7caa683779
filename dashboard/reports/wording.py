"""What figures are called and mean, and the sentences that say how models did, in plain language."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from data.shares import Share
from lensmodel.evaluation.agreement_figures import Separation, agreement_figures
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
        "F1 at p_lens 0.5",
        "",
        "Harmonic mean of purity and completeness of what has p_lens from 0.5 up, at the model's own prior.",
    ),
    "ece": FigureWords(
        "Calibration error",
        "",
        "Mean difference between p_lens and the share of lenses that have it, in ten bins. 0 is honest. "
        "p_lens is first moved from the model's prior to the share of lenses here.",
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
        "Errors in x and in y over the stated sigma: half the width that holds the middle 68 % of them. "
        "Below 1 sigma is too wide, above too narrow.",
    ),
    "position_pull_robust": FigureWords(
        "Pull of the position, robust spread",
        "",
        "Of the same: 1.4826 times the median distance from the median. Both are 1 for Gaussian errors of an "
        "honest sigma; the smaller this one is beside the other, the wider the wings.",
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
    return [*said, *_about_thresholds(comparison), *_cautions(comparison)]


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
    if twins.of:
        low, high = (f"{100 * bound:.1f}" for bound in twins.interval)
        yield (
            f"{report.name} scores {twins.number:,} of {twins.of:,} lenses above the same object without its "
            f"source: {100 * twins.value:.1f} % ({low} to {high} %). Chance is 50 %."
        )
    yield from _about_subtypes(report)
    yield from _about_positions(report)


def _about_subtypes(report: ModelReport) -> Iterator[str]:
    known = [found for found in report.own.by_subtype if found.found.of]
    lenses = sorted((found for found in known if found.group.is_lens), key=lambda found: found.found.value)
    if len(lenses) > 1:
        yield (
            f"{report.name} misses {_named(lenses[0])} most and {_named(lenses[-1])} least, "
            "at 1 in 100 non-lenses."
        )
    false = sorted(
        (found for found in known if not found.group.is_lens and found.found.number),
        key=lambda found: -found.found.number,
    )
    if false:
        passed = sum(found.found.number for found in false)
        listed = ", ".join(f"{found.group.name} ({found.found.number})" for found in false[:3])
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
    yield from _about_placement(report)
    yield from _about_agreement(report)


def _about_placement(report: ModelReport) -> Iterator[str]:
    placement = report.own.placement
    if placement.right_galaxy.of:
        yield (
            f"{report.name} places {counted(placement.right_galaxy)} of the group lenses that can be seen nearer to "
            "the main deflector than to any other member."
        )
    if placement.within_half_theta_E.of:
        yield (
            f"{report.name} places {counted(placement.within_half_theta_E)} of the lenses that it finds within half "
            "their Einstein radius."
        )


def _about_thresholds(comparison: Comparison) -> Iterator[str]:
    for found in comparison.at_thresholds:
        own = found.common[found.model]
        if not own.lenses.of or not own.nonlenses.of:
            continue
        prior = next(report.card.prior for report in comparison.models if report.name == found.model)
        at = "" if prior is None else f" (at its own prior, {_percent(prior)})"
        yield (
            f"{found.model} finds {counted(own.lenses)} of the lenses with p_lens from {found.p_lens:g} up{at}, and "
            f"{_percent(own.nonlenses.value)} of the non-lenses pass ({own.nonlenses.number:,})."
        )
        for name, other in found.common.items():
            if name != found.model:
                yield (
                    f"{name} finds {counted(other.lenses)} of the lenses where no more non-lenses pass than with "
                    f"{found.model} from {found.p_lens:g} up."
                )


def prior_sentence(priors: Mapping[str, float | None], stated: float | None) -> str:
    """Where p_lens of a report holds. priors : of the models, by name. stated : the campaign's, if it has one."""
    known = [f"{_percent(prior)} for {name}" for name, prior in priors.items() if prior is not None]
    others = [name for name, prior in priors.items() if prior is None]
    said = []
    if known:
        said = [f"p_lens here holds at the share of lenses that a model was calibrated for: {listed(known)}."]
        said += (
            ["campaign.toml states no other."]
            if stated is None
            else [f"The page and the catalogues state it at the campaign's prior, {_percent(stated)}."]
        )
    if others:
        said.append(f"Of {listed(others)}, which nobody calibrated, p_lens is no probability.")
    return " ".join(said)


def prior_note(comparison: Comparison) -> str:
    """At which share of lenses the reliability diagram is drawn, and what was done to p_lens for it."""
    names: dict[tuple[float | None, float], list[str]] = {}
    for report in comparison.models:
        if report.scored:
            names.setdefault((report.card.prior, report.own.judged.share_of_lenses), []).append(report.name)
    return " ".join(_about_prior(listed(some), *where) for where, some in names.items())


def _about_prior(names: str, prior: float | None, share: float) -> str:
    if prior is None:
        return f"Of {names}, which nobody calibrated, p_lens is drawn as stated; {_percent(share)} are lenses here."
    return (
        f"Of {names}, p_lens holds at a prior of {_percent(prior)} and is drawn converted to the {_percent(share)} of "
        "lenses here."
    )


def listed(names: list[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def counted(share: Share) -> str:
    """A share with its 95 % interval and its numbers."""
    low, high = (f"{100 * bound:.1f}" for bound in share.interval)
    return f"{100 * share.value:.1f} % ({low} to {high} %; {share.number:,} of {share.of:,})"


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
    return f"{found.group.name} ({100 * found.found.value:.0f} % of {found.found.of:,} found)"


def _main_reason(report: ModelReport) -> str:
    (reason, number), *others = report.reasons.most_common()
    more = f" ({number:,} objects; {len(others)} other reasons for the rest)" if others else ""
    return f"Why: {reason}{more}."


def _about_agreement(report: ModelReport) -> Iterator[str]:
    found = agreement_figures(report.own.judged)
    pairs = {"lenses placed elsewhere": found.elsewhere, "responses to non-lenses": found.nonlenses}
    told = [in_pairs(some, what) for what, some in pairs.items() if some.above and some.below]
    if told:
        yield f"{report.name}: a response to a lens at its place has the higher where_why in {', in '.join(told)}."


def in_pairs(found: Separation, below: str) -> str:
    """How often the order is right, with its interval and what is below.

    >>> in_pairs(Separation(0.938, (0.914, 0.962), 6805, 124), "lenses placed elsewhere")
    '93.8 % (91.4 to 96.2 %) of the pairs with one of 124 lenses placed elsewhere'
    """
    low, high = (100 * bound for bound in found.interval)
    return f"{100 * found.share:.1f} % ({low:.1f} to {high:.1f} %) of the pairs with one of {found.below:,} {below}"
