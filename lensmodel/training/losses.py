"""What EvidenceNet is taught: the verdict, for lenses the place, and where lensed light is.

Verdict and place are asked for twice: of each image, and of a field nine times as large, of which the image is one part
and images without a lens are the rest. A lens must stand out among the evidence of them all.

Where lensed light is has an answer for every cell; without it the network takes all ellipticals for lenses for many
epochs.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX
from lensmodel.training.images import Batch

_PLACE_WEIGHT = 0.4  # of the cross-entropy over places
_FIELD_WEIGHT = 0.5  # of the verdict on the larger field
_FIELD_PARTS = 8  # images without a lens beside each image of a larger field
_LENSED_WEIGHT = 3.0  # of the cross-entropy per cell of where lensed light is
_LENSED_RARITY = 5.0  # how much a cell with lensed light counts against one without


def loss_of(output: NetworkOutput, lensed_logit: Tensor, batch: Batch) -> Tensor:
    """Cross-entropies of the verdicts, of lensed light per cell, and, for lenses, of the place."""
    assert output.evidence is not None
    loss = _verdict_loss(output.logit, batch)
    fields = larger_fields(output.evidence, batch.is_lens)
    loss = loss + _FIELD_WEIGHT * _verdict_loss(fields.logsumexp(1) - math.log(fields.shape[1]), batch)
    # Five pixels about the centre of each cell; cells are centred on every STRIDE_PX-th pixel from the first.
    lensed = functional.max_pool2d(batch.lensed, 5, stride=STRIDE_PX, padding=2)
    rarity = torch.tensor(_LENSED_RARITY, device=lensed.device)
    per_cell = functional.binary_cross_entropy_with_logits(lensed_logit, lensed, pos_weight=rarity)
    loss = loss + _LENSED_WEIGHT * per_cell
    lenses = batch.is_lens & batch.counts
    if not bool(lenses.any()):
        return loss
    return loss + _PLACE_WEIGHT * place_loss(fields[lenses], _true_shares(batch)[lenses])


def _verdict_loss(logit: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of verdicts (object,), the mean of those that count."""
    counts = batch.counts.float()
    truth = batch.is_lens.float()
    of_all = functional.binary_cross_entropy_with_logits(logit, truth, weight=counts, reduction="sum")
    return of_all / counts.sum().clamp(min=1)


def larger_fields(evidence: Tensor, is_lens: Tensor) -> Tensor:
    """Log odds (object, cell) of each image's cells, then of those of images of the batch without a lens.

    Those are `_FIELD_PARTS` in turn, the image itself left out; just the image where the batch has too few.
    """
    own = evidence.flatten(1)
    others = (~is_lens).nonzero()[:, 0]
    if len(others) <= _FIELD_PARTS:
        return own
    # An image without a lens begins right after itself, any other one anywhere.
    number = torch.arange(len(own), device=own.device)
    first = torch.where(is_lens, _FIELD_PARTS * number, (~is_lens).cumsum(0))
    step = torch.arange(_FIELD_PARTS, device=own.device)
    beside = others[(first[:, None] + step) % len(others)]
    return torch.cat([own, own[beside].flatten(1)], 1)


def place_loss(evidence: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of the odds of cells against shares in the true position, of which later cells have none.

    evidence : (object, cell), `larger_fields`. shares : (object, y, x), of the first of these cells.
    The mean of the shares being the position, the map's spread is its uncertainty, up to the scale that
    `validation.calibrate` fits.
    """
    log_share = evidence.log_softmax(1)[:, : shares[0].numel()]
    return -(shares.flatten(1) * log_share).sum(1).mean()


def cell_shares(x_px: Tensor, y_px: Tensor, *, size_px: int, rows: int, columns: int) -> Tensor:
    """Bilinear shares (object, y, x) of cells, their mean at the position, px from the image's centre."""
    along = [
        _linear_shares((offset + (size_px - 1) / 2) / STRIDE_PX, number)
        for offset, number in ((y_px, rows), (x_px, columns))
    ]
    return along[0][:, :, None] * along[1][:, None, :]


def _true_shares(batch: Batch) -> Tensor:
    size_px = batch.flux.shape[-1]
    cells = (size_px + STRIDE_PX - 1) // STRIDE_PX
    return cell_shares(batch.x_px, batch.y_px, size_px=size_px, rows=cells, columns=cells)


def _linear_shares(position: Tensor, number: int) -> Tensor:
    """(object, cell) shares of the two cells beside a position; positions beyond the ends go to the end."""
    cells = torch.arange(number, device=position.device)
    distance = (cells - position.clamp(0, number - 1)[:, None]).abs()
    return (1 - distance).clamp(min=0)
