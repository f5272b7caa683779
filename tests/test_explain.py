"""The table of methods, run over every network; and explanations of a campaign's objects."""

import dataclasses
import importlib
import inspect
import re

import numpy as np
import pytest
import torch

from data.cutouts import Cutout, Plane
from data.maps import MapStore, position_of
from lensmodel.errors import ExplanationError
from lensmodel.explain import METHODS, explain, explain_objects, explain_one, find_method, methods_for
from lensmodel.explain.objects import on_cutout
from lensmodel.models import MODELS, load_network
from lensmodel.preprocessing import Field
from tests.fixtures.networks import added_model, card_of, evidence_model, lively_network, random_network
from tests.fixtures.packed import fill, planes

LITTLE_WORK = {"occlusion": {"window_px": 33}, "integrated-gradients": {"steps": 4}}


def little_work(method):
    return LITTLE_WORK["occlusion"] if method.startswith("occlusion") else LITTLE_WORK.get(method, {})


def an_image_for(card):
    side = card.field_px or 64
    return torch.rand(len(card.bands), side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", MODELS)
def test_every_method_explains_every_network_it_says_it_can(architecture):
    """Also a network whose ReLUs work in place, given to it while it is being trained."""
    card, network, image = (
        card_of(architecture),
        lively_network(architecture),
        an_image_for(card_of(architecture)),
    )
    for name in methods_for(card):
        method = find_method(name, card)
        expected = explain(network.eval(), card, image, name, **little_work(name))
        assert (expected.shape, expected.dtype) == (tuple(image.shape[1:]), np.float32)
        assert np.isfinite(expected[image.shape[1] // 2, image.shape[2] // 2])
        # Grad-CAM is blank where all speaks against a lens.
        assert np.ptp(expected[np.isfinite(expected)]) > 0 or "grad-cam" in name
        assert method.signed or np.nanmin(expected) >= 0
        network.train()
        np.testing.assert_array_equal(explain(network, card, image, name, **little_work(name)), expected)
        assert all(one.training for one in network.modules())
        assert torch.equal(image, an_image_for(card))


@pytest.mark.parametrize("architecture", MODELS)
def test_a_method_that_a_network_does_not_have_is_refused(architecture):
    card = card_of(architecture)
    for name in ("evidence", "occlusion-z", "magic"):
        if name not in methods_for(card):
            with pytest.raises(ExplanationError, match=f"{card.title} has no '{name}'; it has"):
                explain(random_network(architecture), card, an_image_for(card), name)


@pytest.mark.parametrize(
    ("bands", "names"),
    [
        (("VIS", "Y"), ["occlusion-vis", "occlusion-y"]),
        (("r", "R", "H α/2", "α"), ["occlusion-r", "occlusion-r-2", "occlusion-h-2", "occlusion-band"]),
    ],
)
def test_each_band_has_a_method_whose_name_is_safe_in_paths_and_addresses(bands, names):
    card = dataclasses.replace(card_of("ou-66"), bands=bands)
    assert [name for name in methods_for(card) if name not in METHODS] == names
    for name, band in zip(names, bands, strict=True):
        assert re.fullmatch("[a-z0-9-]+", name)
        assert find_method(name, card).title == f"Occlusion in {band}"
        assert find_method(name).name == name
    for unsafe in ("occlusion-../x", "occlusion-", "occlusion-A", "occlusion-a/b", "grad-cam-vis"):
        assert find_method(unsafe) is None


def test_hiding_a_band_hides_that_one_alone():
    card, network = card_of("ou-jyh"), lively_network("ou-jyh")
    image = an_image_for(card)
    drawn = explain(network, card, image, "occlusion-y", window_px=22)
    hidden = image.clone()
    hidden[1, 22:44, 44:] = 0
    with torch.inference_mode():
        before, after = network(torch.stack([image, hidden])).logit.sigmoid().tolist()
    assert drawn[30, 50] == pytest.approx(after - before, abs=1e-6)


def test_every_method_says_what_it_is_in_a_line():
    for name, method in METHODS.items():
        assert name == method.name
        for text in (method.title, method.shows, method.cannot_say, method.unit, method.reference):
            assert 0 < len(text) < 120
            assert "\n" not in text


def test_the_network_is_left_as_it_was_even_after_an_error():
    network = random_network("ou-66")
    network.train()
    network.layer[3].eval()
    training = [one.training for one in network.modules()]
    card = card_of("ou-66")
    too_few_bands, too_small = torch.rand(3, 66, 66), torch.rand(4, 30, 30)
    for method in methods_for(card):
        for image in (too_few_bands, too_small):
            with pytest.raises((ExplanationError, RuntimeError)):
                explain(network, card, image, method)
            assert [one.training for one in network.modules()] == training
            assert not any(hooks_of(one) for one in network.modules())
            assert all(parameter.grad is None for parameter in network.parameters())


def hooks_of(module):
    return [
        *module._forward_hooks,
        *module._forward_pre_hooks,
        *module._backward_hooks,
        *module._backward_pre_hooks,
    ]


def test_evidence_lies_where_the_network_looks():
    """A bump of light that moves by some cells moves the map by as many."""
    network, card = random_network("evidence-net"), card_of("evidence-net")
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
        ("a", "magic", "method is 'magic'; expected one of grad-cam"),
        ("a", "evidence", "OU-66 has no 'evidence'; it has grad-cam, occlusion"),
        ("a", "occlusion-z", "OU-66 has no 'occlusion-z'; it has grad-cam"),
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
    np.testing.assert_allclose(map_.values, expected, rtol=1e-4, atol=1e-6)
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


def test_maps_with_other_options_lie_apart_and_those_without_stay_what_they_were(campaign, tmp_path):
    scored_campaign(campaign)
    card = added_model(tmp_path)
    usual = explain_one(campaign, card, "occlusion", "a", window_px=22)
    as_logit = explain_one(campaign, card, "occlusion", "a", window_px=22, unit="logit", baseline="zero")
    assert (usual.unit, as_logit.unit) == ("change of p", "change of logit")
    assert np.nanmax(np.abs(as_logit.values)) > np.nanmax(np.abs(usual.values))
    report = explain_objects(campaign, card, "occlusion", ["a"], unit="logit", window_px=22)
    assert (report.already_there, report.path.name) == (1, "occlusion,unit=logit,window_px=22.zarr")
    assert not campaign.maps_path(card.version, "occlusion").exists()
    assert explain_objects(campaign, card, "grad-cam", ["a"], layer=None).path == campaign.maps_path(
        card.version, "grad-cam"
    )


def test_a_coarse_map_lies_apart_and_gives_way_to_the_fine_one(campaign, tmp_path):
    scored_campaign(campaign)
    card = added_model(tmp_path)
    coarse = explain_one(campaign, card, "occlusion", "a", coarse=True)
    assert not campaign.maps_path(card.version, "occlusion").exists()
    fine = explain_one(campaign, card, "occlusion", "a")
    assert len(np.unique(coarse.values)) < len(np.unique(fine.values)) / 3
    again = explain_one(campaign, card, "occlusion", "a", coarse=True)
    np.testing.assert_array_equal(again.values, fine.values)
    report = explain_objects(campaign, card, "occlusion", ["a"])
    assert report.already_there == 1


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.has_coarse])
def test_coarse_options_are_options_of_the_method(name):
    module = importlib.import_module(METHODS[name].module)
    assert set(module.coarse_options(100)) <= set(inspect.signature(module.explain).parameters)


@pytest.mark.parametrize(
    ("method", "options", "complaint"),
    [
        ("grad-cam", {"window_px": 4}, "Grad-CAM has no option window_px; it has layer"),
        ("saliency", {"layer": 4}, "Saliency has no option layer; it has none"),
        (
            "occlusion",
            {"layer": 4},
            "Occlusion has no option layer; it has window_px, stride_px, baseline, unit",
        ),
        ("occlusion", {"band": 1}, "Occlusion has no option band"),
    ],
)
def test_options_of_other_methods_are_refused(campaign, tmp_path, method, options, complaint):
    scored_campaign(campaign)
    with pytest.raises(ExplanationError, match=complaint):
        explain_objects(campaign, added_model(tmp_path), method, ["a"], **options)


def test_evidence_net_is_asked_by_squares_of_8_px_that_overlap_by_half(tmp_path):
    card = evidence_model(tmp_path)
    network, image = load_network(card), torch.randn(4, 48, 48, generator=torch.Generator().manual_seed(1))
    usual = explain(network, card, image, "occlusion")
    assert np.array_equal(usual, explain(network, card, image, "occlusion", window_px=8, stride_px=4))
    assert not np.array_equal(usual, explain(network, card, image, "occlusion", window_px=8))
