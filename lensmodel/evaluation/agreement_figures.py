"""How well `where_why` tells responses to a lens at its place from others. NumPy only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from data.shares import Interval, Z, wilson
from lensmodel.evaluation.figures import Judged
from lensmodel.evaluation.metrics import auroc

RIGHT_ARCSEC = 0.5  # from the lens: a right place
RESPONSE = 0.5  # p_lens from which a network responds


@dataclass(frozen=True)
class Separation:
    """How often one of the `above` has a higher value than one of the `below`, of all pairs, ties counted half.

    share : NaN if there are none of either. interval : 95 %, by the variance of Hanley & McNeil 1982, Radiology 143,
        29, on the logit of the share.
    """

    share: float
    interval: Interval
    above: int
    below: int


@dataclass(frozen=True)
class AgreementFigures:
    """Responses to lenses at their place, against those to lenses placed elsewhere and to non-lenses."""

    elsewhere: Separation
    nonlenses: Separation


def agreement_figures(judged: Judged) -> AgreementFigures:
    """What `where_why` tells, of the objects that have it and whose p_lens is RESPONSE or more."""
    responds = np.isfinite(judged.where_why) & (judged.p_lens >= RESPONSE)
    is_lens, error = judged.truth.is_lens, judged.position_error_arcsec
    right = judged.where_why[responds & is_lens & (error <= RIGHT_ARCSEC)]
    return AgreementFigures(
        elsewhere=separation(right, judged.where_why[responds & is_lens & (error > RIGHT_ARCSEC)]),
        nonlenses=separation(right, judged.where_why[responds & ~is_lens]),
    )


def separation(above: ArrayLike, below: ArrayLike) -> Separation:
    """How well values tell two groups apart; NaN are left out.

    >>> separation([0.9, 0.8, 0.4], [0.5, 0.1]).share
    0.8333333333333334
    """
    high, low = (np.asarray(values, float) for values in (above, below))
    high, low = high[np.isfinite(high)], low[np.isfinite(low)]
    share = auroc(np.concatenate([high, low]), np.arange(len(high) + len(low)) < len(high))
    return Separation(share, _interval(share, len(high), len(low)), len(high), len(low))


def _interval(share: float, above: int, below: int) -> Interval:
    if not above or not below:
        return float("nan"), float("nan")
    squared = share * share
    q1, q2 = share / (2 - share), 2 * squared / (1 + share)
    variance = share * (1 - share) + (above - 1) * (q1 - squared) + (below - 1) * (q2 - squared)
    sigma = math.sqrt(max(variance, 0.0) / (above * below))
    if not 0 < share < 1 or not sigma:  # all pairs alike: as of so many independent ones
        fewer = min(above, below)
        return wilson(round(share * fewer), fewer)
    middle, half = math.log(share / (1 - share)), Z * sigma / (share * (1 - share))  # within 0 and 1
    return 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))
