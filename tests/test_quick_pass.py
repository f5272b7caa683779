"""A quick pass gives the numbers of the stack as it stands, to the last bit."""

import pytest
import torch
from torch import nn

from lensmodel.quick_pass import quick_pass
from tests.fixtures.networks import random_network


@pytest.mark.parametrize(
    ("name", "shape"),
    [("ou-66", (66, 66)), ("ou-200", (200, 200)), ("evidence-net", (100, 100)), ("evidence-net", (67, 41))],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_every_network_makes_the_same_map(name, shape, memory_format):
    network = random_network(name).eval().to(memory_format=memory_format)
    images = torch.randn(3, 4, *shape).contiguous(memory_format=memory_format)
    given = images.clone()
    torch.testing.assert_close(quick_pass(network.features, images), network.features(images), rtol=0, atol=0)
    assert torch.equal(images, given)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.ReLU()],
        [nn.ReLU(), nn.MaxPool2d(2)],
        [nn.Identity(), nn.ReLU(inplace=True), nn.Conv2d(2, 3, 3)],
        [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d((2, 2)), nn.ReLU()],
        [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(3, stride=2), nn.Conv2d(3, 2, 1)],
        [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)],
        [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2, stride=1)],
        [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2, padding=1)],
        [nn.Sequential(nn.Conv2d(2, 3, 3), nn.Sequential(nn.ReLU(), nn.Dropout())), nn.AvgPool2d(2)],
        [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()],
    ],
    ids=str,
)
@torch.inference_mode()
def test_layers_in_any_order_make_the_same_map_and_leave_the_images(layers):
    stack = nn.Sequential(*layers).eval()
    images = torch.randn(2, 2, 11, 13)
    images[0, 0, 2, 3], images[1, 1, 4, 4], images[1, 0, 5, 5] = torch.nan, torch.inf, -torch.inf
    given = images.clone()
    made = quick_pass(stack, images)
    torch.testing.assert_close(images, given, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(made, stack(given.clone()), rtol=0, atol=0, equal_nan=True)


@torch.inference_mode()
def test_what_a_layer_gave_is_not_written_over_while_somebody_else_holds_it():
    class Remembering(nn.Module):
        def forward(self, values):
            self.seen = values
            return values

    remembering = Remembering()
    stack = nn.Sequential(remembering, nn.ReLU()).eval()
    images = torch.randn(1, 2, 4, 4)
    quick_pass(stack, images)
    assert (remembering.seen < 0).any()
