"""Random numbers for many objects at once, from one seeded generator."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Dice:
    """Draws (object,) tensors; the same seeds give the same numbers in the same order.

    centred, reach_arcsec : for `near_centre`.
    """

    def __init__(
        self, number: int, generator: torch.Generator, *, centred: float = 0.5, reach_arcsec: float = 1.5
    ) -> None:
        self.number = number
        self.generator = generator
        self.centred = centred
        self.reach_arcsec = reach_arcsec

    def alone(self) -> "Dice":
        """Dice for a single draw from the same generator."""
        return Dice(1, self.generator)

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self.number, generator=self.generator)

    def log_uniform(self, low: float, high: float) -> Tensor:
        return low * (high / low) ** torch.rand(self.number, generator=self.generator)

    def normal(self, mean: float | Tensor, scatter: float) -> Tensor:
        return mean + scatter * torch.randn(self.number, generator=self.generator)

    def chance(self, probability: float) -> Tensor:
        """True with this probability: (object,) bool."""
        return torch.rand(self.number, generator=self.generator) < probability

    def angle(self) -> Tensor:
        """A direction in radians, all equally likely."""
        return self.uniform(0, 2 * torch.pi)

    def in_disc(self, radius: Tensor) -> tuple[Tensor, Tensor]:
        """A point (x, y) of a disc, all equally likely."""
        distance, angle = radius * self.uniform(0, 1).sqrt(), self.angle()
        return distance * angle.cos(), distance * angle.sin()

    def near_centre(self) -> tuple[Tensor, Tensor]:
        """Where the target lies: a share of them well centred, the others anywhere within reach per axis."""
        centred, reach = self.chance(self.centred), self.reach_arcsec
        x = torch.where(centred, self.normal(0, 0.12), self.uniform(-reach, reach))
        y = torch.where(centred, self.normal(0, 0.12), self.uniform(-reach, reach))
        return x, y

    def normal_field(self, shape: tuple[int, ...]) -> Tensor:
        """Independent standard normal pixels."""
        return torch.randn(shape, generator=self.generator)

    def pick(self, weights: Sequence[float]) -> Tensor:
        """(object,) indices, drawn with these weights."""
        weight = torch.tensor(weights, dtype=torch.float64)
        return torch.multinomial(weight, self.number, replacement=True, generator=self.generator)
