"""Figures of many resamples at once are those of `metrics` on the objects with their repeats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensmodel.evaluation.metrics import (
    auroc,
    completeness_at,
    expected_calibration_error,
    f1_score,
    percentile_of,
    pull_spread,
    robust_spread,
)
from lensmodel.evaluation.resamples import (
    Ranking,
    Values,
    aurocs,
    calibration_errors,
    f1_scores,
    levels_with,
    pull_spreads,
    shares_of_lenses,
)

# Few distinct scores, so that ties are common; each object occurs up to three times, or not at all.
OBJECTS = st.lists(st.tuples(st.integers(0, 10), st.booleans(), st.integers(0, 3)), min_size=2, max_size=40)
PERCENTS = (0.0, 15.87, 50.0, 68.0, 95.0, 100.0)


def arrays(objects: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, classes, counts (resample, object) and the rows that they stand for."""
    score, lens, count = (np.array(column) for column in zip(*objects, strict=True))
    counts = np.stack([count, np.ones_like(count)])
    return score / 10, lens, counts, np.repeat(np.arange(len(count)), count)


@given(OBJECTS)
def test_verdicts_agree_with_the_repeated_objects(objects):
    score, lens, counts, rows = arrays(objects)
    drawn, is_lens = score[rows], lens[rows]
    taken = Ranking(score, lens).taken(counts)
    assert aurocs(*taken)[0] == pytest.approx(auroc(drawn, is_lens), nan_ok=True)
    assert aurocs(*taken)[1] == pytest.approx(auroc(score, lens), nan_ok=True)
    assert f1_scores(score, lens)(counts)[0] == pytest.approx(f1_score(drawn, is_lens), nan_ok=True)
    expected = expected_calibration_error(drawn, is_lens)
    assert calibration_errors(score, lens)(counts)[0] == pytest.approx(expected, nan_ok=True, abs=1e-12)


@given(OBJECTS, st.integers(0, 60))
def test_completeness_agrees_with_the_repeated_objects(objects, false_positives):
    score, lens, counts, rows = arrays(objects)
    non_lenses = int((~lens[rows]).sum())
    if not non_lenses or not lens[rows].any():
        return
    lenses, others = Ranking(score, lens).taken(counts)
    found = shares_of_lenses(lenses, levels_with(others, false_positives))[0]
    rate = min(1.0, false_positives / non_lenses)
    assert found == pytest.approx(completeness_at(score[rows], lens[rows], false_positive_rate=rate))


@given(OBJECTS, st.integers(0, 20))
def test_shares_of_groups_agree_with_the_repeated_objects(objects, false_positives):
    score, lens, counts, rows = arrays(objects)
    ranking = Ranking(score, lens)
    members = np.stack([np.arange(len(score)) % 2 == 0, np.zeros(len(score), bool), lens])
    levels = levels_with(ranking.taken(counts)[1], false_positives)
    found = ranking.shares_above(counts, levels, members)[0]
    others = np.sort(score[rows][~lens[rows]])[::-1]
    threshold = others[false_positives] if false_positives < len(others) else -np.inf
    for share, group in zip(found, members, strict=True):
        drawn = score[rows][group[rows]]
        expected = (drawn > threshold).mean() if len(drawn) else np.nan
        assert share == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.tuples(st.floats(-9, 9), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_percentiles_and_spreads_agree_with_the_repeated_values(objects):
    values, is_known, count = (np.array(column) for column in zip(*objects, strict=True))
    values = np.where(is_known, values, np.nan)
    counts = np.stack([np.ones_like(count), count])
    drawn = np.repeat(values, count)
    measured = Values(values)
    expected = [percentile_of(drawn, percent) for percent in PERCENTS]
    assert measured.percentiles(counts, PERCENTS)[1] == pytest.approx(expected, nan_ok=True, abs=1e-9)
    assert measured.robust_spreads(counts)[1] == pytest.approx(robust_spread(drawn), nan_ok=True, abs=1e-9)
    both = np.stack([values, -2 * values])
    expected = pull_spread(np.concatenate([drawn, -2 * drawn]))
    assert pull_spreads(Values(both), counts)[1] == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_an_unknown_probability_leaves_the_calibration_unknown():
    errors = calibration_errors(np.array([0.5, np.nan]), np.array([True, False]))
    assert np.isnan(errors(np.ones((3, 2), np.int64))).tolist() == [True] * 3
