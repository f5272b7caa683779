"""Training: images and truth turn together, a killed training goes on and ends where it would have."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dashboard import cli
from data.campaign import Campaign, create_campaign
from data.cutout_store import CutoutStore
from data.errors import LensVetError
from data.simulations import simulate
from data.simulations.instrument import BANDS, OPTICS
from data.simulations.recipes import simulate_chunks
from lensmodel.errors import TrainingError
from lensmodel.models import add_model, load_network, read_card
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import EvidenceNet, noise_of
from lensmodel.networks.wilde2022 import OU66
from lensmodel.training import run
from lensmodel.training.course import Course, Lessons, loader_of
from lensmodel.training.images import (
    LabelledImages,
    _bands_observed,
    _blurred,
    augmented,
    drawn_gaps,
    images_of,
    joined,
    turned,
)
from lensmodel.training.losses import loss_of
from lensmodel.training.plan import TrainingPlan
from lensmodel.training.run import curves, learned_in, lessons, save_network, split, train
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
    lensed, follows = torch.zeros(number, size, size).bool(), torch.zeros(number).bool()
    return LabelledImages(flux.half(), lensed, is_lens, x_px, y_px, follows)


class Judge(torch.nn.Module):
    """A network of one rule, from flux (object, band, y, x) to logits."""

    def __init__(self, rule: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.rule, self.verdict_shift, self.pixel_scale_arcsec = rule, torch.zeros(()), 0.1

    def normalise(self, flux: torch.Tensor) -> torch.Tensor:
        return flux

    def forward(self, flux: torch.Tensor) -> NetworkOutput:
        place = torch.zeros(len(flux))
        return NetworkOutput(self.rule(flux), place, place, place + 1)


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


def test_validation_images_are_never_learned_from():
    images = spots()
    learn, check = split(images, 3)
    assert (len(learn), len(check)) == (9, 3)
    assert torch.equal(torch.cat([learn.flux, check.flux]), images.flux)


def test_campaigns_of_different_sizes_are_not_learned_from_together(tmp_path: Path, monkeypatch):
    small, large = (create_campaign(tmp_path / name, survey="euclid") for name in ("small", "large"))
    images = {small.path: spots(size=64), large.path: spots(size=68)}
    monkeypatch.setattr(run, "images_of", lambda campaign, _: images[campaign.path])
    with pytest.raises(TrainingError, match=r"small has images of 64 x 64 px, .*large of 68 x 68 px"):
        lessons([small, large], validation=4)
    images[large.path] = spots(size=64)
    learn, check = lessons([small, large], validation=4)
    assert (len(learn), len(check)) == (16, 8)


def test_images_to_check_with_are_of_both_classes(tmp_path: Path, monkeypatch):
    campaign, images = create_campaign(tmp_path / "one-kind", survey="euclid"), spots()
    images.is_lens[-4:] = False
    monkeypatch.setattr(run, "images_of", lambda *_: images)
    with pytest.raises(TrainingError, match="all of one class"):
        lessons([campaign], validation=4)


def test_a_lens_and_its_twin_are_both_learned_from_or_both_checked_with():
    images = spots()
    images.follows_its_twin[9] = True
    assert [len(split(images, validation)[1]) for validation in (2, 3, 4)] == [2, 4, 4]


def test_sets_of_images_are_joined_in_order_and_one_alone_is_not_copied():
    images = spots()
    parts = [images.part(slice(5)), images.part(slice(5, None))]
    whole = joined(parts)
    assert not parts, "parts are freed once they are copied"
    for name, value in vars(images).items():
        assert torch.equal(vars(whole)[name], value), name
    assert joined([images]) is images


def test_unmeasured_pixels_stay_unmeasured(monkeypatch):
    images = spots()
    images.flux[:, :, :30] = torch.nan
    monkeypatch.setattr(
        "lensmodel.training.images.drawn_gaps", lambda x, *_: torch.zeros(len(x), 64, 64).bool()
    )
    batch = augmented(images, torch.arange(12), size_px=64, generator=torch.Generator().manual_seed(3))
    missing = batch.flux.isnan().flatten(2).float().mean(2)
    assert ((missing > 0.3) & (missing < 0.5) | (missing == 1)).all()
    assert (missing < 1).any(1).all()


def test_some_images_have_gaps_that_leave_the_target_measured():
    generator = torch.Generator().manual_seed(6)
    x_px, y_px = (torch.randint(-20, 21, (3000,), generator=generator) - 0.5 for _ in range(2))
    gaps = drawn_gaps(x_px, y_px, 64, generator)
    column, row = (x_px + 31.5).long(), (y_px + 31.5).long()
    assert not gaps[torch.arange(3000), row, column].any()
    share = gaps.float().mean((1, 2))
    assert 0.05 < float((share > 0).float().mean()) < 0.08
    assert 0.1 < float(share[share > 0].mean()) < 0.8
    torn = gaps[gaps.all(1).any(1) ^ gaps.all(2).any(1)]
    edges = (torn[:, :, 0].all(1), torn[:, :, -1].all(1), torn[:, 0].all(1), torn[:, -1].all(1))
    assert all(int(edge.sum()) > 10 for edge in edges)


def test_a_blurred_image_has_the_noise_that_it_had():
    image = (
        torch.randn(4, 100, 100, generator=torch.Generator().manual_seed(2))
        * torch.tensor([1.0, 2, 3, 4])[:, None, None]
    )
    image[:, 50, 50] += 500
    blurred = _blurred(image, 0.8, torch.Generator().manual_seed(3))
    assert torch.allclose(noise_of(blurred[None]), noise_of(image[None]), rtol=0.08)
    assert (blurred[:, 50, 50] < 200).all(), "light is spread"


def test_lensed_light_in_a_gap_is_not_asked_for(monkeypatch):
    images = spots()
    images.lensed[:] = True
    torn = torch.zeros(12, 64, 64, dtype=torch.bool)
    torn[:, :, :40] = True
    monkeypatch.setattr("lensmodel.training.images.drawn_gaps", lambda *_: torn)
    batch = augmented(images, torch.arange(12), size_px=64, generator=torch.Generator().manual_seed(3))
    assert batch.flux[..., :40].isnan().all()
    assert not batch.lensed[..., :40].any()
    assert batch.lensed[..., 40:].all()
    assert not batch.counts[images.is_lens].any(), "most of their arcs are gone"


def test_a_killed_training_goes_on_and_ends_where_it_would_have(tmp_path: Path):
    images, plan = split(spots(40), 8), TrainingPlan(epochs=2, batch=8, seed=3)
    whole = train(*images, plan, folder=tmp_path / "whole")

    def stop(report: object) -> None:
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        train(*images, plan, folder=tmp_path / "killed", on_epoch=stop)
    steps: list[int] = []
    resumed = train(*images, plan, folder=tmp_path / "killed", on_step=lambda done, _: steps.append(done))
    assert steps == [5, 6, 7, 8], "the second epoch only"
    assert whole is not None
    assert resumed is not None
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-6), name


def test_a_network_learns_to_see_spots_and_says_where(tmp_path: Path):
    learn, check = split(spots(160), 16)
    reports: list[object] = []
    network = train(learn, check, TrainingPlan(epochs=4, batch=16), folder=tmp_path, on_epoch=reports.append)
    assert network is not None
    measured = measure(network, check)
    assert len(reports) == 4
    assert curves(tmp_path) == reports
    assert measured["auroc"] > 0.9
    assert not math.isnan(measured["position_error_median_arcsec"])


def test_a_training_begins_with_what_an_earlier_one_learned(tmp_path: Path):
    images, plan = split(spots(40), 8), TrainingPlan(epochs=1, batch=8, learning_rate=1e-12)
    train(*images, replace(plan, learning_rate=2e-3), folder=tmp_path / "first")
    earlier, digest = learned_in(str(tmp_path / "first"))
    plan = replace(plan, begins_with=digest)
    network = train(*images, plan, folder=tmp_path / "second", earlier=earlier)
    assert network is not None
    for name, value in network.stack.named_parameters():
        assert torch.allclose(value, earlier[f"network.stack.{name}"], atol=1e-6), name
    with pytest.raises(TrainingError, match="another plan"):
        train(*images, replace(plan, begins_with=None), folder=tmp_path / "second")


@pytest.mark.parametrize("by", ["name", "card"])
def test_a_training_begins_with_a_model_without_its_calibration(by: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LENSVET_HOME", str(tmp_path / "home"))
    network = EvidenceNet(bands=4, pixel_scale_arcsec=0.1).eval()
    network.verdict_sharpness.fill_(3.0)
    card = save_network(network, tmp_path, name="ours")
    add_model(tmp_path / "ours.json")
    earlier, digest = learned_in("ours" if by == "name" else str(tmp_path / "ours.json"))
    assert digest == card.sha256
    assert earlier["network.verdict_sharpness"] == 1
    for name, value in network.stack.named_parameters():
        assert torch.equal(value, earlier[f"network.stack.{name}"]), name


def test_a_training_begins_with_no_model_of_another_network(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LENSVET_HOME", str(tmp_path))
    network = OU66(bands=1, pixel_scale_arcsec=0.3)
    torch.save(network.state_dict(), tmp_path / "ou-j.pt")
    add_model(tmp_path / "ou-j.pt")
    with pytest.raises(TrainingError, match="OU-J is no Evidence network"):
        learned_in("ou-j")


def test_what_no_training_left_is_not_begun_with(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"holds no checkpoint\.ckpt"):
        learned_in(str(tmp_path))
    (tmp_path / "checkpoint.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="no checkpoint of a training of Evidence network"):
        learned_in(str(tmp_path))
    torch.save(
        {"state_dict": {"learner.network.evidence.bias": torch.zeros(1)}}, tmp_path / "checkpoint.ckpt"
    )
    with pytest.raises(TrainingError, match="no checkpoint of a training of Evidence network"):
        learned_in(str(tmp_path))


def test_a_checkpoint_of_another_plan_is_not_gone_on_with(tmp_path: Path):
    images = split(spots(16), 4)
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    with pytest.raises(TrainingError, match="another plan"):
        train(*images, TrainingPlan(epochs=2, batch=8), folder=tmp_path)


@pytest.mark.parametrize("validation", [3, 5])
def test_a_checkpoint_of_other_images_is_not_gone_on_with(tmp_path: Path, validation: int):
    images, plan = spots(16), TrainingPlan(epochs=1, batch=8)
    train(*split(images, 4), plan, folder=tmp_path)
    with pytest.raises(TrainingError, match="other images"):
        train(*split(images, validation), plan, folder=tmp_path)
    brighter = replace(images, flux=images.flux * 2)
    with pytest.raises(TrainingError, match="other images"):
        train(*split(brighter, 4), plan, folder=tmp_path)
    with pytest.raises(TrainingError, match="other images"):
        train(split(images, 4)[0], split(brighter, 4)[1], plan, folder=tmp_path)


def test_a_checkpoint_is_gone_on_with_on_another_number_of_devices(tmp_path: Path):
    images = split(spots(16), 4)
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    train(*images, TrainingPlan(epochs=1, batch=8, devices=1), folder=tmp_path)


def test_a_new_training_forgets_the_curves_of_an_older_one(tmp_path: Path):
    images = split(spots(16), 4)
    train(*images, TrainingPlan(epochs=2, batch=8), folder=tmp_path)
    (tmp_path / "checkpoint.ckpt").unlink()
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    assert [report.epoch for report in curves(tmp_path)] == [1]


@pytest.mark.parametrize("left", [b"", b"PK\x03\x04 cut short", b"<html>", "other", "half"])
def test_a_damaged_checkpoint_is_one_line_of_error_and_is_kept(tmp_path: Path, left: bytes | str):
    images, path = split(spots(16), 4), tmp_path / "checkpoint.ckpt"
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    if left == "other":
        torch.save({"state_dict": {}}, path)
    else:
        path.write_bytes(path.read_bytes()[:1000] if isinstance(left, str) else left)
    before = path.read_bytes()
    with pytest.raises(TrainingError, match=r"checkpoint.ckpt is damaged, or no checkpoint of .* restore it"):
        train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("plan", ["", "[1]", "{"])
def test_a_damaged_plan_is_one_line_of_error(tmp_path: Path, plan: str):
    images = split(spots(16), 4)
    train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)
    (tmp_path / "plan.json").write_text(plan)
    with pytest.raises(TrainingError, match=r"plan.json is damaged"):
        train(*images, TrainingPlan(epochs=1, batch=8), folder=tmp_path)


def test_a_line_of_the_curves_that_a_kill_cut_short_is_left_out(tmp_path: Path):
    line = '{"epoch": 1, "loss": 1.0, "auroc": 0.5, "position_error_arcsec": 0.1}\n'
    (tmp_path / "curves.jsonl").write_text(line + line[:20])
    assert [report.epoch for report in curves(tmp_path)] == [1]


def test_workers_draw_batches_only_where_a_gpu_would_wait():
    lessons = Lessons(spots(), TrainingPlan(batch=4), 0)
    alone, fed = loader_of(lessons, on_gpu=False), loader_of(lessons, on_gpu=True)
    assert (alone.num_workers, alone.pin_memory) == (0, False)
    assert fed.num_workers > 0
    assert fed.pin_memory


def test_a_batch_depends_on_its_index_only_and_the_remainder_is_left_out():
    lessons = Lessons(spots(), TrainingPlan(batch=5), 0)
    again = Lessons(spots(), TrainingPlan(batch=5), 0)
    assert len(lessons) == 2
    second, first = lessons[1], lessons[0]
    assert (len(first.flux), len(second.flux)) == (5, 5)
    assert torch.equal(first.flux.nan_to_num(), again[0].flux.nan_to_num())
    assert torch.equal(second.flux.nan_to_num(), again[1].flux.nan_to_num())


def test_the_calibration_error_is_that_at_the_samples_own_share_of_lenses():
    images = spots(200, size=32)
    rare = images.is_lens & (torch.arange(200) % 10 == 0)
    images = replace(images, is_lens=rare)
    undecided = Judge(lambda flux: torch.zeros(len(flux)))  # a half at the prior of a half
    assert measure(undecided, images)["calibration_error"] == pytest.approx(0, abs=1e-6)


def test_the_figures_tell_what_the_first_band_alone_achieves():
    images = spots(40, size=32)
    images.flux[:] = 0
    images.flux[images.is_lens, 1:] = 1
    measured = measure(Judge(lambda flux: flux.nan_to_num().sum((1, 2, 3))), images)
    assert (measured["auroc"], measured["auroc_first_band_alone"]) == (1.0, 0.5)


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
    torch.testing.assert_close(network(image).logit, loaded(image).logit)


def test_the_same_weights_have_the_same_version_in_any_folder(tmp_path: Path):
    network = EvidenceNet(bands=4, pixel_scale_arcsec=0.1).eval()
    first, second = save_network(network, tmp_path / "one"), save_network(network, tmp_path / "another-name")
    assert first.version == second.version


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
    card = read_card(tmp_path / "out" / "out.json")
    assert (card.name, card.prior) == ("out", 0.5), "the model is called as its folder"
    load_network(card)
    words[3] = str(tmp_path / "on")
    assert cli.main([*words, "--from", str(tmp_path / "out"), "--learning-rate", "0.001"]) == 0
    assert json.loads((tmp_path / "on" / "plan.json").read_text(encoding="utf-8"))["begins_with"] is not None


def test_on_several_devices_the_first_process_alone_writes_and_tells(simulated: Campaign, tmp_path: Path):
    words = [
        "train",
        simulated.path,
        "--out",
        tmp_path,
        "--epochs",
        2,
        "--validation",
        20,
        "--name",
        "two",
        "--devices",
        2,
    ]
    started = subprocess.Popen(
        [sys.executable, "-m", "dashboard.cli", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told, errors = started.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)  # the second process too, which holds the pipes open
        raise
    assert started.returncode == 0, errors
    beginnings = [line.split()[0] for line in told.splitlines()]
    assert beginnings.count("epoch") == 2
    assert beginnings.count("auroc:") == 1
    assert [report.epoch for report in curves(tmp_path)] == [1, 2]
    assert len((tmp_path / "curves.jsonl").read_text(encoding="utf-8").splitlines()) == 2
    load_network(read_card(tmp_path / "two.json"))


def test_ctrl_c_ends_a_training_with_a_word(simulated: Campaign, tmp_path: Path, capsys, monkeypatch):
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Course, "training_step", press)
    words = ["train", str(simulated.path), "--out", str(tmp_path), "--validation", "20"]
    assert cli.main(words) == 1
    assert "the same command goes on from here" in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["0", "-0.1", "1.5", "nan", "fast"])
def test_a_learning_rate_is_between_0_and_1(rate: str, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "lessons", "--out", str(tmp_path), f"--learning-rate={rate}"])
    assert ended.value.code == 2
    assert "--learning-rate" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", "half", "1.5", str(2**32)])
def test_a_seed_is_a_whole_number_from_0(seed: str, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "lessons", "--out", str(tmp_path), f"--seed={seed}"])
    assert ended.value.code == 2
    assert "--seed" in capsys.readouterr().err


def test_pixels_that_a_campaign_does_not_have_are_not_learned_as_sky(simulated: Campaign, monkeypatch):
    read = CutoutStore.read_batch

    def with_a_gap(*given: Any) -> Any:
        flux = read(*given).copy()
        flux[:, :20] = np.nan
        return flux

    monkeypatch.setattr(CutoutStore, "read_batch", with_a_gap)
    flux = images_of(simulated, "evidence-net").flux
    assert flux[:, :, :20].isnan().all()
    assert flux[:, :, 20:].isfinite().all()


def test_twins_of_a_simulation_are_never_parted(simulated: Campaign):
    images = images_of(simulated, "evidence-net")
    follows = images.follows_its_twin.nonzero()[:, 0]
    assert len(follows), "the recipe has twins"
    for row in follows.tolist():
        assert images.is_lens[[row - 1, row]].tolist() == [True, False]
        learn, _ = split(images, len(images) - row)
        assert len(learn) == row - 1
    unlike = (~images.follows_its_twin).nonzero()[1:, 0]
    assert all(len(split(images, len(images) - row)[0]) == row for row in unlike.tolist())


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
    assert ((ratio > 0.45) & (ratio < 1.1)).all(), "in units of the noise, which galaxies raise a little"


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
