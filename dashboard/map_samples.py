"""Maps of a sample of objects for `/why`: which objects, and what their maps have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.judgements import Judgement, Subjects
from dashboard.state import ServerState
from data.errors import LensVetError
from data.objects import StoredObject
from lensmodel.evaluation.intervals import percentile_interval
from lensmodel.evaluation.metrics import Claims
from lensmodel.explain import METHODS, methods_for
from lensmodel.probes import PixelColours, Profile, about_lens, pixel_colours, profile_of, stacked

# How many objects of each outcome: those found are stacked, all are asked for the colours.
OUTCOMES = {"lenses found": 150, "lenses missed": 50, "non-lenses taken": 50, "non-lenses left": 50}
_SEED = 1

Colours = tuple[str, float, float, float, int]  # outcome, median, low, high, objects


@dataclass(frozen=True)
class Common:
    """What the maps of a sample have in common. stack : (y, x); None without lenses of known Einstein radius.

    mattered, others : colours of the light under strong and weak map by outcome.
    """

    lenses: int
    stack: NDArray[np.float64] | None
    profile: Profile | None
    mattered: list[Colours]
    others: list[Colours]


def sample(subjects: Subjects, judgement: Judgement, rows: Claims) -> dict[str, NDArray[np.int64]]:
    """Some objects of each outcome among `rows`, the same ones each time: places among the subjects."""
    random = np.random.default_rng(_SEED)
    lens, taken, known = subjects.is_lens, judgement.taken, rows & judgement.is_scored
    members = (lens & taken, lens & ~taken, ~lens & taken, ~lens & ~taken)
    return {
        outcome: np.sort(random.permutation(np.flatnonzero(known & some))[:most])
        for (outcome, most), some in zip(OUTCOMES.items(), members, strict=True)
    }


def methods_of(state: ServerState, model_version: str) -> list[str]:
    """The methods whose maps can be stacked: those where more is more evidence for a lens, in all bands."""
    card = state.card(model_version)
    every = [METHODS[name] for name in (methods_for(card) if card else METHODS) if name in METHODS]
    return [method.name for method in every if not method.signed]


def without_map(
    state: ServerState, subjects: Subjects, sampled: dict[str, NDArray[np.int64]], version: str, method: str
) -> list[str]:
    """Ids of the sampled objects that have no map yet."""
    every = np.concatenate(list(sampled.values()))
    stored = stored_of(subjects, subjects.rows[every])
    return [one.object_id for one in stored if state.map(version, method, one) is None]


def stored_of(subjects: Subjects, rows: Sequence[int] | NDArray[np.int64]) -> list[StoredObject]:
    """The objects of these catalogue rows."""
    listed = subjects.catalogue.listed(np.asarray(rows, np.int64))
    return subjects.catalogue.table.rows_of(object_id for object_id, _ in listed)


def in_common(
    state: ServerState, subjects: Subjects, sampled: dict[str, NDArray[np.int64]], version: str, method: str
) -> Common:
    """Stack, profile and colours of the maps that there are; what has no map or no planes is left out."""
    grids: list[NDArray[np.float64]] = []
    mattered, others = [], []
    for outcome, places in sampled.items():
        colours: list[PixelColours] = []
        for place, stored in zip(places, stored_of(subjects, subjects.rows[places]), strict=True):
            map_ = state.map(version, method, stored)
            if map_ is None:
                continue
            scale = state.reference_scale_arcsec(stored)
            colours += _if_any(
                lambda stored=stored, map_=map_, scale=scale: _colours(state, stored, map_, scale)
            )
            if outcome == "lenses found":
                grids += _if_any(
                    lambda place=place, map_=map_, scale=scale: _grid(subjects, place, map_, scale)
                )
        mattered.append(_summed(outcome, [some.mattered for some in colours]))
        others.append(_summed(outcome, [some.others for some in colours]))
    if not grids:
        return Common(0, None, None, mattered, others)
    return Common(len(grids), stacked(grids), profile_of(grids), mattered, others)


def _if_any(make: Callable[[], object | None]) -> list:
    """What is made, unless the object lacks what it takes."""
    try:
        made = make()
    except LensVetError:
        return []
    return [] if made is None else [made]


def _grid(
    subjects: Subjects, place: int, map_: NDArray[np.float32], scale: float
) -> NDArray[np.float64] | None:
    truth = subjects.truth
    if truth is None:
        return None
    theta_E = truth.quantities.get("theta_E_arcsec", np.full(len(truth), np.nan))[place]
    x, y = truth.x_arcsec[place], truth.y_arcsec[place]
    if not (theta_E > 0 and np.isfinite([x, y, scale]).all()):
        return None
    return about_lens(map_, scale, x_arcsec=x, y_arcsec=y, theta_E_arcsec=theta_E)


def _colours(
    state: ServerState, stored: StoredObject, map_: NDArray[np.float32], scale: float
) -> PixelColours | None:
    red, _, blue = state.campaign.survey.composite
    if not {red, blue} <= set(stored.bands) or stored.kind != "flux":
        return None
    planes = state.planes(stored)
    scales = (scale, planes[blue].pixel_scale_arcsec, planes[red].pixel_scale_arcsec)
    if not all(np.isfinite(value) and value > 0 for value in scales):
        return None
    return pixel_colours(map_, scale, planes[blue], planes[red])


def _summed(outcome: str, values: Sequence[float]) -> Colours:
    known = np.array([value for value in values if np.isfinite(value)])
    median = float(np.median(known)) if len(known) else float("nan")
    return (outcome, median, *percentile_interval(known, 50), len(known))
