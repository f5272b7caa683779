"""Orders of the queue."""

import numpy as np
import pytest

from dashboard.live_scores import ScoreColumns
from dashboard.queue_order import ORDERS, p_lens_of, ranked, seed_of


def scores(logit: list[float], *, where_why: list[float] | None = None) -> ScoreColumns:
    values = np.array(logit)
    nan = np.full(len(logit), np.nan)
    return ScoreColumns("1", len(logit), values, nan, nan if where_why is None else np.array(where_why))


def test_the_most_lens_like_come_first_and_unscored_ones_last_as_in_the_catalogue():
    nan = np.nan
    rows = ranked(ORDERS["p_lens"], count=5, scores=scores([nan, -1.0, nan, 4.0, 0.5]), seed=0)
    assert rows.tolist() == [3, 4, 1, 0, 2]


def test_logits_order_what_rounds_to_the_same_probability():
    rows = ranked(ORDERS["p_lens"], count=3, scores=scores([50.0, 60.0, 40.0]), seed=0)
    assert rows.tolist() == [1, 0, 2]


def test_the_least_certain_come_first():
    rows = ranked(ORDERS["uncertain"], count=4, scores=scores([3.0, -0.1, -5.0, 0.5]), seed=0)
    assert rows.tolist() == [1, 3, 0, 2]


def test_disagreement_of_where_and_why_comes_first():
    judged = scores([1.0, 1.0, 1.0], where_why=[0.9, np.nan, 0.1])
    assert ranked(ORDERS["where_why"], count=3, scores=judged, seed=0).tolist() == [2, 0, 1]


@pytest.mark.parametrize("name", [name for name, order in ORDERS.items() if order.needs_scores])
def test_without_any_scores_every_order_is_the_catalogue(name: str):
    assert ranked(ORDERS[name], count=4, scores=None, seed=3).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_lists_each_object_once(name: str):
    judged = scores(np.random.default_rng(1).normal(size=500).tolist())
    assert sorted(ranked(ORDERS[name], count=500, scores=judged, seed=7)) == list(range(500))


def test_a_shuffle_depends_on_the_seed_only():
    def shuffle(seed: int, count: int = 1000) -> list[int]:
        return ranked(ORDERS["random"], count=count, scores=None, seed=seed).tolist()

    assert shuffle(1) == shuffle(1)
    assert shuffle(1) != shuffle(2)
    assert shuffle(1) != list(range(1000))


def test_objects_that_arrive_later_move_no_others_in_a_shuffle():
    before = ranked(ORDERS["random"], count=1000, scores=None, seed=5)
    after = ranked(ORDERS["random"], count=1500, scores=None, seed=5)
    assert after[after < 1000].tolist() == before.tolist()


def test_a_shuffle_has_no_trend():
    rows = ranked(ORDERS["random"], count=20_000, scores=None, seed=0)
    assert abs(np.corrcoef(rows, np.arange(20_000))[0, 1]) < 0.03


def test_inspectors_have_seeds_of_their_own():
    assert seed_of("Ada") == seed_of("Ada") != seed_of("Bo")


def test_a_calibrated_probability_is_taken_as_it_is():
    judged = ScoreColumns("1", 2, np.array([2.0, -800.0]), np.array([0.3, np.nan]), np.full(2, np.nan))
    assert p_lens_of(judged).tolist() == [0.3, 0.0]
