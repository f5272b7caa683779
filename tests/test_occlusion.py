"""Occlusion: exact against full passes, signed, on the squares that were hidden."""

import doctest

import numpy as np
import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from lensmodel.errors import ExplanationError
from lensmodel.explain import BASELINES, UNITS, occlusion
from lensmodel.explain.windows import Stack, are_local
from lensmodel.models import MODELS
from lensmodel.networks import NetworkOutput
from tests.fixtures.networks import lively_network, random_network, tiny_network


def an_image(bands, shape, seed=0):
    return torch.rand(bands, *shape, generator=torch.Generator().manual_seed(seed))


def by_full_passes(network, image, corners, side, hidden):
    with torch.inference_mode():
        images = image.repeat(len(corners), 1, 1, 1)
        squares = hidden if isinstance(hidden, torch.Tensor) else [hidden] * len(corners)
        for one, (top, left), square in zip(images, corners, squares, strict=True):
            one[:, top : top + side, left : left + side] = square
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
        squares = torch.rand(len(corners), len(image), side, side, generator=torch.Generator().manual_seed(2))
        given = network.judge(stack.maps_with(torch.tensor(corners), squares)).logit
    expected = by_full_passes(network, image, corners, side, squares)
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


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("side", "stride"), [(10, 10), (10, 4), (7, 1), (50, 50)])
def test_a_pixel_has_the_mean_change_of_the_squares_that_cover_it(side, stride, unit):
    network, image = tiny_network(), an_image(2, (34, 31))
    drawn = occlusion.explain(network, image, window_px=side, stride_px=stride, unit=unit)
    total, number = np.zeros((34, 31)), np.zeros((34, 31))
    tops, lefts = ({*range(0, length - side + 1, stride), max(length - side, 0)} for length in (34, 31))
    corners = [(top, left) for top in tops for left in lefts]
    logits = by_full_passes(network, image, corners, side, 0.0).double()
    before = network(image[None]).logit.double().detach()
    changes = logits - before if unit == "logit" else logits.sigmoid() - before.sigmoid()
    for (top, left), change in zip(corners, changes.tolist(), strict=True):
        total[top : top + side, left : left + side] += change
        number[top : top + side, left : left + side] += 1
    np.testing.assert_allclose(drawn, total / number, atol=1e-6)
    assert np.ptp(drawn) > 1e-4 or side == 50


def test_captum_draws_the_same_map():
    """An independent code: Occlusion of captum, squares that overlap by half."""
    network, image = lively_network("ou-66"), an_image(4, (66, 66))
    with torch.inference_mode():
        expected = Occlusion(lambda images: network(images).logit).attribute(
            image[None],
            sliding_window_shapes=(4, 22, 22),
            strides=(4, 11, 11),
            baselines=0.0,
            perturbations_per_eval=64,
        )
    drawn = occlusion.explain(network, image, window_px=22, stride_px=11, unit="logit")
    np.testing.assert_allclose(
        drawn, -expected[0, 0], rtol=0, atol=1e-5
    )  # of a logit; float32 rounds by this much


def stopped_short(monkeypatch):
    """Only the fallback is left."""
    monkeypatch.setattr(occlusion.Stack, "of", lambda *_: None)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(
    ("name", "shape"), [("ou-66", (66, 66)), ("evidence-net", (41, 50)), ("tiny", (31, 40))]
)
@pytest.mark.parametrize("band", [None, 1])
def test_windows_and_full_passes_draw_the_same_map(name, shape, baseline, band, monkeypatch):
    network = tiny_network() if name == "tiny" else lively_network(name)
    image = an_image(2 if name == "tiny" else 4, shape)
    options = {"window_px": 9, "stride_px": 8, "baseline": baseline, "unit": "logit", "band": band}
    fast = occlusion.explain(network, image, **options)
    stopped_short(monkeypatch)
    np.testing.assert_allclose(fast, occlusion.explain(network, image, **options), atol=1e-5, rtol=1e-5)
    assert np.ptp(fast) > 1e-3


def squares_seen(monkeypatch, image, **options):
    """What the network sees where a square is hidden, for each square: the whole images."""
    network, seen = _Brightness(), []
    stopped_short(monkeypatch)
    monkeypatch.setattr(
        network, "forward", lambda images: seen.append(images.clone()) or network.judge(images)
    )
    occlusion.explain(network, image, **options)
    return torch.cat(seen[:-1])


def test_the_median_is_that_of_the_band_about_the_square(monkeypatch):
    image = an_image(2, (12, 12))
    image[:, 4:8, 4:8] = 100.0
    seen = squares_seen(monkeypatch, image, window_px=4, baseline="median")
    for band in (0, 1):
        about = image[band].clone()
        about[4:8, 4:8] = torch.nan
        assert (seen[4, band, 4:8, 4:8] == about.nanmedian()).all()
        about = image[band, :8, :8].clone()
        about[:4, :4] = torch.nan
        assert (seen[0, band, :4, :4] == about.nanmedian()).all()
    everywhere = squares_seen(monkeypatch, image, window_px=12, baseline="median")
    assert (everywhere[0, 1] == image[1].median()).all()


def test_noise_is_drawn_from_the_faint_pixels_of_its_band_and_again_with_the_seed(monkeypatch):
    image = an_image(2, (12, 12))
    image[1] += 5
    image[:, 4:8, 4:8] = 100.0
    seen = squares_seen(monkeypatch, image, window_px=4, baseline="noise")
    for band, other in ((0, 1), (1, 0)):
        hidden = seen[4, band, 4:8, 4:8]
        assert hidden.max() < 10
        assert torch.isin(hidden, image[band]).all()
        assert not torch.isin(hidden, image[other]).any()
        assert len(hidden.unique()) > 4
    assert torch.equal(seen, squares_seen(monkeypatch, image, window_px=4, baseline="noise"))
    assert not torch.equal(seen, squares_seen(monkeypatch, image, window_px=4, baseline="noise", seed=1))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"window_px": 0}, "window_px is 0; expected 1 or more"),
        ({"window_px": 4, "stride_px": 5}, "stride_px is 5; expected 1 to 4"),
        ({"window_px": 4, "stride_px": 0}, "stride_px is 0; expected 1 to 4"),
        ({"baseline": "grey"}, "baseline is 'grey'; expected one of zero, median, noise"),
        ({"unit": "sigma"}, "unit is 'sigma'; expected one of probability, logit"),
        ({"band": 0}, "band 1 of 2 is missing or one constant"),
    ],
)
def test_what_makes_no_map_is_refused(options, complaint):
    image = an_image(2, (31, 31))
    image[0] = -1
    with pytest.raises(ExplanationError, match=complaint):
        occlusion.explain(tiny_network(), image, **options)


@pytest.mark.parametrize("architecture", MODELS)
def test_windows_can_do_every_network_that_we_have(architecture):
    assert are_local(random_network(architecture).features)


class _Widened(nn.Conv2d):
    def forward(self, image):
        return super().forward(image) + image.mean((1, 2, 3), keepdim=True)


@pytest.mark.parametrize(
    "layer",
    [nn.InstanceNorm2d(2), nn.GroupNorm(1, 2), nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d(3, padding=1),
     nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), nn.PReLU(), _Widened(2, 2, 1)],
)  # fmt: skip
def test_layers_that_see_more_than_a_window_get_full_passes(layer):
    """Also a class of one's own: what its forward pass does is not known."""
    network = type("_Mixed", (_Brightness,), {"features": nn.Sequential(nn.Conv2d(2, 2, 1), layer)})()
    image = an_image(2, (9, 9))
    assert not are_local(network.features)
    drawn = occlusion.explain(network, image, window_px=3, unit="logit")
    expected = by_full_passes(network, image, [(3, 6)], 3, 0.0) - network(image[None]).logit
    assert drawn[4, 7] == pytest.approx(expected.item(), abs=1e-5)


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
    hidden = seen[0]
    assert (hidden[:, 1] == -1).all()
    assert (hidden[5, 0, 3:6, 6:9] == 0).all()


def test_the_image_is_left_as_it_was():
    image = an_image(2, (31, 31))
    occlusion.explain(tiny_network(), image, window_px=8)
    assert torch.equal(image, an_image(2, (31, 31)))
