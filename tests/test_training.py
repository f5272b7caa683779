"""Training: images and truth turn together, a killed training goes on, loss and shares obey their laws."""

import math
from pathlib import Path

import pytest
import torch

from data.simulations.recipes import LENS_SCENES, simulate_chunks
from lensmodel.models import load_network, read_card
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX, EvidenceNet
from lensmodel.training import TrainingPlan, cell_shares, loss_of, main, measure, save_network, split, train
from lensmodel.training_images import Batch, LabelledImages, augmented, draw_images, turned
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
    batch = Batch(torch.zeros(2, 4, 64, 64), lensed, lens, torch.full((2,), 0.5), torch.full((2,), 0.5))

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
    learn, check = split(images, 0.25)
    assert (len(learn), len(check)) == (9, 3)
    assert torch.equal(torch.cat([learn.flux, check.flux]), images.flux)


def test_a_killed_training_goes_on_and_ends_where_it_would_have(tmp_path: Path):
    images, plan = spots(40), TrainingPlan(epochs=2, batch=8, seed=3)
    whole = train(images, plan, folder=tmp_path / "whole")

    def stop(report: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(images, plan, folder=tmp_path / "killed", on_epoch=stop)
    resumed = train(images, plan, folder=tmp_path / "killed")
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-6), name


def test_a_network_learns_to_see_spots_and_says_where(tmp_path: Path):
    images = spots(160)
    reports: list[object] = []
    network = train(images, TrainingPlan(epochs=4, batch=16), folder=tmp_path, on_epoch=reports.append)
    measured = measure(network, split(images, 0.1)[1])
    assert len(reports) == 4
    assert measured["auroc"] > 0.9
    assert not math.isnan(measured["position_error_median_arcsec"])


def test_saved_weights_load_by_their_card(tmp_path: Path):
    network = EvidenceNet(bands=4, pixel_scale_arcsec=0.1).eval()
    save_network(network, tmp_path)
    loaded = load_network(read_card(tmp_path / "evidence-net.json"))
    image = torch.randn(1, 4, 64, 64)
    assert torch.equal(network(image).logit, loaded(image).logit)


def test_training_runs_from_the_command_line(tmp_path: Path, capsys):
    assert main(["--out", str(tmp_path), "--number", "48", "--epochs", "1", "--seed", "2"]) == 0
    assert (tmp_path / "evidence-net.pt").is_file()
    assert "auroc" in capsys.readouterr().out


def test_images_to_learn_from_carry_the_truth_of_the_simulation():
    images = draw_images(24, seed=2)
    (chunk,) = simulate_chunks(24, seed=2, recipe="training")
    assert images.is_lens.tolist() == [subtype in LENS_SCENES for subtype in chunk.subtypes]
    assert torch.allclose(images.x_px / 10, chunk.truth["sim_target_x_arcsec"])
    assert images.lensed[images.is_lens].any()
    assert not images.lensed[~images.is_lens].any()
    noise = (images.flux.float() - images.flux.float().flatten(2).median(2).values[..., None, None]).abs()
    quietest = noise.flatten(2).median(2).values.min(0).values
    assert torch.allclose(1.48 * quietest, torch.ones(4), atol=0.35)
