"""Completeness and purity of what a group session selects, from known objects that were mixed in. Pure.

The known lenses tell how many lenses a threshold keeps, the known others how many non-lenses it lets through. From
both and from what it selects follows how many lenses there are among the objects themselves, whatever the share was to
which the queue had been enriched (Rogan & Gladen 1978, American Journal of Epidemiology 107, 71). All of it assumes
that known lenses and non-lenses are like those among the objects, which simulated ones need not be.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.reliability import Estimate

THRESHOLDS = (0.5, 1.0, 1.5, 2.0, 2.5)
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """What a mean grade of `threshold` or more selects; shares with 95 % intervals. selected : objects, weighted."""

    threshold: float
    selected: float
    completeness: Estimate
    false_positives: Estimate
    purity: Estimate


@dataclass(frozen=True)
class Thresholds:
    """lenses : how many there are among the objects, estimated. rows : one for each threshold."""

    lenses: Estimate
    rows: tuple[Threshold, ...]


def thresholds_of(
    targets: ArrayLike,
    lenses: ArrayLike,
    others: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    resamples: int = 1000,
    seed: int = 1,
) -> Thresholds | None:
    """What each threshold keeps and lets through; None without objects, known lenses and known non-lenses.

    targets, lenses, others : mean points of objects, of known lenses and of known non-lenses. weights : of targets,
    one over the probability with which each came into the session, where that was a sample. The number of lenses is
    taken at the threshold that tells the known objects apart best (Youden's index).
    """
    samples = np.asarray(targets, float), np.asarray(lenses, float), np.asarray(others, float)
    if not all(len(sample) for sample in samples):
        return None
    weight = np.ones(len(samples[0])) if weights is None else np.asarray(weights, float)
    steps = np.asarray(thresholds, float)
    rng = np.random.default_rng(seed)
    measured = _figures(*samples, weight, steps)
    drawn = []
    for _ in range(resamples):
        of, kept, passed = (rng.integers(len(sample), size=len(sample)) for sample in samples)
        drawn.append(_figures(samples[0][of], samples[1][kept], samples[2][passed], weight[of], steps))
    low, high = _bounds(np.array(drawn), measured)

    def estimate(at: int, step: int = 0) -> Estimate:
        return Estimate(float(measured[at, step]), float(low[at, step]), float(high[at, step]))

    rows_of = tuple(
        Threshold(float(threshold), float(measured[3, n]), estimate(0, n), estimate(1, n), estimate(2, n))
        for n, threshold in enumerate(steps)
    )
    return Thresholds(estimate(4), rows_of)


def _figures(targets: Numbers, lenses: Numbers, others: Numbers, weight: Numbers, steps: Numbers) -> Numbers:
    """(figure, threshold): completeness, false positives, purity, selected, lenses."""
    above = targets[:, np.newaxis] >= steps
    selected = weight @ above
    # One of each kind in advance, so that a few known objects never make a rate of 0 or 1.
    completeness = ((lenses[:, np.newaxis] >= steps).sum(axis=0) + 0.5) / (len(lenses) + 1)
    passed = ((others[:, np.newaxis] >= steps).sum(axis=0) + 0.5) / (len(others) + 1)
    best = int(np.argmax(completeness - passed))
    total = weight.sum()
    power = completeness[best] - passed[best]
    number = (selected[best] - passed[best] * total) / power if power > 0.05 else np.nan
    number = float(np.clip(number, 0, total))
    with np.errstate(invalid="ignore", divide="ignore"):
        purity = np.clip(completeness * number / selected, 0, 1)
    purity = np.where(selected > 0, purity, np.nan)
    return np.stack([completeness, passed, purity, selected, np.full(len(steps), number)])


def _bounds(drawn: Numbers, measured: Numbers) -> tuple[Numbers, Numbers]:
    if not len(drawn):
        nothing = np.full_like(measured, np.nan)
        return nothing, nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all are NaN where nothing is selected
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return low, high
