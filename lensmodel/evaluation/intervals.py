"""How sure a figure is: bootstrap intervals, and Wilson's for shares of few objects."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lensmodel.evaluation.metrics import Numbers

LEVEL = 0.95
_Z = 1.959963984540054  # of a Gaussian, for LEVEL


def bootstrap(
    statistics: Callable[[NDArray[np.int64]], Numbers],
    strata: ArrayLike,
    *,
    resamples: int,
    seed: int,
) -> Numbers:
    """95 % intervals of several statistics of the same objects: (statistic, 2), low and high.

    statistics : rows with repeats -> (statistic,). strata : (object,), the class; each keeps its size.

    Percentiles of the resamples, moved by the mean difference between them and the sample: resampling alone
    makes a calibration error larger (Efron & Tibshirani 1993, Sect. 10). NaN where a statistic has none.
    """
    groups = [np.flatnonzero(np.asarray(strata) == value) for value in np.unique(strata)]
    rows = np.concatenate(groups) if groups else np.empty(0, np.int64)
    measured = statistics(rows)
    if not len(rows) or not resamples:
        return np.full((len(measured), 2), np.nan)
    random = np.random.default_rng(seed)
    drawn = np.stack(
        [
            statistics(
                np.concatenate([group[random.integers(0, len(group), len(group))] for group in groups])
            )
            for _ in range(resamples)
        ]
    )
    return _centred_percentiles(drawn, measured)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share; not of zero width where all or none succeed (Wilson 1927, JASA 22, 209).

    >>> [round(bound, 3) for bound in wilson(5, 5)]
    [0.566, 1.0]
    """
    if not trials:
        return float("nan"), float("nan")
    share, z2 = successes / trials, _Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def share_interval(interval: ArrayLike, successes: int, trials: int) -> tuple[float, float]:
    """An interval of a share, no narrower than Wilson's for as many trials and within 0 and 1."""
    low, high = np.asarray(interval, float)
    least, most = wilson(successes, trials)
    return float(np.fmax(np.fmin(low, least), 0.0)), float(np.fmin(np.fmax(high, most), 1.0))


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
