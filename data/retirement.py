"""When an object of a group session needs no more grades. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.consensus import DISPUTED_SPREAD, POINTS, summarise
from data.swap import DETECTED, REJECTED


@dataclass(frozen=True)
class RetirementRule:
    """quorum : grades that every object gets. early : clear ones are done before, after `least` grades."""

    quorum: int
    early: bool = False
    least: int = 3


def is_decided(counts: ArrayLike, rule: RetirementRule, p_lens: ArrayLike | None = None) -> NDArray[np.bool_]:
    """Which objects are done.

    counts : (object, grade) in the order A, B, C, X. p_lens : (object,) by SWAP, where it is known.

    With `early`, an object is also done when all of its `least` or more grades are X, or when SWAP has detected or
    rejected it; never while its grades are two apart or more, which is what the quorum is for.
    """
    counts = np.asarray(counts, np.int64).reshape(-1, len(POINTS))
    number = counts.sum(axis=1)
    done: NDArray[np.bool_] = number >= rule.quorum
    if not rule.early:
        return done
    is_clear = counts[:, list(POINTS).index("X")] == number
    if p_lens is not None:
        p_lens = np.asarray(p_lens, float)
        is_clear |= (p_lens > DETECTED) | (p_lens < REJECTED)
    is_disputed = summarise(counts).spread >= DISPUTED_SPREAD
    done |= is_clear & (number >= rule.least) & ~is_disputed
    return done
