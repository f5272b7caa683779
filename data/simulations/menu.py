"""The recipes: which scenes a set of simulated objects mixes. Free of torch, so that a command can list them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A mixture of scenes.

    shows : one line for people. weights : by scene, how often it is drawn; they need not sum to 1.
    twins : each lens is followed by its twin, the same without its source. field_px : side of the cutouts.
    """

    shows: str
    weights: Mapping[str, float]
    twins: bool = False
    field_px: int = 100


_TRAINING: dict[str, float] = {
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
}
_DEMO: dict[str, float] = {
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
}

RECIPES: dict[str, Recipe] = {
    "training": Recipe(
        "what evidence-net learned from: half lenses, costly contaminants most often", _TRAINING
    ),
    "demo": Recipe("what the demo shows: a third lenses of every kind, the rest hard", _DEMO),
    "training-twins": Recipe(
        "training, each lens followed by itself without a source", _TRAINING, twins=True
    ),
}
