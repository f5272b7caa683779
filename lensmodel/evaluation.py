"""How well verdicts and positions agree with the truth."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata


def auroc(score: ArrayLike, is_lens: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a lens scores above a non-lens, ties counted half.

    Mann-Whitney U over the number of pairs; NaN if a class is absent.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    lens = np.asarray(is_lens, bool)
    ranks = rankdata(np.asarray(score, float))
    positive, negative = int(lens.sum()), int((~lens).sum())
    if not positive or not negative:
        return float("nan")
    return float((ranks[lens].sum() - positive * (positive + 1) / 2) / (positive * negative))


def completeness_at(score: ArrayLike, is_lens: ArrayLike, *, false_positive_rate: float) -> float:
    """Share of lenses above the score that this share of non-lenses exceeds."""
    values, lens = np.asarray(score, float), np.asarray(is_lens, bool)
    threshold = np.quantile(values[~lens], 1 - false_positive_rate)
    return float((values[lens] > threshold).mean())


def position_error_arcsec(
    x_arcsec: ArrayLike, y_arcsec: ArrayLike, true_x_arcsec: ArrayLike, true_y_arcsec: ArrayLike
) -> NDArray[np.float64]:
    """Distance between predicted and true positions, (object,)."""
    dx = np.asarray(x_arcsec, float) - np.asarray(true_x_arcsec, float)
    dy = np.asarray(y_arcsec, float) - np.asarray(true_y_arcsec, float)
    distance: NDArray[np.float64] = np.hypot(dx, dy)
    return distance


def expected_calibration_error(p_lens: ArrayLike, is_lens: ArrayLike, *, bins: int = 10) -> float:
    """Mean difference between the stated probability and the share of lenses, in bins of equal width.

    Naeini, Cooper & Hauskrecht 2015, AAAI, 2901.
    """
    p, lens = np.asarray(p_lens, float), np.asarray(is_lens, float)
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [
        abs(p[which == b].mean() - lens[which == b].mean()) * (which == b).mean() for b in np.unique(which)
    ]
    return float(np.sum(gaps))
