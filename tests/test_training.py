"""Training: images and truth turn together, a killed training goes on, loss and shares obey their laws."""

import math
from pathlib import Path

import pytest
import torch

from dashboard import cli
from data.campaign import Campaign, create_campaign
from data.errors import LensVetError
from data.simulations import simulate
from data.simulations.instrument import BANDS, OPTICS
from data.simulations.recipes import simulate_chunks
from lensmodel.errors import TrainingError
from lensmodel.models import load_network, read_card
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX, EvidenceNet
from lensmodel.training.images import Batch, LabelledImages, _bands_observed, augmented, images_of, turned
from lensmodel.training.losses import cell_shares, loss_of
from lensmodel.training.plan import TrainingPlan
from lensmodel.training.run import curves, lessons, save_network, split, train
from lensmodel.training.validation import measure
from tests.fixtures.campaigns import filled_campaign
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")


def spots(number: int = 12, size: int = 68) -> LabelledImages:
    """Noise, in half of the images a bright spot where the lens is said to be."""
    generator = torch.Generator().manual_seed(1)
    x_px, y_px = (torch.randint(-12, 13, (number,), generator=generator) - 0.5 for _ in range(2))
    flux = torch.randn(number, 4, size, size, generator=generator)
    rows = torch.arange(number)
    centre = (size - 1) / 2
    is_lens = rows % 2 == 0
    flux[rows, :, (y_px + centre).long(), (x_px + centre).long()] += 500 * is_lens[:, None]
    return LabelledImages(flux.half(), torch.zeros(number, size, size).bool(), is_lens, x_px, y_px)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_a_position_turns_with_its_image(quarter_turns: int, mirrored: bool):
    image = torch.zeros(1, 21, 21)
    image[0, 10 + 4, 10 - 7] = 1
    after, x, y = turned(image, -7, 4, quarter_turns=quarter_turns, mirrored=mirrored)
    assert float(after[0, int(10 + y), int(10 + x)]) == 1


def test_augmented_images_keep_the_lens_at_the_position_they_state():
    images = spots()
    for seed in range(5):
        rows = torch.arange(0, 12, 2)
        generator = torch.Generator().manual_seed(seed)
        batch = augmented(images, rows, size_px=48, generator=generator)
        assert batch.flux.shape == (6, 4, 48, 48)
        for image, x, y in zip(batch.flux, batch.x_px, batch.y_px, strict=True):
            if image[0].isnan().any():  # a missing band; the others may be shifted against it
                continue
            row, column = divmod(int(image[0].argmax()), 48)
            assert (column - 23.5, row - 23.5) == (float(x), float(y))


def test_shares_of_cells_sum_to_one_and_their_mean_is_the_position():
    x_px, y_px = torch.tensor([-3.3, 8.0]), torch.tensor([0.7, -20.0])
    shares = cell_shares(x_px, y_px, size_px=64, rows=16, columns=16)
    assert torch.allclose(shares.sum((1, 2)), torch.ones(2))
    pixel = torch.arange(16) * STRIDE_PX - 31.5
    assert torch.allclose((shares.sum(1) * pixel).sum(1), x_px, atol=1e-4)
    assert torch.allclose((shares.sum(2) * pixel).sum(1), y_px, atol=1e-4)


def test_the_loss_is_least_where_verdict_place_and_lensed_light_are_right():
    lens = torch.tensor([True, False])
    lensed = torch.zeros(2, 64, 64)
    lensed[0, 30:34, 40:44] = 1
    batch = Batch(
        torch.zeros(2, 4, 64, 64), lensed, lens, torch.full((2,), 0.5), torch.full((2,), 0.5), lens | ~lens
    )

    def loss(*, column: int = 8, logit: float = 4, at: int = 10) -> float:
        evidence = torch.zeros(2, 16, 16)
        evidence[0, 8, column] = 9
        light = torch.full((2, 16, 16), -4.0)
        light[0, 8, at] = 4
        return float(
            loss_of(
                NetworkOutput(torch.tensor([float(logit), -float(logit)]), evidence=evidence), light, batch
            )
        )

    assert loss() < loss(column=3)
    assert loss() < loss(logit=-4)
    assert loss() < loss(at=2)


def test_validation_images_are_never_learned_from():
    images = spots()
    learn, check = split(images, 3)
    assert (len(learn), len(check)) == (9, 3)
    assert torch.equal(torch.cat([learn.flux, check.flux]), images.flux)


def test_a_killed_training_goes_on_and_ends_where_it_would_have(tmp_path: Path):
    images, plan = split(spots(40), 8), TrainingPlan(epochs=2, batch=8, seed=3)
    whole = train(*images, plan, folder=tmp_path / "whole")

    def stop(report: object) -> None:
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        train(*images, plan, folder=tmp_path / "killed", on_epoch=stop)
    steps: list[int] = []
    resumed = train(*images, plan, folder=tmp_path / "killed", on_step=lambda done, _: steps.append(done))
    assert steps == [5, 6, 7, 8], "the second pass only"
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-6), name


def test_a_network_learns_to_see_spots_and_says_where(tmp_path: Path):
    learn, check = split(spots(160), 16)
    reports: list[object] = []
    network = train(learn, check, TrainingPlan(epochs=4, batch=16), folder=tmp_path, on_epoch=reports.append)
    measured = measure(network, check)
    assert len(reports) == 4
    assert curves(tmp_path) == reports
    assert measured["auroc"] > 0.9
    assert not math.isnan(measured["position_error_median_arcsec"])


def test_a_checkpoint_of_another_plan_is_not_gone_on_with(tmp_path: Path):
    images = split(spots(16), 4)
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    with pytest.raises(TrainingError, match="another plan"):
        train(*images, TrainingPlan(epochs=2, batch=8), folder=tmp_path)


def test_bands_are_missing_in_a_third_of_the_images_and_never_all():
    observed = _bands_observed(4000, 4, torch.Generator().manual_seed(2))
    assert observed.any(1).all()
    assert 0.62 < float(observed.all(1).float().mean()) < 0.70
    alone = observed[:, 0] & ~observed[:, 1:].any(1)
    assert 0.13 < float(alone.float().mean()) < 0.20


def test_a_lens_whose_arcs_are_outside_the_window_does_not_count():
    images = spots(4, size=100)
    images.lensed[0, :4], images.lensed[2, 46:54, 46:54] = True, True
    batch = augmented(images, torch.tensor([0, 1, 2]), size_px=64, generator=torch.Generator().manual_seed(1))
    assert batch.counts.tolist() == [False, True, True]
    network = NetworkOutput(torch.tensor([9.0, -9.0, 9.0]), evidence=torch.zeros(3, 16, 16))
    missed = NetworkOutput(torch.tensor([-9.0, -9.0, 9.0]), evidence=torch.zeros(3, 16, 16))
    light = torch.zeros(3, 16, 16)
    assert torch.equal(loss_of(network, light, batch), loss_of(missed, light, batch))


def test_saved_weights_load_by_their_card(tmp_path: Path):
    network = EvidenceNet(bands=4, pixel_scale_arcsec=0.1).eval()
    save_network(network, tmp_path)
    loaded = load_network(read_card(tmp_path / "evidence-net.json"))
    image = torch.randn(1, 4, 64, 64)
    assert torch.equal(network(image).logit, loaded(image).logit)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Campaign:
    campaign = create_campaign(tmp_path_factory.mktemp("training") / "lessons", survey="euclid")
    simulate(campaign, number=72, seed=2, recipe="training")
    return campaign


def test_training_runs_from_the_command_line(simulated: Campaign, tmp_path: Path, capsys):
    words = [
        "train",
        str(simulated.path),
        "--out",
        str(tmp_path / "out"),
        "--epochs",
        "1",
        "--validation",
        "20",
    ]
    assert cli.main(words) == 0
    assert (tmp_path / "out" / "metrics.json").is_file()
    assert "Median position error" in (tmp_path / "out" / "curves.html").read_text(encoding="utf-8")
    assert "auroc: " in capsys.readouterr().out
    card = read_card(tmp_path / "out" / "evidence-net.json")
    assert card.prior == 0.5
    load_network(card)


def test_images_to_learn_from_carry_the_truth_of_the_simulation(simulated: Campaign):
    images = images_of(simulated, "evidence-net")
    (chunk,) = simulate_chunks(72, seed=2, recipe="training")
    learned = ~chunk.is_lens | (chunk.truth["sim_arc_is_detectable"] == 1)
    assert images.is_lens.tolist() == chunk.is_lens[learned].tolist()
    assert torch.allclose(images.x_px / 10, chunk.truth["sim_target_x_arcsec"][learned], atol=1e-3)
    assert torch.allclose(images.y_px / 10, chunk.truth["sim_target_y_arcsec"][learned], atol=1e-3)
    assert torch.equal(images.lensed, chunk.lensed[learned])
    noise = torch.tensor([OPTICS[band].noise_rms for band in BANDS])[:, None, None]
    ratio = (images.flux.float() * noise / chunk.images[learned]).flatten(2).nanmedian(2).values
    assert torch.allclose(ratio, ratio[:1].expand_as(ratio), rtol=1e-2), "one scale for all images of a band"
    assert ((ratio > 0.65) & (ratio < 1.1)).all(), "in units of the noise, which galaxies raise a little"


def test_lenses_that_nobody_could_see_are_not_learned_from(tmp_path: Path):
    campaign = create_campaign(tmp_path / "faint", survey="euclid")
    simulate(campaign, number=256, seed=5, recipe="survey")
    (chunk,) = simulate_chunks(256, seed=5, recipe="survey")
    unseen = chunk.is_lens & (chunk.truth["sim_arc_is_detectable"] == 0)
    assert unseen.any()
    assert len(images_of(campaign, "evidence-net")) == 256 - int(unseen.sum())


def test_campaigns_that_cannot_be_learned_from_say_why(simulated: Campaign, tmp_path: Path):
    with pytest.raises(TrainingError, match="of which 100 are to be kept"):
        lessons([simulated], validation=100)
    mixed = filled_campaign(tmp_path / "mixed", ["a"], columns={"class": "lens"})
    with pytest.raises(LensVetError, match="no masks"):
        images_of(mixed, "evidence-net")
