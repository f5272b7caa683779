"""p_lens is stated at the campaign's share of lenses, wherever it comes out."""

import json
from pathlib import Path

import numpy as np
import pytest

from dashboard.live_catalogue import LiveCatalogue
from dashboard.live_scores import LiveScores
from data.campaign import Campaign, open_campaign
from data.catalogue import catalogue_rows
from data.errors import CampaignError
from data.label_store import LabelStore
from data.priors import p_lens_of_logit, prior_of
from tests.fixtures.campaigns import MODEL, add_scores, filled_campaign


def campaign_at(path: Path, *, prior: float | None, models_prior: float | None = 0.5) -> Campaign:
    """Two scored objects, with logits 0 and 9."""
    campaign = filled_campaign(path, ["a", "b"], size_px=4)
    add_scores(campaign, {"a": 0.0, "b": 9.0})
    (campaign.scores_path(MODEL) / "model.json").write_text(json.dumps({"prior": models_prior}))
    if prior is not None:
        text = campaign.settings_path.read_text(encoding="utf-8")
        campaign.settings_path.write_text(f"prior = {prior}\n{text}", encoding="utf-8")
    return open_campaign(path)


def test_even_odds_at_one_in_two_are_the_prior_itself_at_another(tmp_path: Path):
    campaign = campaign_at(tmp_path / "c", prior=0.1)
    stated = p_lens_of_logit(campaign, MODEL, np.zeros(1), np.full(1, 0.5))
    assert stated == pytest.approx([0.1])
    assert prior_of(campaign, MODEL) == 0.1


def test_bayes_holds_between_two_priors(tmp_path: Path):
    campaign = campaign_at(tmp_path / "c", prior=1e-4, models_prior=0.2)
    likelihood_ratio = 500.0
    logit = np.log(likelihood_ratio * 0.2 / 0.8)
    odds = likelihood_ratio * 1e-4 / (1 - 1e-4)
    assert p_lens_of_logit(campaign, MODEL, np.array([logit]), np.array([0.99])) == pytest.approx(
        [odds / (1 + odds)]
    )


@pytest.mark.parametrize(("prior", "models_prior"), [(None, 0.5), (0.1, None)])
def test_without_both_priors_p_lens_is_as_the_model_gave_it(tmp_path: Path, prior, models_prior):
    campaign = campaign_at(tmp_path / "c", prior=prior, models_prior=models_prior)
    assert p_lens_of_logit(campaign, MODEL, np.zeros(1), np.full(1, 0.7)) == [0.7]
    assert prior_of(campaign, MODEL) == models_prior


def test_page_and_catalogue_state_the_same(tmp_path: Path):
    campaign = campaign_at(tmp_path / "c", prior=0.1)
    catalogue = LiveCatalogue(campaign.catalogue_path).now()
    live = LiveScores(campaign)
    expected = 1 / (1 + np.exp(-(9 - np.log(9))))
    assert live.columns(MODEL, catalogue).p_lens == pytest.approx([0.1, expected])
    row = live.row(MODEL, catalogue, "b")
    assert row is not None
    assert row["p_lens"] == pytest.approx(expected)
    assert row["logit"] == 9
    with LabelStore.open(campaign.database_url) as store:
        exported = catalogue_rows(campaign, store)["p_lens"].to_pylist()
    assert exported == pytest.approx([0.1, expected])


@pytest.mark.parametrize("text", ["0.0", "1.0", "1", '"high"', "true", "nan"])
def test_a_prior_that_is_no_share_is_refused(tmp_path: Path, text: str):
    with pytest.raises(CampaignError, match="expected a share of lenses between 0 and 1"):
        campaign_at(tmp_path / "c", prior=text)  # type: ignore[arg-type]  # as somebody may type it
