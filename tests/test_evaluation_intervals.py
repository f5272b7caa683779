"""Intervals against theory, an independent code, and how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import binomtest

from data.shares import Share, wilson
from lensmodel.evaluation.intervals import bootstrap, percentile_interval, share_interval
from lensmodel.evaluation.metrics import expected_calibration_error
from lensmodel.evaluation.resamples import Ranking, aurocs, calibration_errors


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (5, 5), (3, 10), (71, 200), (1, 1)])
def test_wilsons_interval_agrees_with_scipy(successes: int, trials: int):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_share_of_few_is_never_certain_and_stays_a_share():
    low, high = share_interval((1.0, 1.3), 5, 5)
    assert low == pytest.approx(0.566, abs=0.001)
    assert high == 1.0
    assert share_interval((-0.1, 0.9), 50, 100) == (0.0, 0.9)
    assert share_interval((np.nan, np.nan), 5, 10) == wilson(5, 10)


def test_the_interval_of_a_mean_has_the_width_of_theory():
    values = np.random.default_rng(7).normal(3, 2, 400)
    ((low, high),) = bootstrap(
        lambda counts: counts @ values[:, None] / counts.sum(axis=1, keepdims=True),
        np.zeros(400),
        resamples=4000,
        seed=1,
    )
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    assert low < values.mean() < high


def test_each_class_keeps_its_size_and_its_members_are_drawn_alike():
    lens = np.array([True, False, True, False, False])
    seen = []

    def statistics(counts: np.ndarray) -> np.ndarray:
        seen.append(counts)
        return counts[:, :1].astype(float)

    bootstrap(statistics, lens, resamples=3000, seed=2)
    drawn = np.concatenate(seen[1:])
    assert len(drawn) == 3000
    assert (drawn[:, lens].sum(axis=1) == 2).all()
    assert (drawn[:, ~lens].sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.06)


def test_many_resamples_of_many_objects_are_drawn_some_at_a_time():
    sizes = []

    def statistics(counts: np.ndarray) -> np.ndarray:
        sizes.append(counts.size)
        return np.zeros((len(counts), 1))

    bootstrap(statistics, np.zeros(30_000), resamples=200, seed=1)
    assert max(sizes) <= 1_000_000


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for trial in range(100):
        random = np.random.default_rng(trial)
        lens = np.arange(120) < 60
        ranking = Ranking(random.normal(lens * 1.0, 1), lens)
        ((low, high),) = bootstrap(
            lambda counts, ranking=ranking: aurocs(*ranking.taken(counts))[:, None],
            lens,
            resamples=200,
            seed=trial,
        )
        held += low <= 0.7602 <= high  # Phi(1 / sqrt 2)
    assert 87 <= held <= 100


def test_the_interval_of_a_calibration_error_holds_its_own_figure():
    random = np.random.default_rng(8)
    p = random.random(300)
    lens = random.random(300) < p
    errors = calibration_errors(p, lens)
    ((low, high),) = bootstrap(lambda counts: errors(counts)[:, None], lens, resamples=500, seed=1)
    assert low < expected_calibration_error(p, lens) < high


@pytest.mark.parametrize("percent", [50, 68, 95])
def test_the_interval_of_a_percentile_holds_it_about_as_often_as_it_says(percent: int):
    random, held = np.random.default_rng(percent), 0
    for _ in range(400):
        low, high = percentile_interval(random.exponential(size=150), percent)
        held += low <= -np.log(1 - percent / 100) <= high
    assert 0.93 * 400 <= held <= 400


def test_the_interval_of_a_percentile_is_not_known_of_few_values():
    assert percentile_interval(np.arange(1.0, 101), 50) == (40, 61)
    low, high = percentile_interval([0.1, 0.2, 0.3, np.nan], 95)
    assert low == 0.2
    assert np.isnan(high)
    assert np.isnan(percentile_interval([np.nan], 50)).all()


def test_a_share_of_nothing_has_no_value():
    assert np.isnan(Share(0, 0).value)
    assert np.isnan(Share(0, 0).interval).all()
    assert Share(3, 4).value == 0.75
    assert Share(3, 4).interval == wilson(3, 4)
