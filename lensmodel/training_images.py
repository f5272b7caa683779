"""Simulated images with truth for training, cut and turned at random for each pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from data.simulations.instrument import BANDS, OPTICS, PIXEL_SCALE_ARCSEC
from data.simulations.recipes import SimulatedChunk, simulate_chunks

_EDGE_PX = 10  # a window keeps its target at least so far from the edge
_LARGEST = 6e4  # of half precision


@dataclass(frozen=True)
class LabelledImages:
    """Images of one shape and their truth.

    flux : (object, band, y, x) float16 in units of each band's typical noise. is_lens : (object,) bool.
    lensed : (object, y, x) bool, where lensed light stands out.
    x_px, y_px : (object,), the lens, or what a non-lens was centred on, from the image's centre.
    """

    flux: Tensor
    lensed: Tensor
    is_lens: Tensor
    x_px: Tensor
    y_px: Tensor

    def __len__(self) -> int:
        return len(self.is_lens)

    def part(self, chosen: slice) -> "LabelledImages":
        """Some of the objects, in order."""
        return LabelledImages(*(value[chosen] for value in vars(self).values()))


class Batch(NamedTuple):
    """Images as the network gets them: float flux, and the truth turned with them."""

    flux: Tensor
    lensed: Tensor
    is_lens: Tensor
    x_px: Tensor
    y_px: Tensor


def draw_images(number: int, *, seed: int, recipe: str = "training") -> LabelledImages:
    """Simulate images to learn from; half precision, so that 10,000 take 1 GB."""
    return joined(labelled(chunk) for chunk in simulate_chunks(number, seed=seed, recipe=recipe))


def joined(parts: Iterable[LabelledImages]) -> LabelledImages:
    """One set of several."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return LabelledImages(*(torch.cat(column) for column in columns))


def labelled(chunk: SimulatedChunk) -> LabelledImages:
    """A simulated chunk as images to learn from."""
    noise = torch.tensor([OPTICS[band].noise_rms for band in BANDS])[:, None, None]
    return LabelledImages(
        flux=(chunk.images / noise).clamp(-_LARGEST, _LARGEST).half(),
        lensed=chunk.lensed,
        is_lens=chunk.is_lens,
        x_px=chunk.truth["sim_target_x_arcsec"] / PIXEL_SCALE_ARCSEC,
        y_px=chunk.truth["sim_target_y_arcsec"] / PIXEL_SCALE_ARCSEC,
    )


def augmented(images: LabelledImages, rows: Tensor, *, size_px: int, generator: torch.Generator) -> Batch:
    """A batch as another telescope pointing might have seen it.

    Each image is cut to `size_px` about a random place that keeps the target inside, turned and mirrored; its
    brightness, colours, noise and the registration of its bands vary a little.
    """
    planes = torch.empty(len(rows), images.flux.shape[1] + 1, size_px, size_px)
    x_px, y_px = torch.empty(len(rows)), torch.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        window, x, y = _window(images, row, size_px, generator)
        turns = int(torch.randint(4, (), generator=generator))
        mirrored = bool(torch.randint(2, (), generator=generator))
        planes[place], x_px[place], y_px[place] = turned(window, x, y, quarter_turns=turns, mirrored=mirrored)
    flux = _as_if_observed_again(planes[:, :-1], generator)
    return Batch(flux, planes[:, -1], images.is_lens[rows], x_px, y_px)


def turned(
    image: Tensor, x: float, y: float, *, quarter_turns: int, mirrored: bool
) -> tuple[Tensor, float, float]:
    """Rotate (…, y, x) by quarter turns, then mirror it left to right; a position turns with it."""
    image = torch.rot90(image, quarter_turns, (-2, -1))
    for _ in range(quarter_turns):
        x, y = y, -x
    return (image.flip(-1), -x, y) if mirrored else (image, x, y)


def _window(
    images: LabelledImages, row: int, size_px: int, generator: torch.Generator
) -> tuple[Tensor, float, float]:
    """Flux and mask (band + 1, y, x) of a window, and the target's position from its centre."""
    starts = []
    for axis, offset in ((2, images.y_px), (3, images.x_px)):
        length = images.flux.shape[axis]
        target = float(offset[row]) + (length - 1) / 2
        low = max(0, int(target) + _EDGE_PX - size_px)
        high = min(length - size_px, max(low, int(target) - _EDGE_PX))
        starts.append(int(torch.randint(min(low, high), high + 1, (), generator=generator)))
    first_y, first_x = starts
    inside = slice(first_y, first_y + size_px), slice(first_x, first_x + size_px)
    window = torch.cat([images.flux[row, :, *inside], images.lensed[row, *inside].half()[None]])
    x = float(images.x_px[row]) + (images.flux.shape[3] - size_px) / 2 - first_x
    y = float(images.y_px[row]) + (images.flux.shape[2] - size_px) / 2 - first_y
    return window.float(), x, y


def _as_if_observed_again(flux: Tensor, generator: torch.Generator) -> Tensor:
    number, bands = flux.shape[:2]

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    brightness = (0.2 * normal(number, 1, 1, 1) + 0.04 * normal(number, bands, 1, 1)).exp()
    noisier = (torch.rand((number, 1, 1, 1), generator=generator) < 0.2) * 0.5
    flux = flux * brightness + noisier * normal(*flux.shape)
    for row in (torch.rand(number, generator=generator) < 0.2).nonzero()[:, 0].tolist():
        y, x = torch.randint(-1, 2, (2,), generator=generator).tolist()
        flux[row, 1:] = flux[row, 1:].roll((y, x), (-2, -1))
    return flux
