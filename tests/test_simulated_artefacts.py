"""Marks of the detector: as sharp as a detector makes them, on lenses and contaminants alike."""

import pytest
import torch

from data.simulations.artefacts import MARKS, cosmic_ray_mark, mark_some, trail_mark
from data.simulations.dice import Dice
from data.simulations.instrument import BANDS, OPTICS
from data.simulations.light import Sky
from data.simulations.recipes import SCENES, draw_chunk
from tests.fixtures.one_thread import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")


def dice(number: int = 1, seed: int = 1) -> Dice:
    return Dice(number, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_stands_out_in_one_band(mark):
    for seed in range(20):
        planes = mark(dice(seed=seed), 100)
        assert planes.shape == (len(BANDS), 100, 100)
        (band,) = planes.flatten(1).abs().amax(1).nonzero()[:, 0].tolist()
        assert float(planes[band].abs().max()) > OPTICS[BANDS[band]].noise_rms


def test_a_cosmic_ray_is_thinner_than_the_psf_and_a_trail_crosses_the_field():
    for seed in range(10):
        ray = cosmic_ray_mark(dice(seed=seed), 100)[0] > 0
        assert 0 < int(ray.sum()) < 3 * 2 * 27
        trail = trail_mark(dice(seed=seed), 100)[0]
        bright = trail > 0.5 * trail.max()
        assert int(bright.sum()) > 100
        edges = torch.cat([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
        assert edges.any()


def test_marks_come_with_the_chance_asked_for():
    sky = Sky(400)
    mark_some(dice(400), sky, chance=0.25)
    assert sky.detector is not None
    marked = sky.detector.flatten(1).abs().amax(1) > 0
    assert float(marked.float().mean()) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("name", ["cosmic ray", "satellite trail", "bad column"])
def test_marks_are_on_every_object_of_their_scene(name: str):
    sky = Sky(6)
    SCENES[name](dice(6), sky)
    assert sky.detector is not None
    assert (sky.detector.flatten(1).abs().amax(1) > 0).all()


def test_the_survey_mixes_lenses_and_hard_contaminants_half_and_half_and_is_finite():
    chunk = draw_chunk(9, 0, "survey")
    assert chunk.images.isfinite().all()
    assert 0.4 < float(chunk.is_lens.float().mean()) < 0.6
    assert float(chunk.truth["sim_arc_is_detectable"][chunk.is_lens].mean()) > 0.7
    assert not chunk.lensed[~chunk.is_lens].any()
