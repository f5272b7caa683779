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
_SAMPLING = 3  # every third pixel is enough for a median, at a third of the time
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
        """Each band about its median, in units of its noise (median absolute deviation), asinh-softened.

        A constant band becomes 0, as does a pixel that is not finite; a band without any that is becomes ABSENT.
        """
        sample = flux.flatten(2)[..., ::_SAMPLING]
        sample = torch.where(sample.isfinite(), sample, torch.nan)
        absent = sample.isnan().all(-1)
        if absent.any():  # which costs nothing to see where all bands are there
            absent &= flux.isnan().flatten(2).all(-1)
        sample = sample.masked_fill(absent[..., None], 0.0)
        median = _median(sample)[..., None, None]
        noise = 1.4826 * _median((sample - median[..., 0]).abs())[..., None, None]
        unit = torch.where(noise > 0, 1 / (_SOFTENING * noise), 0.0)
        softened = _asinh(((flux - median) * unit).nan_to_num(0.0, 0.0, 0.0).clamp(-_CEILING, _CEILING))
        return softened.masked_fill(absent[..., None, None], ABSENT)

    def judge(self, feature_map: Tensor) -> NetworkOutput:
        """Verdict and position, for an image that the stride divides; `forward` corrects other sizes."""
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

    def forward(self, normalised: Tensor) -> NetworkOutput:
        # Channels last: an eighth faster on CPUs.
        ordered = normalised.contiguous(memory_format=torch.channels_last)
        output = self.judge(self.features(ordered))
        assert output.evidence is not None
        assert output.x_arcsec is not None
        assert output.y_arcsec is not None
        # If the last cell stands for fewer pixels than the stride, the centre is nearer to the first.
        rows, columns = output.evidence.shape[1:]
        x_shift = (STRIDE_PX * columns - normalised.shape[-1]) / 2 * self.pixel_scale_arcsec
        y_shift = (STRIDE_PX * rows - normalised.shape[-2]) / 2 * self.pixel_scale_arcsec
        return output._replace(x_arcsec=output.x_arcsec + x_shift, y_arcsec=output.y_arcsec + y_shift)

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


def _median(values: Tensor) -> Tensor:
    """`nanmedian` along the last axis, of values without gradients."""
    if values.device.type != "cpu" or values.isnan().any():
        return values.nanmedian(-1).values
    # The same values from NumPy, whose partition is vectorised and takes a tenth of the time.
    middle = (values.shape[-1] - 1) // 2
    return torch.from_numpy(np.partition(values.detach().numpy(), middle, axis=-1)[..., middle])


def _asinh(value: Tensor) -> Tensor:
    """Inverse hyperbolic sine; torch's own is not vectorised on CPUs and takes eight times as long."""
    size = value.abs()
    return torch.copysign((size + (size * size + 1).sqrt()).log(), value)


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
