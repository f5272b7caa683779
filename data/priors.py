"""p_lens at the campaign's own share of lenses.

A calibrated model's p_lens holds where the share of lenses is its `prior`. Where it is another, the log odds move
by the difference of the log odds of the two priors (Bayes). Scores on disk stay as the model gave them.
"""

import json
import math

import numpy as np
from numpy.typing import NDArray

from data.campaign import Campaign


def prior_of(campaign: Campaign, model_version: str) -> float | None:
    """The share of lenses for which the campaign states this model's p_lens; None if the model is not calibrated."""
    own = _own_prior(campaign, model_version)
    return own if own is None or campaign.prior is None else campaign.prior


def p_lens_of_logit(
    campaign: Campaign, model_version: str, logit: NDArray[np.float64], p_lens: NDArray[np.float64]
) -> NDArray[np.float64]:
    """p_lens at the campaign's prior, from logits and p_lens as the model gave them, any shape.

    As given if the model is not calibrated, or the campaign states no prior of its own.
    """
    own = _own_prior(campaign, model_version)
    if own is None or campaign.prior is None:
        return p_lens
    moved = logit + _log_odds(campaign.prior) - _log_odds(own)
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-moved)))


def _own_prior(campaign: Campaign, model_version: str) -> float | None:
    """From the card that scoring leaves beside the scores."""
    try:
        card = json.loads((campaign.scores_path(model_version) / "model.json").read_text(encoding="utf-8"))
        prior = card.get("prior")
    except (OSError, ValueError, AttributeError):
        return None
    return float(prior) if isinstance(prior, float) and 0 < prior < 1 else None


def _log_odds(share: float) -> float:
    return math.log(share) - math.log1p(-share)
