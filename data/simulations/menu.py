"""The recipes: which scenes a set of simulated objects mixes. Free of torch, so that a command can list them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A mixture of scenes.

    shows : one line for people. weights : by scene, how often it is drawn; they need not sum to 1.
    twins : each lens is followed by its twin, the same without its source.
    field_px : side of the cutouts. centred : no target is off the centre by more than the scatter of catalogues.
    """

    shows: str
    weights: Mapping[str, float]
    twins: bool = False
    field_px: int = 100
    centred: bool = False


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


def _lenses(
    population: str, galaxy: float, group: float, compound: float, double_ring: float
) -> dict[str, float]:
    weights = {"galaxy": galaxy, "group": group, "compound": compound, "double ring": double_ring}
    return {f"{name} lens ({population})": weight for name, weight in weights.items() if weight}


# Half of them lenses; the contaminants that cost most are drawn most often.
_CONTAMINANTS: dict[str, float] = {
    "elliptical": 6,
    "elliptical with companions": 7,
    "spiral": 5,
    "ring galaxy": 6,
    "edge-on disc": 2,
    "merger": 4,
    "star or quasar": 1,
    "blend": 3,
    "barred disc": 3,
    "tidal arms": 3,
    "companions on a circle": 6,
    "star with spikes": 1.5,
    "ghost": 1.5,
    "cosmic ray": 1,
    "satellite trail": 1,
    "bad column": 1,
}
_SURVEY = _lenses("survey", 20, 6, 3, 3) | _lenses("uniform", 10, 2, 3, 3) | _CONTAMINANTS
_PAPER_FIELD_PX = 200  # 20 arcsec, what OU-66 and OU-200 expect

RECIPES: dict[str, Recipe] = {
    "training": Recipe(
        "what evidence-net learned from: half lenses, costly contaminants most often", _TRAINING
    ),
    "demo": Recipe("what the demo shows: a third lenses of every kind, the rest hard", _DEMO),
    "survey": Recipe(
        "lenses by mass and redshift in front of sources as counted, half contaminants", _SURVEY
    ),
    "survey-twins": Recipe("survey, each lens followed by itself without a source", _SURVEY, twins=True),
    "wilde2022": Recipe(
        "20 arcsec, centred: compound arcs, double rings, single lenses and twins after Wilde et al. 2022",
        _lenses("wilde2022", 2, 0, 2, 2),
        twins=True,
        field_px=_PAPER_FIELD_PX,
        centred=True,
    ),
    "wilde2022-uniform": Recipe(
        "the same with every mass, redshift and magnitude equally often",
        _lenses("uniform", 2, 0, 2, 2),
        twins=True,
        field_px=_PAPER_FIELD_PX,
        centred=True,
    ),
    "training-twins": Recipe(
        "training, each lens followed by itself without a source", _TRAINING, twins=True
    ),
}
