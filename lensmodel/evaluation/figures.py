"""The figures of one model on objects whose truth is known: overall, by group, and with intervals."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.shares import Interval, Share
from lensmodel.evaluation.breakdowns import CATEGORIES, QUANTITIES, Group, bins_of, categories_of, subtypes_of
from lensmodel.evaluation.intervals import Counts, bootstrap, percentile_interval, share_interval
from lensmodel.evaluation.metrics import (
    Claims,
    Numbers,
    allowed_false_positives,
    at_another_prior,
    auroc,
    completeness_at,
    completeness_before,
    expected_calibration_error,
    f1_score,
    percentile_of,
    position_error_arcsec,
    pull_spread,
    robust_spread,
    threshold_at,
)
from lensmodel.evaluation.resamples import (
    Ranking,
    Values,
    aurocs,
    calibration_errors,
    f1_scores,
    levels_with,
    pull_spreads,
    shares_of_lenses,
)
from lensmodel.evaluation.truth import Truth

WORKING_POINT = 0.01  # the false-positive rate at which groups are compared
LOW_RATE = 0.001
AS_BRIGHT_MAG = 0.3  # members that are less fainter than the main deflector might be taken for it by anybody
ERROR_PERCENTS = {"median": 50, "p68": 68, "p95": 95}
FIGURES = (
    "auroc",
    "tpr0",
    "tpr10",
    "recall_at_fpr_1pct",
    "recall_at_fpr_0p1pct",
    "f1",
    "ece",
    *(f"position_error_{part}_arcsec" for part in ERROR_PERCENTS),
    "position_pull",
    "position_pull_robust",
)
# Each is a share of the lenses.
_SHARES = ("tpr0", "tpr10", "recall_at_fpr_1pct", "recall_at_fpr_0p1pct")


@dataclass(frozen=True)
class Judged:
    """Objects that a model scored: the truth, and its answers, (object,) each; NaN where it gives none.

    prior : the share of lenses for which p_lens is a probability; None if nobody calibrated the model.
    """

    truth: Truth
    logit: Numbers
    p_lens: Numbers
    x_arcsec: Numbers
    y_arcsec: Numbers
    sigma_arcsec: Numbers
    where_why: Numbers
    prior: float | None = None

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Judged":
        """These objects only; rows may repeat."""
        answers = ("logit", "p_lens", "x_arcsec", "y_arcsec", "sigma_arcsec", "where_why")
        return replace(
            self, truth=self.truth.take(rows), **{name: getattr(self, name)[rows] for name in answers}
        )

    @property
    def share_of_lenses(self) -> float:
        """NaN without objects."""
        return float(self.truth.is_lens.mean()) if len(self) else float("nan")

    @property
    def p_lens_here(self) -> Numbers:
        """p_lens at the share of lenses among these objects; as stated if nobody calibrated the model.

        NaN where a calibrated model meets one class only.
        """
        if self.prior is None:
            return self.p_lens
        return at_another_prior(self.logit, prior=self.prior, share=self.share_of_lenses)

    @property
    def position_error_arcsec(self) -> Numbers:
        """Distance of the predicted from the true place of each lens; NaN for what is none or has none."""
        truth = self.truth
        distance = position_error_arcsec(self.x_arcsec, self.y_arcsec, truth.x_arcsec, truth.y_arcsec)
        return np.where(truth.is_lens, distance, np.nan)

    @property
    def pull(self) -> Numbers:
        """Errors of lens positions per axis over the stated sigma: (x and y, object); NaN as for the error."""
        truth = self.truth
        errors = np.stack([self.x_arcsec - truth.x_arcsec, self.y_arcsec - truth.y_arcsec])
        sigma = np.where(truth.is_lens & (self.sigma_arcsec > 0), self.sigma_arcsec, np.nan)
        pull: Numbers = errors / sigma
        return pull


@dataclass(frozen=True)
class GroupFigures:
    """Figures of one group: its lenses against all non-lenses, or its non-lenses against all lenses.

    found : of the group, above the threshold that 1 % of all non-lenses exceed: completeness for lenses,
    false-positive rate for others. found_interval : with the scatter of that threshold, from the bootstrap.
    error_intervals : of the position error, by the names of `ERROR_PERCENTS`.
    """

    group: Group
    figures: dict[str, float]
    found: Share
    found_interval: Interval
    error_intervals: dict[str, Interval]


@dataclass(frozen=True)
class Placement:
    """Whether positions are at the right galaxy.

    right_galaxy : lenses with group members whose predicted position is nearer to the main deflector than to any
        member, of those that have a position and arcs that can be seen.
    right_galaxy_found : of those of them that are found at 1 % false positives.
    right_or_as_bright : of all of them, those nearest to the main deflector or to a member less than `AS_BRIGHT_MAG`
        fainter, which people could not tell from it either.
    within_half_theta_E : lenses with an error below half their Einstein radius, of those found.
    """

    right_galaxy: Share
    right_galaxy_found: Share
    right_or_as_bright: Share
    within_half_theta_E: Share  # noqa: N815  # the field's symbol


@dataclass(frozen=True)
class ModelFigures:
    """All figures of one model on one set of objects. against : by name of a quantity or of a category.

    twins : lenses that score above the same object without its source, of those with such a twin. It cannot
    be raised by telling massive ellipticals from other galaxies: both of a pair have the same one.
    """

    judged: Judged
    twins: Share
    placement: Placement
    figures: dict[str, float]
    intervals: dict[str, Interval]
    by_subtype: list[GroupFigures]
    against: dict[str, list[GroupFigures]]


def figures_of(judged: Judged) -> dict[str, float]:
    """The values of `FIGURES`; NaN for those that have no meaning here."""
    lens, error, pull = judged.truth.is_lens, judged.position_error_arcsec, judged.pull
    values = (
        auroc(judged.logit, lens),
        completeness_before(judged.logit, lens, false_positives=1),
        completeness_before(judged.logit, lens, false_positives=10),
        completeness_at(judged.logit, lens, false_positive_rate=WORKING_POINT),
        completeness_at(judged.logit, lens, false_positive_rate=LOW_RATE),
        f1_score(judged.p_lens, lens),
        expected_calibration_error(judged.p_lens_here, lens),
        *(percentile_of(error, percent) for percent in ERROR_PERCENTS.values()),
        pull_spread(pull),
        robust_spread(pull),
    )
    return dict(zip(FIGURES, values, strict=True))


def twins_below(judged: Judged) -> Share:
    """Lenses that score above their twin, of those where both were scored; a tie is not above."""
    truth = judged.truth
    row_of = {object_id: row for row, object_id in enumerate(truth.object_ids.tolist())}
    twins = np.array([row_of.get(twin_id, -1) for twin_id in truth.twin_ids.tolist()], np.int64)
    lenses = np.flatnonzero(truth.is_lens & (twins >= 0))
    above = judged.logit[lenses] > judged.logit[twins[lenses]]
    return Share(int(above.sum()), len(lenses))


def placement_of(judged: Judged) -> Placement:
    """Where the predicted positions are, among the galaxies of a group and within the Einstein radius."""
    truth, error = judged.truth, judged.position_error_arcsec
    found = judged.logit > working_threshold(judged)
    to_members = position_error_arcsec(
        judged.x_arcsec[:, None], judged.y_arcsec[:, None], truth.member_x_arcsec, truth.member_y_arcsec
    )
    nearest = np.fmin.reduce(to_members, axis=1, initial=np.inf)
    choice = np.isfinite(error) & np.isfinite(nearest) & truth.is_detectable
    right = choice & (error < nearest)
    is_nearest = to_members == nearest[:, None]
    as_bright = choice & (is_nearest & (truth.member_fainter_mag < AS_BRIGHT_MAG)).any(axis=1)
    theta_E_arcsec = truth.quantities.get("theta_E_arcsec", np.full(len(truth), np.nan))
    known = found & np.isfinite(error) & (theta_E_arcsec > 0)
    return Placement(
        Share(int(right.sum()), int(choice.sum())),
        Share(int((right & found).sum()), int((choice & found).sum())),
        Share(int((right | as_bright).sum()), int(choice.sum())),
        Share(int((known & (error < theta_E_arcsec / 2)).sum()), int(known.sum())),
    )


def working_threshold(judged: Judged) -> float:
    """The logit that 1 % of the non-lenses exceed; NaN without non-lenses."""
    lens = judged.truth.is_lens
    others = int((~lens).sum())
    if not others:
        return float("nan")
    allowed = allowed_false_positives(WORKING_POINT, others)
    return threshold_at(judged.logit, lens, false_positives=allowed)


def evaluate(judged: Judged, *, resamples: int = 1000, seed: int = 1) -> ModelFigures:
    """All figures of a model on these objects; 95 % intervals from a bootstrap of lenses and of non-lenses."""
    truth = judged.truth
    subtypes = subtypes_of(truth)
    against = {name: bins_of(truth, name) for name in QUANTITIES if name in truth.quantities}
    against |= {name: categories_of(truth, name) for name in CATEGORIES if name in truth.categories}
    groups = [*subtypes, *(group for some in against.values() for group in some)]
    members = np.array([group.rows for group in groups], bool).reshape(len(groups), len(judged))
    intervals = bootstrap(_statistics(judged, members), truth.is_lens, resamples=resamples, seed=seed)
    figures = figures_of(judged)
    found = iter(
        [
            _group_figures(judged, group, interval)
            for group, interval in zip(groups, intervals[len(FIGURES) :], strict=True)
        ]
    )
    return ModelFigures(
        judged=judged,
        twins=twins_below(judged),
        placement=placement_of(judged),
        figures=figures,
        intervals=_figure_intervals(judged, figures, intervals[: len(FIGURES)]),
        by_subtype=[next(found) for _ in subtypes],
        against={name: [next(found) for _ in some] for name, some in against.items()},
    )


def _statistics(judged: Judged, members: Claims) -> Callable[[Counts], Numbers]:
    """`FIGURES`, then the share found of each group, of resamples. members : (group, object)."""
    lens = judged.truth.is_lens
    ranking = Ranking(judged.logit, lens)
    errors, pulls = Values(judged.position_error_arcsec), Values(judged.pull)
    f1s = f1_scores(judged.p_lens, lens)
    calibration = calibration_errors(judged.p_lens_here, lens)

    def statistics(counts: Counts) -> Numbers:
        lenses, others = ranking.taken(counts)
        number = int(others[0, -1])  # the same in all resamples
        working = allowed_false_positives(WORKING_POINT, number)
        allowed = (0, 9, working, allowed_false_positives(LOW_RATE, number))
        needed = (1, 10, 1, 1)
        shares = [
            shares_of_lenses(lenses, levels_with(others, most))
            if number >= least
            else np.full(len(counts), np.nan)
            for most, least in zip(allowed, needed, strict=True)
        ]
        found = ranking.shares_above(counts, levels_with(others, working), members)
        return np.column_stack(
            [
                aurocs(lenses, others),
                *shares,
                f1s(counts),
                calibration(counts),
                errors.percentiles(counts, tuple(ERROR_PERCENTS.values())),
                pull_spreads(pulls, counts),
                pulls.robust_spreads(counts),
                found if number else np.full(found.shape, np.nan),
            ]
        )

    return statistics


def _group_figures(judged: Judged, group: Group, interval: Numbers) -> GroupFigures:
    compared = judged.take(group.rows | (judged.truth.is_lens != group.is_lens))
    threshold = working_threshold(judged)
    known = np.zeros_like(group.rows) if np.isnan(threshold) else group.rows
    found = Share(int((known & (judged.logit > threshold)).sum()), int(known.sum()))
    errors = judged.position_error_arcsec[group.rows]
    return GroupFigures(
        group=group,
        figures=figures_of(compared),
        found=found,
        found_interval=share_interval(interval, found.number, found.of),
        error_intervals={
            part: percentile_interval(errors, percent) for part, percent in ERROR_PERCENTS.items()
        },
    )


def _figure_intervals(judged: Judged, figures: dict[str, float], drawn: Numbers) -> dict[str, Interval]:
    """Bounds that the figures can have; shares of lenses no narrower than their number allows."""
    lenses = int(judged.truth.is_lens.sum())
    intervals: dict[str, Interval] = {}
    for (name, value), (low, high) in zip(figures.items(), drawn, strict=True):
        if name in _SHARES and np.isfinite(value):
            intervals[name] = share_interval((low, high), round(value * lenses), lenses)
        else:
            ceiling = np.inf if name.startswith("position") else 1.0
            intervals[name] = (float(np.maximum(low, 0.0)), float(np.minimum(high, ceiling)))
    return intervals
