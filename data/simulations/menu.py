"""The recipes: which scenes a set of simulated objects mixes. Free of torch, so that a command can list them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A mixture of scenes.

    shows : one line for people. weights : by scene, how often it is drawn; they need not sum to 1.
    twins : each lens is followed by its twin, the same without its source.
    field_px : side of the cutouts. centred : share of the targets that are off the centre by no more than the scatter
    of catalogues. reach_arcsec : the others are anywhere within it of the centre, along each axis.
    """

    shows: str
    weights: Mapping[str, float]
    twins: float = 0
    field_px: int = 100
    centred: float = 0.5
    reach_arcsec: float = 1.5


# How Y, J, H are sampled: on the grid of VIS, as in the Q1 mosaics, or in the detectors' own pixels.
NIR = ("resampled", "native")
LARGEST = 2**31 - 1  # of numbers of cutouts and of seeds

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


# The contaminants that cost most are drawn most often.
_CONTAMINANTS: dict[str, float] = {
    "elliptical": 6,
    "elliptical with companions": 7,
    "group with companions": 6,
    "spiral": 5,
    "nearby galaxy": 5,
    "blank sky": 6,
    "ring galaxy": 8,
    "edge-on disc": 2,
    "merger": 6,
    "star or quasar": 1,
    "blend": 3,
    "barred disc": 3,
    "tidal arms": 3,
    "companions on a circle": 7,
    "star with spikes": 1.5,
    "ghost": 2,
    "cosmic ray": 1,
    "satellite trail": 1,
    "bad column": 1,
}
_NEARBY: dict[str, float] = {
    "nearby galaxy": 6,
    "elliptical": 3,
    "elliptical with companions": 3,
    "spiral": 2,
    "ring galaxy": 2,
    "barred disc": 2,
    "merger": 2,
}
# Bright arcs in front of simple deflectors, which are learned first.
_SIMPLE_LENSES: dict[str, float] = {"arc": 8, "red arc": 3, "ring": 4, "group": 3, "compound": 2}
# What a first training missed, beyond its share among a survey's: groups, and lenses in bright, near galaxies.
_MISSED_LENSES: dict[str, float] = {
    "rich group lens (survey)": 6,
    "group lens (survey)": 3,
    **_lenses("nearby", 4, 1.5, 0.5, 0.5),
}


def _in_all(total: float, weights: Mapping[str, float]) -> dict[str, float]:
    """The same mixture with weights that sum to a total."""
    return {scene: total / sum(weights.values()) * weight for scene, weight in weights.items()}


def _together(*mixtures: Mapping[str, float]) -> dict[str, float]:
    """The sum of mixtures, of which several may have the same scene."""
    return dict(sum((Counter(mixture) for mixture in mixtures), Counter[str]()))


_SURVEY_LENSES = (
    _lenses("survey", 20, 5, 3, 3) | _lenses("uniform", 10, 2, 3, 4) | {"rich group lens (survey)": 8}
)
# Hard negatives, with the twins, are half of all negatives: ring galaxies, companions, mergers and twins alike.
_HELD_OUT_NEGATIVES: dict[str, float] = {
    "ring galaxy": 7.5,
    "elliptical with companions": 2.5,
    "companions on a circle": 2.5,
    "group with companions": 2.5,
    "merger": 3.75,
    "tidal arms": 3.75,
    "disc galaxy": 7,
    "elliptical": 4,
    "spiral": 4,
    "nearby galaxy": 1.5,
    "blank sky": 0.5,
    "edge-on disc": 2.5,
    "barred disc": 2.5,
    "blend": 3,
    "star or quasar": 1,
    "star with spikes": 1,
    "ghost": 0.75,
    "cosmic ray": 0.75,
    "satellite trail": 0.75,
    "bad column": 0.75,
}
_PAPER_FIELD_PX = 200  # 20 arcsec, what OU-66 and OU-200 expect

RECIPES: dict[str, Recipe] = {
    "training": Recipe(
        "what evidence-net learns from: lenses of every kind, each followed by itself without a source, "
        "and as many contaminants",
        _in_all(1, _together(_SURVEY_LENSES, _SIMPLE_LENSES, _MISSED_LENSES)) | _in_all(1, _CONTAMINANTS),
        twins=1,
    ),
    "held-out": Recipe(
        "what networks are compared on: two in five are lenses by mass and redshift; twins, ring galaxies, "
        "companions and mergers are half of the rest",
        _in_all(40, _SURVEY_LENSES) | _HELD_OUT_NEGATIVES,
        twins=7.5 / 40,
    ),
    "demo": Recipe("what the demo shows: a third lenses of every kind, the rest hard", _DEMO),
    "survey": Recipe(
        "lenses by mass and redshift in front of sources as counted, half contaminants",
        _in_all(1, _SURVEY_LENSES) | _in_all(1, _CONTAMINANTS),
    ),
    "nearby": Recipe(
        "lenses in bright galaxies up to redshift 0.35, each followed by itself without a source, and as many galaxies "
        "as near",
        _in_all(1, _lenses("nearby", 6, 2, 1, 1)) | _in_all(1, _NEARBY),
        twins=1,
    ),
    "ordinary": Recipe(
        "what evidence-net learned from last: the same lenses and twins, and of the contaminants half discs as most "
        "galaxies are",
        _in_all(1, _together(_SURVEY_LENSES, _SIMPLE_LENSES, _MISSED_LENSES))
        | _together(_in_all(0.5, _CONTAMINANTS), {"disc galaxy": 0.5}),
        twins=1,
    ),
    "wilde2022": Recipe(
        "20 arcsec, centred: compound arcs, double rings, single lenses and twins after Wilde et al. 2022",
        _lenses("wilde2022", 2, 0, 2, 2),
        twins=1,
        field_px=_PAPER_FIELD_PX,
        centred=1,
    ),
    "wilde2022-uniform": Recipe(
        "the same with every mass, redshift and magnitude equally often",
        _lenses("uniform", 2, 0, 2, 2),
        twins=1,
        field_px=_PAPER_FIELD_PX,
        centred=1,
    ),
    "off-centre": Recipe(
        "20 arcsec: lenses by mass and redshift anywhere within 6 arcsec of the centre along each axis, "
        "to measure the positions of networks and maps; one in five is a contaminant",
        _in_all(4, _SURVEY_LENSES) | _in_all(1, _CONTAMINANTS),
        field_px=_PAPER_FIELD_PX,
        centred=0,
        reach_arcsec=6,
    ),
}
