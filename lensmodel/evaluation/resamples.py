"""The figures of many resamples at once, from how often each object occurs in them.

Objects are put in order once, so that a resample costs sums and no sorting: a thousand of 20,000 objects take
seconds. The figures are those of `metrics` on the objects with their repeats.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lensmodel.evaluation.intervals import Counts
from lensmodel.evaluation.metrics import (
    CALIBRATION_BINS,
    MAD_OF_ONE_SIGMA,
    ONE_SIGMA,
    Claims,
    Numbers,
    calibration_bin,
)

Statistic = Callable[[Counts], Numbers]


class Ranking:
    """Objects from the highest score down; ties are taken together.

    score : (object,), numbers. is_lens : (object,).
    """

    def __init__(self, score: Numbers, is_lens: Claims) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._is_lens = is_lens[self._order]
        ranked = score[self._order]
        is_last = np.append(np.diff(ranked) != 0, True) if len(ranked) else np.empty(0, bool)
        self._last = np.flatnonzero(is_last)
        self._level = np.cumsum(is_last) - is_last  # of each object, the highest score is level 0

    def taken(self, counts: Counts) -> tuple[Counts, Counts]:
        """Lenses and non-lenses from the top down to each level: (resample, level + 1), none first."""
        ranked = counts[:, self._order]
        none = np.zeros((len(counts), 1), np.int64)
        lenses, everything = (
            np.hstack([none, np.cumsum(some, axis=1)[:, self._last]])
            for some in (np.where(self._is_lens, ranked, 0), ranked)
        )
        return lenses, everything - lenses

    def shares_above(self, counts: Counts, levels: NDArray[np.int64], members: Claims) -> Numbers:
        """Share of each group in the uppermost levels. levels : (resample,); members : (group, object).

        (resample, group); NaN for an empty group.
        """
        ranked = counts[:, self._order].astype(float)
        of_group = members[:, self._order].astype(float).T
        objects = ranked @ of_group
        found = np.where(self._level < levels[:, None], ranked, 0.0) @ of_group
        return _ratio(found, objects)


def aurocs(lenses: Counts, others: Counts) -> Numbers:
    """Area under the ROC curve of each resample, from `Ranking.taken`; NaN if a class is absent."""
    area = (np.diff(others, axis=1) * (lenses[:, 1:] + lenses[:, :-1])).sum(axis=1) / 2
    return _ratio(area, (lenses[:, -1] * others[:, -1]).astype(float))


def levels_with(others: Counts, false_positives: int) -> NDArray[np.int64]:
    """How many levels may be taken before more non-lenses than these are in: (resample,)."""
    levels: NDArray[np.int64] = (others <= false_positives).sum(axis=1) - 1
    return levels


def shares_of_lenses(lenses: Counts, levels: NDArray[np.int64]) -> Numbers:
    """Share of the lenses in the uppermost levels, (resample,)."""
    found = np.take_along_axis(lenses, levels[:, None], axis=1)[:, 0]
    return _ratio(found.astype(float), lenses[:, -1].astype(float))


def f1_scores(p_lens: Numbers, is_lens: Claims, *, threshold: float = 0.5) -> Statistic:
    """As `metrics.f1_score`."""
    taken = p_lens >= threshold
    columns = np.stack([taken & is_lens, taken, is_lens], axis=1).astype(np.int64)

    def scores(counts: Counts) -> Numbers:
        right, all_taken, lenses = (counts @ columns).T.astype(float)
        return np.where(lenses > 0, _ratio(2 * right, all_taken + lenses), np.nan)

    return scores


def calibration_errors(p_lens: Numbers, is_lens: Claims, *, bins: int = CALIBRATION_BINS) -> Statistic:
    """As `metrics.expected_calibration_error`."""
    if np.isnan(p_lens).any():
        return lambda counts: np.full(len(counts), np.nan)
    # What an object adds to the difference between the stated and the true number of lenses of its bin.
    excess = (p_lens - is_lens)[:, None] * (calibration_bin(p_lens, bins=bins)[:, None] == np.arange(bins))

    def errors(counts: Counts) -> Numbers:
        return _ratio(np.abs(counts @ excess).sum(axis=1), counts.sum(axis=1).astype(float))

    return errors


class Values:
    """Some numbers of the objects in order. values : (object,) or, if an object has several, (several, object)."""

    def __init__(self, values: Numbers) -> None:
        flat = values.ravel()
        known = np.flatnonzero(np.isfinite(flat))
        order = known[np.argsort(flat[known], kind="stable")]
        self._values = flat[order]
        self._object = order % values.shape[-1] if values.shape[-1] else order

    def percentiles(self, counts: Counts, percents: tuple[float, ...]) -> Numbers:
        """As `metrics.percentile_of`: (resample, percent)."""
        if not len(self._values):
            return np.full((len(counts), len(percents)), np.nan)
        upto = np.cumsum(counts[:, self._object], axis=1)
        return np.array([self._interpolated(ends, percents) for ends in upto])

    def robust_spreads(self, counts: Counts) -> Numbers:
        """As `metrics.robust_spread`, (resample,)."""
        return np.array([self._robust_spread(some) for some in counts[:, self._object]])

    def _interpolated(self, upto: NDArray[np.int64], percents: tuple[float, ...]) -> Numbers:
        """upto : (value,), how many there are up to and with each."""
        number = int(upto[-1])
        if not number:
            return np.full(len(percents), np.nan)
        place = np.array(percents) / 100 * (number - 1)
        below = np.floor(place).astype(np.int64)
        low, high = (
            self._values[np.searchsorted(upto, np.minimum(rank, number - 1), side="right")]
            for rank in (below, below + 1)
        )
        return low + (place - below) * (high - low)

    def _robust_spread(self, counts: NDArray[np.int64]) -> float:
        drawn = np.repeat(self._values, counts)
        if not len(drawn):
            return float("nan")
        middle = len(drawn) // 2
        median = (drawn[middle] + drawn[middle - (len(drawn) % 2 == 0)]) / 2
        return float(MAD_OF_ONE_SIGMA * np.median(np.abs(drawn - median)))


def pull_spreads(pulls: Values, counts: Counts) -> Numbers:
    """As `metrics.pull_spread`, (resample,)."""
    low, high = pulls.percentiles(counts, (50 * (1 - ONE_SIGMA), 50 * (1 + ONE_SIGMA))).T
    spreads: Numbers = (high - low) / 2
    return spreads


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    ratio: Numbers = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return ratio
