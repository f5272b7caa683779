"""The menu of scenes, the recipes that mix them, and how a mixture becomes images with truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data.errors import CampaignError
from data.simulations import contaminants, lenses
from data.simulations.dice import Dice
from data.simulations.instrument import BANDS, FIELD_PX, MARGIN_PX, observe
from data.simulations.light import Sky

CHUNK = 256  # objects that share one seed: the first N of a recipe and seed are the same for any larger N
_STANDS_OUT_SNR = 1.5  # per pixel
_AT_ONCE = 16  # painted together; small enough for the processor's caches

Scene = Callable[[Dice, Sky], dict[str, Tensor]]

LENS_SCENES: dict[str, Scene] = {
    "arc": lenses.arc,
    "red arc": lenses.red_arc,
    "ring": lenses.ring,
    "group": lenses.group,
    "compound": lenses.compound,
}
CONTAMINANT_SCENES: dict[str, Scene] = {
    "elliptical": contaminants.elliptical,
    "elliptical with companions": contaminants.elliptical_with_companions,
    "spiral": contaminants.spiral,
    "ring galaxy": contaminants.ring_galaxy,
    "edge-on disc": contaminants.edge_on_disc,
    "merger": contaminants.merger,
    "star or quasar": contaminants.star,
    "blend": contaminants.blend,
}
SCENES = LENS_SCENES | CONTAMINANT_SCENES

RECIPES: dict[str, dict[str, float]] = {
    # Half lenses; the contaminants that cost most are drawn most often.
    "training": {
        "arc": 24,
        "red arc": 6,
        "ring": 8,
        "group": 7,
        "compound": 5,
        "elliptical": 9,
        "elliptical with companions": 12,
        "spiral": 9,
        "ring galaxy": 6,
        "edge-on disc": 3,
        "merger": 5,
        "star or quasar": 2,
        "blend": 4,
    },
    # What a person vets: a third lenses of every kind, the rest hard.
    "demo": {
        "arc": 14,
        "red arc": 5,
        "ring": 6,
        "group": 5,
        "compound": 5,
        "elliptical": 6,
        "elliptical with companions": 16,
        "spiral": 14,
        "ring galaxy": 11,
        "edge-on disc": 5,
        "merger": 7,
        "star or quasar": 2,
        "blend": 4,
    },
}


@dataclass(frozen=True)
class SimulatedChunk:
    """Images and truth of some objects, in order.

    images : (object, band, y, x) float32, bands as in `instrument.BANDS`, each in its band's unit.
    lensed : (object, y, x) bool, where lensed light stands out of the sky's noise.
    subtypes : keys of `SCENES`. truth : by column name, (object,), NaN where it does not apply.
    """

    images: Tensor
    lensed: Tensor
    subtypes: list[str]
    truth: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.subtypes)

    def first(self, number: int) -> "SimulatedChunk":
        """The first objects only."""
        truth = {name: values[:number] for name, values in self.truth.items()}
        return SimulatedChunk(self.images[:number], self.lensed[:number], self.subtypes[:number], truth)


def simulate_chunks(number: int, *, seed: int, recipe: str) -> Iterator[SimulatedChunk]:
    """Draw `number` objects, chunk by chunk.

    Raises
    ------
    CampaignError
        If there is no such recipe, or the number or the seed is negative.
    """
    if recipe not in RECIPES:
        raise CampaignError(f"recipe {recipe!r} is not known; known are {', '.join(RECIPES)}")
    if number < 0 or seed < 0:
        raise CampaignError(f"number is {number} and seed is {seed}; expected whole numbers from 0")
    for index, start in enumerate(range(0, number, CHUNK)):
        yield draw_chunk(seed, index, recipe).first(number - start)


def draw_chunk(seed: int, index: int, recipe: str) -> SimulatedChunk:
    """The `index`-th chunk of a recipe and seed; depends on nothing else."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**63)
    names = list(RECIPES[recipe])
    drawn = Dice(CHUNK, generator).pick(list(RECIPES[recipe].values()))
    images = torch.empty(CHUNK, len(BANDS), FIELD_PX, FIELD_PX)
    lensed = torch.empty(CHUNK, FIELD_PX, FIELD_PX, dtype=torch.bool)
    truth: dict[str, Tensor] = {}
    for kind, name in enumerate(names):
        for rows in (drawn == kind).nonzero()[:, 0].split(_AT_ONCE):  # type: ignore[no-untyped-call]  # torch leaves it untyped
            if len(rows):
                images[rows], lensed[rows], values = _paint(SCENES[name], Dice(len(rows), generator))
                _keep(truth, rows, values)
    return SimulatedChunk(images, lensed, [names[kind] for kind in drawn.tolist()], truth)


def _paint(scene: Scene, dice: Dice) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    sky = Sky(dice.number)
    truth = scene(dice, sky)
    inner = slice(MARGIN_PX, MARGIN_PX + FIELD_PX)
    seen = avg_pool2d(sky.lensed_snr, 3, stride=1, padding=1)[:, inner, inner] > _STANDS_OUT_SNR
    return observe(sky.vis, sky.nir, dice), seen, truth


def _keep(truth: dict[str, Tensor], rows: Tensor, values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        truth.setdefault(name, torch.full((CHUNK,), torch.nan))[rows] = value.float()
