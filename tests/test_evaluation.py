"""Figures of merit against closed forms, calibration against distributions that are known."""

import math

import numpy as np
import pytest
import torch

from lensmodel.calibration import fit_sigma, fit_verdict
from lensmodel.evaluation import auroc, completeness_at, expected_calibration_error, position_error_arcsec
from lensmodel.networks.evidence_net import half_width


def test_auroc_is_one_for_perfect_order_half_for_ties_and_nan_without_a_class():
    assert auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert auroc([1, 1, 1, 1], [0, 0, 1, 1]) == 0.5
    assert auroc([4, 3, 2, 1], [0, 0, 1, 1]) == 0
    assert math.isnan(auroc([1, 2], [1, 1]))


def test_auroc_does_not_change_under_a_monotonic_map():
    generator = np.random.default_rng(1)
    score, lens = generator.normal(size=200), generator.random(200) < 0.3
    assert auroc(score, lens) == auroc(np.exp(score), lens)


def test_auroc_of_two_gaussians_agrees_with_theory():
    generator = np.random.default_rng(2)
    score = np.concatenate([generator.normal(0, 1, 20_000), generator.normal(1, 1, 20_000)])
    expected = 0.5 * (1 + math.erf(1 / 2))  # Phi(d' / sqrt 2), d' = 1
    assert auroc(score, np.arange(40_000) >= 20_000) == pytest.approx(expected, abs=0.01)


def test_completeness_counts_lenses_above_the_false_positives_allowed():
    score = np.concatenate([np.arange(100.0), [98.5, 50.5, 200.0, 99.5]])
    assert completeness_at(score, np.arange(104) >= 100, false_positive_rate=0.01) == 0.75


def test_position_error_is_a_distance():
    assert position_error_arcsec([3.0], [4.0], [0.0], [0.0]).tolist() == [5.0]


def test_calibration_error_is_zero_for_honest_probabilities():
    p = np.repeat([0.25, 0.75], 100)
    lens = np.concatenate([np.arange(100) < 25, np.arange(100) < 75])
    assert expected_calibration_error(p, lens) == pytest.approx(0)
    assert expected_calibration_error(np.ones(10), np.zeros(10)) == 1


def test_the_verdicts_calibration_recovers_what_was_done_to_the_logits():
    generator = torch.Generator().manual_seed(3)
    honest = 2 * torch.randn(50_000, generator=generator)
    lens = torch.rand(50_000, generator=generator) < honest.sigmoid()
    sharpness, shift = fit_verdict(4 * honest - 1, lens, prior=0.5)
    assert sharpness == pytest.approx(0.25, rel=0.05)
    assert shift == pytest.approx(0.25, abs=0.05)


def test_the_verdict_is_a_probability_at_the_prior_whatever_the_sample():
    generator = torch.Generator().manual_seed(5)
    lens = torch.rand(200_000, generator=generator) < 0.2
    logit = torch.randn(200_000, generator=generator) + 2.0 * lens  # log likelihood ratio: 2 logit - 2
    for prior in (0.5, 0.01):
        sharpness, shift = fit_verdict(logit, lens, prior=prior)
        assert sharpness == pytest.approx(2, rel=0.03)
        assert shift == pytest.approx(-2 + math.log(prior / (1 - prior)), abs=0.06)


def test_sigma_is_fitted_to_the_errors():
    generator = torch.Generator().manual_seed(4)
    spread = 0.5 + torch.rand(50_000, generator=generator)
    sigma = (0.3**2 * spread**2 + 0.1**2).sqrt()
    x, y = (sigma * torch.randn(50_000, generator=generator) for _ in range(2))
    scale, floor = fit_sigma(spread**2, torch.zeros(50_000), torch.zeros(50_000), x, y)
    fitted = (scale**2 * spread**2 + floor**2).sqrt()
    assert torch.allclose(fitted / sigma, torch.tensor(1.0), atol=0.09)
    within = torch.cat([x.abs() < fitted, y.abs() < fitted]).float().mean()
    assert float(within) == pytest.approx(0.683, abs=0.003)


def test_sigma_holds_68_percent_of_errors_where_the_lens_is_now_and_then_elsewhere():
    generator = torch.Generator().manual_seed(7)
    number = 50_000
    far_share = 0.25 * torch.rand(number, generator=generator)
    elsewhere = torch.rand(number, generator=generator) < far_share
    x, y = (torch.where(elsewhere, 5.0, 0.2) * torch.randn(number, generator=generator) for _ in range(2))
    near, far = torch.full((number,), 0.01), 25 * far_share
    scale, floor = fit_sigma(near, far, far_share, x, y)
    sigma = half_width((scale**2 * near + floor**2).sqrt(), far, far_share)
    within = torch.cat([x.abs() < sigma, y.abs() < sigma]).float().mean()
    assert float(within) == pytest.approx(0.683, abs=0.005)
    assert float(sigma.max()) < 0.5, "not the root mean square, which is 2.5 there"


def test_sigma_is_the_root_mean_square_where_other_places_have_a_third_of_the_odds():
    near, far = torch.tensor([0.1, 0.1, 0.1]), torch.tensor([0.0, 4.0, 4.0])
    sigma = half_width(near, far, torch.tensor([0.0, 0.1, 0.4]))
    assert float(sigma[0]) == pytest.approx(0.1, rel=1e-5)
    assert 0.1 < float(sigma[1]) < 0.13
    assert float(sigma[2]) == pytest.approx(4.01**0.5)


def test_sigma_holds_68_percent_of_errors_with_wide_wings():
    generator = torch.Generator().manual_seed(6)
    spread = 0.5 + torch.rand(50_000, generator=generator)
    wings = torch.where(torch.rand(50_000, generator=generator) < 0.1, 4.0, 1.0)
    x, y = (0.3 * spread * wings * torch.randn(50_000, generator=generator) for _ in range(2))
    scale, floor = fit_sigma(spread**2, torch.zeros(50_000), torch.zeros(50_000), x, y)
    sigma = (scale**2 * spread**2 + floor**2).sqrt()
    within = torch.cat([x.abs() < sigma, y.abs() < sigma]).float().mean()
    assert float(within) == pytest.approx(0.683, abs=0.003)
