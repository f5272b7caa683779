"""Fits, on validation data, that turn logits into probabilities and map spreads into position errors."""

import torch
from torch import Tensor

from data.priors import logit_at_share
from lensmodel.evaluation.metrics import pull_spread
from lensmodel.networks.evidence_net import half_width

_ROUNDS = 10  # the far part is not scaled, so that one round does not do


def fit_verdict(logit: Tensor, is_lens: Tensor, *, prior: float) -> tuple[float, float]:
    """(sharpness, shift) that make sigmoid(sharpness * logit + shift) a probability where the prior holds.

    Platt scaling (Guo et al. 2017, arXiv:1706.04599, Sect. 4): least cross-entropy over (object,) logits; then the
    log odds move by what tells the prior from the share of lenses in the sample (Bayes).
    """
    log_sharpness = torch.zeros((), dtype=torch.float64, requires_grad=True)
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value, truth = logit.detach().double(), is_lens.double()
    optimiser = torch.optim.LBFGS([log_sharpness, shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scaled = log_sharpness.exp() * value + shift
        result = torch.nn.functional.binary_cross_entropy_with_logits(scaled, truth)
        result.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # same
    share = float(truth.mean())
    moved = logit_at_share(float(shift.detach()), prior=share, share=prior)
    return float(log_sharpness.exp().detach()), moved


def fit_sigma(
    near: Tensor, far: Tensor, far_share: Tensor, error_x: Tensor, error_y: Tensor
) -> tuple[float, float]:
    """(scale, floor) of EvidenceNet's sigma that describe the errors per axis best, all (object,).

    near, far, far_share : of `evidence_net.Place`. Near the peak, sigma^2 = scale^2 * near + floor^2 by the
    likelihood of a two-dimensional Gaussian; the worst 2 % of the objects, where another place was taken for the
    lens, do not count. Errors have wider wings than a Gaussian, so both are then scaled until 68 % of the errors lie
    within one sigma as the network states it.
    """
    squared = error_x.double() ** 2 + error_y.double() ** 2
    kept = squared <= squared.quantile(0.98)
    log_parameters = torch.tensor([0.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_parameters], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scale, floor = log_parameters.exp()
        variance = scale**2 * near.double()[kept] + floor**2
        result: Tensor = (squared[kept] / (2 * variance) + variance.log()).mean()
        result.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # same
    scale, floor = log_parameters.exp().tolist()
    errors = torch.stack([error_x, error_y]).double()
    for _ in range(_ROUNDS):
        near_sigma = (scale**2 * near.double() + floor**2).sqrt()
        spread = pull_spread(
            (errors / half_width(near_sigma, far.double(), far_share.double())).flatten().numpy()
        )
        scale, floor = scale * spread, floor * spread
    return float(scale), float(floor)
