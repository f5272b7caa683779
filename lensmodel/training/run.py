"""From simulated campaigns to calibrated weights with their card.

After a kill, training goes on from the last whole pass; one seed gives the same weights on one machine with one
thread.
"""

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from data.campaign import Campaign
from data.files import written_atomically
from lensmodel.errors import TrainingError
from lensmodel.models import MODELS, ModelCard, sha256_of, write_card
from lensmodel.networks.evidence_net import EvidenceNet
from lensmodel.training.course import Course, Learner
from lensmodel.training.images import LabelledImages, images_of, joined
from lensmodel.training.plan import EpochReport, TrainingPlan
from lensmodel.training.validation import PRIOR, calibrate, measure

_NAME = "evidence-net"
_CURVES, _CHECKPOINT, _PLAN = "curves.jsonl", "checkpoint.ckpt", "plan.json"


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


def split(images: LabelledImages, validation: int) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to check with), the last `validation` of them."""
    border = len(images) - validation
    return images.part(slice(border)), images.part(slice(border, None))


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

    Raises
    ------
    TrainingError
        If the checkpoint is of another plan.
    """
    _check_plan(folder, plan)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no advertisements among our reports
    lightning.seed_everything(plan.seed, verbose=False)
    row = MODELS[_NAME]
    network = EvidenceNet(bands=len(row.bands), pixel_scale_arcsec=row.pixel_scale_arcsec)
    learner = Learner(network)
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on CPUs
    on_gpu = torch.cuda.is_available()
    trainer = lightning.Trainer(
        max_epochs=plan.epochs,
        accelerator="gpu" if on_gpu else "cpu",
        devices=plan.devices or ("auto" if on_gpu else 1),
        precision="16-mixed" if on_gpu else "32-true",
        gradient_clip_val=1.0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[_AfterEachPass(folder, check, on_step, on_epoch)],
        enable_checkpointing=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    checkpoint = folder / _CHECKPOINT
    with warnings.catch_warnings():
        # Lightning's own housekeeping, which concerns nobody here.
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        trainer.fit(
            Course(learner, learn, plan),
            ckpt_path=checkpoint if checkpoint.exists() else None,
            weights_only=True,
        )
    calibrate(network.cpu().eval(), check)
    return network


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
        prior=PRIOR,
        bands_may_be_missing=row.bands_may_be_missing,
        survey=row.survey,
        reference="LensVet; trained and calibrated on simulations",
        weights_path=weights_path,
        sha256=sha256_of(weights_path),
    )
    write_card(card, weights_path.with_suffix(".json"))
    return card


def curves(folder: Path) -> list[EpochReport]:
    """What the passes so far have reported."""
    path = folder / _CURVES
    if not path.exists():
        return []
    reports = [EpochReport(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted({report.epoch: report for report in reports}.values(), key=lambda report: report.epoch)


class _AfterEachPass(Callback):
    """Keeps a checkpoint and the figures on `check`, and tells of them."""

    def __init__(
        self,
        folder: Path,
        check: LabelledImages,
        on_step: Callable[[int, int], None] | None,
        on_epoch: Callable[[EpochReport], None] | None,
    ) -> None:
        self._folder, self._check, self._on_step, self._on_epoch = folder, check, on_step, on_epoch

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if self._on_step and trainer.is_global_zero:
            self._on_step(trainer.global_step, int(trainer.estimated_stepping_batches))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        trainer.save_checkpoint(self._folder / _CHECKPOINT)  # by all processes, of which the first writes
        if not trainer.is_global_zero:
            return
        network = module.learner.network.eval()
        measured = measure(network, self._check)
        network.train()
        report = EpochReport(
            epoch=trainer.current_epoch + 1,
            loss=float(trainer.callback_metrics["loss"]),
            auroc=measured["auroc"],
            position_error_arcsec=measured["position_error_median_arcsec"],
        )
        with (self._folder / _CURVES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
        if self._on_epoch:
            self._on_epoch(report)


def _check_plan(folder: Path, plan: TrainingPlan) -> None:
    """Note the plan, or refuse to go on with another one."""
    path = folder / _PLAN
    values = asdict(plan)
    if path.exists() and (folder / _CHECKPOINT).exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != values:
            raise TrainingError(
                f"{folder} holds the checkpoint of another plan ({before}): give the same options to go on, "
                "or another --out"
            )
        return
    with written_atomically(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
