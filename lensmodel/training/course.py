"""The course of a training, for Lightning: the network with its helper, its steps, its learning rate."""

import math
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from data.workers import cores
from lensmodel.networks import NetworkOutput
from lensmodel.networks.evidence_net import EvidenceNet
from lensmodel.training.images import Batch, LabelledImages, augmented
from lensmodel.training.losses import loss_of
from lensmodel.training.plan import TrainingPlan

_WINDOWS_PX = (64, 64, 80, 100)  # mostly the smallest: it costs least
_MIDDLE = 12  # layers of the stack before lensed light is asked for: four convolutions, 2.5 arcsec
_WARM_UP = 0.05  # share of the steps in which the learning rate rises
_WORKERS = 4  # processes at most that draw batches for each GPU


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


class Lessons(Dataset[Batch]):
    """The batches of one epoch; what is drawn depends on the plan's seed, the epoch and the batch's index only.

    Each image comes once, but for the remainder below a batch, another one in each epoch, which is left out.
    """

    def __init__(self, images: LabelledImages, plan: TrainingPlan, epoch: int) -> None:
        self._images = images
        self._plan = plan
        self._epoch = epoch
        generator = torch.Generator().manual_seed(plan.seed * 1009 + epoch)
        self._order = torch.randperm(len(images), generator=generator)

    def __len__(self) -> int:
        return max(1, len(self._images) // self._plan.batch)

    def __getitem__(self, index: int) -> Batch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        seed = (self._plan.seed * 1009 + self._epoch) * 1_000_003 + index
        generator = torch.Generator().manual_seed(seed)
        rows = self._order[index * self._plan.batch : (index + 1) * self._plan.batch]
        largest = min(self._images.flux.shape[-2:])
        sizes = [size for size in _WINDOWS_PX if size <= largest] or [largest]
        size_px = sizes[int(torch.randint(len(sizes), (), generator=generator))]
        return augmented(self._images, rows, size_px=size_px, generator=generator)


class Course(lightning.LightningModule):
    """AdamW on `loss_of`, epoch by epoch."""

    def __init__(self, learner: Learner, images: LabelledImages, plan: TrainingPlan) -> None:
        super().__init__()
        self.learner = learner
        self._images, self._plan = images, plan

    def train_dataloader(self) -> DataLoader[Batch]:
        """An epoch's own batches; to be asked for anew at each epoch."""
        lessons = Lessons(self._images, self._plan, self.current_epoch)
        return loader_of(lessons, on_gpu=torch.cuda.is_available())

    def training_step(self, batch: Batch, index: int) -> Tensor:
        normalised = self.learner.network.normalise(batch.flux)
        output, lensed_logit = self.learner(normalised.contiguous(memory_format=torch.channels_last))
        loss = loss_of(output, lensed_logit, batch)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.flux), sync_dist=True)
        return loss

    def configure_optimizers(self) -> Any:
        plan = self._plan
        optimiser = torch.optim.AdamW(
            self.learner.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step / steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def loader_of(lessons: Lessons, *, on_gpu: bool) -> DataLoader[Batch]:
    """Batches in order; drawn by processes of their own where a GPU would wait for them."""
    workers = min(_WORKERS, cores()) if on_gpu else 0
    return DataLoader(lessons, batch_size=None, num_workers=workers, pin_memory=on_gpu)


def rate_at(done: float) -> float:
    """Learning rate over its peak: rises over the first twentieth, then a half cosine down to 0."""
    return min(1.0, done / _WARM_UP + 0.02) * 0.5 * (1 + math.cos(math.pi * done))
