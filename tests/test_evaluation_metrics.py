"""Figures of merit against brute force and closed forms, and the laws that they obey."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from lensmodel.evaluation.metrics import (
    at_another_prior,
    auroc,
    completeness_at,
    completeness_before,
    expected_calibration_error,
    f1_score,
    percentile_of,
    position_error_arcsec,
    pull_spread,
    purity_curve,
    reliability,
    robust_spread,
    roc_curve,
    threshold_at,
)

# Few distinct scores, so that ties between and within classes are common.
OBJECTS = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: {lens for _, lens in rows} == {True, False}
)
RATES = st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])


def split(objects: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    score, lens = zip(*objects, strict=True)
    return np.array(score, float), np.array(lens)


def best_completeness(score: np.ndarray, lens: np.ndarray, most_false_positives: float) -> float:
    """By trying every threshold there is."""
    thresholds = [-np.inf, *score]
    allowed = [t for t in thresholds if (score[~lens] > t).sum() <= most_false_positives + 1e-9]
    return max((score[lens] > t).mean() for t in allowed)


@given(OBJECTS)
def test_auroc_counts_the_pairs_in_which_the_lens_wins(objects):
    score, lens = split(objects)
    wins = [np.sign(a - b) / 2 + 0.5 for a in score[lens] for b in score[~lens]]
    assert auroc(score, lens) == pytest.approx(np.mean(wins))


@given(OBJECTS)
def test_auroc_is_the_area_under_the_curve(objects):
    curve = roc_curve(*split(objects))
    assert np.trapezoid(curve.completeness, curve.false_positive_rate) == pytest.approx(
        auroc(*split(objects))
    )


@given(OBJECTS)
def test_ranking_figures_do_not_change_under_a_monotonic_map(objects):
    score, lens = split(objects)
    for figure in (
        auroc,
        lambda s, y: completeness_at(s, y, false_positive_rate=0.1),
        lambda s, y: completeness_before(s, y, false_positives=1),
    ):
        assert figure(score, lens) == figure(np.exp(score / 3) - 7, lens)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_order_of_the_objects_does_not_matter(objects, random):
    shuffled = random.sample(objects, len(objects))
    p, lens = split(objects)
    q, shuffled_lens = split(shuffled)
    p, q = (p + 5) / 10, (q + 5) / 10
    for figure in (auroc, f1_score, expected_calibration_error):
        assert figure(p, lens) == pytest.approx(figure(q, shuffled_lens))


@given(OBJECTS)
def test_auroc_of_the_opposite_verdict_is_its_complement(objects):
    score, lens = split(objects)
    assert auroc(-score, lens) == pytest.approx(1 - auroc(score, lens))
    assert auroc(score, ~lens) == pytest.approx(1 - auroc(score, lens))


@given(OBJECTS, RATES)
def test_completeness_at_a_rate_is_the_best_that_any_threshold_gives(objects, rate):
    score, lens = split(objects)
    found = completeness_at(score, lens, false_positive_rate=rate)
    assert found == pytest.approx(best_completeness(score, lens, rate * (~lens).sum()))


@given(OBJECTS, st.integers(1, 10))
def test_completeness_before_some_false_positives_is_the_best_with_fewer(objects, number):
    score, lens = split(objects)
    found = completeness_before(score, lens, false_positives=number)
    if (~lens).sum() < number:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(best_completeness(score, lens, number - 1))


@given(OBJECTS, RATES, RATES)
def test_more_false_positives_never_cost_completeness(objects, one, other):
    low, high = sorted((one, other))
    score, lens = split(objects)
    assert completeness_at(score, lens, false_positive_rate=low) <= completeness_at(
        score, lens, false_positive_rate=high
    )


@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_completeness_for_two_gaussians_agrees_with_theory(rate: float):
    random = np.random.default_rng(3)
    score = np.concatenate([random.normal(0, 1, 400_000), random.normal(2, 1, 100_000)])
    found = completeness_at(score, np.arange(500_000) >= 400_000, false_positive_rate=rate)
    assert found == pytest.approx(norm.sf(norm.isf(rate) - 2), abs=0.01)


def test_tpr0_and_tpr10_look_above_the_highest_and_the_tenth_non_lens():
    score = np.concatenate([np.arange(100.0), [99.5, 98.5, 90.5, 89.5]])
    lens = np.arange(104) >= 100
    assert completeness_before(score, lens, false_positives=1) == 0.25
    assert completeness_before(score, lens, false_positives=10) == 0.75


def test_a_rate_that_allows_exactly_one_false_positive_is_not_lost_to_rounding():
    score = np.concatenate(
        [np.arange(700.0), [698.5]]
    )  # 0.07 * 100 is 7.000000000000001, 0.29 * 100 is 28.99…
    lens = np.arange(701) >= 700
    for allowed in range(1, 8):
        assert threshold_at(score, lens, false_positives=allowed) == 699 - allowed
        assert completeness_at(score, lens, false_positive_rate=allowed / 700) == 1.0


@given(OBJECTS)
def test_f1_is_the_harmonic_mean_of_purity_and_completeness(objects):
    score, lens = split(objects)
    p = (score + 5) / 10
    taken = p >= 0.5
    purity = lens[taken].mean() if taken.any() else 0.0
    completeness = taken[lens].mean()
    expected = 2 * purity * completeness / (purity + completeness) if purity * completeness else 0.0
    assert f1_score(p, lens) == pytest.approx(expected)


@given(OBJECTS)
def test_the_purity_curve_says_what_each_threshold_gives(objects):
    score, lens = split(objects)
    for threshold, purity, completeness in zip(*purity_curve(score, lens), strict=True):
        taken = score >= threshold
        assert purity == pytest.approx(lens[taken].mean())
        assert completeness == pytest.approx(taken[lens].mean())


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_calibration_error_is_what_a_loop_over_bins_gives(objects):
    p, lens = split(objects)
    gap = 0.0
    for low in range(10):
        members = [i for i in range(len(p)) if min(int(p[i] * 10), 9) == low]
        if members:
            stated, true = sum(p[i] for i in members), sum(bool(lens[i]) for i in members)
            gap += abs(stated - true) / len(p)
    assert expected_calibration_error(p, lens) == pytest.approx(gap, abs=1e-12)
    assert reliability(p, lens).objects.sum() == len(p)


def test_honest_probabilities_have_little_calibration_error():
    random = np.random.default_rng(4)
    p = random.random(100_000)
    assert expected_calibration_error(p, random.random(100_000) < p) < 0.01
    assert expected_calibration_error(p, random.random(100_000) < 0.5) == pytest.approx(0.25, abs=0.01)


def test_position_errors_of_a_gaussian_follow_rayleigh():
    random = np.random.default_rng(5)
    x, y = random.normal(0, 0.2, (2, 200_000))
    error = position_error_arcsec(x, y, 0.0, 0.0)
    for percent in (50, 68, 95):
        expected = 0.2 * math.sqrt(-2 * math.log(1 - percent / 100))
        assert percentile_of(error, percent) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("honesty", [0.5, 1.0, 2.0])
def test_the_pull_is_the_true_spread_over_the_stated_one(honesty: float):
    pull = np.random.default_rng(6).normal(0, honesty, 100_000)
    pull[:1000] = 50  # another galaxy taken for the lens: the spread of the many does not feel it
    assert pull_spread(pull) == pytest.approx(honesty, rel=0.04)


@pytest.mark.parametrize("honesty", [0.5, 1.0, 2.0])
def test_the_robust_spread_of_a_gaussian_is_its_sigma(honesty: float):
    pull = np.random.default_rng(9).normal(3, honesty, 100_000)
    assert robust_spread(pull) == pytest.approx(honesty, rel=0.02)


def test_the_robust_spread_is_the_median_distance_from_the_median():
    assert robust_spread([np.nan, 1, 2, 4, 8, 100]) == pytest.approx(1.4826 * 3)  # 3, 2, 0, 4, 96


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9])
def test_a_probability_is_honest_wherever_it_is_moved_to(share: float):
    random = np.random.default_rng(10)
    lens = random.random(400_000) < share
    # Gaussians one apart: the log likelihood ratio is x - 1/2, and at even odds it is the logit.
    logit = random.normal(lens * 1.0, 1) - 0.5
    moved = at_another_prior(logit, prior=0.5, share=share)
    assert expected_calibration_error(moved, lens) < 0.004
    if share != 0.5:
        stated = 1 / (1 + np.exp(-logit))
        assert expected_calibration_error(stated, lens) > 0.1


def test_a_prior_moved_to_itself_changes_nothing_and_one_class_has_no_odds():
    logit = np.array([-30.0, 0.0, 2.0])
    assert at_another_prior(logit, prior=0.01, share=0.01) == pytest.approx(1 / (1 + np.exp(-logit)))
    assert np.isnan(at_another_prior(logit, prior=0.5, share=1.0)).all()
    assert np.isnan(at_another_prior(logit, prior=0.5, share=float("nan"))).all()


def test_objects_without_a_probability_leave_the_calibration_error_unknown():
    assert math.isnan(expected_calibration_error([0.5, np.nan], [True, False]))
    assert reliability([0.5, np.nan], [True, False]).objects.tolist() == [1]


def test_without_a_class_figures_are_not_numbers():
    nothing = np.empty(0)
    for p, lens in ((nothing, nothing), (np.ones(3), np.zeros(3))):
        assert math.isnan(auroc(p, lens))
        assert math.isnan(completeness_at(p, lens, false_positive_rate=0.01))
        assert math.isnan(completeness_before(p, lens, false_positives=1))
        assert math.isnan(f1_score(p, lens))
    assert math.isnan(expected_calibration_error(nothing, nothing))
    assert math.isnan(percentile_of([np.nan], 50))
    assert math.isnan(pull_spread(nothing))
    assert math.isnan(robust_spread(nothing))
    assert len(purity_curve(nothing, nothing).purity) == 0
    assert roc_curve(nothing, nothing).completeness.tolist() == [0.0]
