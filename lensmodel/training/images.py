"""Packed cutouts with truth as images to learn from, cut and turned at random for each epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data.campaign import Campaign
from data.cutout_store import CutoutStore
from data.objects import StoredObject
from data.truth import TruthMasks
from lensmodel.batches import chunks_per_step
from lensmodel.errors import TrainingError
from lensmodel.evaluation.truth import Truth, truth_of
from lensmodel.models import MODELS, Architecture
from lensmodel.networks.evidence_net import noise_of

_NOISE_FROM = 256  # objects whose noise is measured
_EDGE_PX = 10  # a window keeps its target at least so far from the edge
_LARGEST = 6e4  # of half precision
_ENOUGH_LENSED = 0.4  # of the lensed light's pixels inside the window, for the image to be called a lens
_MISREGISTERED = 0.4  # share of images whose later bands lie a pixel off, as in two of five Q1 files
_NOISIER, _MOST_NOISE = 0.3, 1.0  # share of images, and noise that is added to them at most
_BLURRED, _BLUR_PX = (
    0.15,
    (0.4, 0.9),
)  # share of images, and standard deviations: other telescopes, resampled images
_MASKED, _MASK_PX = (
    0.04,
    (25, 50),
)  # share of images, and radii of the circles outside which they are not measured
_TORN, _TORN_PX = 0.03, 30  # share of images that end early, as at a survey's edge, and by how much at most
_ALL_BANDS, _FIRST_ALONE, _FIRST_AND_SOME = 0.65, 0.15, 0.1  # shares of images; the rest have any bands


@dataclass(frozen=True)
class LabelledImages:
    """Images of one shape and their truth.

    flux : (object, band, y, x) float16 in units of each band's typical noise per pixel, NaN where nothing was
        measured. is_lens : (object,) bool.
    lensed : (object, y, x) bool, where lensed light stands out.
    x_px, y_px : (object,), the lens, or what a non-lens was centred on, from the image's centre.
    follows_its_twin : (object,) bool, whether the object before has the same sky and noise.
    """

    flux: Tensor
    lensed: Tensor
    is_lens: Tensor
    x_px: Tensor
    y_px: Tensor
    follows_its_twin: Tensor

    def __len__(self) -> int:
        return len(self.is_lens)

    def part(self, chosen: slice) -> "LabelledImages":
        """Some of the objects, in order."""
        return LabelledImages(*(value[chosen] for value in vars(self).values()))


class Batch(NamedTuple):
    """Images as the network gets them: float flux, NaN in bands that are missing, and the truth turned with them.

    counts : (object,) bool, false for a lens whose arcs the window leaves out.
    """

    flux: Tensor
    lensed: Tensor
    is_lens: Tensor
    x_px: Tensor
    y_px: Tensor
    counts: Tensor


def images_of(campaign: Campaign, architecture: str) -> LabelledImages:
    """The cutouts of a simulated campaign, in catalogue order; half precision, so that 10,000 of 100 px take 1 GB.

    Lenses whose arcs nobody could see are left out: they would teach that ellipticals are lenses.

    Raises
    ------
    EvaluationError, TrainingError
        If the campaign has no truth, or its cutouts are not what the architecture takes, all of one size.
    """
    model = MODELS[architecture]
    table = campaign.objects()
    says_what_is_detectable = "sim_arc_is_detectable" in table.table.column_names
    truth = truth_of(campaign, detectable_only=says_what_is_detectable, with_quantities=False)
    objects = table.rows_of(truth.object_ids.tolist())
    flux, lensed = _planes_of(campaign, objects, model)
    target_x, target_y = _targets(truth, objects)
    return LabelledImages(
        flux=flux,
        lensed=lensed,
        is_lens=torch.from_numpy(truth.is_lens.copy()),
        x_px=target_x / model.pixel_scale_arcsec,
        y_px=target_y / model.pixel_scale_arcsec,
        follows_its_twin=_follows_its_twin(truth),
    )


def joined(parts: list[LabelledImages]) -> LabelledImages:
    """One set of several, of images of one size; the list is emptied, each part freed once it is copied."""
    if len(parts) == 1:
        return parts.pop()
    number, first = sum(map(len, parts)), parts[0]
    whole = LabelledImages(
        *(torch.empty(number, *value.shape[1:], dtype=value.dtype) for value in vars(first).values())
    )
    del first
    start = 0
    while parts:
        part = parts.pop(0)
        for into, value in zip(vars(whole).values(), vars(part).values(), strict=True):
            into[start : start + len(part)] = value
        start += len(part)
    return whole


def augmented(images: LabelledImages, rows: Tensor, *, size_px: int, generator: torch.Generator) -> Batch:
    """A batch as another telescope pointing might have seen it.

    Each image is cut to `size_px` about a random place that keeps the target inside, turned and mirrored; its
    noise, sharpness and the registration of its bands vary; some pixels are not measured in one in fifteen, some bands
    missing in a third. Brightness and colours do not vary: the network divides each band by its own noise.
    """
    planes = torch.empty(len(rows), images.flux.shape[1] + 1, size_px, size_px)
    x_px, y_px = torch.empty(len(rows)), torch.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        window, x, y = _window(images, row, size_px, generator)
        turns = int(torch.randint(4, (), generator=generator))
        mirrored = bool(torch.randint(2, (), generator=generator))
        planes[place], x_px[place], y_px[place] = turned(window, x, y, quarter_turns=turns, mirrored=mirrored)
    flux = _as_if_observed_again(planes[:, :-1], generator)
    gaps = drawn_gaps(x_px, y_px, size_px, generator)
    flux = flux.masked_fill(gaps[:, None], torch.nan)
    planes[:, -1].masked_fill_(gaps, 0.0)
    flux[~_bands_observed(len(rows), flux.shape[1], generator)] = torch.nan
    lensed, is_lens = planes[:, -1], images.is_lens[rows]
    all_lensed = images.lensed[rows].sum((1, 2))
    counts = ~is_lens | (lensed.sum((1, 2)) >= _ENOUGH_LENSED * all_lensed)
    return Batch(flux, lensed, is_lens, x_px, y_px, counts)


def turned(
    image: Tensor, x: float, y: float, *, quarter_turns: int, mirrored: bool
) -> tuple[Tensor, float, float]:
    """Rotate (…, y, x) by quarter turns, then mirror it left to right; a position turns with it."""
    image = torch.rot90(image, quarter_turns, (-2, -1))
    for _ in range(quarter_turns):
        x, y = y, -x
    return (image.flip(-1), -x, y) if mirrored else (image, x, y)


def _planes_of(campaign: Campaign, objects: list[StoredObject], model: Architecture) -> tuple[Tensor, Tensor]:
    """Flux (object, band, y, x) and masks of lensed light (object, y, x), in the order of the objects."""
    store, masks = campaign.cutouts(), TruthMasks(campaign.truth_path)
    group = _one_layout(campaign, store, objects, model)
    height, width = store.shape(group, model.bands[0])
    flux = torch.empty(len(objects), len(model.bands), height, width, dtype=torch.float16)
    lensed = torch.empty(len(objects), height, width, dtype=torch.bool)
    noise: Tensor | None = None
    chunk = store.chunk_length(group)
    for places, rows in _in_steps(objects, chunk * chunks_per_step(chunk, number=_NOISE_FROM)):
        planes = [torch.from_numpy(store.read_batch(group, rows, band)) for band in model.bands]
        some = torch.stack(planes, dim=1)
        noise = _noise_of(some[:_NOISE_FROM]) if noise is None else noise
        flux[places] = (some / noise).clamp(-_LARGEST, _LARGEST).half()  # NaN stays, as when scoring
        lensed[places] = torch.from_numpy(masks.read_batch(group, rows))
    return flux, lensed


def _one_layout(
    campaign: Campaign, store: CutoutStore, objects: list[StoredObject], model: Architecture
) -> str:
    """The group that holds all of these objects, in bands and pixels that the architecture takes."""
    groups = {stored.cutout_group for stored in objects}
    if len(groups) != 1:
        raise TrainingError(
            f"{campaign.path} has cutouts of {len(groups)} sizes or sets of bands; training takes one: "
            "give each a campaign of its own"
        )
    (group,) = groups
    for band in model.bands:
        if band not in objects[0].bands:
            raise TrainingError(
                f"{campaign.path} has no band {band}; {model.title} learns from {', '.join(model.bands)}"
            )
        scale = store.pixel_scale_arcsec(group, band)
        if not np.isclose(scale, model.pixel_scale_arcsec, rtol=1e-3):
            raise TrainingError(
                f'{campaign.path} has pixels of {scale:g}" in {band}; {model.title} learns from '
                f'{model.pixel_scale_arcsec:g}": resample them first'
            )
    return group


def _in_steps(objects: list[StoredObject], length: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Places of objects and their rows in the store, so many at a time."""
    for first in range(0, len(objects), length):
        some = objects[first : first + length]
        yield slice(first, first + len(some)), np.array([stored.cutout_row for stored in some], np.int64)


def _noise_of(flux: Tensor) -> Tensor:
    """Noise of each band (band, 1, 1): the median absolute deviation, of a tenth of the objects no larger."""
    pixels = flux.flatten(2)
    deviation = (pixels - pixels.nanmedian(2).values[..., None]).abs()
    noise = 1.4826 * deviation.nanmedian(2).values.nanquantile(0.1, 0)
    return torch.where(noise > 0, noise, 1.0)[:, None, None]


def _targets(truth: Truth, objects: list[StoredObject]) -> tuple[Tensor, Tensor]:
    """Where a window must not lose sight of, arcsec: the lens, or what a non-lens was centred on; else the centre."""
    columns = []
    for axis, known in (("x", truth.x_arcsec), ("y", truth.y_arcsec)):
        said = [stored.columns.get(f"sim_target_{axis}_arcsec") for stored in objects]
        told = np.array([np.nan if value is None else value for value in said], np.float64)
        columns.append(torch.from_numpy(np.nan_to_num(np.where(np.isfinite(known), known, told))).float())
    return columns[0], columns[1]


def _follows_its_twin(truth: Truth) -> Tensor:
    """(object,) bool; simulations put each twin right after its lens."""
    follows = np.zeros(len(truth), bool)
    follows[1:] = truth.twin_ids[1:] == truth.object_ids[:-1]
    return torch.from_numpy(follows)


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


def _bands_observed(number: int, bands: int, generator: torch.Generator) -> Tensor:
    """Which bands each image has: (object, band) bool, at least one; the first is the sharpest."""
    kind = torch.rand(number, 1, generator=generator)
    observed = torch.rand(number, bands, generator=generator) < 0.5
    lone = torch.randint(bands, (number, 1), generator=generator)
    first = torch.arange(bands) == 0
    observed |= ~observed.any(1, keepdim=True) & (torch.arange(bands) == lone)
    observed = torch.where(kind < _ALL_BANDS + _FIRST_ALONE + _FIRST_AND_SOME, observed | first, observed)
    observed = torch.where(kind < _ALL_BANDS + _FIRST_ALONE, first, observed)
    return observed | (kind < _ALL_BANDS)


def _as_if_observed_again(flux: Tensor, generator: torch.Generator) -> Tensor:
    flux = flux.clone()
    for row in _chosen(len(flux), _BLURRED, generator):
        flux[row] = _blurred(flux[row], float(_between(*_BLUR_PX, generator)), generator)
    for row in _chosen(len(flux), _NOISIER, generator):
        noise = torch.randn(flux.shape[1:], generator=generator)
        flux[row] += _between(0, _MOST_NOISE, generator) * noise
    for row in _chosen(len(flux), _MISREGISTERED, generator):
        y, x = torch.randint(-1, 2, (2,), generator=generator).tolist()
        flux[row, 1:] = flux[row, 1:].roll((y, x), (-2, -1))
    return flux


def drawn_gaps(x_px: Tensor, y_px: Tensor, size_px: int, generator: torch.Generator) -> Tensor:
    """Where an image is not measured (object, y, x) bool: in some outside a circle about the target, as in masked
    images; in some beyond a line, as at a survey's edge, that keeps off the target (x_px, y_px)."""
    gaps = torch.zeros(len(x_px), size_px, size_px, dtype=torch.bool)
    offset = torch.arange(size_px) - (size_px - 1) / 2
    for row in _chosen(len(gaps), _MASKED, generator):
        x, y = (float(at[row] + _between(-_EDGE_PX, _EDGE_PX, generator)) for at in (x_px, y_px))
        distance = torch.hypot(offset[None, :] - x, offset[:, None] - y)
        gaps[row] = distance > _between(*_MASK_PX, generator)
    for row in _chosen(len(gaps), _TORN, generator):
        width, quarter_turns = (
            int(torch.randint(*range_, (), generator=generator)) for range_ in ((1, _TORN_PX), (0, 4))
        )
        _, x, _ = turned(
            gaps[row], float(x_px[row]), float(y_px[row]), quarter_turns=quarter_turns, mirrored=False
        )
        if x + (size_px - 1) / 2 - width > _EDGE_PX:
            torn = torch.zeros(size_px, size_px, dtype=torch.bool)
            torn[:, :width] = True
            gaps[row] = torch.rot90(torn, -quarter_turns)
    return gaps


def _chosen(number: int, share: float, generator: torch.Generator) -> list[int]:
    """Each of `number` rows with the same chance."""
    rows: list[int] = (torch.rand(number, generator=generator) < share).nonzero()[:, 0].tolist()
    return rows


def _between(low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((), generator=generator)


def _blurred(image: Tensor, sigma_px: float, generator: torch.Generator) -> Tensor:
    """Convolve (band, y, x) with a Gaussian; noise makes up for what that takes away, lest the image grow deeper."""
    offset = torch.arange(-2, 3)
    kernel = torch.exp(-0.5 * (offset / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(image[:, None], (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, kernel.reshape(1, 1, 1, 5))
    blurred = functional.conv2d(rows, kernel.reshape(1, 1, 5, 1))[:, 0]
    lost = (noise_of(image[None])[0] ** 2 - noise_of(blurred[None])[0] ** 2).clamp(min=0).sqrt()
    return blurred + lost[:, None, None] * torch.randn(image.shape, generator=generator)
