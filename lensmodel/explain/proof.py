"""The proof of explanation maps on simulated lenses, whose arcs and places are known: every method of every network.

Where a map points is measured on the pixels of the cutout, as people see it; what p makes of it, on the network's.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.campaign import Campaign
from lensmodel import Progress
from lensmodel.batches import read_batch
from lensmodel.errors import EvaluationError, ExplanationError
from lensmodel.evaluation.explanation_figures import (
    NEAR_THETA_E,
    TOLERANCE_ARCSEC,
    ExplanationProof,
    Key,
    MapFigures,
    Measures,
    ModelMaps,
    figures_of,
)
from lensmodel.evaluation.explanation_metrics import (
    area_share,
    area_under,
    disc,
    distance_to_mask_arcsec,
    map_position,
    peak_of,
    rank_correlation,
    ranks_from_the_top,
    weight_share,
)
from lensmodel.evaluation.lenses_with_arcs import Lens, Shown
from lensmodel.explain import explain, find_method, methods_for
from lensmodel.explain.curves import deletion, insertion
from lensmodel.explain.objects import on_cutout
from lensmodel.explain.receptive_field import flat_layers
from lensmodel.explain.redrawn import redrawn_by_depth
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.networks import LensNetwork
from lensmodel.preprocessing import Field, field_of, why_not

SHOWN = 3  # lenses of each model whose maps are kept to look at
REDRAWN_LENSES = {
    "rho": 16,
    "rho_upper": 4,
    "rho_verdict": 4,
}  # whose maps are made again with redrawn weights
CURVE_LENSES = 48  # whose pixels come and go
_DRAWS = 4  # of the weights; each is for every fourth lens
_FEW_LAYERS = 3
_STATISTICS_OF = 16  # images, for batch normalisation

Map = NDArray[np.float32]
Row = tuple[str, int | None]  # method and layer


@dataclass(frozen=True)
class Numbers:
    """How many lenses a method is measured on: `default`, or what `by_method` says; 0 leaves it out.

    A method in one band, such as `occlusion-vis`, goes with `occlusion`.
    """

    default: int = 200
    by_method: Mapping[str, int] = field(default_factory=dict)

    def of(self, method: str) -> int:
        return self.by_method.get(method, self.by_method.get(method.rpartition("-")[0], self.default))

    @property
    def most(self) -> int:
        return max((self.default, *self.by_method.values()))


@dataclass(frozen=True)
class _Seen:
    """A lens as a network sees it. image : (band, y, x), normalised. index : among those that it sees."""

    lens: Lens
    image: Tensor
    field: Field
    index: int


@dataclass
class _Trial:
    """A model and what was found of it so far."""

    card: ModelCard
    network: LensNetwork
    rows: dict[Key, Row]
    numbers: Numbers
    seed: int
    redrawn: list[dict[str, LensNetwork]] = field(default_factory=list)
    maps: dict[Key, list[Measures]] = field(default_factory=lambda: defaultdict(list))
    references: dict[str, list[Measures]] = field(default_factory=lambda: defaultdict(list))
    reasons: Counter[str] = field(default_factory=Counter)
    p: list[float] = field(default_factory=list)
    blank_p: list[float] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)


def prove(
    campaign: Campaign,
    cards: Mapping[str, ModelCard],
    lenses: Sequence[Lens],
    *,
    numbers: Numbers,
    all_layers: bool = False,
    resamples: int = 1000,
    seed: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[ExplanationProof, dict[str, list[Shown]]]:
    """Measure the maps of each model on these lenses; the maps of some of them come with it, by model.

    all_layers : every ReLU layer for the methods that look at one, else the first, the middle and the last.
    """
    for card in cards.values():
        check_survey(card, campaign.survey.name)
    models: dict[str, ModelMaps] = {}
    shown: dict[str, list[Shown]] = {}
    for number, (name, card) in enumerate(cards.items()):
        network = load_network(card)
        trial = _Trial(card, network, rows_of(network, card, numbers, all_layers=all_layers), numbers, seed)
        for done in _measured(campaign, trial, lenses):
            if on_progress is not None:
                on_progress(Progress(number * len(lenses) + done, len(cards) * len(lenses)))
        models[name], shown[name] = _result(trial, resamples), trial.shown
    return ExplanationProof(models, resamples, seed), shown


def check_methods(numbers: Numbers, cards: Mapping[str, ModelCard]) -> None:
    """Refuse a number for a method that none of these models has.

    Raises
    ------
    ExplanationError
    """
    known = dict.fromkeys(method for card in cards.values() for method in methods_for(card))
    for method in numbers.by_method:
        if method not in known:
            raise ExplanationError(f"no method is called {method!r}; these models have {', '.join(known)}")


def check_seen(campaign: Campaign, cards: Mapping[str, ModelCard], lenses: Sequence[Lens]) -> None:
    """Refuse before costly work if none of these models can see any of the lenses.

    Raises
    ------
    EvaluationError
    """
    store = campaign.cutouts()
    reasons = [[why_not(card, lens.stored, store) for lens in lenses] for card in cards.values()]
    if all(reason is not None for some in reasons for reason in some):
        raise EvaluationError(f"no model sees any of the {len(lenses)} lenses to explain: {reasons[0][0]}")


def rows_of(network: LensNetwork, card: ModelCard, numbers: Numbers, *, all_layers: bool) -> dict[Key, Row]:
    """All maps that are to be measured: each method, and those that look at a layer after several ReLUs."""
    rows: dict[Key, Row] = {}
    for method in filter(numbers.of, methods_for(card)):
        found = find_method(method, card)
        assert found is not None
        for layer in _layers(network, all_layers=all_layers) if "layer" in found.options else [None]:
            rows[method, "" if layer is None else str(layer)] = (method, layer)
    return rows


def _layers(network: LensNetwork, *, all_layers: bool) -> list[int | None]:
    relus: list[int | None] = [
        number for number, layer in enumerate(flat_layers(network.features)) if isinstance(layer, nn.ReLU)
    ]
    if all_layers or len(relus) <= _FEW_LAYERS:
        return relus
    return [relus[0], relus[len(relus) // 2], relus[-1]]


def _measured(campaign: Campaign, trial: _Trial, lenses: Sequence[Lens]) -> Iterator[int]:
    """Fill a trial; gives the number of lenses done, after each map."""
    for done, lens in enumerate(lenses):
        seen = _read(campaign, trial, lens)
        if isinstance(seen, str):
            trial.reasons[seen] += 1
            yield done + 1
            continue
        if not trial.redrawn:
            images = _images(campaign, trial, lenses[done:])
            trial.redrawn = [
                redrawn_by_depth(trial.card, images, seed=trial.seed + draw) for draw in range(_DRAWS)
            ]
        _measure_references(trial, seen)
        maps: dict[Key, Map] = {}
        for key, (method, layer) in trial.rows.items():
            if seen.index < trial.numbers.of(method):
                measures, maps[key] = _measure(trial, seen, method, {} if layer is None else {"layer": layer})
                trial.maps[key].append(measures)
                yield done
        if seen.index < SHOWN:
            trial.shown.append(Shown(lens, maps))
        yield done + 1


def _read(campaign: Campaign, trial: _Trial, lens: Lens) -> _Seen | str:
    """The lens as the network sees it, or why it does not."""
    store = campaign.cutouts()
    batch = read_batch(trial.card, store, [lens.stored])
    if batch.flux is None:
        return str(batch.reasons[0])
    with torch.no_grad():
        image = trial.network.normalise(batch.flux)[0]
    return _Seen(lens, image, field_of(trial.card, store, batch.group), len(trial.p))


def _images(campaign: Campaign, trial: _Trial, lenses: Sequence[Lens]) -> Tensor:
    """Some of these lenses in one batch, those whose cutouts are as the first one's, which the network sees."""
    group = lenses[0].stored.cutout_group
    alike = [lens.stored for lens in lenses if lens.stored.cutout_group == group]
    batch = read_batch(trial.card, campaign.cutouts(), alike[:_STATISTICS_OF])
    assert batch.flux is not None
    with torch.no_grad():
        return trial.network.normalise(batch.flux)


def _measure(trial: _Trial, seen: _Seen, method: str, options: dict[str, object]) -> tuple[Measures, Map]:
    started = time.perf_counter()
    values = _speaking(trial, trial.network, seen, method, options)
    time_ms = 1000 * (time.perf_counter() - started)
    rho: dict[str, Any] = {
        name: rank_correlation(values, _speaking(trial, network, seen, method, options))
        for name, network in trial.redrawn[seen.index % _DRAWS].items()
        if seen.index < REDRAWN_LENSES[name]
    }
    drawn = _on_cutout(values, trial, seen)
    measures = replace(_places(drawn, seen.lens), time_ms=time_ms, **_curves(trial, seen, values), **rho)
    light, random = trial.references["light"][-1], trial.references["random order"][-1]
    compared = replace(
        measures,
        beyond_light=measures.beyond_chance - light.beyond_chance,
        beyond_random=measures.ordering - random.ordering,
    )
    return compared, drawn


def _speaking(trial: _Trial, network: LensNetwork, seen: _Seen, method: str, options: dict[str, Any]) -> Map:
    """A map on the network's pixels, higher where the image speaks for a lens."""
    found = find_method(method, trial.card)
    assert found is not None
    return found.for_lens * explain(network, trial.card, seen.image, method, **options)


def _on_cutout(values: Map, trial: _Trial, seen: _Seen) -> Map:
    arcs = seen.lens.arcs
    return on_cutout(
        values,
        seen.field,
        trial.card.pixel_scale_arcsec,
        shape=(arcs.shape[0], arcs.shape[1]),
        pixel_scale_arcsec=seen.lens.pixel_scale_arcsec,
    )


def _places(drawn: Map, lens: Lens) -> Measures:
    """What a map on the cutout says of where."""
    scale, centre = lens.pixel_scale_arcsec, (lens.x_arcsec, lens.y_arcsec)
    near = disc(lens.arcs.shape, scale, centre, NEAR_THETA_E * lens.theta_e_arcsec)
    knows_theta_e = bool(np.isfinite(lens.theta_e_arcsec))
    peak, place = peak_of(drawn, scale), map_position(drawn, scale)
    hits_arcs = peak is not None and distance_to_mask_arcsec(peak, lens.arcs, scale) <= TOLERANCE_ARCSEC
    hits_lens = peak is not None and _distance(peak, lens) <= lens.theta_e_arcsec
    measures = Measures(
        hits_arcs=float(hits_arcs),
        hits_lens=float(hits_lens) if knows_theta_e else float("nan"),
        weight_on_arcs=weight_share(drawn, lens.arcs),
        area_of_arcs=area_share(drawn, lens.arcs),
        weight_near_lens=weight_share(drawn, near) if knows_theta_e else float("nan"),
        area_near_lens=area_share(drawn, near) if knows_theta_e else float("nan"),
    )
    return measures if place is None else replace(measures, **_errors(*place, lens))


def _errors(x_arcsec: float, y_arcsec: float, sigma_arcsec: float, lens: Lens) -> dict[str, Any]:
    pull = (x_arcsec - lens.x_arcsec) / sigma_arcsec, (y_arcsec - lens.y_arcsec) / sigma_arcsec
    return {
        "error_arcsec": _distance((x_arcsec, y_arcsec), lens),
        "sigma_arcsec": sigma_arcsec,
        "pull": pull,
    }


def _distance(place: tuple[float, float], lens: Lens) -> float:
    return float(np.hypot(place[0] - lens.x_arcsec, place[1] - lens.y_arcsec))


def _curves(trial: _Trial, seen: _Seen, values: Map) -> dict[str, Any]:
    if seen.index >= CURVE_LENSES:
        return {}
    ranks = ranks_from_the_top(values, np.random.default_rng([trial.seed, seen.index]))
    return {
        "insertion": area_under(insertion(trial.network, seen.image, ranks)),
        "deletion": area_under(deletion(trial.network, seen.image, ranks)),
    }


@torch.inference_mode()
def _measure_references(trial: _Trial, seen: _Seen) -> None:
    """What a map must beat, and the network's own word."""
    lens, image = seen.lens, seen.image
    output = trial.network(image[None])
    sky = image.flatten(1).median(dim=1).values[:, None, None]
    trial.p.append(float(output.logit.double().sigmoid()))
    trial.blank_p.append(float(trial.network(sky.expand_as(image)[None]).logit.double().sigmoid()))
    light = (image - sky).sum(dim=0).numpy()
    of_light = replace(_places(_on_cutout(light, trial, seen), lens), **_curves(trial, seen, light))
    trial.references["light"].append(of_light)
    no_order = np.zeros_like(light)
    trial.references["random order"].append(Measures(**_curves(trial, seen, no_order)))
    trial.references["cutout centre"].append(Measures(error_arcsec=_distance((0.0, 0.0), lens)))
    if output.x_arcsec is not None and output.y_arcsec is not None:
        place = float(output.x_arcsec) + seen.field.x_arcsec, float(output.y_arcsec) + seen.field.y_arcsec
        sigma = output.position_sigma_arcsec
        own: dict[str, Any] = (
            {"error_arcsec": _distance(place, lens)} if sigma is None else _errors(*place, float(sigma), lens)
        )
        trial.references["own position"].append(Measures(**own))


def _result(trial: _Trial, resamples: int) -> ModelMaps:
    def figures(some: Mapping[Any, list[Measures]]) -> dict[Any, MapFigures]:
        return {
            key: figures_of(measured, resamples=resamples, seed=trial.seed) for key, measured in some.items()
        }

    return ModelMaps(
        version=trial.card.version,
        lenses=len(trial.p),
        maps=figures(trial.maps),
        references=figures(trial.references),
        blank_p=float(np.median(trial.blank_p)) if trial.blank_p else float("nan"),
        found=sum(p > 0.5 for p in trial.p),
        reasons=dict(trial.reasons.most_common()),
    )
