"""Train EvidenceNet on simulated campaigns.

Learns the verdict, for lenses the place, and in passing where lensed light is: that task has an answer
for every cell, and without it the network takes all ellipticals for lenses for many passes. After a kill,
training goes on from the last whole pass; one seed gives the same weights on one machine with one thread.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.campaign import Campaign
from data.files import written_atomically
from lensmodel.calibration import fit_sigma, fit_verdict
from lensmodel.errors import TrainingError
from lensmodel.evaluation import auroc, completeness_at, expected_calibration_error, position_error_arcsec
from lensmodel.models import MODELS, ModelCard, sha256_of, write_card
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import STRIDE_PX, EvidenceNet
from lensmodel.training_images import Batch, LabelledImages, augmented, images_of, joined

_WINDOWS_PX = (64, 64, 80, 100)  # mostly the smallest: it costs least
_NAME = "evidence-net"
_PRIOR = 0.5  # the share of lenses for which the verdict is calibrated
_PLACE_WEIGHT = 0.15  # of the cross-entropy over places
_LENSED_WEIGHT = 3.0  # of the cross-entropy per cell of where lensed light is
_LENSED_RARITY = 5.0  # how much a cell with lensed light counts against one without
_MIDDLE = 12  # layers of the stack before lensed light is asked for: four convolutions, 2.5 arcsec


@dataclass(frozen=True)
class TrainingPlan:
    """How to train."""

    epochs: int = 12
    batch: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 1


@dataclass(frozen=True)
class EpochReport:
    """One pass: mean training loss; on validation the area under the ROC curve and median position error."""

    epoch: int
    loss: float
    auroc: float
    position_error_arcsec: float


class Learner(nn.Module):
    """The network, and a second head that only training needs: log odds of lensed light per cell."""

    def __init__(self, network: EvidenceNet) -> None:
        super().__init__()
        self.network = network
        middle = [layer for layer in list(network.stack)[:_MIDDLE] if isinstance(layer, nn.Conv2d)]
        self.lensed = nn.Conv2d(middle[-1].out_channels, 1, 1)

    def forward(self, normalised: Tensor) -> tuple[NetworkOutput, Tensor]:
        half_way = self.network.stack[:_MIDDLE](normalised)
        return self.network.judge(self.network.stack[_MIDDLE:](half_way)), self.lensed(half_way)[:, 0]


def lessons(campaigns: Sequence[Campaign], *, validation: int) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to check with): the last `validation` images of each campaign are never learned from.

    Raises
    ------
    EvaluationError, TrainingError
        If a campaign is not fit to learn from, or has no more images than that.
    """
    parts = []
    for campaign in campaigns:
        images = images_of(campaign, _NAME)
        if len(images) <= validation:
            raise TrainingError(
                f"{campaign.path} has {len(images):,} images to learn from, of which {validation:,} are to be "
                "kept for validation: simulate more, or give a smaller --validation"
            )
        parts.append(split(images, validation))
    learn, check = zip(*parts, strict=True)
    return joined(learn), joined(check)


def train(
    learn: LabelledImages,
    check: LabelledImages,
    plan: TrainingPlan,
    *,
    folder: Path,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> EvidenceNet:
    """Train, or go on from the checkpoint in `folder`, then calibrate on `check`; ends in evaluation mode.

    on_step : called with the number of steps done and of all.
    """
    torch.manual_seed(plan.seed)
    row = MODELS[_NAME]
    network = EvidenceNet(bands=len(row.bands), pixel_scale_arcsec=row.pixel_scale_arcsec)
    learner = Learner(network)
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on CPUs
    optimiser = torch.optim.AdamW(learner.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    for epoch in range(_resume(folder, learner, optimiser), plan.epochs):
        loss = _one_pass(learner, optimiser, learn, plan, epoch, on_step)
        _save_checkpoint(folder, learner, optimiser, epoch + 1)
        if on_epoch:
            measured = measure(network.eval(), check)
            on_epoch(
                EpochReport(epoch + 1, loss, measured["auroc"], measured["position_error_median_arcsec"])
            )
    calibrate(network.eval(), check)
    return network


def split(images: LabelledImages, validation: int) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to check with), the last `validation` of them."""
    border = len(images) - validation
    return images.part(slice(border)), images.part(slice(border, None))


def loss_of(output: NetworkOutput, lensed_logit: Tensor, batch: Batch) -> Tensor:
    """Cross-entropies of the verdict, of lensed light per cell, and, for lenses, of the place."""
    assert output.evidence is not None
    loss = functional.binary_cross_entropy_with_logits(output.logit, batch.is_lens.float())
    # Five pixels about the centre of each cell; cells are centred on every STRIDE_PX-th pixel from the first.
    lensed = functional.max_pool2d(batch.lensed, 5, stride=STRIDE_PX, padding=2)
    rarity = torch.tensor(_LENSED_RARITY)
    per_cell = functional.binary_cross_entropy_with_logits(lensed_logit, lensed, pos_weight=rarity)
    loss = loss + _LENSED_WEIGHT * per_cell
    lenses = batch.is_lens
    if not bool(lenses.any()):
        return loss
    return loss + _PLACE_WEIGHT * place_loss(output.evidence[lenses], _true_shares(batch)[lenses])


def place_loss(evidence: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of the map's odds against the cells' shares in the true position, (object, y, x) both.

    The mean of the shares being the position, the map's spread is its uncertainty, up to the scale that
    `calibrate` fits.
    """
    log_share = evidence.flatten(1).log_softmax(1)
    return -(shares.flatten(1) * log_share).sum(1).mean()


def cell_shares(x_px: Tensor, y_px: Tensor, *, size_px: int, rows: int, columns: int) -> Tensor:
    """Bilinear shares (object, y, x) of cells, their mean at the position, px from the image's centre."""
    along = [
        _linear_shares((offset + (size_px - 1) / 2) / STRIDE_PX, number)
        for offset, number in ((y_px, rows), (x_px, columns))
    ]
    return along[0][:, :, None] * along[1][:, None, :]


@torch.inference_mode()
def judged(network: EvidenceNet, images: LabelledImages, *, batch: int = 64) -> NetworkOutput:
    """The network's output for all images; evidence maps left out."""
    outputs = [
        network(network.normalise(images.flux[start : start + batch].float()))._replace(evidence=None)
        for start in range(0, len(images), batch)
    ]
    joined: list[Any] = [
        torch.cat([output[i] for output in outputs]) if outputs[0][i] is not None else None for i in range(5)
    ]
    return NetworkOutput(*joined)


def measure(network: EvidenceNet, images: LabelledImages) -> dict[str, float]:
    """Figures of merit on labelled images; positions of lenses only."""
    output = judged(network, images)
    lens = images.is_lens.numpy()
    p_lens = torch.sigmoid(output.logit).numpy()
    error_x, error_y, sigma = _position_errors(network, images, output)
    error = position_error_arcsec(error_x, error_y, 0.0, 0.0)
    return {
        "images": len(images),
        "lenses": int(lens.sum()),
        "auroc": auroc(output.logit.numpy(), lens),
        "completeness_at_1_percent_false": completeness_at(
            output.logit.numpy(), lens, false_positive_rate=0.01
        ),
        "calibration_error": expected_calibration_error(p_lens, lens),
        "position_error_median_arcsec": float(torch.as_tensor(error).median()),
        "position_error_90_percent_arcsec": float(torch.as_tensor(error).quantile(0.9)),
        "position_within_1_sigma_per_axis": float((error_x.abs() < sigma).float().mean()),
    }


def calibrate(network: EvidenceNet, images: LabelledImages) -> None:
    """Set the network's calibration from images that it did not learn from."""
    network.verdict_sharpness.fill_(1.0)
    network.verdict_shift.fill_(0.0)
    network.sigma_floor.fill_(0.0)
    network.sigma_scale.fill_(0.0)
    output = judged(network, images)
    error_x, error_y, far = _position_errors(network, images, output)
    network.sigma_scale.fill_(1.0)
    _, _, both = _position_errors(network, images, judged(network, images))
    sharpness, shift = fit_verdict(output.logit, images.is_lens, prior=_PRIOR)
    scale, floor = fit_sigma(both**2 - far**2, far**2, error_x, error_y)
    network.verdict_sharpness.fill_(sharpness)
    network.verdict_shift.fill_(shift)
    network.sigma_scale.fill_(scale)
    network.sigma_floor.fill_(floor / (STRIDE_PX * network.pixel_scale_arcsec))


def save_network(network: EvidenceNet, folder: Path) -> ModelCard:
    """Write weights (state dict) and card to `folder`."""
    weights_path = folder / f"{_NAME}.pt"
    with written_atomically(weights_path) as partial:
        torch.save(network.state_dict(), partial)
    row = MODELS[_NAME]
    card = ModelCard(
        name=_NAME,
        title=row.title,
        architecture=_NAME,
        bands=row.bands,
        pixel_scale_arcsec=row.pixel_scale_arcsec,
        field_px=None,
        predicts_position=True,
        prior=_PRIOR,
        survey=row.survey,
        reference="LensVet; trained and calibrated on simulations",
        weights_path=weights_path,
        sha256=sha256_of(weights_path),
    )
    write_card(card, weights_path.with_suffix(".json"))
    return card


def _one_pass(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    images: LabelledImages,
    plan: TrainingPlan,
    epoch: int,
    on_step: Callable[[int, int], None] | None,
) -> float:
    """Learn from every image once; the mean loss. What is drawn depends on seed and epoch only."""
    learner.train()
    generator = torch.Generator().manual_seed(plan.seed * 1009 + epoch)
    order = torch.randperm(len(images), generator=generator)
    steps = len(order) // plan.batch
    total = 0.0
    for step in range(steps):
        rows = order[step * plan.batch : (step + 1) * plan.batch]
        rate = plan.learning_rate * _schedule((epoch + step / steps) / plan.epochs)
        for group in optimiser.param_groups:
            group["lr"] = rate
        total += _one_step(learner, optimiser, images, rows, generator)
        if on_step:
            on_step(epoch * steps + step + 1, plan.epochs * steps)
    return total / max(steps, 1)


def _one_step(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    images: LabelledImages,
    rows: Tensor,
    generator: torch.Generator,
) -> float:
    largest = images.flux.shape[-1]
    sizes = [size for size in _WINDOWS_PX if size <= largest] or [largest]
    size_px = sizes[int(torch.randint(len(sizes), (), generator=generator))]
    batch = augmented(images, rows, size_px=size_px, generator=generator)
    output, lensed_logit = learner(learner.network.normalise(batch.flux))
    loss = loss_of(output, lensed_logit, batch)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _schedule(done: float) -> float:
    """Learning rate over its peak: rises over the first 5 %, then a half cosine down to 0."""
    return min(1.0, done / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * done))


def _true_shares(batch: Batch) -> Tensor:
    size_px = batch.flux.shape[-1]
    cells = (size_px + STRIDE_PX - 1) // STRIDE_PX
    return cell_shares(batch.x_px, batch.y_px, size_px=size_px, rows=cells, columns=cells)


def _linear_shares(position: Tensor, number: int) -> Tensor:
    """(object, cell) shares of the two cells beside a position; positions beyond the ends go to the end."""
    distance = (torch.arange(number) - position.clamp(0, number - 1)[:, None]).abs()
    return (1 - distance).clamp(min=0)


def _position_errors(
    network: EvidenceNet, images: LabelledImages, output: NetworkOutput
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors in x and y and the stated sigma, arcsec, lenses only."""
    assert output.x_arcsec is not None
    assert output.y_arcsec is not None
    assert output.position_sigma_arcsec is not None
    lens, scale = images.is_lens, network.pixel_scale_arcsec
    error_x = (output.x_arcsec - images.x_px * scale)[lens]
    error_y = (output.y_arcsec - images.y_px * scale)[lens]
    return error_x, error_y, output.position_sigma_arcsec[lens]


def _save_checkpoint(
    folder: Path, learner: Learner, optimiser: torch.optim.Optimizer, epochs_done: int
) -> None:
    state = {
        "learner": learner.state_dict(),
        "optimiser": optimiser.state_dict(),
        "epochs_done": epochs_done,
    }
    with written_atomically(folder / "checkpoint.pt") as partial:
        torch.save(state, partial)


def _resume(folder: Path, learner: Learner, optimiser: torch.optim.Optimizer) -> int:
    """Load the checkpoint if there is one; the number of passes done."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    learner.load_state_dict(state["learner"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["epochs_done"])
