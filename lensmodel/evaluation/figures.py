"""The figures of one model on objects whose truth is known: overall, by group, and with intervals."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lensmodel.evaluation.breakdowns import QUANTITIES, Group, bins_of, subtypes_of
from lensmodel.evaluation.intervals import bootstrap, share_interval, wilson
from lensmodel.evaluation.metrics import (
    Numbers,
    allowed_false_positives,
    auroc,
    completeness_at,
    completeness_before,
    expected_calibration_error,
    f1_score,
    percentile_of,
    position_error_arcsec,
    pull_spread,
    threshold_at,
)
from lensmodel.evaluation.truth import Truth

Interval = tuple[float, float]

WORKING_POINT = 0.01  # the false-positive rate at which groups are compared
FIGURES = (
    "auroc",
    "tpr0",
    "tpr10",
    "recall_at_fpr_1pct",
    "recall_at_fpr_0p1pct",
    "f1",
    "ece",
    "position_error_median_arcsec",
    "position_error_p68_arcsec",
    "position_error_p95_arcsec",
    "position_pull",
)
# Each is a share of the lenses.
_SHARES = ("tpr0", "tpr10", "recall_at_fpr_1pct", "recall_at_fpr_0p1pct")


@dataclass(frozen=True)
class Judged:
    """Objects that a model scored: the truth, and its answers, (object,) each; NaN where it gives none."""

    truth: Truth
    logit: Numbers
    p_lens: Numbers
    x_arcsec: Numbers
    y_arcsec: Numbers
    sigma_arcsec: Numbers

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Judged":
        """These objects only; rows may repeat."""
        answers = ("logit", "p_lens", "x_arcsec", "y_arcsec", "sigma_arcsec")
        return replace(
            self, truth=self.truth.take(rows), **{name: getattr(self, name)[rows] for name in answers}
        )

    @property
    def position_error_arcsec(self) -> Numbers:
        """Distance of the predicted from the true place of each lens; NaN for what is none or has none."""
        truth = self.truth
        distance = position_error_arcsec(self.x_arcsec, self.y_arcsec, truth.x_arcsec, truth.y_arcsec)
        return np.where(truth.is_lens, distance, np.nan)

    @property
    def pull(self) -> Numbers:
        """Errors of lens positions per axis in units of the stated sigma, x then y; NaN as for the error."""
        truth = self.truth
        errors = np.stack([self.x_arcsec - truth.x_arcsec, self.y_arcsec - truth.y_arcsec])
        sigma = np.where(truth.is_lens & (self.sigma_arcsec > 0), self.sigma_arcsec, np.nan)
        pull: Numbers = (errors / sigma).ravel()
        return pull


@dataclass(frozen=True)
class GroupFigures:
    """Figures of one group: its lenses against all non-lenses, or its non-lenses against all lenses.

    share_found : of the group, above the threshold that 1 % of all non-lenses exceed: completeness for
    lenses, false-positive rate for others. found : how many of the group that is.
    """

    group: Group
    objects: int
    figures: dict[str, float]
    share_found: float
    share_found_interval: Interval
    found: int


@dataclass(frozen=True)
class TwinFigures:
    """Pairs of a lens and the same object without its source: in how many the lens scores above its twin.

    It cannot be raised by telling massive ellipticals from other galaxies: both of a pair have the same one.
    A tie counts as not above.
    """

    pairs: int
    above: int

    @property
    def share(self) -> float:
        """NaN without pairs."""
        return self.above / self.pairs if self.pairs else float("nan")

    @property
    def interval(self) -> Interval:
        """Of the share, 95 %, Wilson's."""
        return wilson(self.above, self.pairs)


@dataclass(frozen=True)
class ModelFigures:
    """All figures of one model on one set of objects. against : by name of the quantity."""

    judged: Judged
    twins: TwinFigures
    figures: dict[str, float]
    intervals: dict[str, Interval]
    by_subtype: list[GroupFigures]
    against: dict[str, list[GroupFigures]]


def figures_of(judged: Judged) -> dict[str, float]:
    """The values of `FIGURES`; NaN for those that have no meaning here."""
    lens, error = judged.truth.is_lens, judged.position_error_arcsec
    values = (
        auroc(judged.logit, lens),
        completeness_before(judged.logit, lens, false_positives=1),
        completeness_before(judged.logit, lens, false_positives=10),
        completeness_at(judged.logit, lens, false_positive_rate=WORKING_POINT),
        completeness_at(judged.logit, lens, false_positive_rate=0.001),
        f1_score(judged.p_lens, lens),
        expected_calibration_error(judged.p_lens, lens),
        *(percentile_of(error, percent) for percent in (50, 68, 95)),
        pull_spread(judged.pull),
    )
    return dict(zip(FIGURES, values, strict=True))


def twin_figures(judged: Judged) -> TwinFigures:
    """Each lens against its twin, where both were scored."""
    truth = judged.truth
    row_of = {object_id: row for row, object_id in enumerate(truth.object_ids.tolist())}
    twins = np.array([row_of.get(twin_id, -1) for twin_id in truth.twin_ids.tolist()], np.int64)
    lenses = np.flatnonzero(truth.is_lens & (twins >= 0))
    above = judged.logit[lenses] > judged.logit[twins[lenses]]
    return TwinFigures(len(lenses), int(above.sum()))


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
    bins = {name: bins_of(truth, name) for name in QUANTITIES if name in truth.quantities}
    groups = [*subtypes, *(group for some in bins.values() for group in some)]
    members = np.array([group.rows for group in groups], bool).reshape(len(groups), len(judged))

    def statistics(rows: NDArray[np.int64]) -> Numbers:
        some = judged.take(rows)
        return np.concatenate([list(figures_of(some).values()), _shares_found(some, members[:, rows])])

    intervals = bootstrap(statistics, truth.is_lens, resamples=resamples, seed=seed)
    figures = figures_of(judged)
    found = iter(
        [
            _group_figures(judged, group, interval)
            for group, interval in zip(groups, intervals[len(FIGURES) :], strict=True)
        ]
    )
    return ModelFigures(
        judged=judged,
        twins=twin_figures(judged),
        figures=figures,
        intervals=_figure_intervals(judged, figures, intervals[: len(FIGURES)]),
        by_subtype=[next(found) for _ in subtypes],
        against={name: [next(found) for _ in some] for name, some in bins.items()},
    )


def _shares_found(judged: Judged, members: NDArray[np.bool_]) -> Numbers:
    """Share of each group above the working threshold: (group, object) -> (group,)."""
    objects = members.sum(axis=1).astype(float)
    threshold = working_threshold(judged)
    if np.isnan(threshold):
        return np.full(len(members), np.nan)
    found = (members & (judged.logit > threshold)).sum(axis=1)
    shares: Numbers = np.where(objects > 0, found / np.maximum(objects, 1), np.nan)
    return shares


def _group_figures(judged: Judged, group: Group, interval: Numbers) -> GroupFigures:
    compared = judged.take(group.rows | (judged.truth.is_lens != group.is_lens))
    objects = int(group.rows.sum())
    found = int((group.rows & (judged.logit > working_threshold(judged))).sum())
    (share,) = _shares_found(judged, group.rows[None])
    share_bounds = share_interval(interval, found, objects) if np.isfinite(share) else (np.nan, np.nan)
    return GroupFigures(group, objects, figures_of(compared), float(share), share_bounds, found)


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
