"""Resampling matrices: they keep what is constant, what is linear, and where things are."""

import doctest

import numpy as np
import pytest

import lensmodel.resampling
from lensmodel.resampling import area_weights, centred, linear_weights


def test_the_examples_run():
    assert doctest.testmod(lensmodel.resampling).failed == 0


@pytest.mark.parametrize(
    ("number", "ratio", "length"), [(66, 3.0, 200), (40, 1.37, 100), (1, 7.5, 8), (10, 2.5, 25)]
)
def test_a_constant_stays_and_a_ramp_stays_where_it_was_to_an_eighth_of_a_pixel(number, ratio, length):
    weights = area_weights(number, ratio, length)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    shift = weights @ np.arange(length) - centred(number, ratio, length)
    assert abs(shift).max() <= 1 / 8 + 1e-9
    assert shift.mean() == pytest.approx(0, abs=1e-9)


def test_interpolation_is_exact_on_a_line_and_holds_the_ends():
    at = np.array([-2.0, 0.0, 0.3, 4.75, 9.0, 11.0])
    line = linear_weights(at, 10) @ (3.0 * np.arange(10) - 1)
    np.testing.assert_allclose(line, 3 * np.clip(at, 0, 9) - 1)


def test_area_means_of_a_whole_ratio_are_block_means():
    image = np.random.default_rng(1).normal(size=12)
    np.testing.assert_allclose(area_weights(4, 3.0, 12) @ image, image.reshape(4, 3).mean(axis=1))
