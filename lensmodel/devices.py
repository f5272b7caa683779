"""Where a network runs: on a GPU where there is one, in half precision if it says the same; else on the processor."""

import torch
from torch import Tensor

from lensmodel.models import MODELS, ModelCard
from lensmodel.networks import LensNetwork
from lensmodel.quick_pass import quick_pass

TOLERANCE = 1e-4  # of p_lens, by which half precision may differ
_TRIAL_IMAGES, _TRIAL_PX = 8, 100


def placed(network: LensNetwork, card: ModelCard) -> LensNetwork:
    """The network where it runs fastest, channels last, which is faster everywhere."""
    is_gpu = torch.cuda.is_available()
    network.to(device="cuda" if is_gpu else "cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    if is_gpu and is_same_in_half(network, card, torch.float16):
        network.half_precision = torch.float16
    return network


def device_of(network: LensNetwork) -> torch.device:
    """The device that a network's weights are on; the processor for one without weights."""
    first = next(network.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def feature_map_of(network: LensNetwork, normalised: Tensor) -> Tensor:
    """The last feature map of images on the network's device, in single precision whatever it was made in."""
    half = network.half_precision
    with torch.autocast(normalised.device.type, dtype=half, enabled=half is not None):
        return quick_pass(network.features, normalised).float()


@torch.inference_mode()
def is_same_in_half(network: LensNetwork, card: ModelCard, precision: torch.dtype) -> bool:
    """Whether p_lens of trial images, galaxies of rising brightness in noise, is the same to `TOLERANCE`."""
    flux = _trial_flux(card).to(device_of(network))
    normalised = network.normalise(flux).contiguous(memory_format=torch.channels_last)
    shape = (flux.shape[-2], flux.shape[-1])
    before, found = network.half_precision, []
    try:
        for half in (None, precision):
            network.half_precision = half
            found.append(network.judge_image(feature_map_of(network, normalised), shape).logit.sigmoid())
    finally:
        network.half_precision = before
    return bool((found[0] - found[1]).abs().max() <= TOLERANCE)


def _trial_flux(card: ModelCard) -> Tensor:
    side = card.field_px or max(_TRIAL_PX, MODELS[card.architecture].least_px)
    random = torch.Generator().manual_seed(0)
    axis = torch.arange(side) - (side - 1) / 2
    light = torch.exp(-torch.hypot(axis, axis[:, None]) / (side / 10))
    brightness = torch.logspace(0, 3, _TRIAL_IMAGES)[:, None, None, None]
    return torch.randn(_TRIAL_IMAGES, len(card.bands), side, side, generator=random) + brightness * light
