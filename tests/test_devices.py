"""Where a network runs, and in which precision. There is no GPU here: half precision is tried on the processor."""

import pytest
import torch

from lensmodel import devices
from lensmodel.batches import images_at_once
from lensmodel.devices import device_of, feature_map_of, is_same_in_half, placed
from lensmodel.models import default_model, load_network
from lensmodel.preprocessing import Field
from lensmodel.verdicts import judged
from tests.fixtures.networks import added_model, random_network


def test_without_a_gpu_a_network_stays_on_the_processor_in_single_precision(tmp_path):
    card = added_model(tmp_path)
    network = placed(load_network(card), card)
    assert device_of(network) == torch.device("cpu")
    assert network.half_precision is None
    assert next(network.features.parameters()).is_contiguous(memory_format=torch.channels_last)


def test_half_precision_is_taken_only_where_it_says_the_same(tmp_path, monkeypatch):
    card = default_model()
    network = load_network(card)
    assert not is_same_in_half(network, card, torch.bfloat16)  # 8 bits are not enough
    monkeypatch.setattr(devices, "TOLERANCE", 0.5)
    assert is_same_in_half(network, card, torch.bfloat16)
    assert network.half_precision is None  # a trial changes nothing


@pytest.mark.parametrize("name", ["evidence-net", "ou-66"])
def test_what_is_made_in_half_precision_goes_on_in_single(tmp_path, name):
    network = random_network(name)
    images = torch.randn(3, 4, 66, 66)
    with torch.inference_mode():
        full = feature_map_of(network, images)
        network.half_precision = torch.bfloat16
        half = feature_map_of(network, images)
    assert half.dtype == full.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, atol=0.05, rtol=0.05)


def test_a_network_in_half_precision_judges_as_before_but_for_digits():
    card = default_model()
    network = load_network(card)
    flux = torch.randn(4, 4, 100, 100)
    full = judged(network, card, flux, Field((100, 100)))
    network.half_precision = torch.bfloat16
    half = judged(network, card, flux, Field((100, 100)))
    for before, after in zip(full.rows, half.rows, strict=True):
        assert before.keys() == after.keys()
        assert after["p_lens"] == pytest.approx(before["p_lens"], abs=0.05)
    assert half.features.dtype == torch.float32


def test_a_gpu_takes_a_whole_step(monkeypatch):
    network = random_network("ou-66")
    monkeypatch.setattr("lensmodel.batches.device_of", lambda network: torch.device("cuda"))
    assert images_at_once.__wrapped__(network, 4, (66, 66)) == 64
