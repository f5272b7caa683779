"""How far inspectors agree beyond chance: Krippendorff's alpha and Cohen's weighted kappa. Pure.

Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; Cohen 1968, Psychological Bulletin 70, 213.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.ratings import Ratings

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where there is too little to say."""

    value: float
    low: float
    high: float


def krippendorff_alpha(counts: ArrayLike) -> float:
    """Alpha for ordered categories: 1 if all agree, 0 as by chance; NaN without two different grades in pairs.

    counts : (object, category), how often each category was given, in their order.
    """
    pairable = _pairable(np.asarray(counts, float))
    return _alpha(_coincidences(pairable).sum(axis=0))


def alpha_of(ratings: Ratings, *, resamples: int = 1000, seed: int = 1) -> Estimate:
    """Alpha of all inspectors, its interval from drawing objects with replacement."""
    each = _coincidences(_pairable(ratings.counts.astype(float)))
    if not len(each):
        return Estimate(np.nan, np.nan, np.nan)
    return _bootstrapped(lambda weights: _alpha(np.tensordot(weights, each, 1)), len(each), resamples, seed)


def weighted_kappa(first: ArrayLike, second: ArrayLike, categories: int = 4) -> float:
    """Cohen's kappa of two inspectors with quadratic weights; NaN if both give one and the same category only.

    first, second : category from 0 of each object that both graded.
    """
    return _kappa(_joint(first, second, categories).sum(axis=0))


def kappa_of_pairs(
    ratings: Ratings, *, least_common: int = 10, resamples: int = 1000, seed: int = 1
) -> Iterator[tuple[str, str, int, Estimate]]:
    """Each pair of inspectors with at least so many objects in common, their number, and their kappa."""
    for one in range(len(ratings.inspectors)):
        for other in range(one + 1, len(ratings.inspectors)):
            common = ratings.is_given[:, one] & ratings.is_given[:, other]
            if common.sum() < least_common:
                continue
            joint = _joint(ratings.points[common, one], ratings.points[common, other], 4)

            def kappa(weights: Numbers, joint: Numbers = joint) -> float:
                return _kappa(np.tensordot(weights, joint, 1))

            estimate = _bootstrapped(kappa, len(joint), resamples, seed)
            yield ratings.inspectors[one], ratings.inspectors[other], len(joint), estimate


def _pairable(counts: Numbers) -> Numbers:
    pairable: Numbers = counts[counts.sum(axis=1) >= 2]
    return pairable


def _coincidences(counts: Numbers) -> Numbers:
    """(object, category, category): pairs of grades of one object, each grade counting as one in all."""
    pairs = counts[:, :, np.newaxis] * counts[:, np.newaxis, :]
    pairs -= np.eye(counts.shape[1]) * counts[:, :, np.newaxis]
    coincidences: Numbers = pairs / (counts.sum(axis=1) - 1)[:, np.newaxis, np.newaxis]
    return coincidences


def _alpha(coincidences: Numbers) -> float:
    of_each = coincidences.sum(axis=1)
    total = of_each.sum()
    below = np.cumsum(of_each) - of_each / 2
    distance = (below[:, np.newaxis] - below) ** 2  # the ordinal metric
    expected = (np.outer(of_each, of_each) * distance).sum()
    if expected <= 0:
        return np.nan
    return float(1 - (total - 1) * (coincidences * distance).sum() / expected)


def _joint(first: ArrayLike, second: ArrayLike, categories: int) -> Numbers:
    """(object, category, category), one where the two grades of an object meet."""
    identity = np.eye(categories)
    joint: Numbers = np.einsum("ni,nj->nij", *(identity[np.asarray(one, int)] for one in (first, second)))
    return joint


def _kappa(joint: Numbers) -> float:
    steps = np.arange(len(joint))
    weights = (steps[:, np.newaxis] - steps) ** 2
    expected = (np.outer(joint.sum(axis=1), joint.sum(axis=0)) * weights).sum() / joint.sum()
    return float(1 - (joint * weights).sum() / expected) if expected > 0 else np.nan


def _bootstrapped(statistic: Callable[[Numbers], float], size: int, resamples: int, seed: int) -> Estimate:
    """The statistic of all objects, each of weight one, and its interval over objects drawn anew."""
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(rng.multinomial(size, np.full(size, 1 / size)).astype(float)) for _ in range(resamples)
    ]
    finite = np.array(drawn)[np.isfinite(drawn)]
    low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (np.nan, np.nan)
    return Estimate(statistic(np.ones(size)), float(low), float(high))
