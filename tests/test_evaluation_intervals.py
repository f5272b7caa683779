"""Intervals against theory, an independent code, and how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import binomtest

from lensmodel.evaluation.intervals import bootstrap, share_interval, wilson
from lensmodel.evaluation.metrics import auroc, expected_calibration_error


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
        lambda rows: np.array([values[rows].mean()]), np.zeros(400), resamples=4000, seed=1
    )
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)
    assert low < values.mean() < high


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for trial in range(100):
        random = np.random.default_rng(trial)
        lens = np.arange(120) < 60
        score = random.normal(lens * 1.0, 1)
        ((low, high),) = bootstrap(
            lambda rows, s=score, y=lens: np.array([auroc(s[rows], y[rows])]), lens, resamples=200, seed=trial
        )
        held += low <= 0.7602 <= high  # Phi(1 / sqrt 2)
    assert 87 <= held <= 100


def test_the_interval_of_a_calibration_error_holds_its_own_figure():
    random = np.random.default_rng(8)
    p = random.random(300)
    lens = random.random(300) < p
    measured = expected_calibration_error(p, lens)
    ((low, high),) = bootstrap(
        lambda rows: np.array([expected_calibration_error(p[rows], lens[rows])]),
        lens,
        resamples=500,
        seed=1,
    )
    assert low < measured < high


def test_each_class_keeps_its_number_and_a_seed_its_interval():
    lens = np.arange(50) < 7
    counts = []

    def statistics(rows: np.ndarray) -> np.ndarray:
        counts.append(int(lens[rows].sum()))
        return np.array([rows.mean()])

    first = bootstrap(statistics, lens, resamples=50, seed=3)
    assert set(counts) == {7}
    assert np.array_equal(first, bootstrap(statistics, lens, resamples=50, seed=3))
    assert not np.array_equal(first, bootstrap(statistics, lens, resamples=50, seed=4))


def test_without_objects_or_resamples_there_is_no_interval():
    assert np.isnan(bootstrap(lambda rows: np.zeros(2), [], resamples=10, seed=1)).all()
    assert np.isnan(bootstrap(lambda rows: np.zeros(2), [True], resamples=0, seed=1)).all()
    assert np.isnan(bootstrap(lambda rows: np.array([np.nan]), [True], resamples=3, seed=1)).all()
