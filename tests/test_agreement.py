"""`where_why`: signs on hand-made images, the fit that weighs them, and the card that keeps it."""

import dataclasses
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.optimize import minimize

from dashboard import cli
from data.campaign import create_campaign
from data.scores import SCORE_SCHEMA, write_part
from data.simulations.writing import write_simulations
from lensmodel.calibration import fit_agreement
from lensmodel.errors import ModelError
from lensmodel.evaluation.agreement_figures import separation
from lensmodel.evaluation.comparison import compare
from lensmodel.evaluation.records import record_of
from lensmodel.evaluation.truth import truth_of
from lensmodel.explain.agreement import Signs, agreement, signs_of, where_why
from lensmodel.models import MODELS, add_model, default_model, model_named, read_card, write_card
from lensmodel.networks import NetworkOutput
from tests.fixtures.campaigns import add_objects
from tests.fixtures.networks import added_model, evidence_model, random_network

SHAPE = (100, 100)
SCALE = MODELS["evidence-net"].pixel_scale_arcsec


def blobs(*places_arcsec):
    """An image (object, band, y, x) per place with a blob of light there, on a sky of 5."""
    offset = (torch.arange(100) - 49.5) * SCALE
    return torch.stack(
        [
            5
            + 100
            * torch.exp(-((offset[:, None] - y) ** 2 + (offset - x) ** 2) / (2 * 0.2**2)).repeat(4, 1, 1)
            for x, y in places_arcsec
        ]
    )


def output_at(x_arcsec, y_arcsec, evidence=None):
    number = len(x_arcsec)
    evidence = torch.zeros(number, 25, 25) if evidence is None else evidence
    return NetworkOutput(
        torch.ones(number), torch.tensor(x_arcsec), torch.tensor(y_arcsec), torch.ones(number), evidence
    )


def signs(output, flux):
    return signs_of(random_network("evidence-net"), output, flux, SHAPE, SCALE)


def added_evidence_net(folder):
    """A copy of evidence-net without its agreement, added to the known models."""
    card = default_model()
    path = folder / "copy.json"
    shutil.copyfile(card.weights_path, path.with_suffix(".pt"))
    write_card(dataclasses.replace(card, name="copy", agreement=None), path)
    return add_model(path)


def test_the_map_agrees_if_the_evidence_lies_at_the_predicted_position():
    peaked = torch.full((2, 25, 25), -9.0)
    peaked[:, 17, 12] = 9.0  # at x -0.15, y 1.85 arcsec
    found = signs(output_at([-0.15, 4.0], [1.85, -4.0], peaked), blobs((0, 0), (0, 0)))
    cells, other = 20, np.exp(-18)  # within 1 arcsec, and what one without a peak has
    there, elsewhere = np.log(1 / ((625 - cells) * other)), np.log(cells * other)
    assert found.map.tolist() == pytest.approx([(there / 10) ** 3, (elsewhere / 10) ** 3], rel=0.02)


def test_the_light_agrees_if_a_galaxy_lies_at_the_predicted_position():
    flux = blobs((1.0, -2.0), (1.0, -2.0), (1.0, -2.0))
    found = signs(output_at([1.0, 1.2, -3.0], [-2.0, -2.0, 3.0]), flux)
    at, beside, nothing = (found.light.exp() - 0.03).tolist()
    assert at == pytest.approx(0, abs=0.01)
    assert beside == pytest.approx(0.17, abs=0.04)
    assert nothing == pytest.approx(0.6)


def test_light_is_that_of_the_first_band_that_was_observed():
    """The other bands have theirs somewhere else; gaps and places off the image are no light."""
    flux = blobs((0.0, 0.0), (0.0, 0.0), (4.9, 4.9))
    flux[:, 2:] = blobs((0.3, 0.3), (0.3, 0.3), (0.3, 0.3))[:, 2:]
    flux[1, 0] = torch.nan
    flux[1, 1, :40] = torch.nan
    found = signs(output_at([0.0, 0.0, 4.9], [0.0, 0.0, 4.9]), flux)
    assert (found.light.exp() - 0.03).tolist() == pytest.approx([0, 0, 0.12], abs=0.08)
    assert found.light.isfinite().all()


def test_what_has_no_position_no_evidence_or_no_numbers_states_no_agreement(tmp_path):
    network, calibrated = random_network("evidence-net"), evidence_model(tmp_path)
    flux, output = blobs((0, 0)), output_at([0.0], [0.0])
    uncalibrated = dataclasses.replace(calibrated, agreement=None)
    assert where_why(network, uncalibrated, output, flux, SHAPE) is None
    assert 0 < float(where_why(network, calibrated, output, flux, SHAPE)) < 1
    assert where_why(network, calibrated, output._replace(x_arcsec=None), flux, SHAPE) is None
    assert where_why(network, calibrated, output._replace(evidence=None), flux, SHAPE) is None


def test_the_fit_is_a_logistic_regression_of_which_right_responses_are_half():
    random = np.random.default_rng(1)
    kind = random.choice(3, 6000, p=(0.8, 0.05, 0.15))  # right, placed elsewhere, non-lens
    of_map = random.normal(np.choose(kind, (6, 1, 4)), 2)
    of_light = random.normal(np.choose(kind, (-3, -2, -2.7)), 0.5)
    logit = random.normal(1, 1, 6000)
    tensors = [torch.from_numpy(one) for one in (logit, kind != 2, kind == 0)]
    found = fit_agreement(Signs(torch.from_numpy(of_map), torch.from_numpy(of_light)), *tensors)

    responds = logit > 0
    weight = sum(
        (kind == k) * share / (responds & (kind == k)).sum() for k, share in ((0, 0.5), (1, 0.25), (2, 0.25))
    )
    columns = np.stack([of_map, of_light, np.ones(6000)])[:, responds]

    def loss(numbers):
        return (
            weight[responds] * np.logaddexp(0, -np.where(kind[responds] == 0, 1, -1) * (numbers @ columns))
        ).sum()

    assert found == pytest.approx(minimize(loss, np.zeros(3), tol=1e-12).x, abs=2e-3)
    p = agreement(Signs(*torch.from_numpy(columns[:2])), found).numpy()
    share = (weight[responds] * p).sum() / weight[responds].sum()
    assert share == pytest.approx(0.5, abs=1e-4), "in the mean it is the share of right responses"


def test_too_few_responses_fit_nothing():
    some = Signs(torch.randn(100), torch.randn(100))
    lens = torch.ones(100, dtype=torch.bool)
    assert fit_agreement(some, torch.ones(100), lens, lens) is None
    assert fit_agreement(some, -torch.ones(100), lens & (torch.arange(100) < 50), lens) is None


def test_a_model_is_calibrated_on_simulations_and_its_card_keeps_the_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lensmodel.calibration._LEAST_RESPONSES", 1)
    card = added_evidence_net(tmp_path)
    write_simulations(
        create_campaign(tmp_path / "mocks", survey="euclid"), number=48, seed=5, recipe="held-out"
    )
    assert cli.main(["models", "calibrate", card.name, str(tmp_path / "mocks")]) == 0
    assert f"where_why of {card.name}" in capsys.readouterr().out
    now = model_named(card.name)
    assert now.agreement is not None
    assert now.version == card.version
    assert now == dataclasses.replace(card, agreement=now.agreement)


@pytest.mark.parametrize(
    ("architecture", "complaint"), [("evidence-net", "too few lenses"), ("ou-66", "no evidence")]
)
def test_a_model_without_evidence_and_too_few_images_are_refused(tmp_path, capsys, architecture, complaint):
    card = (
        added_evidence_net(tmp_path)
        if architecture == "evidence-net"
        else added_model(tmp_path, architecture)
    )
    write_simulations(
        create_campaign(tmp_path / "mocks", survey="euclid"), number=16, seed=5, recipe="held-out"
    )
    assert cli.main(["models", "calibrate", card.name, str(tmp_path / "mocks")]) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("agreement", [[1, 2], "abc", [1, 2, "x"], [1, 2, float("inf")], 7])
def test_damaged_numbers_on_a_card_are_refused(tmp_path, agreement):
    card = evidence_model(tmp_path)
    path = card.weights_path.with_suffix(".json")
    write_card(card, path)
    values = json.loads(path.read_text()) | {"agreement": agreement}
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError):
        read_card(path)


def test_separation_is_the_share_of_pairs_in_order_with_an_interval_that_holds_it():
    random = np.random.default_rng(2)
    truth = 0.76  # of two Gaussians one sigma apart
    inside = 0
    for _ in range(200):
        found = separation(random.normal(1, 1, 60), np.append(random.normal(0, 1, 25), np.nan))
        assert (found.above, found.below) == (60, 25)
        inside += found.interval[0] <= truth <= found.interval[1]
    assert 180 <= inside <= 199
    assert np.isnan(separation([1.0], []).share)
    low, high = separation([0.9] * 9, [0.1] * 5).interval
    assert 0.5 < low < 0.6
    assert high == 1


def test_figures_compare_responses_to_lenses_at_their_place_with_the_others(tmp_path):
    campaign = create_campaign(tmp_path / "c", survey="euclid")
    lens = {"class": "lens", "lens_x_arcsec": 0.0, "lens_y_arcsec": 0.0}
    columns = {"right": lens, "elsewhere": lens, "missed": lens, "other": {"class": "nonlens"}}
    rows = []
    for n, (name, x, p, value) in enumerate(
        [("right", 0.4, 0.9, 0.8), ("right", -0.1, 0.6, 0.3), ("elsewhere", 0.6, 0.9, 0.5), ("missed", 3.0, 0.4, 0.9),
         ("other", 0.0, 0.7, 0.1), ("other", 0.0, 0.2, 0.99)]
    ):  # fmt: skip
        add_objects(campaign, [f"{name}-{n}"], columns=columns[name], size_px=16)
        rows.append({"object_id": f"{name}-{n}", "logit": float(np.log(p / (1 - p))), "p_lens": p, "x_arcsec": x,
                     "y_arcsec": 0.0, "position_sigma_arcsec": 0.1, "where_why": value})  # fmt: skip
    card = evidence_model(tmp_path / "model")
    write_part(campaign.scores_path(card.version), pa.Table.from_pylist(rows, schema=SCORE_SCHEMA))
    found = record_of(compare(campaign, truth_of(campaign), {"net": card}, resamples=10))["models"]["net"]
    assert found["where_why"]["right_above_elsewhere"]["share"] == 0.5
    assert found["where_why"]["right_above_nonlens"]["share"] == 1.0
    counts = {name: (some["right"], some["others"]) for name, some in found["where_why"].items()}
    assert counts == {"right_above_elsewhere": (2, 1), "right_above_nonlens": (2, 1)}
