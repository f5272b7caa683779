"""Occlusion: exact against full passes, signed, on the squares that were hidden."""

import doctest

import numpy as np
import pytest
import torch
from torch import nn

from lensmodel.explain import occlusion
from lensmodel.explain.windows import Stack
from lensmodel.networks import NetworkOutput
from tests.fixtures.networks import random_network, tiny_network


def an_image(bands, shape, seed=0):
    return torch.rand(bands, *shape, generator=torch.Generator().manual_seed(seed))


def by_full_passes(network, image, corners, side, hidden):
    with torch.inference_mode():
        images = image.repeat(len(corners), 1, 1, 1)
        for one, (top, left) in zip(images, corners, strict=True):
            one[:, top : top + side, left : left + side] = hidden
        return network(images).logit


def test_the_examples_run():
    assert doctest.testmod(occlusion).failed == 0


@pytest.mark.parametrize(
    ("name", "shape", "side"),
    [
        ("ou-66", (66, 66), 1), ("ou-66", (66, 66), 5), ("ou-200", (200, 200), 4), ("ou-200", (200, 200), 31),
        ("evidence-net", (64, 64), 3), ("evidence-net", (50, 73), 8),
        ("tiny", (31, 40), 1), ("tiny", (40, 31), 7), ("tiny", (33, 33), 33),
    ],
)  # fmt: skip
def test_recomputing_windows_gives_what_full_passes_give(name, shape, side):
    network = tiny_network() if name == "tiny" else random_network(name)
    image = an_image(2 if name == "tiny" else 4, shape)
    last_y, last_x = shape[0] - side, shape[1] - side
    random = np.random.default_rng(1)
    corners = [(0, 0), (last_y, last_x), (0, last_x), (last_y, 0), (last_y // 2, last_x // 2)]
    corners += [(random.integers(last_y + 1), random.integers(last_x + 1)) for _ in range(12)]
    with torch.inference_mode():
        stack = Stack.of(network.features, image)
        given = network.judge(
            stack.maps_with_hidden(torch.tensor(corners), side, torch.full((len(image),), 0.25))
        ).logit
    expected = by_full_passes(network, image, corners, side, 0.25)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("missing", [(1, 2, 3), (0,), (1, 3)])
def test_hiding_a_square_does_not_touch_a_missing_band(missing):
    """Every square of the map against a full pass in which only the bands that are there are hidden."""
    network = random_network("evidence-net")
    image = an_image(4, (40, 36))
    image[list(missing)] = -1.0
    there = [band for band in range(4) if band not in missing]
    drawn = occlusion.explain(network, image, window_px=9)
    with torch.inference_mode():
        before = network(image[None]).logit.double().sigmoid()
        for top in (0, 9, 31):
            for left in (0, 18, 27):
                one = image.clone()
                one[there, top : top + 9, left : left + 9] = 0.0
                change = (network(one[None]).logit.double().sigmoid() - before).item()
                assert drawn[min(top + 5, 39), left + 5] == pytest.approx(change, rel=1e-4, abs=1e-9)
    assert np.abs(drawn).max() > 0


def test_the_map_is_the_change_of_p_on_each_square():
    network = tiny_network()
    image = an_image(2, (34, 31))
    drawn = occlusion.explain(network, image, window_px=10, hidden=0.5)
    before = network(image[None]).logit.sigmoid().item()
    rows = [(0, slice(0, 10)), (10, slice(10, 20)), (20, slice(20, 30)), (24, slice(30, 34))]
    columns = [(0, slice(0, 10)), (10, slice(10, 20)), (20, slice(20, 30)), (21, slice(30, 31))]
    for top, its_rows in rows:
        for left, its_columns in columns:
            after = by_full_passes(network, image, [(top, left)], 10, 0.5).sigmoid().item()
            np.testing.assert_allclose(drawn[its_rows, its_columns], after - before, atol=1e-6)
    assert drawn.shape == (34, 31)


class _Brightness(nn.Module):
    """A lens is where the light is."""

    features = nn.Sequential(nn.Identity())

    def judge(self, feature_map):
        return NetworkOutput(feature_map.sum(dim=(1, 2, 3)) - 1)

    def forward(self, image):
        return self.judge(self.features(image))


def test_hiding_what_speaks_for_a_lens_is_negative():
    image = torch.zeros(1, 12, 12)
    image[0, 3:5, 7:9] = 0.5
    image[0, 9, 1] = -1
    drawn = occlusion.explain(_Brightness(), image, window_px=1)
    assert (drawn[3:5, 7:9] < -0.05).all()
    assert drawn[9, 1] > 0.05
    assert np.count_nonzero(drawn) == 5


class _Sharp(_Brightness):
    """With a layer that looks at the whole image: windows do not do."""

    features = nn.Sequential(nn.InstanceNorm2d(1), nn.ReLU())


def test_a_network_that_windows_cannot_do_gets_full_passes():
    image = an_image(1, (9, 9))
    assert Stack.of(_Sharp.features, image) is None
    drawn = occlusion.explain(_Sharp(), image, window_px=3)
    before = _Sharp()(image[None]).logit.sigmoid().item()
    after = by_full_passes(_Sharp(), image, [(3, 6)], 3, 0.0).sigmoid().item()
    assert drawn[4, 7] == pytest.approx(after - before, abs=1e-6)


class _SharpInTwoBands(_Brightness):
    features = nn.Sequential(nn.InstanceNorm2d(2), nn.ReLU())

    def judge(self, feature_map):
        return NetworkOutput(feature_map[:, 0].amax((1, 2)) - 1)


def test_full_passes_leave_a_missing_band_alone_too(monkeypatch):
    seen = []
    network = _SharpInTwoBands()
    image = an_image(2, (9, 9))
    image[1] = -1.0
    monkeypatch.setattr(network, "forward", lambda images: seen.append(images) or network.judge(images))
    occlusion.explain(network, image, window_px=3)
    hidden = seen[-1]
    assert (hidden[:, 1] == -1).all()
    assert (hidden[5, 0, 3:6, 6:9] == 0).all()


def test_the_image_is_left_as_it_was():
    image = an_image(2, (31, 31))
    occlusion.explain(tiny_network(), image, window_px=8)
    assert torch.equal(image, an_image(2, (31, 31)))
