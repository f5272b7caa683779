"""Maps of many lenses as figures with intervals, and which of a model's maps to believe. NumPy only."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from data.shares import Interval
from lensmodel.evaluation.intervals import Counts, bootstrap, share_interval
from lensmodel.evaluation.metrics import Numbers
from lensmodel.evaluation.resamples import Statistic, Values, pull_spreads

TOLERANCE_ARCSEC = 0.3  # of a hit: a pixel of OU-66, one and a half times the FWHM of VIS
NEAR_THETA_E = 1.5  # Einstein radii about the lens that hold its arcs
# Spearman's rho from which a map is said to stay as it is when all weights are redrawn: Cohen 1988, Statistical Power
# Analysis, Sect. 3.2, calls a correlation of 0.3 a medium one, and less a small one.
LIMIT_OF_CORRELATION = 0.3

Key = tuple[str, str]  # method, and layer or ""
_NAN = float("nan")
_PAIR = (_NAN, _NAN)


@dataclass(frozen=True)
class Measures:
    """One map of one lens; NaN where there is no answer. Figures are made of these.

    error_arcsec, sigma_arcsec, pull : of the position read off the map against the true lens; pull in x and y.
    hits_arcs, hits_lens : 1 if the peak is within TOLERANCE_ARCSEC of an arc, and within theta_E of the lens.
    weight_on_arcs, weight_near_lens : shares of the positive weight on the arcs, and within NEAR_THETA_E theta_E.
    area_of_arcs, area_near_lens : the same shares of a map that is the same everywhere.
    beyond_light : weight on the arcs less their area, less the same of the image's own light.
    insertion, deletion : areas under the curves of p.
    beyond_random : insertion less deletion, less the same of a random order.
    rho, rho_upper, rho_verdict : rank correlation with the map of the network with all weights redrawn, with the
        upper half of its layers redrawn, and with those above its last feature map.
    """

    error_arcsec: float = _NAN
    sigma_arcsec: float = _NAN
    pull: tuple[float, float] = _PAIR
    hits_arcs: float = _NAN
    hits_lens: float = _NAN
    weight_on_arcs: float = _NAN
    area_of_arcs: float = _NAN
    weight_near_lens: float = _NAN
    area_near_lens: float = _NAN
    beyond_light: float = _NAN
    insertion: float = _NAN
    deletion: float = _NAN
    beyond_random: float = _NAN
    rho: float = _NAN
    rho_upper: float = _NAN
    rho_verdict: float = _NAN
    time_ms: float = _NAN

    @property
    def ordering(self) -> float:
        """Insertion less deletion: how well the map orders the pixels by what they do to p."""
        return self.insertion - self.deletion

    @property
    def beyond_chance(self) -> float:
        """Weight on the arcs less their area."""
        return self.weight_on_arcs - self.area_of_arcs


def _mean(values: Numbers) -> Statistic:
    known = np.isfinite(values)

    def means(counts: Counts) -> Numbers:
        drawn = counts[:, known]
        total = drawn.sum(axis=1).astype(float)
        out: Numbers = np.divide(
            drawn @ values[known], total, out=np.full(len(counts), np.nan), where=total > 0
        )
        return out

    return means


def _percentile(percent: float) -> Callable[[Numbers], Statistic]:
    return lambda values: lambda counts: Values(values).percentiles(counts, (percent,))[:, 0]


def _spread(values: Numbers) -> Statistic:
    return lambda counts: pull_spreads(Values(values.T), counts)


FIGURES: dict[str, tuple[str, Callable[[Numbers], Statistic]]] = {
    "arcs_beyond_chance": ("beyond_chance", _mean),
    "arcs_beyond_light": ("beyond_light", _mean),
    "insertion_less_deletion": ("ordering", _mean),
    "ordering_beyond_random": ("beyond_random", _mean),
    "insertion": ("insertion", _mean),
    "deletion": ("deletion", _mean),
    "hits_arcs": ("hits_arcs", _mean),
    "hits_lens": ("hits_lens", _mean),
    "weight_on_arcs": ("weight_on_arcs", _mean),
    "area_of_arcs": ("area_of_arcs", _mean),
    "weight_near_lens": ("weight_near_lens", _mean),
    "area_near_lens": ("area_near_lens", _mean),
    "position_error_median_arcsec": ("error_arcsec", _percentile(50)),
    "position_error_p68_arcsec": ("error_arcsec", _percentile(68)),
    "position_error_p95_arcsec": ("error_arcsec", _percentile(95)),
    "position_sigma_median_arcsec": ("sigma_arcsec", _percentile(50)),
    "position_pull": ("pull", _spread),
    "redrawn_rho": ("rho", _percentile(50)),
    "redrawn_upper_rho": ("rho_upper", _percentile(50)),
    "redrawn_verdict_rho": ("rho_verdict", _percentile(50)),
    "time_ms": ("time_ms", _percentile(50)),
}
_SHARES = ("hits_arcs", "hits_lens")


@dataclass(frozen=True)
class MapFigures:
    """One method, at one layer if it has any, over lenses. points_nowhere : maps without a position."""

    lenses: int
    points_nowhere: int
    values: dict[str, float]
    intervals: dict[str, Interval]

    @property
    def passes(self) -> bool | None:
        """Whether the map changes with the weights; None if that was not looked at."""
        rho = self.values["redrawn_rho"]
        return abs(rho) < LIMIT_OF_CORRELATION if math.isfinite(rho) else None


def figures_of(measured: Iterable[Measures], *, resamples: int, seed: int) -> MapFigures:
    """The figures of one method with their 95 % intervals, from its map of each lens."""
    maps = list(measured)
    names = {quantity for quantity, _ in FIGURES.values()}
    columns = {name: np.array([getattr(one, name) for one in maps], float) for name in names}
    statistics = [make(columns[quantity]) for quantity, make in FIGURES.values()]

    def all_of(counts: Counts) -> Numbers:
        return np.stack([statistic(counts) for statistic in statistics], axis=1)

    (values,) = all_of(np.ones((1, len(maps)), np.int64))
    intervals = bootstrap(all_of, np.zeros(len(maps)), resamples=resamples, seed=seed)
    named = {name: (float(low), float(high)) for name, (low, high) in zip(FIGURES, intervals, strict=True)}
    for name in _SHARES:
        hits = columns[name][np.isfinite(columns[name])]
        named[name] = share_interval(named[name], int(hits.sum()), len(hits))
    return MapFigures(
        lenses=len(maps),
        points_nowhere=int(np.isnan(columns["error_arcsec"]).sum()),
        values=dict(zip(FIGURES, map(float, values), strict=True)),
        intervals=named,
    )


@dataclass(frozen=True)
class ModelMaps:
    """What was found of one model.

    maps : by method and layer. references : what needs no explanation, by `REFERENCES`.
    blank_p : the median p of a cutout of which only the sky is left. found : lenses with p above 0.5.
    reasons : why lenses were refused, and how many for each.
    """

    version: str
    lenses: int
    maps: dict[Key, MapFigures]
    references: dict[str, MapFigures]
    blank_p: float = _NAN
    found: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def ordered(self) -> list[Key]:
        """Those without doubts, those that change with the weights, the rest; in each by the weight beyond chance."""
        return sorted(
            self.maps,
            key=lambda key: (bool(self.doubts(key)), not self.maps[key].passes, -self._beyond_chance(key)),
        )

    @property
    def believed(self) -> Key | None:
        """Of the maps that nothing speaks against, the one with the most weight on the arcs beyond chance."""
        best = next(iter(self.ordered), None)
        return None if best is None or self.doubts(best) else best

    def doubts(self, key: Key) -> list[str]:
        """What speaks against a map, of `DOUBTS`: what is better must be so with its whole interval, lens by lens."""
        found = self.maps[key]
        holds = {
            "redrawn": found.passes is not False,
            "light": _lowest(found, "arcs_beyond_light") > 0,
            "order": _lowest(found, "ordering_beyond_random") > 0,
        }
        return [doubt for doubt in DOUBTS if not holds[doubt]]

    def _beyond_chance(self, key: Key) -> float:
        value = self.maps[key].values["arcs_beyond_chance"]
        return value if math.isfinite(value) else -math.inf


def _lowest(found: MapFigures, name: str) -> float:
    """Of the interval; the value itself if there is none."""
    low, _ = found.intervals[name]
    return low if math.isfinite(low) else found.values[name]


DOUBTS = {
    "redrawn": "stays when the weights are redrawn",
    "light": "has no more on the arcs than the light itself",
    "order": "orders pixels no better than chance",
}
REFERENCES = {
    "light": "the image itself as a map, which knows nothing of the network",
    "random order": "its pixels in no order",
    "own position": "the position that the network itself predicts",
    "cutout centre": "the middle of the cutout taken for the lens",
}


@dataclass(frozen=True)
class ExplanationProof:
    """Models on the same lenses, by name."""

    models: dict[str, ModelMaps]
    resamples: int
    seed: int


def record_of(proof: ExplanationProof) -> dict[str, object]:
    """The whole of `explanations.json`: models, method, layer ("" for a method without layers), figure.

    A figure without meaning is null.
    """
    return {
        "intervals": {"level": 0.95, "resamples": proof.resamples, "seed": proof.seed},
        "tolerance_arcsec": TOLERANCE_ARCSEC,
        "near_theta_E": NEAR_THETA_E,
        "limit_of_correlation": LIMIT_OF_CORRELATION,
        "reasons_for_doubt": DOUBTS,
        "believed": {name: _key_record(one.believed) for name, one in proof.models.items()},
        "models": {name: _maps_record(one) for name, one in proof.models.items()},
        "references": {
            name: {
                "version": one.version,
                "lenses": one.lenses,
                "found": one.found,
                "blank_p_median": _number(one.blank_p),
                "refused": one.reasons,
                **{what: _figures_record(figures) for what, figures in one.references.items()},
            }
            for name, one in proof.models.items()
        },
    }


def _key_record(key: Key | None) -> dict[str, str] | None:
    return None if key is None else {"method": key[0], "layer": key[1]}


def _maps_record(model: ModelMaps) -> dict[str, dict[str, object]]:
    record: dict[str, dict[str, object]] = {}
    for (method, layer), figures in model.maps.items():
        doubts = model.doubts((method, layer))
        record.setdefault(method, {})[layer] = {**_figures_record(figures), "doubts": doubts}
    return record


def _figures_record(figures: MapFigures) -> dict[str, object]:
    return {
        "lenses": figures.lenses,
        "points_nowhere": figures.points_nowhere,
        **{name: _number(value) for name, value in figures.values.items()},
        "passes": figures.passes,
        "intervals": {name: [_number(bound) for bound in both] for name, both in figures.intervals.items()},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
