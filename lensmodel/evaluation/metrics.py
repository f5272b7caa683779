"""Figures of merit: how well verdicts and positions agree with the truth. Arrays in, numbers out.

NaN means that the figure has no meaning here, for want of lenses, non-lenses or positions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import rankdata

from data.priors import logit_at_share

Numbers = NDArray[np.float64]
Claims = NDArray[np.bool_]

ONE_SIGMA = 0.6826894921370859  # the share of a Gaussian within one sigma
MAD_OF_ONE_SIGMA = 1.4826  # a Gaussian's sigma over its median absolute deviation
CALIBRATION_BINS = 10


class RocCurve(NamedTuple):
    """One point for each distinct score, from none taken for a lens to all: (point,)."""

    false_positive_rate: Numbers
    completeness: Numbers


class PurityCurve(NamedTuple):
    """One point for each distinct score, from the highest down: (point,). Taken are scores from threshold up."""

    threshold: Numbers
    purity: Numbers
    completeness: Numbers


class Reliability(NamedTuple):
    """The stated probability beside what came true, for each bin that is not empty: (bin,)."""

    stated: Numbers
    share_of_lenses: Numbers
    objects: NDArray[np.int64]


def auroc(score: ArrayLike, is_lens: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a lens scores above a non-lens, ties counted half.

    Mann-Whitney U over the number of pairs; NaN if a class is absent.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    values, lens = _arrays(score, is_lens)
    positive, negative = int(lens.sum()), int((~lens).sum())
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[lens].sum() - positive * (positive + 1) / 2) / (positive * negative))


def threshold_at(score: ArrayLike, is_lens: ArrayLike, *, false_positives: int) -> float:
    """The lowest score that at most this many non-lenses exceed; -inf if there are no more non-lenses than that."""
    values, lens = _arrays(score, is_lens)
    others = values[~lens]
    if false_positives >= len(others):
        return float("-inf")
    return float(np.partition(others, -false_positives - 1)[-false_positives - 1])


def allowed_false_positives(false_positive_rate: float, non_lenses: int) -> int:
    """How many of the non-lenses may exceed the threshold at this rate, the rate itself included."""
    return int(np.floor(false_positive_rate * non_lenses + 1e-9))


def completeness_at(score: ArrayLike, is_lens: ArrayLike, *, false_positive_rate: float) -> float:
    """Share of lenses above the lowest threshold that no larger share of non-lenses exceeds.

    >>> completeness_at([1, 2, 3, 2, 4], [False, False, False, True, True], false_positive_rate=0.4)
    0.5
    """
    values, lens = _arrays(score, is_lens)
    non_lenses = int((~lens).sum())
    if not lens.any() or not non_lenses:
        return float("nan")
    allowed = allowed_false_positives(false_positive_rate, non_lenses)
    return float((values[lens] > threshold_at(values, lens, false_positives=allowed)).mean())


def completeness_before(score: ArrayLike, is_lens: ArrayLike, *, false_positives: int) -> float:
    """Share of lenses found before this many non-lenses are: TPR0 before the first, TPR10 before the tenth.

    Metcalf et al. 2019, A&A 625, A119, Sect. 4, for whom there were 100,000 objects. NaN if there are fewer
    non-lenses than that.
    """
    values, lens = _arrays(score, is_lens)
    if not lens.any() or int((~lens).sum()) < false_positives:
        return float("nan")
    return float((values[lens] > threshold_at(values, lens, false_positives=false_positives - 1)).mean())


def f1_score(p_lens: ArrayLike, is_lens: ArrayLike, *, threshold: float = 0.5) -> float:
    """Harmonic mean of purity and completeness of what has p_lens from the threshold up; NaN without lenses."""
    p, lens = _arrays(p_lens, is_lens)
    if not lens.any():
        return float("nan")
    taken = p >= threshold
    return float(2 * (taken & lens).sum() / (taken.sum() + lens.sum()))


def expected_calibration_error(
    p_lens: ArrayLike, is_lens: ArrayLike, *, bins: int = CALIBRATION_BINS
) -> float:
    """Mean difference between the stated probability and the share of lenses, in bins of equal width.

    NaN without objects, or if a probability is not known.
    Naeini, Cooper & Hauskrecht 2015, AAAI, 2901.
    """
    if not np.size(p_lens) or np.isnan(p_lens).any():
        return float("nan")
    found = reliability(p_lens, is_lens, bins=bins)
    return float(np.average(np.abs(found.stated - found.share_of_lenses), weights=found.objects))


def reliability(p_lens: ArrayLike, is_lens: ArrayLike, *, bins: int = CALIBRATION_BINS) -> Reliability:
    """Mean stated probability and share of lenses in bins of equal width; objects without one do not count."""
    p, lens = _arrays(p_lens, is_lens)
    p, lens = p[np.isfinite(p)], lens[np.isfinite(p)]
    which = calibration_bin(p, bins=bins)
    objects = np.bincount(which, minlength=bins)
    filled = objects > 0
    stated = np.bincount(which, p, bins)[filled] / objects[filled]
    return Reliability(stated, np.bincount(which, lens, bins)[filled] / objects[filled], objects[filled])


def calibration_bin(p_lens: Numbers, *, bins: int = CALIBRATION_BINS) -> NDArray[np.int64]:
    """Which of the bins of equal width each probability is in."""
    return np.minimum((p_lens * bins).astype(np.int64), bins - 1)


def at_another_prior(logit: ArrayLike, *, prior: float, share: float) -> Numbers:
    """The probability that a logit stands for where a share of the objects are lenses, not as many as at its prior.

    As in `data.priors.logit_at_share`; NaN where only one class occurs.

    >>> at_another_prior([0.0], prior=0.5, share=0.2).round(3).tolist()
    [0.2]
    """
    values = np.asarray(logit, float)
    if not (0 < share < 1 and 0 < prior < 1):
        return np.full(values.shape, np.nan)
    stated: Numbers = expit(logit_at_share(values, prior=prior, share=share))
    return stated


def roc_curve(score: ArrayLike, is_lens: ArrayLike) -> RocCurve:
    """Completeness against false-positive rate, with the corners (0, 0) and (1, 1)."""
    _, lenses, others = _taken_from_the_top(score, is_lens)
    start = np.zeros(1)
    return RocCurve(
        np.concatenate([start, others / max(1, others[-1] if len(others) else 0)]),
        np.concatenate([start, lenses / max(1, lenses[-1] if len(lenses) else 0)]),
    )


def purity_curve(score: ArrayLike, is_lens: ArrayLike) -> PurityCurve:
    """Purity and completeness of the objects from each score up, in the mix of classes as given."""
    thresholds, lenses, others = _taken_from_the_top(score, is_lens)
    return PurityCurve(
        thresholds, lenses / (lenses + others), lenses / max(1, lenses[-1] if len(lenses) else 0)
    )


def position_error_arcsec(
    x_arcsec: ArrayLike, y_arcsec: ArrayLike, true_x_arcsec: ArrayLike, true_y_arcsec: ArrayLike
) -> Numbers:
    """Distance between predicted and true positions, (object,)."""
    dx = np.asarray(x_arcsec, float) - np.asarray(true_x_arcsec, float)
    dy = np.asarray(y_arcsec, float) - np.asarray(true_y_arcsec, float)
    distance: Numbers = np.hypot(dx, dy)
    return distance


def percentile_of(values: ArrayLike, percent: float) -> float:
    """The percentile of the values that are numbers; NaN if there is none."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(np.percentile(known, percent)) if len(known) else float("nan")


def pull_spread(pull: ArrayLike) -> float:
    """Half the width that holds the middle 68.27 % of errors in units of their sigma: 1 if sigma is honest."""
    low, high = (percentile_of(pull, 50 * (1 + sign * ONE_SIGMA)) for sign in (-1, 1))
    return (high - low) / 2


def robust_spread(pull: ArrayLike) -> float:
    """1.4826 times the median distance from the median: a Gaussian's sigma, whatever its far wings do."""
    known = np.asarray(pull, float)
    known = known[np.isfinite(known)]
    return MAD_OF_ONE_SIGMA * percentile_of(np.abs(known - percentile_of(known, 50)), 50)


def _arrays(score: ArrayLike, is_lens: ArrayLike) -> tuple[Numbers, Claims]:
    return np.asarray(score, float), np.asarray(is_lens, bool)


def _taken_from_the_top(score: ArrayLike, is_lens: ArrayLike) -> tuple[Numbers, Numbers, Numbers]:
    """Distinct scores from the highest down, and how many lenses and others score from there up."""
    values, lens = _arrays(score, is_lens)
    order = np.argsort(-values, kind="stable")
    values, lens = values[order], lens[order]
    last = np.flatnonzero(np.append(np.diff(values) != 0, True)) if len(values) else np.empty(0, np.int64)
    lenses = np.cumsum(lens)[last].astype(float)
    return values[last], lenses, last + 1 - lenses
