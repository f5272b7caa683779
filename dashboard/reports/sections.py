"""The plots of a report in the order of the questions that they answer, each with what to look for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import holoviews as hv
import numpy as np

from dashboard.plots.groups import (
    Row,
    error_against_plot,
    errors_of,
    rows_plot,
    share_against_plot,
    shares_of,
    shares_plot,
)
from dashboard.plots.positions import error_plot, pull_plot
from dashboard.plots.verdicts import purity_plot, reliability_plot, roc_plot, threshold_plot
from dashboard.reports.tables import GroupTable, lens_tables, nonlens_tables, passed_tables
from dashboard.reports.wording import prior_note
from data.shares import Share
from lensmodel.evaluation.breakdowns import CATEGORIES, QUANTITIES
from lensmodel.evaluation.comparison import Comparison
from lensmodel.evaluation.figures import AS_BRIGHT_MAG, GroupFigures
from lensmodel.evaluation.metrics import purity_curve, reliability, roc_curve
from lensmodel.evaluation.thresholds import Passed

_LOGARITHMIC = ("arc_snr",)  # if all of it is above zero
_FOUND = "share of lenses found at 1 % false positives"

Groups = Mapping[str, Sequence[GroupFigures]]


@dataclass(frozen=True)
class Figure:
    """One plot of the report with its heading and what to look for."""

    key: str
    title: str
    note: str
    plot: hv.Overlay


@dataclass(frozen=True)
class Part:
    """Plots that stand side by side, and the same as tables. is_linked : they share the horizontal axis."""

    title: str
    figures: list[Figure]
    tables: list[GroupTable] = field(default_factory=list)
    is_linked: bool = False


@dataclass(frozen=True)
class Section:
    """Parts that answer one question."""

    title: str
    parts: list[Part]


def sections_of(comparison: Comparison) -> list[Section]:
    """All plots; what has nothing to show is left out. Models keep their colours throughout."""
    drawn = [
        Section("Whether: lenses and non-lenses", [Part("", _verdict_figures(comparison))]),
        Section("Which: by subtype", _subtype_parts(comparison)),
        Section("At a given threshold", _threshold_parts(comparison)),
        Section("Where: positions", [Part("", _position_figures(comparison))]),
        Section("What completeness and position error depend on", _against_parts(comparison)),
    ]
    kept = [Section(section.title, [part for part in section.parts if part.figures]) for section in drawn]
    return [section for section in kept if section.parts]


def _verdict_figures(comparison: Comparison) -> list[Figure]:
    truth = comparison.truth
    if not comparison.compared or truth.is_lens.all() or not truth.is_lens.any():
        return []
    judged = {report.name: report.own.judged for report in comparison.models}
    roc = {name: roc_curve(some.logit, some.truth.is_lens) for name, some in judged.items()}
    purity = {name: purity_curve(some.p_lens, some.truth.is_lens) for name, some in judged.items()}
    bins = {name: reliability(some.p_lens_here, some.truth.is_lens) for name, some in judged.items()}
    return [
        Figure(
            "roc",
            "ROC",
            "Higher is better, and the left counts: lenses are rare. Dashed: 0.1 % and 1 %.",
            roc_plot(roc, non_lenses=int((~truth.is_lens).sum())),
        ),
        Figure(
            "purity",
            "Purity and completeness",
            f"In the mix of this campaign, where {truth.is_lens.mean():.0%} are lenses; on the sky purity is lower.",
            purity_plot(purity),
        ),
        Figure(
            "threshold",
            "Where to set the threshold",
            "Of what has p_lens from there up, in the same mix. Whole line: completeness; dotted: purity.",
            threshold_plot(purity),
        ),
        Figure(
            "reliability",
            "Reliability",
            f"On the diagonal p_lens is what comes true; below it the model is too sure. {prior_note(comparison)}",
            reliability_plot(bins),
        ),
    ]


def _subtype_parts(comparison: Comparison) -> list[Part]:
    lenses, others = (
        {
            report.name: [found for found in report.own.by_subtype if found.group.is_lens == is_lens]
            for report in comparison.models
        }
        for is_lens in (True, False)
    )
    rates = [
        Figure(
            "subtype-lenses",
            "Lenses found",
            "Share of each subtype above the threshold that 1 % of all non-lenses exceed, with its 95 % interval.",
            shares_plot(shares_of(lenses), x=_FOUND),
        ),
        Figure(
            "subtype-nonlenses",
            "Non-lenses taken for lenses",
            "Share of each class of contaminant above the same threshold; on average it is 1 %.",
            shares_plot(shares_of(others), x="share of non-lenses that pass"),
        ),
    ]
    known = [figure for figure, groups in zip(rates, (lenses, others), strict=True) if _has_share(groups)]
    tables = lens_tables("Subtype", lenses) + nonlens_tables("Contaminant", others)
    return [Part("", known, tables if known else []), Part("", _subtype_curves(comparison))]


def _subtype_curves(comparison: Comparison) -> list[Figure]:
    """For each model the ROC of each subtype of lens against all non-lenses."""
    figures = []
    for number, report in enumerate(comparison.models):
        judged = report.own.judged
        lenses = [found.group for found in report.own.by_subtype if found.group.is_lens]
        non_lenses = int((~judged.truth.is_lens).sum())
        if len(lenses) < 2 or not non_lenses:
            continue
        curves = {}
        for group in lenses:
            rows = group.rows | ~judged.truth.is_lens
            curves[group.name] = roc_curve(judged.logit[rows], judged.truth.is_lens[rows])
        figures.append(
            Figure(
                f"subtype-roc-{number}",
                f"ROC of each subtype: {report.name}",
                "Lenses of one subtype against all non-lenses; colours are of subtypes here.",
                roc_plot(curves, non_lenses=non_lenses, is_dashed=True),
            )
        )
    return figures


def _threshold_parts(comparison: Comparison) -> list[Part]:
    """For each threshold that was asked for: what its model finds, and the others with no more false positives."""
    parts = []
    for number, found in enumerate(comparison.at_thresholds):
        lenses, others = (
            {report.name: _passed_rows(found.common.get(report.name), which) for report in comparison.models}
            for which in ("lenses", "nonlenses")
        )
        rate = found.common[found.model].nonlenses
        compared = f"{found.model} from {found.p_lens:g} up; the others where no more non-lenses pass."
        figures = [
            Figure(
                f"threshold-{number}-lenses",
                "Lenses found",
                f"{compared} On the {comparison.common:,} objects that all scored.",
                shares_plot(lenses, x="share of lenses found"),
            ),
            Figure(
                f"threshold-{number}-nonlenses",
                "Non-lenses that pass",
                f"The same thresholds: {rate.number:,} of {rate.of:,} non-lenses pass with {found.model}.",
                shares_plot(others, x="share of non-lenses that pass"),
            ),
        ]
        title = f"{found.model} at p_lens {found.p_lens:g}"
        parts.append(Part(title, figures, passed_tables(found)))
    return parts


def _passed_rows(passed: Passed | None, which: str) -> list[Row]:
    """Share that passes of all lenses or non-lenses, and of each subtype; none for a model that scored nothing."""
    if passed is None:
        return []
    everything, subtypes = (
        (passed.lenses, passed.lenses_by_subtype)
        if which == "lenses"
        else (passed.nonlenses, passed.nonlenses_by_subtype)
    )
    rows = [share_row(f"all {which.replace('non', 'non-')}", everything)]
    return rows + [share_row(name, share) for name, share in subtypes.items()]


def _position_figures(comparison: Comparison) -> list[Figure]:
    judged = {report.name: report.own.judged for report in comparison.models}
    if not any(np.isfinite(some.position_error_arcsec).any() for some in judged.values()):
        return []
    figures = [
        Figure(
            "errors",
            "Position error",
            "Distance of the predicted from the true place of the lens, of all lenses at any score. "
            "Dashed: 50, 68 and 95 %.",
            error_plot({name: some.position_error_arcsec for name, some in judged.items()}),
        )
    ]
    pulls = {name: some.pull.ravel() for name, some in judged.items()}
    if any(np.isfinite(pull).any() for pull in pulls.values()):
        note = "Pull: the error in x and in y over the stated sigma. Narrower than the Gaussian: sigma is too wide."
        figures.append(Figure("pulls", "Is the uncertainty honest?", note, pull_plot(pulls)))
    return [*figures, *_placement_figures(comparison)]


def _placement_figures(comparison: Comparison) -> list[Figure]:
    rows = {}
    for report in comparison.models:
        placement = report.own.placement
        named = {
            "group lenses with arcs that can be seen": placement.right_galaxy,
            "of these, the ones found": placement.right_galaxy_found,
            "of all, or at one as bright": placement.right_or_as_bright,
            "lenses found: error < \u03b8_E / 2": placement.within_half_theta_E,
        }
        rows[report.name] = [share_row(name, share) for name, share in named.items()]
    if not any(np.isfinite(row.value) for some in rows.values() for row in some):
        return []
    note = (
        "Group lenses: predicted nearer to the main deflector than to any other member, or than to any that is more "
        f"than {AS_BRIGHT_MAG:g} mag fainter. Lenses found at 1 % false positives: placed within half an Einstein "
        "radius of the deflector."
    )
    return [
        Figure("placement", "Is it the right galaxy?", note, shares_plot(rows, x="share of these lenses"))
    ]


def share_row(name: str, share: Share) -> Row:
    """A share as a row of a plot."""
    return Row(name, share.value, share.interval, f"{share.number} of {share.of}")


def _against_parts(comparison: Comparison) -> list[Part]:
    parts = []
    for name in (*QUANTITIES, *CATEGORIES):
        groups = {report.name: report.own.against.get(name, []) for report in comparison.models}
        title = CATEGORIES[name] if name in CATEGORIES else QUANTITIES[name].title
        if name in CATEGORIES:
            figures = _category_figures(name, groups)
        else:
            figures = _quantity_figures(name, groups, x=_axis(name, comparison))
        parts.append(Part(title, figures, lens_tables(title, groups), is_linked=name in QUANTITIES))
    return parts


def _quantity_figures(name: str, groups: Groups, *, x: str) -> list[Figure]:
    is_log = name in _LOGARITHMIC and all(found.group.low > 0 for some in groups.values() for found in some)
    figures = []
    if _has_share(groups):
        note = "At 1 % false positives, with 95 % intervals, in bins of about as many lenses."
        plot = share_against_plot(groups, x=x, is_log=is_log)
        figures.append(Figure(f"share-{name}", "Completeness", note, plot))
    if _has_error(groups):
        note = "Dots: median with its 95 % interval. Triangles: 95 % of the lenses keep within."
        plot = error_against_plot(groups, x=x, is_log=is_log)
        figures.append(Figure(f"error-{name}", "Position error", note, plot))
    return figures


def _category_figures(name: str, groups: Groups) -> list[Figure]:
    figures = []
    if _has_share(groups):
        note = "At 1 % false positives, with 95 % intervals."
        plot = shares_plot(shares_of(groups), x=_FOUND)
        figures.append(Figure(f"share-{name}", "Completeness", note, plot))
    if _has_error(groups):
        note = "Median with its 95 % interval."
        plot = rows_plot(errors_of(groups), x="position error, median / arcsec")
        figures.append(Figure(f"error-{name}", "Position error", note, plot))
    return figures


def _has_share(groups: Groups) -> bool:
    return any(np.isfinite(found.found.value) for some in groups.values() for found in some)


def _has_error(groups: Groups) -> bool:
    return any(
        np.isfinite(found.figures["position_error_median_arcsec"])
        for some in groups.values()
        for found in some
    )


def _axis(name: str, comparison: Comparison) -> str:
    quantity = QUANTITIES[name]
    bands = f" {comparison.truth.colour}" if "colour" in name else ""
    return f"{quantity.title}{bands}" + (f" / {quantity.unit}" if quantity.unit else "")
