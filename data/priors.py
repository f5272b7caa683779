"""p_lens at the campaign's own share of lenses.

A calibrated model's p_lens holds where the share of lenses is its `prior`. Where it is another, the log odds move
by the difference of the log odds of the two priors (Bayes). Scores on disk stay as the model gave them.
"""

import json
import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from data.campaign import Campaign

Logit = TypeVar("Logit", float, NDArray[np.float64])


def logit_at_share(logit: Logit, *, prior: float, share: float) -> Logit:
    """The logit where `share` of the objects are lenses, from that where `prior` of them are; both between 0 and 1.

    Bayes: the log odds move by those of the share minus those of the prior.

    >>> round(logit_at_share(0.0, prior=0.5, share=0.9), 3)
    2.197
    """
    return logit + (_log_odds(share) - _log_odds(prior))


def prior_of(campaign: "Campaign", model_version: str) -> float | None:
    """The share of lenses for which the campaign states this model's p_lens; None if the model is not calibrated."""
    own = _own_prior(campaign, model_version)
    return own if own is None or campaign.prior is None else campaign.prior


def p_lens_of_logit(
    campaign: "Campaign", model_version: str, logit: NDArray[np.float64], p_lens: NDArray[np.float64]
) -> NDArray[np.float64]:
    """p_lens at the campaign's prior, from logits and p_lens as the model gave them, any shape.

    As given if the model is not calibrated, or the campaign states no prior of its own.
    """
    shift = logit_shift(campaign, model_version)
    if shift is None:
        return p_lens
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-(logit + shift))))


def logit_shift(campaign: "Campaign", model_version: str) -> float | None:
    """What is added to the model's logits at the campaign's prior; None where p_lens is as the model gave it."""
    own = _own_prior(campaign, model_version)
    if own is None or campaign.prior is None:
        return None
    return logit_at_share(0.0, prior=own, share=campaign.prior)


def _own_prior(campaign: "Campaign", model_version: str) -> float | None:
    """From the card that scoring leaves beside the scores."""
    try:
        card = json.loads((campaign.scores_path(model_version) / "model.json").read_text(encoding="utf-8"))
        prior = card.get("prior")
    except (OSError, ValueError, AttributeError):
        return None
    return float(prior) if isinstance(prior, float) and 0 < prior < 1 else None


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)
