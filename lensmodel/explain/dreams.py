"""Images that a network dreams up: the lens as it imagines one, and what a layer sees in an image, made stronger.

Both climb a gradient with respect to the image and stay within what `normalise` makes of bright galaxies.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lensmodel.errors import ExplanationError
from lensmodel.explain.bands import bands_there, faint_pixels
from lensmodel.explain.cams import layer_number
from lensmodel.explain.receptive_field import flat_layers, map_cells
from lensmodel.networks import LensNetwork, evaluating

_PEAK = 300.0  # of the galaxy that bounds the images, in units of the noise
_OCTAVE = 1.4  # from size to size


def class_image(
    network: LensNetwork,
    shape: tuple[int, int, int],
    *,
    steps: int = 200,
    decay: float = 0.1,
    seed: int = 0,
) -> NDArray[np.float32]:
    """The lens as the network imagines it: gradient ascent on the logit from blank sky (Simonyan et al. 2013, eq. 1).

    shape : (band, y, x) of the image that comes back, on the scale of normalised images. decay : weight of the mean
    squared distance from the sky's level, against the logit. seed : of the noise in the sky.
    """
    with torch.inference_mode(False), evaluating(network):
        galaxy = bright_galaxy(network, shape)
        low, high = galaxy.amin(), galaxy.amax()
        image = _sky_about(galaxy, seed)
        grey = image.median()

        def height(now: Tensor) -> Tensor:
            logit: Tensor = network(now[None]).logit[0]
            return logit - decay * (now - grey).square().mean()

        for _ in range(steps):
            image = _climbed(image, height, step=0.01 * (high - low)).clamp(low, high)
    found: NDArray[np.float32] = image.float().numpy()
    return found


def deep_dream(
    network: LensNetwork,
    normalised: Tensor,
    *,
    layer: int | None = None,
    octaves: int = 3,
    steps: int = 20,
    seed: int = 0,
) -> NDArray[np.float32]:
    """What a layer sees in an image, made stronger: ascent on its mean activation, from coarse to fine.

    Mordvintsev, Olah & Tyka 2015; as in Wilde et al. 2022, MNRAS 512, 3464. normalised : (band, y, x), as is what
    comes back; a band that is one constant stays. layer : its number in the opened `network.features`, the last
    ReLU if none is named. octaves : sizes, each 1.4 times the one before; those on which the layer
    sees nothing are left out. seed : of the shifts that keep the grid of strides from showing.

    Raises
    ------
    ExplanationError
        If there is no such layer, or the image is too small for it.
    """
    with torch.inference_mode(False), evaluating(network):
        image = normalised.clone()
        layers = flat_layers(network.features)
        seen = layers[: layer_number(layers, layer) + 1]
        map_cells(seen, (image.shape[1], image.shape[2]))
        there = bands_there(image)[:, None, None]
        galaxy = bright_galaxy(network, (image.shape[0], image.shape[1], image.shape[2]))
        low, high = torch.minimum(galaxy.amin(), image.amin()), torch.maximum(galaxy.amax(), image.amax())
        generator = torch.Generator().manual_seed(seed)
        detail = torch.zeros_like(image)
        for size in _sizes(seen, (image.shape[1], image.shape[2]), octaves):
            base, detail = _resized(image, size), _resized(detail, size)
            now = base + detail
            for _ in range(steps):
                now = _dreamt(now, seen, 0.01 * (high - low), generator).clamp(low, high)
            detail = now - base
        dream: NDArray[np.float32] = torch.where(there, image + detail, image).float().numpy()
    return dream


def bright_galaxy(network: LensNetwork, shape: tuple[int, int, int]) -> Tensor:
    """What `normalise` makes of a bright round galaxy in noise, of `shape` (band, y, x): it bounds the images."""
    y, x = (torch.arange(length) - (length - 1) / 2 for length in shape[1:])
    galaxy = _PEAK * torch.exp(-(y[:, None].square() + x.square()) / (2 * (min(shape[1:]) / 8) ** 2))
    flux = galaxy + torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return network.normalise(flux[None])[0].detach()


def _sky_about(galaxy: Tensor, seed: int) -> Tensor:
    """An image of the galaxy's size with nothing but draws from its faint pixels, band by band."""
    generator = torch.Generator().manual_seed(seed)
    faint = [faint_pixels(band) for band in galaxy]
    return torch.stack(
        [pixels[torch.randint(len(pixels), galaxy.shape[1:], generator=generator)] for pixels in faint]
    )


def _climbed(image: Tensor, height: Callable[[Tensor], Tensor], *, step: Tensor) -> Tensor:
    """One step uphill; the gradient is divided by its root mean square, so that all networks climb alike."""
    with torch.enable_grad():
        at = image.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(height(at), at)
    size = gradient.square().mean().sqrt()
    return image + step * gradient / size if size > 0 else image


def _dreamt(image: Tensor, seen: list[nn.Module], step: Tensor, generator: torch.Generator) -> Tensor:
    stride = map_cells(seen, (image.shape[1], image.shape[2]))[0].stride_px
    shift = torch.randint(stride, (2,), generator=generator).tolist()
    rolled = image.roll(shift, dims=(1, 2))

    def height(now: Tensor) -> Tensor:
        # The first layer may work in place: it gets a copy.
        activation: Tensor = nn.Sequential(*seen)(now.clone()[None])
        return activation.mean()

    return _climbed(rolled, height, step=step).roll([-one for one in shift], dims=(1, 2))


def _sizes(seen: list[nn.Module], shape: tuple[int, int], octaves: int) -> list[tuple[int, int]]:
    """The sizes on which the layers see something, the smallest first; the last is `shape`."""
    sizes = []
    for octave in reversed(range(octaves)):
        factor = _OCTAVE**octave
        size = (round(shape[0] / factor), round(shape[1] / factor))
        try:
            map_cells(seen, size)
        except ExplanationError:
            continue
        sizes.append(size)
    return sizes


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    if image.shape[1:] == size:
        return image
    return functional.interpolate(
        image[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]
