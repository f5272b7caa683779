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
from data.shares import wilson

THRESHOLDS = (0.5, 1.0, 1.5, 2.0, 2.5)
Numbers = NDArray[np.float64]
_LEAST_POWER = 0.05  # a threshold that tells known objects apart no better says nothing of others


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
    means, kept_of, passed_of = (np.asarray(some, float) for some in (targets, lenses, others))
    if not len(means) or not len(kept_of) or not len(passed_of):
        return None
    weight = np.ones(len(means)) if weights is None else np.asarray(weights, float)
    steps = np.asarray(thresholds, float)
    kept, passed = ((some[:, np.newaxis] >= steps).sum(axis=0) for some in (kept_of, passed_of))
    best = int(np.argmax(kept / len(kept_of) - passed / len(passed_of)))
    measured = _figures(means, weight, kept / len(kept_of), passed / len(passed_of), steps, best)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        # Rates as Jeffreys' prior leaves them: a handful of known objects that all pass make nothing 100 % sure.
        rate_kept = rng.beta(kept + 0.5, len(kept_of) - kept + 0.5)
        rate_passed = rng.beta(passed + 0.5, len(passed_of) - passed + 0.5)
        chosen = rng.integers(len(means), size=len(means))
        drawn.append(_figures(means[chosen], weight[chosen], rate_kept, rate_passed, steps, best))
    low, high = _bounds(np.array(drawn), measured)

    def estimate(at: int, step: int = 0) -> Estimate:
        return Estimate(float(measured[at, step]), float(low[at, step]), float(high[at, step]))

    def share(count: int, of: int) -> Estimate:
        return Estimate(count / of, *wilson(count, of))

    rows = tuple(
        Threshold(
            threshold=float(threshold),
            selected=float(measured[_SELECTED, n]),
            completeness=share(int(kept[n]), len(kept_of)),
            false_positives=share(int(passed[n]), len(passed_of)),
            purity=estimate(_PURITY, n),
        )
        for n, threshold in enumerate(steps)
    )
    return Thresholds(estimate(_LENSES), rows)


_PURITY, _SELECTED, _LENSES = range(3)


def _figures(
    means: Numbers, weight: Numbers, kept: Numbers, passed: Numbers, steps: Numbers, best: int
) -> Numbers:
    """(figure, threshold): purity, selected, lenses. kept, passed : (threshold,), of known lenses and others."""
    selected = weight @ (means[:, np.newaxis] >= steps)
    total = weight.sum()
    power = kept[best] - passed[best]
    number = (selected[best] - passed[best] * total) / power if power > _LEAST_POWER else np.nan
    number = float(np.clip(number, 0, total))
    with np.errstate(invalid="ignore", divide="ignore"):
        purity = np.where(selected > 0, np.clip(kept * number / selected, 0, 1), np.nan)
    return np.stack([purity, selected, np.full(len(steps), number)])


def _bounds(drawn: Numbers, measured: Numbers) -> tuple[Numbers, Numbers]:
    if not len(drawn):
        nothing = np.full_like(measured, np.nan)
        return nothing, nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all are NaN where nothing is selected
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return low, high
