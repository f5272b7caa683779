"""How fast packed cutouts become scores: against the bare network, and from a standing start."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from data.campaign import Campaign, create_campaign
from data.cutouts import Cutout, Plane
from lensmodel.batches import images_at_once, side_by_side
from lensmodel.checkpoint import load_weights
from lensmodel.devices import feature_map_of
from lensmodel.models import SHIPPED, ModelCard, add_model, load_network, model_named, network_class
from lensmodel.networks import LensNetwork
from lensmodel.scoring import score
from lensmodel.survey_scoring import score_survey
from tests.benchmarks.rows import Row, at_least, at_most
from tests.fixtures.networks import random_weights
from tests.fixtures.packed import BANDS, fill
from tests.fixtures.repeated import repeated_campaign

# Networks and the cutouts they are given: pixels a side, arcsec per pixel.
LAYOUTS = (("evidence-net", 100, 0.1), ("ou-66", 66, 0.3))
EAGER_LAYOUTS = (("ou-200", 200, 3.0), ("ou-66", 66, 1.9), ("evidence-net", 100, 1.5))
EAGER_IMAGES, EAGER_BATCHES = 128, (16, 64)
CUTOUTS = 4000
CUTOUTS_FROM_START = 2000
CUTOUTS_ON_DASK = 90_000
BATCH = 16
ROUNDS = 4
LEAST_SHARE = 0.85
MOST_SECONDS = 5.0


def bench() -> list[Row]:
    """Images per second of both, the best of some turns; and the wait for the first scores."""
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as name, _home(Path(name) / "home"):
        folder = Path(name)
        rows = [_against_bare_passes(folder, *layout) for layout in LAYOUTS]
        rows += [_against_eager(folder, *layout) for layout in EAGER_LAYOUTS]
        rows += _on_dask(folder)
        return [*rows, _first_scores(folder, *LAYOUTS[0])]


def _against_bare_passes(folder: Path, name: str, side_px: int, scale: float) -> Row:
    card = _card(folder, name)
    campaign = _campaign(folder / f"{name}-{side_px}", CUTOUTS, side_px, scale)
    scored = alone = together = 0.0
    for _ in range(ROUNDS):
        alone = max(alone, _passes_per_second(card, side_px, map))
        together = max(together, _passes_per_second(card, side_px, side_by_side))
        scored = max(scored, _scores_per_second(campaign, card))
    return at_least(
        f"scoring {side_px}x{side_px} px with {name}",
        scored / alone,
        LEAST_SHARE,
        "of the bare network",
        reference=f"{scored:.0f} images/s; bare passes {alone:.0f}, run side by side {together:.0f}",
    )


def _on_dask(folder: Path) -> list[Row]:
    """Two workers against one, from the start of the run to its end; and a worker against the bare network."""
    card = _card(folder, "ou-66")
    campaign = repeated_campaign(folder / "repeated", CUTOUTS_ON_DASK, side_px=66, scale_arcsec=0.3)
    rates: dict[int, float] = {}
    steady: dict[int, float] = {}
    for workers in (1, 2):
        _forget_scores(campaign, card)
        times: list[tuple[float, int]] = []
        report = score_survey(
            campaign,
            card,
            workers=workers,
            on_progress=lambda progress, times=times: times.append((time.perf_counter(), progress.done)),
        )
        rates[workers] = report.scored / report.seconds
        (begun, first), (ended, last) = times[0], times[-1]
        steady[workers] = (last - first) / (ended - begun)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = max(
        _passes_per_second(card, 66, map, batch=images_at_once(load_network(card), 4, (66, 66)))
        for _ in range(2)
    )
    torch.set_num_threads(threads)
    told = (
        f"{rates[2]:.0f} images/s and {rates[1]:.0f}, start and end of {CUTOUTS_ON_DASK:,} included; "
        f"once they run {steady[2] / steady[1]:.2f} times"
    )
    return [
        at_least(
            "scoring 66x66 px on two Dask workers against one",
            rates[2] / rates[1],
            1.8,
            "times",
            reference=told,
        ),
        at_least(
            "a Dask worker against the bare network on one core, 66x66 px with ou-66",
            steady[1] / alone,
            LEAST_SHARE,
            "of the bare network",
            reference=f"{steady[1]:.0f} images/s once it runs; bare passes {alone:.0f}",
        ),
    ]


def _scores_per_second(campaign: Campaign, card: ModelCard) -> float:
    _forget_scores(campaign, card)
    report = score(campaign, card)
    return report.scored / report.seconds


def _passes_per_second(
    card: ModelCard, side_px: int, run: Callable[..., Iterator[object]], *, batch: int = BATCH
) -> float:
    """Forward passes on an image that is in memory and scaled, in the memory format that is fastest."""
    network = load_network(card)
    network.to(memory_format=torch.channels_last)
    image = torch.rand(batch, len(card.bands), side_px, side_px).contiguous(memory_format=torch.channels_last)

    def one_pass(_: int) -> None:
        with torch.inference_mode():
            network(image)

    one_pass(0)
    passes = CUTOUTS // batch
    started = time.perf_counter()
    for _ in run(one_pass, range(passes)):
        pass
    return passes * batch / (time.perf_counter() - started)


def _against_eager(folder: Path, name: str, side_px: int, least: float) -> Row:
    """The network as scoring runs it against torch as it comes: the layers as they were trained, in torch's own memory
    format, one batch after the other, on all cores."""
    card = _card(folder, name)
    images = torch.rand(EAGER_IMAGES, len(card.bands), side_px, side_px)
    plain, ours = _as_trained(card), load_network(card).to(memory_format=torch.channels_last)
    at_once = images_at_once(ours, len(card.bands), (side_px, side_px))
    ordered = images.contiguous(memory_format=torch.channels_last)

    def as_it_comes(some: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return plain.judge_image(plain.features(some), (side_px, side_px)).logit

    def as_scored(some: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return ours.judge_image(feature_map_of(ours, some), (side_px, side_px)).logit

    rates: dict[str, float] = {}
    answers: dict[str, torch.Tensor] = {}
    turns = {f"batches of {size}": (map, as_it_comes, images, size) for size in EAGER_BATCHES}
    for _ in range(ROUNDS):
        for turn, (run, judged, given, size) in (
            turns | {"ours": (side_by_side, as_scored, ordered, at_once)}
        ).items():
            started = time.perf_counter()
            answers[turn] = torch.cat(list(run(judged, given.split(size))))
            rates[turn] = max(rates.get(turn, 0.0), EAGER_IMAGES / (time.perf_counter() - started))
    eager = max(rates[turn] for turn in turns)
    apart = max(float((answers[turn].sigmoid() - answers["ours"].sigmoid()).abs().max()) for turn in turns)
    assert apart < 1e-4
    return at_least(
        f"{name} as scoring runs it, against torch as it comes",
        rates["ours"] / eager,
        least,
        "times",
        reference=f"{rates['ours']:.0f} images/s, {at_once} at once; torch {eager:.0f}; p_lens within {apart:.0e}",
    )


def _as_trained(card: ModelCard) -> LensNetwork:
    """The network without what `load_network` does to be quick: batch norms are layers of their own."""
    network = network_class(card.architecture)(
        bands=len(card.bands), pixel_scale_arcsec=card.pixel_scale_arcsec
    )
    load_weights(network, card.weights_path)
    return network.eval()


def _first_scores(folder: Path, name: str, side_px: int, scale: float) -> Row:
    """From the start of the command to the first part on disk."""
    card = _card(folder, name)
    campaign = _campaign(folder / "from-start", CUTOUTS_FROM_START, side_px, scale)
    command = [sys.executable, "-m", "dashboard.cli", "score", str(campaign.path), "--model", name]
    waits = []
    for _ in range(3):
        _forget_scores(campaign, card)
        started = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not campaign.score_parts(card.version) and run.poll() is None:
            time.sleep(0.01)
        waits.append(time.perf_counter() - started)
        run.kill()
        run.wait()
    title = f"lensvet score to its first scores, {CUTOUTS_FROM_START:,} cutouts"
    return at_most(title, min(waits), MOST_SECONDS, "s")


def _forget_scores(campaign: Campaign, card: ModelCard) -> None:
    for part in campaign.score_parts(card.version):
        part.unlink()


def _campaign(path: Path, number: int, side_px: int, scale: float) -> Campaign:
    """Cutouts of noise, which compresses as little as real sky does."""
    campaign = create_campaign(path, survey="euclid")
    random = np.random.default_rng(0)
    for first in range(0, number, 200):
        noise = random.normal(size=(200, len(BANDS), side_px, side_px)).astype(np.float32)
        planes = [{band: Plane(p, scale) for band, p in zip(BANDS, one, strict=True)} for one in noise]
        fill(campaign, [Cutout(str(first + i), one) for i, one in enumerate(planes)])
    return campaign


def _card(folder: Path, name: str) -> ModelCard:
    """The shipped model, else one with random weights, which take as long."""
    if (SHIPPED / f"{name}.json").exists():
        return model_named(name)
    return add_model(random_weights(folder, name))


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Models are added to a folder that goes away."""
    before = os.environ.get("LENSVET_HOME")
    os.environ["LENSVET_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LENSVET_HOME"]
        else:
            os.environ["LENSVET_HOME"] = before
