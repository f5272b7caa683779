"""What the report says of explanation maps: which to believe, a table for each model, and some maps to look at."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboard.plots.map_pictures import map_picture
from dashboard.plots.thumbnails import thumbnail
from dashboard.reports.tables import Cell, GroupTable
from data.campaign import Campaign
from lensmodel.evaluation.explanation_figures import (
    DOUBTS,
    LIMIT_OF_CORRELATION,
    NEAR_THETA_E,
    REFERENCES,
    TOLERANCE_ARCSEC,
    ExplanationProof,
    Key,
    MapFigures,
    ModelMaps,
)
from lensmodel.evaluation.lenses_with_arcs import Shown

PICTURE_PX = 150
EXPLANATION_LIMITS = {
    "tolerance_arcsec": TOLERANCE_ARCSEC,
    "near_theta_E": NEAR_THETA_E,
    "correlation": LIMIT_OF_CORRELATION,
}

# Heading, figure, its unit, and the area that stands below beside the interval.
_COLUMNS = (
    ("Weight on arcs", "weight_on_arcs", "%", "area_of_arcs"),
    ("Peak on an arc", "hits_arcs", "%", ""),
    ("Peak within θ_E", "hits_lens", "%", ""),
    ("Weight within 1.5 θ_E", "weight_near_lens", "%", "area_near_lens"),
    ("Insertion − deletion", "insertion_less_deletion", "", ""),
    ("Insertion", "insertion", "", ""),
    ("Deletion", "deletion", "", ""),
    ("Position error, median", "position_error_median_arcsec", "″", ""),
    ("Position error, 68 %", "position_error_p68_arcsec", "″", ""),
    ("Position error, 95 %", "position_error_p95_arcsec", "″", ""),
    ("Its sigma, median", "position_sigma_median_arcsec", "″", ""),
    ("ρ, weights redrawn", "redrawn_rho", "", ""),
    ("ρ, upper half", "redrawn_upper_rho", "", ""),
    ("ρ, verdict alone", "redrawn_verdict_rho", "", ""),
    ("Time", "time_ms", "ms", ""),
)


@dataclass(frozen=True)
class Pictures:
    """One lens: captions and data URIs, the cutout first."""

    object_id: str
    pictures: list[tuple[str, str]]


@dataclass(frozen=True)
class ExplanationSection:
    """pictures : by model."""

    sentences: list[str]
    tables: list[GroupTable]
    pictures: dict[str, list[Pictures]]


def section_of(
    proof: ExplanationProof, shown: Mapping[str, Sequence[Shown]], campaign: Campaign
) -> ExplanationSection:
    """The section of the report."""
    return ExplanationSection(
        explanation_sentences(proof),
        [_table(name, model) for name, model in proof.models.items() if model.maps],
        {
            name: [_pictures(one, proof.models[name], campaign) for one in some]
            for name, some in shown.items()
            if some
        },
    )


def explanation_sentences(proof: ExplanationProof) -> list[str]:
    """Which map to believe, for each model."""
    return [" ".join(_about(name, model)) for name, model in proof.models.items()]


def map_name(key: Key) -> str:
    """How a map is called."""
    method, layer = key
    return f"{method}, layer {layer}" if layer else method


def _about(name: str, model: ModelMaps) -> Iterator[str]:
    refused = sum(model.reasons.values())
    if not model.maps:
        reason = next(iter(model.reasons), "no method is left to measure")
        yield f"{name} explains none of the {refused} lenses. Why: {reason}."
        return
    best = model.believed or model.ordered[0]
    figures = model.maps[best]
    weight, area = (_shown(figures.values[what], "%") for what in ("weight_on_arcs", "area_of_arcs"))
    light = _shown(model.references["light"].values["weight_on_arcs"], "%")
    interval = _shown_interval(figures.intervals["weight_on_arcs"], "%")
    where = (
        f"{weight} ({interval}) of its weight is on the arcs"
        if interval
        else f"{weight} of its weight is on the arcs"
    )
    share = f"{where}, which are {area} of where it speaks; the light of the image itself has {light} there"
    if model.believed:
        rho = figures.values["redrawn_rho"]
        changes = f", and it changes with the weights (rank correlation {rho:.2f} once they are redrawn)"
        yield f"{name}: believe {map_name(best)}. {share}{changes if math.isfinite(rho) else ''}."
    else:
        doubts = " and ".join(DOUBTS[doubt] for doubt in model.doubts(best))
        yield f"{name}: believe none of its maps. The best is {map_name(best)}, but it {doubts}. {share}."
    yield from _about_places(name, model)
    if refused:
        yield f"{name} cannot see {refused} of {refused + model.lenses} lenses: {next(iter(model.reasons))}."


def _about_places(name: str, model: ModelMaps) -> Iterator[str]:
    """Which map is nearest to the lens, beside what needs no map."""
    what = "position_error_median_arcsec"
    errors = {
        key: found.values[what]
        for key, found in model.maps.items()
        if found.passes is not False and math.isfinite(found.values[what])
    }
    if not errors:
        return
    nearest = min(errors, key=lambda key: errors[key])
    others = [
        f"{told} {_shown(model.references[reference].values[what], '″')}"
        for reference, told in (
            ("own position", "its own position"),
            ("cutout centre", "the cutout's centre"),
        )
        if reference in model.references
    ]
    yield (
        f"The nearest to the lens is {map_name(nearest)}: {_shown(errors[nearest], '″')} in the median "
        f"({', '.join(others)})."
    )


def _table(name: str, model: ModelMaps) -> GroupTable:
    columns = ["Map", "Doubts", *(heading for heading, *_ in _COLUMNS), "Lenses"]
    rows = [(map_name(key), [Cell(_doubts(model, key)), *_cells(model.maps[key])]) for key in model.ordered]
    rows += [
        (what, [Cell("–"), *_cells(model.references[what])])
        for what in REFERENCES
        if what in model.references
    ]
    p = _shown(model.blank_p, "")
    title = f"{name}: finds {model.found} of {model.lenses} lenses at p 0.5; of blank sky p is {p}"
    return GroupTable(title, columns, rows)


def _doubts(model: ModelMaps, key: Key) -> str:
    return "; ".join(DOUBTS[one] for one in model.doubts(key)) or "none"


def _cells(figures: MapFigures) -> list[Cell]:
    cells = []
    for _, name, unit, area in _COLUMNS:
        below = _shown_interval(figures.intervals[name], unit)
        if area and math.isfinite(figures.values[area]):
            below = f"{below} · area {_shown(figures.values[area], unit)}".removeprefix(" · ")
        cells.append(Cell(_shown(figures.values[name], unit), below))
    points = figures.lenses - figures.points_nowhere
    some_point = 0 < points < figures.lenses
    return [*cells, Cell(f"{figures.lenses:,}", f"{points:,} with a position" if some_point else "")]


def _pictures(one: Shown, model: ModelMaps, campaign: Campaign) -> Pictures:
    """The cutout, then of each method the layer that is best on all lenses."""
    stored = one.lens.stored
    cutout = thumbnail(campaign.cutouts().read(stored), campaign.survey, side_px=PICTURE_PX)
    pictures = [] if cutout is None else [("cutout", cutout)]
    methods = set()
    for key in model.ordered:
        if key in one.maps and key[0] not in methods:
            methods.add(key[0])
            pictures.append((map_name(key), map_picture(one.maps[key], one.lens.arcs, side_px=PICTURE_PX)))
    return Pictures(stored.object_id, pictures)


def _shown(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "–"
    match unit:
        case "%":
            return f"{100 * value:.1f} %"
        case "ms":
            return f"{value:,.0f} ms"
    return f"{value:z.2f}{unit}"


def _shown_interval(interval: tuple[float, float], unit: str) -> str:
    if not all(map(math.isfinite, interval)):
        return ""
    low, high = (_shown(bound, unit) for bound in interval)
    return f"{low.removesuffix(' %').removesuffix(' ms')} to {high}"
