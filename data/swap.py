"""SWAP: the probability that an object is a lens, from inspectors whose skill is known from known objects. Pure.

Marshall et al. 2016, MNRAS 455, 1171 (Space Warps), eqs. 1 to 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.ratings import Ratings

PRIOR = 2e-4  # share of lenses among the objects of Space Warps
DETECTED, REJECTED = 0.95, 1e-7
SAYS_LENS = 2  # from so many points a grade says lens: A and B


@dataclass(frozen=True)
class Skill:
    """P(says lens | lens) and P(says not | not), and from how many known lenses and non-lenses."""

    lens: float
    not_lens: float
    n_lenses: int
    n_non_lenses: int


@dataclass(frozen=True)
class Judged:
    """p_lens : (object,). verdict : (object,), `detected`, `rejected`, or empty. skills : by inspector."""

    p_lens: NDArray[np.float64]
    verdict: NDArray[np.str_]
    skills: dict[str, Skill]


def log_likelihood_ratio(
    says_lens: ArrayLike, of_lens: ArrayLike, of_others: ArrayLike
) -> NDArray[np.float64]:
    """How much an answer speaks for a lens, as a natural logarithm.

    of_lens : P(says lens | lens). of_others : P(says not | not).
    """
    lens, others = np.asarray(of_lens, float), np.asarray(of_others, float)
    spoken: NDArray[np.float64] = np.where(
        says_lens, np.log(lens / (1 - others)), np.log((1 - lens) / others)
    )
    return spoken


def swap(ratings: Ratings, known: Mapping[str, bool], *, prior: float = PRIOR) -> Judged:
    """Skills from the objects of which it is known whether they are lenses, then p_lens of each object.

    An inspector begins as one who tosses a coin: one answer of each kind in advance, as in Marshall et al.
    """
    is_known = np.array([object_id in known for object_id in ratings.object_ids], bool)
    is_lens = np.array([known.get(object_id, False) for object_id in ratings.object_ids], bool)
    said, given = ratings.points >= SAYS_LENS, ratings.is_given
    lenses, others = (is_known & is_lens)[:, np.newaxis], (is_known & ~is_lens)[:, np.newaxis]
    n_lenses, n_others = (given & lenses).sum(axis=0), (given & others).sum(axis=0)
    of_lens = ((given & said & lenses).sum(axis=0) + 1) / (n_lenses + 2)
    of_others = ((given & ~said & others).sum(axis=0) + 1) / (n_others + 2)
    speaks = log_likelihood_ratio(said, of_lens, of_others)
    log_odds = np.log(prior / (1 - prior)) + np.where(given, speaks, 0).sum(axis=1)
    p_lens = 1 / (1 + np.exp(-log_odds.clip(-700, 700)))
    verdict = np.select([p_lens > DETECTED, p_lens < REJECTED], ["detected", "rejected"], "")
    skills = {
        inspector: Skill(float(of_lens[n]), float(of_others[n]), int(n_lenses[n]), int(n_others[n]))
        for n, inspector in enumerate(ratings.inspectors)
    }
    return Judged(p_lens, verdict, skills)
