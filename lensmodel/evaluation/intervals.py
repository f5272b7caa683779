"""How sure a figure is: bootstrap intervals, Wilson's for shares, and those of percentiles."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from data.shares import LEVEL, Interval, wilson
from lensmodel.evaluation.metrics import Numbers

Counts = NDArray[np.int64]

_COUNTS_AT_ONCE = 1_000_000  # some 8 MB for each array of them


def bootstrap(
    statistics: Callable[[Counts], Numbers],
    strata: ArrayLike,
    *,
    resamples: int,
    seed: int,
) -> Numbers:
    """95 % intervals of several statistics of the same objects: (statistic, 2), low and high.

    statistics : how often each object occurs, (resample, object) -> (resample, statistic).
    strata : (object,), the class; each keeps its size.

    Percentiles of the resamples, moved by the mean difference between them and the sample: resampling alone
    makes a calibration error larger (Efron & Tibshirani 1993, Sect. 10). NaN where a statistic has none.
    """
    labels = np.asarray(strata)
    (measured,) = statistics(np.ones((1, len(labels)), np.int64))
    if not len(labels) or not resamples:
        return np.full((len(measured), 2), np.nan)
    random = np.random.default_rng(seed)
    at_once = max(1, _COUNTS_AT_ONCE // len(labels))
    drawn = [
        statistics(_resampled(labels, min(at_once, resamples - first), random))
        for first in range(0, resamples, at_once)
    ]
    return _centred_percentiles(np.concatenate(drawn), measured)


def percentile_interval(values: ArrayLike, percent: float) -> Interval:
    """95 % interval of a percentile from the values themselves, whatever their distribution (NaN are left out).

    The ranks between which a binomial puts it (Conover 1999, Practical Nonparametric Statistics, Sect. 3.2). A
    bound is NaN where there are too few values to give it.

    >>> percentile_interval(range(1, 101), 50)
    (40.0, 61.0)
    """
    known = np.sort(np.asarray(values, float))
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan"), float("nan")
    least, most = binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], len(known), percent / 100).astype(int)
    low = float(known[least - 1]) if least > 0 else float("nan")
    high = float(known[most]) if most < len(known) else float("nan")
    return low, high


def share_interval(interval: ArrayLike, successes: int, trials: int) -> Interval:
    """An interval of a share, no narrower than Wilson's for as many trials and within 0 and 1."""
    low, high = np.asarray(interval, float)
    least, most = wilson(successes, trials)
    return float(np.fmax(np.fmin(low, least), 0.0)), float(np.fmin(np.fmax(high, most), 1.0))


def _resampled(strata: NDArray[np.generic], number: int, random: np.random.Generator) -> Counts:
    """How often each object is drawn, (resample, object), with as many of each stratum as there are."""
    counts = np.empty((number, len(strata)), np.int64)
    for value in np.unique(strata):
        rows = np.flatnonzero(strata == value)
        drawn = random.integers(0, len(rows), (number, len(rows)))
        drawn += len(rows) * np.arange(number)[:, None]
        counts[:, rows] = np.bincount(drawn.ravel(), minlength=number * len(rows)).reshape(number, -1)
    return counts


def _centred_percentiles(drawn: Numbers, measured: Numbers) -> Numbers:
    intervals = np.full((len(measured), 2), np.nan)
    known = np.isfinite(measured) & np.isfinite(drawn).any(axis=0)
    if not known.any():
        return intervals
    drawn, measured = drawn[:, known], measured[known]
    tails = np.nanpercentile(drawn, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    low, high = tails - (np.nanmean(drawn, axis=0) - measured)
    intervals[known] = np.stack([np.minimum(low, measured), np.maximum(high, measured)], axis=1)
    return intervals
