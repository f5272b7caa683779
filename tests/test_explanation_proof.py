"""`lensvet evaluate --explanations`: curves, redrawn networks, and all of it on a small simulated campaign."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor, nn

from dashboard import cli
from data.campaign import create_campaign, open_campaign
from data.simulations.writing import write_simulations
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.explanation_metrics import area_share, weight_share
from lensmodel.evaluation.lenses_with_arcs import lenses_of
from lensmodel.explain import METHODS, explain
from lensmodel.explain.curves import STEPS, deletion, insertion
from lensmodel.explain.proof import Numbers, rows_of
from lensmodel.explain.redrawn import redrawn, redrawn_by_depth
from lensmodel.models import load_network, model_named
from lensmodel.networks import LensNetwork, NetworkOutput
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.networks import added_model, evidence_model, random_network

BLOB = np.zeros((64, 64), bool)
BLOB[20:28, 36:44] = True


class Brightness(LensNetwork):
    """Says lens where there is light in the blob, and knows its way without having learned anything."""

    def __init__(self) -> None:
        super().__init__()
        light = nn.Conv2d(2, 1, 3, padding=1)
        nn.init.constant_(light.weight, 1 / 18)
        nn.init.zeros_(light.bias)
        self.stack = nn.Sequential(light, nn.ReLU())

    @property
    def features(self) -> nn.Sequential:
        return self.stack

    def judge(self, feature_map: Tensor) -> NetworkOutput:
        blob = torch.from_numpy(BLOB)
        evidence = 8 * torch.where(blob, feature_map[:, 0], 0.0) - 4
        return NetworkOutput(evidence.flatten(1).mean(1) * 64 * 64 / BLOB.sum() + 252, evidence=evidence)


def an_image() -> Tensor:
    """Two bands of a blob of light on noise."""
    noise = 0.01 * torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(1))
    return noise + torch.from_numpy(BLOB)


def in_order_of(map_: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(-map_.ravel(), kind="stable")).reshape(map_.shape)


def test_the_curves_begin_and_end_with_the_sky_and_the_whole_image():
    network, image = Brightness(), an_image()
    ranks = in_order_of(BLOB.astype(float))
    inserted, deleted = insertion(network, image, ranks), deletion(network, image, ranks)
    sky = image.flatten(1).median(dim=1).values[:, None, None].expand_as(image)
    with torch.no_grad():
        p_sky, p_image = network(torch.stack([sky, image])).logit.double().sigmoid().tolist()
    assert len(inserted) == len(deleted) == STEPS + 1
    assert (inserted[0], inserted[-1]) == pytest.approx((p_sky, p_image))
    assert (deleted[0], deleted[-1]) == pytest.approx((p_image, p_sky))


def test_a_perfect_order_deletes_at_once_and_the_opposite_at_last():
    """The blob is 64 of 4,096 pixels, less than one of the steps."""
    network, image = Brightness(), an_image()
    perfect = in_order_of(BLOB.astype(float))
    p_sky = insertion(network, image, perfect)[0]
    np.testing.assert_allclose(deletion(network, image, perfect)[1:], p_sky, atol=0.02)
    assert insertion(network, image, perfect)[1] > p_sky + 0.4
    opposite = in_order_of(-BLOB.astype(float))
    assert deletion(network, image, opposite)[-2] > p_sky + 0.4
    np.testing.assert_allclose(insertion(network, image, opposite)[:-1], p_sky, atol=0.02)


def test_a_band_that_is_missing_stays_missing_while_pixels_come_and_go():
    shown = []

    class Watched(Brightness):
        def forward(self, normalised: Tensor) -> NetworkOutput:
            shown.append(normalised[:, 1].clone())
            return super().forward(normalised)

    image = an_image()
    image[1] = -1.0
    insertion(Watched(), image, in_order_of(BLOB.astype(float)))
    assert (torch.cat(shown) == -1).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_sign_that_speaks_for_a_lens_is_known_of_every_method(tmp_path, method):
    """Of a network for which light at one place is a lens."""
    options = {"window_px": 4} if method == "occlusion" else {}
    card = replace(evidence_model(tmp_path), bands=("VIS", "H"))
    map_ = METHODS[method].for_lens * explain(Brightness(), card, an_image(), method, **options)
    assert weight_share(map_, BLOB) > 10 * area_share(map_, BLOB)


def test_methods_that_look_at_a_layer_are_measured_at_several(tmp_path):
    card = added_model(tmp_path)
    network = load_network(card)
    layers = {
        layer for method, layer in rows_of(network, card, Numbers(), all_layers=False) if method == "grad-cam"
    }
    assert layers == {"1", "14", "27"}
    rows = rows_of(network, card, Numbers(), all_layers=True)
    assert len([layer for method, layer in rows if method == "grad-cam"]) == 9
    assert [layer for method, layer in rows if method == "occlusion"] == [""]


def test_a_method_in_one_band_is_measured_on_as_many_lenses_as_the_method():
    numbers = Numbers(60, {"occlusion": 8, "grad-cam": 0})
    assert [numbers.of(name) for name in ("occlusion", "occlusion-vis", "grad-cam", "hirescam")] == [
        8,
        8,
        0,
        60,
    ]
    assert numbers.most == 60


@pytest.mark.parametrize("architecture", ["ou-66", "evidence-net"])
def test_redrawn_weights_are_others_and_the_same_for_a_seed(tmp_path, architecture):
    card = evidence_model(tmp_path) if architecture == "evidence-net" else added_model(tmp_path)
    images = torch.rand(3, 4, 66, 66, generator=torch.Generator().manual_seed(0))
    before = torch.random.get_rng_state()
    first, again, other = (redrawn(card, images, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.no_grad():
        trained, *logits = (network(images).logit for network in (load_network(card), first, again, other))
    assert torch.equal(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])
    assert not torch.allclose(logits[0], trained)
    assert not any(module.training for module in first.modules())


def test_redrawn_batch_normalisation_fits_the_images(tmp_path):
    images = 50 * torch.rand(3, 4, 66, 66, generator=torch.Generator().manual_seed(0))
    network = redrawn(evidence_model(tmp_path), images, seed=7)
    with torch.no_grad():
        normalised = network.features[:2](images)
    assert normalised.mean().item() == pytest.approx(0, abs=0.01)
    assert normalised.std().item() == pytest.approx(1, abs=0.05)


def test_weights_are_redrawn_from_the_top_down(tmp_path):
    card = evidence_model(tmp_path)
    images = torch.rand(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    networks = redrawn_by_depth(card, images, seed=7)
    trained = random_network("evidence-net")
    with torch.no_grad():
        verdict, upper, everything = (
            [torch.equal(one.weight, other.weight) for one, other in zip(*layers, strict=True)]
            for layers in (
                [convolutions(networks[name]), convolutions(trained)]
                for name in ("rho_verdict", "rho_upper", "rho")
            )
        )
    assert verdict == [True] * 8 + [False]
    assert upper == [True] * 4 + [False] * 5
    assert everything == [False] * 9


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    campaign = create_campaign(tmp_path_factory.mktemp("mocks") / "mocks", survey="euclid")
    write_simulations(campaign, number=14, seed=4)
    return campaign.path


def words_for(campaign: Path, out: Path, *models: str) -> list[str]:
    named = [word for model in models or ("evidence-net",) for word in ("--model", model)]
    words = ["evaluate", str(campaign), *named, "--out", str(out), "--resamples", "20", "--explanations"]
    return [*words, "--number", "2", "--number", "occlusion=0"]


@pytest.fixture(scope="module")
def results(simulated: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("results")
    assert cli.main(words_for(simulated, out)) == 0
    return out


def record_in(folder: Path) -> dict:
    return json.loads((folder / "explanations.json").read_text(encoding="utf-8"))


def test_every_method_and_layer_has_its_figures(results: Path):
    record = record_in(results)
    found = record["models"]["evidence-net"]
    assert set(found["evidence"]) == {""}
    assert len(found["grad-cam"]) == 3
    assert "occlusion" not in found
    for layers in found.values():
        for figures in layers.values():
            assert figures["lenses"] == 2
            for name in ("hits_arcs", "hits_lens", "weight_on_arcs", "area_of_arcs", "insertion", "deletion"):
                assert 0 <= figures[name] <= 1, name
            assert abs(figures["redrawn_rho"]) <= 1
            light, order = (record["references"]["evidence-net"][name] for name in ("light", "random order"))
            above = figures["arcs_beyond_chance"] - light["arcs_beyond_chance"]
            assert figures["arcs_beyond_light"] == pytest.approx(above)
            above = figures["insertion_less_deletion"] - order["insertion_less_deletion"]
            assert figures["ordering_beyond_random"] == pytest.approx(above)
            assert figures["time_ms"] > 0
    assert set(record["references"]["evidence-net"]) >= {
        "light",
        "random order",
        "own position",
        "cutout centre",
    }


def test_the_network_places_lenses_as_its_scores_say(simulated: Path, results: Path):
    own = record_in(results)["references"]["evidence-net"]["own position"]
    campaign = open_campaign(simulated)
    scores = {
        row["object_id"]: row
        for part in campaign.score_parts(model_named("evidence-net").version)
        for row in pq.read_table(part, partitioning=None).to_pylist()
    }
    errors = [
        np.hypot(
            scores[lens.stored.object_id]["x_arcsec"] - lens.x_arcsec,
            scores[lens.stored.object_id]["y_arcsec"] - lens.y_arcsec,
        )
        for lens in lenses_of(campaign, number=2, seed=1)
    ]
    assert own["position_error_median_arcsec"] == pytest.approx(np.median(errors), abs=1e-4)


def test_evidence_lies_at_the_lens_far_more_than_chance(results: Path):
    found = record_in(results)["models"]["evidence-net"]["evidence"][""]
    assert found["position_error_median_arcsec"] < 0.3
    assert found["weight_near_lens"] > 2 * found["area_near_lens"]


def test_the_report_says_which_map_to_believe_and_shows_maps(results: Path, capsys):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "Why: which map to believe" in page
    assert "evidence-net: believe" in page
    assert page.count("grad-cam, layer") > 3
    methods = record_in(results)["models"]["evidence-net"]
    assert page.count('width="150"') == 2 * (1 + len(methods))  # two lenses: cutout, each method's best layer


def test_the_same_command_measures_the_same(simulated: Path, results: Path, tmp_path: Path):
    assert cli.main(words_for(simulated, tmp_path / "again")) == 0
    first, second = (
        {
            method: {layer: without_times(one) for layer, one in layers.items()}
            for method, layers in models.items()
        }
        for models in (
            record_in(folder)["models"]["evidence-net"] for folder in (results, tmp_path / "again")
        )
    )
    assert first == second


def without_times(figures: dict) -> dict:
    intervals = {name: both for name, both in figures["intervals"].items() if name != "time_ms"}
    return figures | {"time_ms": None, "intervals": intervals}


def test_a_model_that_sees_none_of_the_lenses_is_a_sentence_beside_others_and_an_error_alone(
    simulated: Path, tmp_path: Path, capsys
):
    added_model(tmp_path)
    assert cli.main(words_for(simulated, tmp_path / "alone", "ou-66")) == 1
    error = capsys.readouterr().err
    assert 'OU-66 looks at 19.8"' in error
    assert error.count("\n") == 1
    assert not (tmp_path / "alone").exists()
    assert cli.main(words_for(simulated, tmp_path / "both", "ou-66", "evidence-net")) == 0
    assert "ou-66 explains none of the 2 lenses. Why: band J is 10.0" in capsys.readouterr().out
    assert record_in(tmp_path / "both")["models"]["ou-66"] == {}
    assert record_in(tmp_path / "both")["believed"]["ou-66"] is None


def test_without_masks_or_lenses_explanations_are_refused_in_a_line(simulated, tmp_path: Path, capsys):
    unmasked = tmp_path / "unmasked"
    shutil.copytree(simulated, unmasked, ignore=shutil.ignore_patterns("truth.zarr"))
    assert cli.main(words_for(unmasked, tmp_path / "out")) == 1
    assert "has no masks of lensed light" in capsys.readouterr().err
    columns = {"class": "lens", "lens_x_arcsec": 0.0, "lens_y_arcsec": 0.0, "sim_arc_is_detectable": 0.0}
    faint = filled_campaign(tmp_path / "faint", ["a"], columns=columns)
    assert cli.main(words_for(faint.path, tmp_path / "out")) == 1
    assert "has no lenses of detectable arcs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_method_that_is_none_is_refused_before_anything_is_made(simulated, tmp_path: Path, capsys):
    words = [*words_for(simulated, tmp_path / "out"), "--number", "magic=3"]
    assert cli.main(words) == 1
    assert "no method is called 'magic'; these models have evidence, grad-cam" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["0", "grad-cam=-1", "grad-cam=few", "many"])
def test_a_number_that_is_none_is_wrong_usage(tmp_path: Path, capsys, text: str):
    with pytest.raises(SystemExit) as ended:
        cli.main([*words_for(tmp_path, tmp_path / "out"), "--number", text])
    assert ended.value.code == 2
    capsys.readouterr()


def test_lenses_are_drawn_by_seed_and_only_where_arcs_can_be_seen(simulated: Path):
    campaign = open_campaign(simulated)
    everything = lenses_of(campaign, number=100, seed=1)
    assert 2 < len(everything) < 14
    assert all(lens.arcs.any() and lens.stored.columns["sim_arc_is_detectable"] for lens in everything)
    first, other = (
        [lens.stored.object_id for lens in lenses_of(campaign, number=2, seed=seed)] for seed in (1, 2)
    )
    assert first == [lens.stored.object_id for lens in everything[:2]]
    assert first != other
    with pytest.raises(EvaluationError, match="has no objects"):
        lenses_of(create_campaign(simulated.parent / "empty", survey="euclid"), number=1, seed=1)
