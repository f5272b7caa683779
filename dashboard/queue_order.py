"""In which order candidates come: `ORDERS` is what the menu, the API and the tests read. Pure."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.live_scores import ScoreColumns
from data.inspection import shuffle_keys
from data.survey_table import DISAGREEMENT, NEAR_LENS
from data.survey_table import Order as TableOrder

Key = Callable[[ScoreColumns], NDArray[np.float64]]


@dataclass(frozen=True)
class Order:
    """One order of the queue. key : the smallest comes first, NaN last; None where no score is needed.

    of_table : an order of the survey table, which is made again when it is out of date. needs : what it takes for the
        table to have it.
    """

    name: str
    title: str
    key: Key | None = None
    of_table: TableOrder | None = None
    needs: str = ""

    @property
    def needs_scores(self) -> bool:
        return self.key is not None or self.of_table is not None


def p_lens_of(scores: ScoreColumns) -> NDArray[np.float64]:
    """The probability where the model gives one, else the logistic function of its logit."""
    with np.errstate(over="ignore"):
        return np.where(np.isnan(scores.p_lens), 1 / (1 + np.exp(-scores.logit)), scores.p_lens)


def _least_likely_last(scores: ScoreColumns) -> NDArray[np.float64]:
    # By logit, which still tells apart what rounds to p = 1.
    return -np.where(np.isnan(scores.logit), scores.p_lens, scores.logit)


ORDERS: dict[str, Order] = {
    order.name: order
    for order in (
        Order("p_lens", "most lens-like first", _least_likely_last),
        Order("uncertain", "least certain first", lambda scores: np.abs(p_lens_of(scores) - 0.5)),
        Order("where_why", "where and why disagree first", lambda scores: scores.where_why),
        Order(
            "disagree",
            "models disagree first",
            of_table=TableOrder(DISAGREEMENT, descending=True),
            needs="score with a second model",
        ),
        Order(
            "near",
            "most like what was graded A or B first",
            of_table=TableOrder(NEAR_LENS),
            needs="these scores have no features beside them: remove their folder in scores/ and score again",
        ),
        Order("catalogue", "as in the catalogue"),
        Order("random", "shuffled"),
    )
}


def ranked(order: Order, *, count: int, scores: ScoreColumns | None, seed: int) -> NDArray[np.int64]:
    """Catalogue rows in this order; objects without a score come last, as in the catalogue."""
    if order.key is not None and scores is not None:
        return np.argsort(order.key(scores), kind="stable")
    if order.name == "random":
        return np.argsort(shuffle_keys(count, seed), kind="stable")
    return np.arange(count)


def completed(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """An order of some of so many catalogue rows, then the others as in the catalogue."""
    rest = np.ones(count, bool)
    rows = rows[rows < count]
    rest[rows] = False
    return np.concatenate([rows, np.flatnonzero(rest)])


def seed_of(inspector: str) -> int:
    """The seed of an inspector who names none: each sees another order, and the same one tomorrow."""
    return int.from_bytes(hashlib.blake2b(inspector.encode(), digest_size=4).digest(), "little")
