"""Packed cutouts become tensors: bands by name, in the model's pixels, the window it sees. NumPy ends here.

A band whose pixels fit the model's a whole number of times is cut and averaged; others are resampled by area
means or, to smaller pixels, by linear interpolation. All three keep the surface brightness.

A band that was not observed is never made up: it is a plane of NaN for a model that may do without, else a reason.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool2d

from data.objects import StoredObject
from lensmodel.models import MODELS, ModelCard
from lensmodel.resampling import area_weights, centred, linear_weights

_FEW = 0.01  # of a plane's pixels: patches of zeros as large as that are a mask


class PlaneSource(Protocol):
    """Where the planes of a group of objects are read: a `data.cutout_store.CutoutStore`, or planes in memory."""

    def bands(self, group: str) -> tuple[str, ...]:
        """The bands of the objects of a group."""

    def pixel_scale_arcsec(self, group: str, band: str) -> float:
        """Pixel scale of a band in a group, NaN if unknown."""

    def shape(self, group: str, band: str) -> tuple[int, int]:
        """(y, x) of a band in a group."""

    def read_batch(self, group: str, rows: NDArray[np.int64], band: str) -> NDArray[np.float32]:
        """Flux of several objects of one group: (object, y, x) in the order of `rows`."""


@dataclass(frozen=True)
class Field:
    """What a model sees of the cutouts of one group.

    shape : (y, x) in the model's pixels.
    x_arcsec, y_arcsec : of its centre, from the cutout's; half a pixel if just one of them is of odd size.
    """

    shape: tuple[int, int]
    x_arcsec: float = 0.0
    y_arcsec: float = 0.0


def why_not(card: ModelCard, stored: StoredObject, store: PlaneSource) -> str | None:
    """Why this model cannot see this object, None if it can as far as the pixels' layout tells."""
    if stored.kind != "flux":
        return f"it is a colour image and {card.title} needs fluxes: ingest its FITS planes"
    present = [band for band in card.bands if band in stored.bands]
    if not present or (len(present) < len(card.bands) and not card.bands_may_be_missing):
        return _why_too_few_bands(card, stored)
    group = stored.cutout_group
    unknown = [band for band in present if not store.pixel_scale_arcsec(group, band) > 0]
    if unknown:
        return (
            f"the pixel scale of {', '.join(unknown)} is not known: ingest a file whose header states it, or "
            "make a new campaign and state it there (lensvet ingest --pixel-scale)"
        )
    return _why_too_small(card, store, group)


def field_of(card: ModelCard, store: PlaneSource, group: str) -> Field:
    """What the model sees of the cutouts of a group that `why_not` lets pass.

    It is centred as well as the largest pixels allow that are not interpolated.
    """
    shape = (card.field_px, card.field_px) if card.field_px else _largest_shape(card, store, group)
    axes = [_axes(card, store, group, band, Field(shape)) for band in _present(card, store, group)]
    axis_y, axis_x = max(axes, key=lambda axes: 1 / axes[0].ratio if axes[0].whole else 0.0)
    scale = card.pixel_scale_arcsec / axis_x.ratio
    return Field(shape, axis_x.window_offset_px * scale, axis_y.window_offset_px * scale)


def flux_batch(
    card: ModelCard, store: PlaneSource, group: str, rows: NDArray[np.int64]
) -> tuple[Tensor, list[str | None]]:
    """Flux as the model's `normalise` takes it, for objects of one group that `why_not` lets pass.

    Returns
    -------
    flux : (object, band, y, x) float32. For a model that needs every band finite, with the median of the band
        where nothing was measured. For one that may do without, NaN there, and a plane of NaN is a band that the
        object lacks, or that is of no use where the model looks.
    reasons : for each object, why its pixels cannot be scored, or None.
    """
    field = field_of(card, store, group)
    present = _present(card, store, group)
    planes = {}
    useless: dict[int, list[str]] = defaultdict(list)
    for band in present:
        flux = torch.from_numpy(store.read_batch(group, rows, band))
        axes = _axes(card, store, group, band, field)
        planes[band], problems = _plane(card, flux[:, axes[0].window, axes[1].window], axes)
        for index, problem in problems.items():
            useless[index].append(f"band {band} {problem}")
    reasons = [_why_useless(card, useless[index], len(present)) for index in range(len(rows))]
    missing = torch.full((len(rows), *field.shape), torch.nan)
    return torch.stack([planes.get(band, missing) for band in card.bands], dim=1), reasons


def bands_missing(card: ModelCard, flux: Tensor) -> list[str | None]:
    """The bands that each object of a batch by `flux_batch` is judged without: "Y,J,H", None if it has all."""
    if not flux[:, :, 0, 0].isnan().any():  # a plane of NaN begins with one
        return [None] * len(flux)
    is_missing = flux.flatten(2).isnan().all(dim=2).tolist()
    return [",".join(compress(card.bands, row)) or None for row in is_missing]


@dataclass(frozen=True)
class _Axis:
    """`number` model pixels of `ratio` image pixels each, centred on `length` of those or `shift_px` after.

    whole : the ratio as a whole number, None if it is not one.
    """

    number: int
    ratio: float
    length: int
    shift_px: float
    whole: int | None

    @property
    def window(self) -> slice:
        """The image pixels that are needed; of windows equally near to the place, the first."""
        if self.whole is None:
            return slice(None)
        room = self.length - self.number * self.whole
        first = min(max(math.ceil(room / 2 + self.shift_px - 0.5), 0), room)
        return slice(first, first + self.number * self.whole)

    @property
    def window_offset_px(self) -> float:
        """Of the window's centre from the image's."""
        first, last, _ = self.window.indices(self.length)
        return (first + last - self.length) / 2


def _axes(card: ModelCard, store: PlaneSource, group: str, band: str, field: Field) -> tuple[_Axis, _Axis]:
    scale = store.pixel_scale_arcsec(group, band)
    ratio = card.pixel_scale_arcsec / scale
    # Headers state scales to a few digits: a ratio counts as whole if that shifts no pixel by half a pixel.
    is_whole = round(ratio) >= 1 and abs(ratio - round(ratio)) * max(field.shape) < 0.5
    whole = round(ratio) if is_whole else None
    height, width = store.shape(group, band)
    return (
        _Axis(field.shape[0], ratio, height, field.y_arcsec / scale, whole),
        _Axis(field.shape[1], ratio, width, field.x_arcsec / scale, whole),
    )


def _resampled(flux: Tensor, axis_y: _Axis, axis_x: _Axis) -> Tensor:
    """Image pixels (object, y, x) to model pixels."""
    whole = axis_y.whole
    if whole is None:
        return _weights(axis_y) @ flux @ _weights(axis_x).T
    if whole == 1:
        return flux
    # Adding slices takes a tenth of the time of avg_pool2d, which is made for many channels.
    rows = sum((flux[:, first::whole] for first in range(1, whole)), start=flux[:, ::whole])
    return sum((rows[..., first::whole] for first in range(1, whole)), start=rows[..., ::whole]) / whole**2


@lru_cache(maxsize=64)
def _weights(axis: _Axis) -> Tensor:
    if axis.ratio > 1:
        weights = area_weights(axis.number, axis.ratio, axis.length, shift_px=axis.shift_px)
    else:
        weights = linear_weights(centred(axis.number, axis.ratio, axis.length) + axis.shift_px, axis.length)
    return torch.from_numpy(weights).float()


def _present(card: ModelCard, store: PlaneSource, group: str) -> list[str]:
    """The model's bands that the objects of a group have, in the model's order."""
    there = store.bands(group)
    return [band for band in card.bands if band in there]


def _plane(card: ModelCard, window: Tensor, axes: tuple[_Axis, _Axis]) -> tuple[Tensor, dict[int, str]]:
    """One band (object, y, x) in the model's pixels, and of which objects it is of no use, and why."""
    resampled = _resampled(window, *axes)
    # What is not finite shows after resampling too, and there are fewer pixels to look at.
    suspect = _is_suspect(resampled, masked=card.bands_may_be_missing).nonzero().flatten()
    if not len(suspect):
        return resampled, {}
    given = window[suspect]
    is_measured = _is_measured(given, masked=card.bands_may_be_missing)
    repaired, problems = _repaired(given, is_measured)
    mended = _resampled(repaired, *axes)
    if card.bands_may_be_missing:
        mended[_resampled(is_measured.float(), *axes) < 0.5] = torch.nan
        mended[list(problems)] = torch.nan
    resampled = resampled.index_put((suspect,), mended)
    return resampled, {int(suspect[index]): problem for index, problem in problems.items()}


def _is_suspect(planes: Tensor, *, masked: bool) -> Tensor:
    """(object,): whether a plane (object, y, x) is constant or has a pixel that is not finite, or is masked."""
    low, high = planes.amin((1, 2)), planes.amax((1, 2))
    is_suspect = ~(low.isfinite() & high.isfinite() & (low < high))
    return is_suspect | _is_masked(planes) if masked else is_suspect


def _is_masked(planes: Tensor) -> Tensor:
    """(object,): whether a plane has patches that are 0 to the last digit, which noise never is."""
    few = _FEW * planes[0].numel()
    # Counted by NumPy, which takes a third of torch's time.
    is_masked = torch.tensor([np.count_nonzero(zeros) > few for zeros in planes.numpy() == 0])
    for index in is_masked.nonzero().flatten().tolist():  # integers may be 0 here and there
        is_masked[index] = _patches_of_zeros(planes[index]).count_nonzero() > few
    return is_masked


def _patches_of_zeros(plane: Tensor) -> Tensor:
    """(y, x) bool: the pixels of 0 that are part of 3x3 such pixels."""
    other = (plane != 0).float()[None]
    within = 1 - max_pool2d(other, 3, stride=1, padding=1)
    return max_pool2d(within, 3, stride=1, padding=1)[0] > 0


def _is_measured(planes: Tensor, *, masked: bool) -> Tensor:
    """(object, y, x): the finite pixels; where a mask of zeros counts as one, those outside it."""
    is_measured = planes.isfinite()
    if masked:
        for index in _is_masked(planes).nonzero().flatten().tolist():
            is_measured[index] &= ~_patches_of_zeros(planes[index])
    return is_measured


def _repaired(planes: Tensor, is_measured: Tensor) -> tuple[Tensor, dict[int, str]]:
    """The planes with their median where nothing was measured, and which are of no use, and why."""
    planes = planes.clone()
    problems = {}
    for index, (plane, is_known) in enumerate(zip(planes, is_measured, strict=True)):
        measured = plane[is_known]
        if measured.numel() == 0:
            problems[index] = "has no measured pixel where the model looks"
        elif measured.min() == measured.max():
            problems[index] = f"is constant ({measured[0]:.4g}) where the model looks"
        plane[~is_known] = measured.median() if measured.numel() else 0.0
    return planes, problems


def _why_useless(card: ModelCard, problems: list[str], bands_there: int) -> str | None:
    """Why an object cannot be scored, some of whose bands have these problems."""
    if card.bands_may_be_missing and len(problems) < bands_there:
        return None
    return "; ".join(problems) or None


def _why_too_few_bands(card: ModelCard, stored: StoredObject) -> str:
    has = f"it has bands {', '.join(stored.bands)}; {card.title} needs"
    if card.bands_may_be_missing:
        return (
            f"{has} one of {', '.join(card.bands)}: ingest one, choose another model, or make a new campaign "
            f"and say there which it stands for (lensvet ingest --band {stored.bands[0]}={card.bands[0]})"
        )
    return f"{has} {', '.join(card.bands)}: ingest the missing bands or choose another model"


def _largest_shape(card: ModelCard, store: PlaneSource, group: str) -> tuple[int, int]:
    """(y, x) in model pixels that every band that is there covers."""
    heights, widths = zip(
        *(_cells(card, store, group, band) for band in _present(card, store, group)), strict=True
    )
    return min(heights), min(widths)


def _cells(card: ModelCard, store: PlaneSource, group: str, band: str) -> tuple[int, int]:
    """How many model pixels fit into a band, along y and x; a thousandth of a pixel short still counts."""
    ratio = card.pixel_scale_arcsec / store.pixel_scale_arcsec(group, band)
    height, width = store.shape(group, band)
    return int(height / ratio + 1e-3), int(width / ratio + 1e-3)


def _why_too_small(card: ModelCard, store: PlaneSource, group: str) -> str | None:
    needed = card.field_px or MODELS[card.architecture].least_px
    for band in _present(card, store, group):
        if min(_cells(card, store, group, band)) < needed:
            height, width = store.shape(group, band)
            scale = store.pixel_scale_arcsec(group, band)
            or_more = "" if card.field_px else " or more"
            return (
                f'band {band} is {width * scale:.1f}" x {height * scale:.1f}" ({width}x{height} px); '
                f'{card.title} looks at {needed * card.pixel_scale_arcsec:.1f}"{or_more}: '
                "ingest larger cutouts or choose another model"
            )
    return None
