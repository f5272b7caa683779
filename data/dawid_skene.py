"""What the grade of each object probably is, given how each inspector errs. Pure.

Dawid & Skene 1979, Applied Statistics 28, 20: expectation maximisation, begun with the shares of votes. They know
no order of classes; ours lies in what is taken as known in advance: an error of one grade is likelier than one of two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.ratings import Ratings

Numbers = NDArray[np.float64]

CLASSES = 4
IN_ADVANCE = 8.0  # a choice of ours: with fewer, who graded little is taken for what chance made of them
FURTHER = 0.5  # how likely an error is, against one that is a grade smaller, before anybody graded


@dataclass(frozen=True)
class Estimated:
    """What came of it; classes and responses are points from 0 to 3.

    p : (object, class), what the grade is. share : (class,), of all objects. confusion : (inspector, class, response),
    what the inspector says of objects of a class. mean, sd : (object,) of the points, and how uncertain they are.
    """

    p: Numbers
    share: Numbers
    confusion: Numbers
    log_likelihood: float
    iterations: int

    @property
    def mean(self) -> Numbers:
        points: Numbers = self.p @ np.arange(CLASSES)
        return points

    @property
    def sd(self) -> Numbers:
        squares: Numbers = self.p @ np.arange(CLASSES) ** 2
        return np.sqrt(np.maximum(squares - self.mean**2, 0))


def dawid_skene(
    ratings: Ratings, *, smoothing: float = 0.0, tolerance: float = 1e-10, most: int = 10_000
) -> Estimated:
    """Fit shares and confusions until the log likelihood grows by less than the tolerance per object.

    smoothing : how many grades each inspector is taken to have given in advance in each class, most of them right,
    half as many for each grade of error; above zero one with few grades is never taken for infallible. Zero is the
    paper's method.
    """
    steps = np.arange(CLASSES)
    likely = FURTHER ** np.abs(steps[:, np.newaxis] - steps)
    in_advance = smoothing * likely / likely.sum(axis=1, keepdims=True)
    given = np.eye(CLASSES)[ratings.points.clip(0)] * ratings.is_given[:, :, np.newaxis]
    p = given.sum(axis=1) / given.sum(axis=(1, 2), keepdims=True)[:, 0]
    before = -np.inf
    for iteration in range(1, most + 1):  # noqa: B007 - it is told how many there were
        share, confusion = _errors(given, p, in_advance)
        p, log_likelihood = _classes(given, share, confusion)
        if log_likelihood - before < tolerance * len(p):
            break
        before = log_likelihood
    return Estimated(p, share, confusion, log_likelihood, iteration)


def _errors(given: Numbers, p: Numbers, in_advance: Numbers) -> tuple[Numbers, Numbers]:
    responses = np.einsum("oc,oir->icr", p, given) + in_advance
    of_class = responses.sum(axis=2, keepdims=True)
    # Of a class that an inspector never met nothing is known.
    confusion = np.divide(responses, of_class, out=np.full_like(responses, 1 / CLASSES), where=of_class > 0)
    return p.mean(axis=0), confusion


def _classes(given: Numbers, share: Numbers, confusion: Numbers) -> tuple[Numbers, float]:
    with np.errstate(divide="ignore"):
        log_share, log_confusion = np.log(share), np.log(confusion)
    # A response that is impossible in a class and not given must not make the class impossible: 0 times infinity.
    log_confusion = np.maximum(log_confusion, -1e3)
    joint = log_share + np.einsum("oir,icr->oc", given, log_confusion)
    largest = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - largest)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, float((largest + np.log(total)).sum())
