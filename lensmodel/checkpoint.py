"""Weight files: read without running what is in them, recognised by their layout, refused with a reason."""

import pickle
import re
import warnings
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lensmodel.errors import WeightsError
from lensmodel.models import MODELS, network_class, sha256_of
from lensmodel.networks import LensNetwork

Layout = dict[str, tuple[int, ...]]

# OU-J, OU-Y and OU-H differ in nothing but their numbers: the published files are known by their digest.
PUBLISHED_SHA256 = {
    "0f156a8e8ec36d796436184240708c03335a6305defbf58075f24cd4e5e04a03": "ou-j",
    "63053fadd5175bd845a537328b0bc364d7e80d2347785c190b83aedc024b16ad": "ou-y",
    "074b52357ac1dfe7c3cc1f9acbe0eb4b05646841658fc2788096b2a4e8c5146f": "ou-h",
}


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """The tensors of a weight file, by name.

    Raises
    ------
    WeightsError
        If the file is damaged, or holds anything but a plain state dict.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of archives that it then refuses
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(_why_not_plain(file, str(error))) from error
    except Exception as error:  # damaged bytes make the unpickler raise almost anything
        raise WeightsError(
            f"{file} cannot be read as weights, it may be cut short: fetch it again"
        ) from error
    if not _is_state_dict(state):
        raise WeightsError(
            f"{file} is not a plain state dict: save it with torch.save(network.state_dict(), FILE)"
        )
    # OU-VIS as published calls its only stack of layers VIS_layer.
    return {re.sub(r"^VIS_layer\.", "layer.", name): tensor for name, tensor in state.items()}


def load_weights(network: nn.Module, file: Path) -> None:
    """Fill a network from a weight file.

    Raises
    ------
    WeightsError
        If the file does not fit the network, or holds numbers that are not finite.
    """
    state = read_state_dict(file)
    expected = _layout(network.state_dict())
    if _layout(state) != expected:
        raise WeightsError(
            f"{file} does not fit {type(network).__name__}: {_difference(_layout(state), expected)}"
        )
    broken = next((name for name, tensor in state.items() if not torch.isfinite(tensor).all()), None)
    if broken is not None:
        raise WeightsError(
            f"{file} holds NaN or infinity in {broken}: its training failed, choose other weights"
        )
    network.load_state_dict(state)


@torch.no_grad()
def fold_batch_norms(stack: nn.Sequential) -> None:
    """Let convolutions of a trained stack do what the batch normalisation after them does, to the same numbers but for
    rounding.

    An eighth faster; the layers keep their places.
    """
    layers = list(stack)
    for place, (layer, after) in enumerate(pairwise(layers)):
        if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            stack[place], stack[place + 1] = fuse_conv_bn_eval(layer, after), nn.Identity()


@torch.inference_mode()
def judges_an_image(network: LensNetwork, *, bands: int, side_px: int) -> bool:
    """Whether the network takes a square image of that size."""
    try:
        network(network.normalise(torch.zeros(1, bands, side_px, side_px)))
    except RuntimeError:  # torch's word for shapes that do not fit
        return False
    return True


def recognise(file: Path) -> str:
    """The row of `MODELS` that a weight file belongs to.

    Raises
    ------
    WeightsError
        If it fits none, or several that neither digest nor file name tells apart.
    """
    layout = _layout(read_state_dict(file))
    expected = {name: _expected_layout(name) for name in MODELS}
    fitting = [name for name in MODELS if expected[name] == layout]
    if not fitting:
        closest = max(MODELS, key=lambda name: len(layout.items() & expected[name].items()))
        raise WeightsError(
            f"{file} fits none of {', '.join(MODELS)}; "
            f"closest is {closest}: {_difference(layout, expected[closest])}"
        )
    return fitting[0] if len(fitting) == 1 else _told_apart(file, fitting)


def _told_apart(file: Path, fitting: list[str]) -> str:
    published = PUBLISHED_SHA256.get(sha256_of(file))
    if published in fitting:
        return published
    stem = file.stem.lower().replace("_", "-")
    named = [name for name in fitting if re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", stem)]
    if len(named) != 1:
        files = ", ".join(name.replace("-", "_").upper() + ".pt" for name in fitting)
        raise WeightsError(
            f"{file} fits {', '.join(fitting)}, which have one layout: name the file after its band ({files})"
        )
    return named[0]


def _expected_layout(name: str) -> Layout:
    row = MODELS[name]
    with torch.device("meta"):
        network = network_class(name)(bands=len(row.bands), pixel_scale_arcsec=row.pixel_scale_arcsec)
    return _layout(network.state_dict())


def _layout(state: Mapping[str, Tensor]) -> Layout:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _difference(given: Layout, expected: Layout) -> str:
    """The first tensor that differs, in words."""
    for name, shape in expected.items():
        if name not in given:
            return f"{name} is missing"
        if given[name] != shape:
            return f"{name} has shape {given[name]}, expected {shape}"
    return f"{next(name for name in given if name not in expected)} is one too many"


def _is_state_dict(state: object) -> bool:
    return isinstance(state, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) and _is_plain(value)
        for name, value in state.items()
    )


def _is_plain(tensor: Tensor) -> bool:
    """Real numbers, all of them there."""
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_complex()


def _why_not_plain(file: Path, message: str) -> str:
    forbidden = re.search(r"GLOBAL (\S+)", message)
    what = f"holds more than tensors ({forbidden[1]})" if forbidden else "is damaged, or no file of tensors"
    return (
        f"{file} {what} and was not loaded, since it could run code: "
        "save the weights with torch.save(network.state_dict(), FILE)"
    )
