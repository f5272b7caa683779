"""Fits, on validation data: of logits to probabilities, map spreads to position errors, signs to agreement."""

import torch
from torch import Tensor

from data.priors import logit_at_share
from lensmodel.evaluation.metrics import pull_spread
from lensmodel.explain.agreement import Signs
from lensmodel.networks.evidence_net import half_width

_LEAST_RESPONSES = 20  # of right and of other ones, to weigh signs by
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


def fit_agreement(
    signs: Signs, logit: Tensor, is_lens: Tensor, is_right: Tensor
) -> tuple[float, float, float] | None:
    """(map, light, constant) of `lensmodel.explain.agreement`, from responses: where the logit (object,) is above 0.

    is_right : whether the object is a lens and the position is at it. Right responses weigh half, of the others lenses
    placed elsewhere as much as non-lenses. None if there are too few of either.
    """
    responds = (logit > 0) & signs.map.isfinite() & signs.light.isfinite()
    groups = [is_right & is_lens, is_lens & ~is_right, ~is_lens]
    right, *others = ((group & responds).double() for group in groups)
    if right.sum() < _LEAST_RESPONSES or sum(some.sum() for some in others) < _LEAST_RESPONSES:
        return None
    others = [some / some.sum() for some in others if some.sum() > 0]
    weight = right / right.sum() + torch.stack(others).mean(0)
    columns = torch.stack([signs.map, signs.light, torch.ones_like(signs.map)]).double()
    columns = torch.where(responds, columns, 0.0)
    numbers = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([numbers], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        result = torch.nn.functional.binary_cross_entropy_with_logits(
            numbers @ columns, right.sign(), weight, reduction="sum"
        )
        result.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result

    optimiser.step(loss)  # type: ignore[no-untyped-call]  # same
    of_map, of_light, constant = numbers.tolist()
    return of_map, of_light, constant
