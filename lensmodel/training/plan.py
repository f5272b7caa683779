"""How to train, and what an epoch reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    devices : how many GPUs, or CPU processes where there is none; None all GPUs.
    begins_with : digest of the training that this one goes on from, on other images or in another way; None for none.
    """

    epochs: int = 12
    batch: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 1
    devices: int | None = None
    begins_with: str | None = None


@dataclass(frozen=True)
class EpochReport:
    """One epoch: mean training loss; on validation the area under the ROC curve and median position error."""

    epoch: int
    loss: float
    auroc: float
    position_error_arcsec: float
