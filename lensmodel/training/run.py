"""From simulated campaigns to calibrated weights with their card.

After a kill, training goes on from the last whole epoch; one seed gives the same weights on one machine with one
thread. On several devices Lightning runs the command once for each, of which the first alone writes and tells.
"""

import contextlib
import hashlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from data.campaign import Campaign
from data.files import write_json, written_atomically
from lensmodel.checkpoint import load_weights
from lensmodel.errors import TrainingError
from lensmodel.models import MODELS, ModelCard, known_models, read_card, sha256_of, write_card
from lensmodel.networks.evidence_net import EvidenceNet
from lensmodel.training.course import Course, Learner
from lensmodel.training.images import LabelledImages, images_of, joined
from lensmodel.training.plan import EpochReport, TrainingPlan
from lensmodel.training.validation import PRIOR, calibrate, measure

_NAME = "evidence-net"
_CURVES, _CHECKPOINT, _PLAN = "curves.jsonl", "checkpoint.ckpt", "plan.json"
_DIGESTED = 9  # px between the pixels that a digest takes


def lessons(campaigns: Sequence[Campaign], *, validation: int) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to check with): the last `validation` images of each campaign are never learned from.

    Raises
    ------
    EvaluationError, TrainingError
        If a campaign is not fit to learn from, has no more images than that, or has another size of image than
        the first; if the images to check with are not of both classes.
    """
    learn: list[LabelledImages] = []
    check: list[LabelledImages] = []
    for campaign in campaigns:
        images = images_of(campaign, _NAME)
        if len(images) < validation + 2:  # a twin may be added
            raise TrainingError(
                f"{campaign.path} has {len(images):,} images to learn from, of which {validation:,} are to be "
                "kept for validation: simulate more, or give a smaller --validation"
            )
        if learn and _size(images) != _size(learn[0]):
            raise TrainingError(
                f"{campaigns[0].path} has images of {_size(learn[0])}, {campaign.path} of {_size(images)}; "
                "training takes one size: simulate or ingest them alike"
            )
        for part, parts in zip(split(images, validation), (learn, check), strict=True):
            parts.append(part)
    # The smaller first: what is to learn from then holds each campaign's memory alone, and frees it when copied.
    checked = joined(check)
    if checked.is_lens.all() or not checked.is_lens.any():
        raise TrainingError(
            f"the {len(checked):,} images kept for validation are all of one class, which calibrates nothing: "
            "give a larger --validation, or campaigns with lenses and non-lenses"
        )
    return joined(learn), checked


def split(images: LabelledImages, validation: int) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to check with), the last `validation` of them, one more if a lens's twin is the first."""
    border = len(images) - validation
    border -= int(images.follows_its_twin[border])
    return images.part(slice(border)), images.part(slice(border, None))


def train(
    learn: LabelledImages,
    check: LabelledImages,
    plan: TrainingPlan,
    *,
    folder: Path,
    earlier: Mapping[str, Tensor] | None = None,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> EvidenceNet | None:
    """Train, or go on from the checkpoint in `folder`, then calibrate on `check`; ends in evaluation mode.

    None in all processes but the first, where there are several: they are done.
    earlier : what to begin with, as from `learned_in`; None for chance.
    on_step : called with the number of steps done and of all.

    Raises
    ------
    TrainingError
        If the checkpoint is damaged, of another plan, or of other images.
    KeyboardInterrupt
        On Ctrl-C; the checkpoint is that of the last whole epoch.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no advertisements among our reports
    lightning.seed_everything(plan.seed, verbose=False)
    learner = _untrained()
    network = learner.network
    if earlier is not None:
        learner.load_state_dict(earlier)
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on CPUs
    on_gpu = torch.cuda.is_available()
    trainer = lightning.Trainer(
        max_epochs=plan.epochs,
        accelerator="gpu" if on_gpu else "cpu",
        devices=plan.devices or ("auto" if on_gpu else 1),
        precision="16-mixed" if on_gpu else "32-true",
        gradient_clip_val=1.0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[_AfterEachEpoch(folder, check, on_step, on_epoch)],
        enable_checkpointing=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if trainer.is_global_zero:
        _check_plan(folder, _described(plan, learn, check))
    checkpoint = folder / _CHECKPOINT
    if checkpoint.exists():
        _read_checkpoint(checkpoint)
    with warnings.catch_warnings():
        # Lightning's own housekeeping, which concerns nobody here.
        warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*", category=FutureWarning)
        if not on_gpu:  # where workers would take the training's own cores
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        try:
            trainer.fit(
                Course(learner, learn, plan),
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit as end:  # which Lightning makes of Ctrl-C
            raise KeyboardInterrupt from end
    if not trainer.is_global_zero:
        return None
    calibrate(network.cpu().eval(), check)
    return network


def learned_in(earlier: str) -> tuple[dict[str, Tensor], str]:
    """(what to begin with, its digest): what the training in a folder has learned up to its last whole epoch, or the
    weights of a model, given by its card or by its name in `known_models`, without its calibration.

    Raises
    ------
    TrainingError
        If there is no folder with a checkpoint, card or model of that name; if it is not one of this network.
    ModelError, WeightsError
        If the card is damaged, or the weights are.
    """
    path = Path(earlier)
    checkpoint = path / _CHECKPOINT
    if checkpoint.exists():
        return _read_checkpoint(checkpoint), sha256_of(checkpoint)
    card = read_card(path) if path.suffix == ".json" and path.is_file() else known_models().get(earlier)
    if card is None:
        raise TrainingError(
            f"{earlier} holds no {_CHECKPOINT} and is no model: give the --out of an earlier lensvet train, a card, "
            "or a name of lensvet models"
        )
    if card.architecture != _NAME:
        raise TrainingError(f"{card.title} is no {MODELS[_NAME].title}, and nothing else can be trained")
    learner = _untrained()
    uncalibrated = {name: value.clone() for name, value in learner.network.named_buffers(recurse=False)}
    load_weights(learner.network, card.weights_path)
    learner.network.load_state_dict(uncalibrated, strict=False)
    return learner.state_dict(), card.sha256


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    """What a checkpoint holds of network and helper, checked before anything is built on it."""
    learner = _untrained()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of archives that it then refuses
            checkpoint = torch.load(path, weights_only=True, map_location="cpu")
        state = {name.removeprefix("learner."): value for name, value in checkpoint["state_dict"].items()}
        learner.load_state_dict(state)
        is_whole = all(bool(value.isfinite().all()) for value in state.values())
        is_whole &= {"epoch", "pytorch-lightning_version", "optimizer_states"} <= set(checkpoint)
    except Exception as error:  # damaged bytes make the unpickler raise almost anything
        raise _damaged(path, "checkpoint") from error
    if not is_whole:
        raise _damaged(path, "checkpoint")
    return learner.state_dict()


def _damaged(path: Path, what: str) -> TrainingError:
    return TrainingError(
        f"{path} is damaged, or no {what} of a training of {MODELS[_NAME].title}, and was not used: restore it, or "
        "name another folder"
    )


def _untrained() -> Learner:
    row = MODELS[_NAME]
    return Learner(EvidenceNet(bands=len(row.bands), pixel_scale_arcsec=row.pixel_scale_arcsec))


def save_network(
    network: EvidenceNet,
    folder: Path,
    *,
    name: str = _NAME,
    agreement: tuple[float, float, float] | None = None,
) -> ModelCard:
    """Write weights (state dict) and card to `folder`; `name` is the model's, `agreement` as in `ModelCard`.

    Raises
    ------
    ModelError
        If the name is not one that a model may have.
    """
    weights_path = folder / f"{name}.pt"
    content = io.BytesIO()  # torch.save to a path puts its name inside: another version for the same weights
    torch.save(network.state_dict(), content)
    with written_atomically(weights_path) as partial:
        partial.write_bytes(content.getvalue())
    row = MODELS[_NAME]
    card = ModelCard(
        name=name,
        title=row.title,
        architecture=_NAME,
        bands=row.bands,
        pixel_scale_arcsec=row.pixel_scale_arcsec,
        field_px=None,
        predicts_position=True,
        prior=PRIOR,
        bands_may_be_missing=row.bands_may_be_missing,
        agreement=agreement,
        survey=row.survey,
        reference="LensVet; trained and calibrated on simulations",
        weights_path=weights_path,
        sha256=sha256_of(weights_path),
    )
    write_card(card, weights_path.with_suffix(".json"))
    return card


def curves(folder: Path) -> list[EpochReport]:
    """What the epochs so far have reported."""
    path = folder / _CURVES
    if not path.exists():
        return []
    reports = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(
            ValueError, TypeError
        ):  # a line that a kill cut short: its epoch comes again
            report = EpochReport(**json.loads(line))
            reports[report.epoch] = report
    return [reports[epoch] for epoch in sorted(reports)]


class _AfterEachEpoch(Callback):
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
        # By all processes, of which the first writes; beside its place, since Lightning writes to another file system.
        partial = self._folder / f".{_CHECKPOINT}.partial"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            partial.replace(self._folder / _CHECKPOINT)
        loss = float(trainer.callback_metrics["loss"])  # by all processes, of which it is the mean
        if trainer.is_global_zero:
            self._tell(trainer.current_epoch + 1, loss, module.learner.network)
        trainer.strategy.barrier()

    def _tell(self, epoch: int, loss: float, network: EvidenceNet) -> None:
        measured = measure(network.eval(), self._check)
        network.train()
        report = EpochReport(
            epoch=epoch,
            loss=loss,
            auroc=measured["auroc"],
            position_error_arcsec=measured["position_error_median_arcsec"],
        )
        with (self._folder / _CURVES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(report)) + "\n")
        if self._on_epoch:
            self._on_epoch(report)


def _described(plan: TrainingPlan, learn: LabelledImages, check: LabelledImages) -> dict[str, Any]:
    """What a checkpoint depends on; on how many devices it was computed is not of it."""
    options = {name: value for name, value in asdict(plan).items() if name != "devices"}
    return options | {"images_learned_from": _digest(learn), "images_checked_with": _digest(check)}


def _digest(images: LabelledImages) -> str:
    """Tells sets of images from each other: sha256 of their truth and of every ninth pixel along both axes."""
    digest = hashlib.sha256()
    some = (value[..., ::_DIGESTED, ::_DIGESTED] for value in (images.lensed, images.flux))
    for value in (images.is_lens, images.x_px, images.y_px, *some):
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _size(images: LabelledImages) -> str:
    height, width = images.flux.shape[-2:]
    return f"{width} x {height} px"


def _check_plan(folder: Path, described: dict[str, Any]) -> None:
    """Note what is to be trained, or refuse to go on with what is another training."""
    path = folder / _PLAN
    if not (folder / _CHECKPOINT).exists():
        (folder / _CURVES).unlink(missing_ok=True)
        write_json(path, described)
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except (ValueError, TypeError) as error:
        raise _damaged(path, "plan") from error
    differing = [name for name, value in described.items() if before.get(name) != value]
    options = [name for name in differing if not name.startswith("images_")]
    if options:
        told = ", ".join(f"{name} {before.get(name)}, not {described[name]}" for name in options)
        raise TrainingError(
            f"{folder} holds the checkpoint of another plan ({told}): give the same options to go on, "
            "or another --out"
        )
    if differing:
        raise TrainingError(
            f"{folder} holds the checkpoint of a training on other images: give the same campaigns and "
            "--validation to go on, or another --out"
        )
