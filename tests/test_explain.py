"""The table of methods, run over every network; and explanations of a campaign's objects."""

import contextlib
import dataclasses

import numpy as np
import pytest
import torch

from data.cutouts import Cutout, Plane
from data.maps import MapStore, position_of
from lensmodel.errors import ExplanationError
from lensmodel.explain import METHODS, explain, explain_objects, explain_one, methods_for
from lensmodel.explain.agreement import where_why
from lensmodel.explain.objects import on_cutout
from lensmodel.models import MODELS, load_network
from lensmodel.networks import NetworkOutput
from lensmodel.preprocessing import Field
from tests.fixtures.networks import added_model, evidence_model, random_network
from tests.fixtures.packed import fill, planes


def a_card(tmp_path, architecture):
    row = MODELS[architecture]
    card = added_model(tmp_path)
    return dataclasses.replace(
        card, name=row.name, title=row.title, architecture=row.name, bands=row.bands,
        pixel_scale_arcsec=row.pixel_scale_arcsec, field_px=row.field_px,
    )  # fmt: skip


@pytest.mark.parametrize("architecture", ["ou-j", "ou-66", "ou-200", "evidence-net"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_every_network_it_says_it_can(tmp_path, architecture, method):
    card, network = a_card(tmp_path, architecture), random_network(architecture)
    side = card.field_px or 64
    image = torch.rand(len(card.bands), side, side, generator=torch.Generator().manual_seed(1))
    if method not in methods_for(card):
        with pytest.raises(ExplanationError, match=f"{card.title} has no '{method}'; it has"):
            explain(network, card, image, method)
        return
    options = {"window_px": 16} if method == "occlusion" else {}
    map_ = explain(network, card, image, method, **options)
    assert (map_.shape, map_.dtype) == ((side, side), np.float32)
    assert np.isfinite(map_[side // 2, side // 2])
    if not METHODS[method].signed:
        assert np.nanmin(map_) >= 0


def test_every_method_says_what_it_is_in_a_line():
    for name, method in METHODS.items():
        assert name == method.name
        for text in (method.title, method.shows, method.cannot_say, method.unit, method.reference):
            assert 0 < len(text) < 120
            assert "\n" not in text


def test_the_network_is_left_as_it_was_even_after_an_error(tmp_path):
    network = random_network("ou-66")
    network.train()
    network.layer[3].eval()
    training = [one.training for one in network.modules()]
    card = a_card(tmp_path, "ou-66")
    for method, image in (("grad-cam", torch.rand(4, 66, 66)), ("occlusion", torch.rand(3, 66, 66)),
                          ("grad-cam", torch.rand(4, 30, 30))):  # fmt: skip
        with contextlib.suppress(ExplanationError, RuntimeError):
            explain(network, card, image, method)
        assert [one.training for one in network.modules()] == training
        assert not any(one._forward_hooks or one._backward_hooks for one in network.modules())
        assert all(parameter.grad is None for parameter in network.parameters())


def test_evidence_lies_where_the_network_looks(tmp_path):
    """A bump of light that moves by some cells moves the map by as many."""
    network, card = random_network("evidence-net"), a_card(tmp_path, "evidence-net")
    image = torch.zeros(4, 128, 128)
    image[:, 60:64, 48:52] = 5.0
    first = explain(network, card, image, "evidence")
    second = explain(network, card, image.roll((8, 16), dims=(1, 2)), "evidence")
    change = first - explain(network, card, torch.zeros(4, 128, 128), "evidence")
    row, column = np.unravel_index(np.nanargmax(np.abs(change)), change.shape)
    assert abs(row - 61.5) < 25
    assert abs(column - 49.5) < 25
    np.testing.assert_allclose(second[48:88, 48:88], first[40:80, 32:72], atol=1e-5)


def scored_campaign(campaign, shape=(200, 200), **fields):
    return fill(campaign, [Cutout("a", planes(shape)), Cutout("b", planes(shape, seed=1), **fields)])


def test_a_map_is_computed_once_and_kept_on_the_pixels_of_the_reference_band(campaign, tmp_path, monkeypatch):
    scored_campaign(campaign)
    card = added_model(tmp_path)
    map_ = explain_one(campaign, card, "grad-cam", "b")
    assert map_.values.shape == (200, 200)
    assert (map_.pixel_scale_arcsec, map_.signed, map_.unit) == (0.1, False, METHODS["grad-cam"].unit)
    stored = campaign.objects().get("b")
    kept = MapStore(campaign.maps_path(card.version, "grad-cam")).read(stored)
    np.testing.assert_array_equal(kept, map_.values)
    monkeypatch.setattr("lensmodel.explain.objects._computed", None)
    np.testing.assert_array_equal(explain_one(campaign, card, "grad-cam", "b").values, kept)


def test_many_maps_report_progress_and_who_was_refused(campaign, tmp_path):
    scored_campaign(campaign, kind="colour")
    card = added_model(tmp_path)
    seen = []
    report = explain_objects(campaign, card, "grad-cam", ["a", "b", "nobody"], on_progress=seen.append)
    assert (report.computed, list(report.refused)) == (1, ["b"])
    assert [tuple(progress) for progress in seen] == [(1, 2), (2, 2)]
    assert explain_objects(campaign, card, "grad-cam", ["a"]).already_there == 1


@pytest.mark.parametrize(
    ("object_id", "method", "complaint"),
    [
        ("nobody", "grad-cam", "has no object 'nobody'"),
        ("b", "grad-cam", "cutout 'b': it is a colour image"),
        ("a", "magic", "method is 'magic'; expected one of evidence"),
        ("a", "evidence", "OU-66 has no 'evidence'; it has grad-cam, occlusion"),
    ],
)
def test_what_cannot_be_explained_says_why(campaign, tmp_path, object_id, method, complaint):
    scored_campaign(campaign, kind="colour")
    with pytest.raises(ExplanationError, match=complaint):
        explain_one(campaign, added_model(tmp_path), method, object_id)


def test_an_object_without_the_reference_band_is_mapped_on_its_first(campaign, tmp_path):
    bands = {"J": Plane(np.random.default_rng(0).normal(size=(70, 70)).astype(np.float32), 0.3)}
    fill(campaign, [Cutout("j", bands)])
    map_ = explain_one(campaign, added_model(tmp_path, "ou-j"), "grad-cam", "j")
    assert (map_.values.shape, map_.pixel_scale_arcsec) == ((70, 70), 0.3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bands", [("VIS",), ("J", "H")])
def test_what_was_judged_without_some_bands_is_explained_without_them(campaign, tmp_path, method, bands):
    """As the network alone explains the same image, with what it makes of a missing band."""
    given = planes((64, 64), bands=bands)
    fill(campaign, [Cutout("a", given)])
    card = evidence_model(tmp_path)
    map_ = explain_one(campaign, card, method, "a")
    assert (map_.values.shape, map_.pixel_scale_arcsec) == ((64, 64), 0.1)
    network = load_network(card)
    flux = torch.full((1, 4, 64, 64), torch.nan)
    for band in bands:
        flux[0, card.bands.index(band)] = torch.from_numpy(given[band].flux)
    with torch.no_grad():
        expected = explain(network, card, network.normalise(flux)[0], method)
    np.testing.assert_allclose(map_.values, expected, atol=1e-6)
    assert np.isfinite(map_.values).mean() > 0.5


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_a_map_keeps_its_place_on_other_pixels(offset):
    """A blob 3 arcsec right of and 1.5 below the centre of what the model saw."""
    position = (np.arange(66) - 32.5) * 0.3
    blob = np.exp(-((position - 3) ** 2 + (position[:, None] + 1.5) ** 2) / 2).astype(np.float32)
    blob[position < -6] = np.nan
    drawn = on_cutout(blob, Field((66, 66), offset, offset), 0.3, shape=(301, 240), pixel_scale_arcsec=0.1)
    x, y, _ = position_of(drawn, 0.1)
    assert (x, y) == pytest.approx((3 + offset, -1.5 + offset), abs=0.03)
    rows = (np.arange(301) - 150) * 0.1 - offset
    assert np.isnan(drawn[np.abs(rows) > 9.95]).all()
    assert np.isnan(drawn[rows < -6.2]).all()
    assert np.isfinite(drawn[(rows > -5.9) & (rows < 9.8)][:, 30:210]).all()


def test_where_and_why_agree_if_the_evidence_lies_at_the_predicted_position():
    network = random_network("evidence-net")
    with torch.inference_mode():
        output = network(torch.zeros(1, 4, 100, 100))
    peaked = torch.full((2, 25, 25), -9.0)
    peaked[:, 17, 12] = 9.0
    right, wrong = torch.tensor([-0.15, 4.0]), torch.tensor([1.85, -4.0])
    agreement = where_why(network, NetworkOutput(output.logit, right, wrong, None, peaked), (100, 100), 0.1)
    assert agreement.tolist() == pytest.approx([1.0, 0.0], abs=1e-3)
    assert where_why(network, NetworkOutput(output.logit), (100, 100), 0.1) is None


def test_a_network_that_is_asked_for_again_is_loaded_once(campaign, tmp_path, monkeypatch):
    scored_campaign(campaign)
    card = added_model(tmp_path, seed=11)
    loaded = []
    monkeypatch.setattr(
        "lensmodel.explain.objects.load_network", lambda c: loaded.append(c) or load_network(c)
    )
    explain_one(campaign, card, "grad-cam", "a")
    explain_one(campaign, card, "grad-cam", "b")
    assert loaded == [card]
