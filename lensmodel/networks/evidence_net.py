"""EvidenceNet: our own network. It weighs the evidence for a lens at each place; its verdict is their mean.

A fully convolutional stack looks at 11.3 arcsec about each cell of a grid of 0.4 arcsec. A cell's evidence is the
log odds that a lens is centred there, were that the only place where one could be. A lens is as likely at any place, so
the odds of the verdict are the mean over places (log-mean-exp): the prior is that of an image, whatever its size. The
position is the mean of the odds about their peak, and sigma tells their spread.

Bands may be missing: a plane that is NaN everywhere is told to the network as absent, not filled with a sky.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lensmodel.networks import LensNetwork, NetworkOutput

STRIDE_PX = 4
_SOFTENING = 2.0  # noise units: linear below, logarithmic above
_CEILING = 1e6  # softened units; half a million times the noise is nobody's galaxy
_SAMPLING = 3  # every third pixel is enough for a quartile, at a third of the time
_AT_ONCE = 4  # images softened together, few enough for a processor's cache
_LAG_PX = 4  # beyond which noise is independent; Y, J, H are resampled from pixels of 3
_QUARTILE = 0.6745  # sigmas of a Gaussian from its lower quartile to its mean
_QUARTILE_OF_SIZE = 0.3186  # sigmas: the lower quartile of the absolute value
_ONE_SIGMA = 0.6826895  # of a Gaussian lies within one sigma
_REACH_ARCSEC = 1.3  # about the peak: odds beyond are those of another place
_PRIOR_LOG_ODDS = -1.0  # before training
ABSENT = -1.0  # what `normalise` makes of a band that was not observed; the sky's median is 0


class Place(NamedTuple):
    """Where a map says the lens is, (object,) each.

    near : variance per axis of the odds about the peak. far, far_share : of the odds of other places their mean
    squared distance per axis times their share, and their share.
    """

    x_arcsec: Tensor
    y_arcsec: Tensor
    near: Tensor
    far: Tensor
    far_share: Tensor


class EvidenceNet(LensNetwork):
    """Flux in any number of bands on one pixel grid, at least 16 px wide, to verdict, position and evidence.

    bands : number of bands. pixel_scale_arcsec : of the input. widths : channels after the two strided
    layers, then of the layers at full depth.
    """

    verdict_sharpness: Tensor
    verdict_shift: Tensor
    sigma_scale: Tensor
    sigma_floor: Tensor

    def __init__(
        self,
        bands: int,
        pixel_scale_arcsec: float,
        widths: tuple[int, ...] = (24, 48, 56, 56, 56, 56, 56, 56),
        dilations: tuple[int, ...] = (1, 1, 2, 2, 3, 4),
    ) -> None:
        super().__init__()
        self.pixel_scale_arcsec = pixel_scale_arcsec
        stem = [*_layer(bands, widths[0], size=5, stride=2), *_layer(widths[0], widths[1], size=3, stride=2)]
        deep = [
            layer
            for pair, dilation in zip(pairwise(widths[1:]), dilations, strict=True)
            for layer in _layer(*pair, size=3, stride=1, dilation=dilation)
        ]
        self.stack = nn.Sequential(*stem, *deep)
        _start_with_contrast(self.stack[0])
        self.evidence = nn.Conv2d(widths[-1], 1, 1)
        nn.init.constant_(self.evidence.bias, _PRIOR_LOG_ODDS)  # type: ignore[arg-type]  # it has a bias
        # Fitted on validation data after training: calibrated logit = sharpness * logit + shift.
        self.register_buffer("verdict_sharpness", torch.ones(()))
        self.register_buffer("verdict_shift", torch.zeros(()))
        # Calibrated variance near the peak = scale^2 * near + floor^2; the floor in cells.
        self.register_buffer("sigma_scale", torch.ones(()))
        self.register_buffer("sigma_floor", torch.full((), 0.1))

    @property
    def features(self) -> nn.Sequential:
        return self.stack

    def normalise(self, flux: Tensor) -> Tensor:
        """Each band about its sky, in units of its noise, asinh-softened; `noise_of` and `sky_of` measure both.

        A constant band becomes 0, as does a pixel that is not finite; a band without any that is becomes ABSENT.
        """
        absent = ~flux[:, :, 0, 0].isfinite()  # such a band begins with what is not finite
        if absent.any():
            absent &= ~flux.isfinite().flatten(2).any(-1)
        noise = noise_of(flux)
        sky = sky_of(flux, noise)[..., None, None]
        unit = torch.where(noise > 0, 1 / (_SOFTENING * noise), 0.0)[..., None, None]
        groups = (slice(first, first + _AT_ONCE) for first in range(0, len(flux), _AT_ONCE))
        softened = torch.cat([_soften((flux[some] - sky[some]).mul_(unit[some])) for some in groups])
        return softened.masked_fill_(absent[..., None, None], ABSENT) if absent.any() else softened

    def judge(self, feature_map: Tensor) -> NetworkOutput:
        """Verdict and position, for an image that the stride divides; `judge_image` corrects other sizes."""
        evidence = self.evidence(feature_map)[:, 0]
        place = self.place(evidence)
        floor_arcsec = self.sigma_floor * STRIDE_PX * self.pixel_scale_arcsec
        near_sigma = (self.sigma_scale**2 * place.near + floor_arcsec**2).sqrt()
        mean = evidence.flatten(1).logsumexp(1) - math.log(evidence[0].numel())
        return NetworkOutput(
            logit=self.verdict_sharpness * mean + self.verdict_shift,
            x_arcsec=place.x_arcsec,
            y_arcsec=place.y_arcsec,
            position_sigma_arcsec=half_width(near_sigma, place.far, place.far_share),
            evidence=evidence,
        )

    def judge_image(self, feature_map: Tensor, shape: tuple[int, int]) -> NetworkOutput:
        output = self.judge(feature_map)
        assert output.evidence is not None
        assert output.x_arcsec is not None
        assert output.y_arcsec is not None
        # If the last cell stands for fewer pixels than the stride, the centre is nearer to the first.
        rows, columns = output.evidence.shape[1:]
        x_shift = (STRIDE_PX * columns - shape[1]) / 2 * self.pixel_scale_arcsec
        y_shift = (STRIDE_PX * rows - shape[0]) / 2 * self.pixel_scale_arcsec
        return output._replace(x_arcsec=output.x_arcsec + x_shift, y_arcsec=output.y_arcsec + y_shift)

    def embedding(self, feature_map: Tensor, output: NetworkOutput) -> Tensor:
        """The mean over the field, each cell weighed by its odds: what the verdict was made of."""
        assert output.evidence is not None
        share = output.evidence.flatten(1).softmax(1)
        cells = feature_map.permute(0, 2, 3, 1).flatten(1, 2)  # channels last, nothing is copied
        return torch.bmm(share[:, None, :], cells)[:, 0]

    def forward(self, normalised: Tensor) -> NetworkOutput:
        # Channels last: an eighth faster on CPUs.
        return super().forward(normalised.contiguous(memory_format=torch.channels_last))

    def cell_positions(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Where cells look: x of columns, y of rows, arcsec from the centre of STRIDE_PX as many pixels."""
        scale = self.pixel_scale_arcsec
        device = self.verdict_shift.device
        x = (STRIDE_PX * torch.arange(columns, device=device) - (STRIDE_PX * columns - 1) / 2) * scale
        y = (STRIDE_PX * torch.arange(rows, device=device) - (STRIDE_PX * rows - 1) / 2) * scale
        return x, y

    def place(self, evidence: Tensor) -> Place:
        """Mean of the odds about their peak, and how far they spread."""
        x, y = self.cell_positions(*evidence.shape[1:])
        share = evidence.flatten(1).softmax(1)
        peak = share.argmax(1)
        columns = len(x)
        near_x = ((x - x[peak % columns, None]).abs() < _REACH_ARCSEC)[:, None, :]
        near_y = ((y - y[peak // columns, None]).abs() < _REACH_ARCSEC)[:, :, None]
        share = share.reshape(evidence.shape)
        near = share * (near_x & near_y)
        near = near / near.sum((1, 2), keepdim=True)
        mean_x, mean_y = (near.sum(1) * x).sum(1), (near.sum(2) * y).sum(1)
        squared = (x[None, None, :] - mean_x[:, None, None]) ** 2 + (
            y[None, :, None] - mean_y[:, None, None]
        ) ** 2
        far = share * ~(near_x & near_y)
        return Place(
            mean_x,
            mean_y,
            near=(near * squared).sum((1, 2)) / 2,
            far=(far * squared).sum((1, 2)) / 2,
            far_share=far.sum((1, 2)),
        )


def half_width(near_sigma: Tensor, far: Tensor, far_share: Tensor) -> Tensor:
    """Sigma per axis that holds 68 % of the odds: a Gaussian of `near_sigma`, the rest at other places.

    Where those have so large a share that no width of the Gaussian holds 68 %, the root mean square of all.
    """
    root_mean_square = (near_sigma**2 + far).sqrt()
    inside = _ONE_SIGMA / (1 - far_share).clamp(min=_ONE_SIGMA)
    widened = near_sigma * math.sqrt(2) * torch.erfinv(inside.clamp(max=1 - 1e-6))
    return torch.where(inside < 1 - 1e-6, torch.minimum(widened, root_mean_square), root_mean_square)


def noise_of(flux: Tensor) -> Tensor:
    """Noise per pixel (object, band) of flux (object, band, y, x), at least 16 px wide; 0 where nothing varies.

    From how much pixels differ from the mean of four that lie `_LAG_PX` away, beyond the correlation that resampling
    brings. A galaxy's light counts little, even where it fills the cutout: differences cancel its slope, and a quarter
    of the differences, the smallest, suffice. In simulated images of 10 arcsec the noise of Y, J, H is overestimated by
    a quarter in the median; the median absolute deviation overestimates it twice.
    """
    near, far, rows = slice(_LAG_PX, -_LAG_PX), slice(2 * _LAG_PX, None), slice(_LAG_PX, -_LAG_PX, 2)
    beside = flux[..., rows, : -2 * _LAG_PX] + flux[..., rows, far]
    beside += flux[..., : -2 * _LAG_PX : 2, near]
    beside += flux[..., 2 * _LAG_PX :: 2, near]
    size = beside.div_(-4).add_(flux[..., rows, near]).abs_().flatten(2)
    return (_lower_quartile(size) / (_QUARTILE_OF_SIZE * math.sqrt(1.25))).nan_to_num(0.0, 0.0, 0.0)


def sky_of(flux: Tensor, noise: Tensor) -> Tensor:
    """Level of the sky (object, band) from the faint half of the pixels, of which fewer are a galaxy's."""
    quartile = _lower_quartile(flux.flatten(2)[..., ::_SAMPLING])
    return quartile.nan_to_num(0.0, 0.0, 0.0) + _QUARTILE * noise


def _lower_quartile(values: Tensor) -> Tensor:
    """Along the last axis, of values without gradients that are not NaN; NaN if there are none."""
    if values.device.type != "cpu":
        last = values.isnan().logical_not().count_nonzero(-1) - 1
        ordered = values.sort(-1).values  # NaN comes last
        return ordered.gather(-1, last.clamp(min=0)[..., None] // 4)[..., 0]
    # The same values from NumPy, whose partition is vectorised and takes a tenth of the time.
    rows = values.detach().numpy()
    has_gaps = np.isnan(rows).any(-1)
    quartile = np.full(rows.shape[:-1], np.nan, rows.dtype)
    place = (rows.shape[-1] - 1) // 4
    quartile[~has_gaps] = np.partition(rows[~has_gaps], place, axis=-1)[:, place]
    for index in zip(*has_gaps.nonzero(), strict=True):
        known = rows[index][~np.isnan(rows[index])]
        if len(known):
            place = (len(known) - 1) // 4
            quartile[index] = np.partition(known, place)[place]
    return torch.from_numpy(quartile)


def _soften(value: Tensor) -> Tensor:
    """Inverse hyperbolic sine, 0 of what is not finite; torch's own is not vectorised on CPUs."""
    value.nan_to_num_(0.0, 0.0, 0.0).clamp_(-_CEILING, _CEILING)
    size = value.abs()
    return size.square().add_(1).sqrt_().add_(size).log_().copysign_(value)


@torch.no_grad()
def _start_with_contrast(first: nn.Module) -> None:
    """Let two filters in three begin without a mean: arcs are faint contrast on a bright deflector."""
    weight = first.weight
    assert isinstance(weight, Tensor)
    chosen = weight[: 2 * len(weight) // 3]
    chosen -= chosen.mean((2, 3), keepdim=True)


def _layer(channels: int, width: int, *, size: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size // 2)
    convolution = nn.Conv2d(
        channels, width, size, stride=stride, padding=padding, dilation=dilation, bias=False
    )
    return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
