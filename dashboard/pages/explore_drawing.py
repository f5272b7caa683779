"""What each plot of `/explore` draws of a survey, and says beside it: pure functions of its columns and a view."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dashboard.plots import survey
from dashboard.plots.style import colour_of
from dashboard.plots.survey_figures import HEIGHT_PX, WIDTH_PX, Box, bars, nothing, picture, sky
from dashboard.survey_columns import CELL_ORDER, Mask, SurveyColumns

SCORE = "logit"
BINS = 120
GRADE_COLOURS = {"A": "#2bb673", "B": "#3b7dd8", "C": "#d9a520", "X": "#b8504a"}
# By column: UMAP where it is ready, which takes minutes.
UMAP = "umap1"
EMBEDDINGS = {
    (UMAP, "umap2"): {"x": "UMAP 1 of the network's features", "y": "UMAP 2"},
    ("pc1", "pc2"): {"x": "principal component 1 of the network's features", "y": "principal component 2"},
}
TITLES = {"sky": "Sky", "scatter": "One against another", "scores": "Scores", "embedding": "Embedding"}


@dataclass(frozen=True)
class Colour:
    """What colours mean: how many there are, the mean of a column, or the category that most are of.

    codes : of each object, the place of its category from 1, or 0.
    """

    column: str = ""
    categories: tuple[str, ...] = ()
    codes: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))

    @property
    def shades(self) -> list[str]:
        """A colour for each category; grades have those that they have on other pages."""
        return [GRADE_COLOURS.get(name, colour_of(place)) for place, name in enumerate(self.categories)]

    @property
    def what(self) -> str:
        """What the numbers beside the colours are."""
        return self.column or "objects in a pixel"


Axes = tuple[str, str, Colour]  # columns across and up, and what colours mean


def first_column(numbers: list[str]) -> str:
    """What a lens finder's score is first looked at against."""
    plain = [
        name
        for name in numbers
        if name not in ("ra_deg", "dec_deg", "logit", "p_lens") and not name.startswith("p_lens_")
    ]
    measured = [name for name in plain if "mag" in name.lower() or name.lower().startswith("i_")]
    return next(iter([*measured, *plain, *numbers]))


def first_limits(found: SurveyColumns, x: str, y: str) -> dict[str, Box]:
    """x0, x1, y0, y1 of each plot when it is first seen."""
    _, across, up = found.sky()
    limits = {
        "sky": _square(*survey.limits_of(across), *survey.limits_of(up)),
        "scatter": (*survey.limits_of(found.column(x)), *survey.limits_of(found.column(y))),
        "scores": (*survey.limits_of(found.column(SCORE)), 0.5, 1.5 * len(found)),
    }
    embedded = embedding_columns(found)
    if embedded is not None:
        across, up = map(found.column, embedded)
        limits["embedding"] = (*survey.limits_of(across), *survey.limits_of(up))
    return limits


def embedding_columns(found: SurveyColumns) -> tuple[str, str] | None:
    return next((pair for pair in EMBEDDINGS if set(pair) <= set(found.table.kinds)), None)


def _square(x0: float, x1: float, y0: float, y1: float) -> Box:
    """A view of the sky that holds this, with degrees as long on both axes."""
    height = max(y1 - y0, (x1 - x0) * HEIGHT_PX / WIDTH_PX, 0.01)
    width = height * WIDTH_PX / HEIGHT_PX
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


def positions(found: SurveyColumns, name: str, x: str, y: str) -> tuple[survey.Numbers, survey.Numbers]:
    if name == "sky":
        return found.sky()[1:]
    embedded = embedding_columns(found) if name == "embedding" else None
    if embedded is not None:
        x, y = embedded
    return found.column(x), found.column(y)


def _sky(found: SurveyColumns, mask: Mask | None, view: survey.View, axes: Axes) -> tuple[Any, Markup]:
    projection, x, y = found.sky()
    order = survey.cell_order(view, most=CELL_ORDER)
    if order is not None and not axes[2].column:
        every = found.counts_on_sky(order, None)
        chosen = every if mask is None else found.counts_on_sky(order, mask)
        made, per = survey.sky_density(every, chosen, projection, view), "objects per square degree"
    else:
        made, per = _coloured(found, x, y, mask, view, axes[2]), axes[2].what
    return sky(made, view, *survey.graticule(projection, view)), key("sky", made, per, axes[2])


def _scatter(found: SurveyColumns, mask: Mask | None, view: survey.View, axes: Axes) -> tuple[Any, Markup]:
    x, y, colour = axes
    made = _coloured(found, found.column(x), found.column(y), mask, view, colour)
    return picture(made, view, x=x, y=y), key("scatter", made, colour.what, colour)


def _embedding(found: SurveyColumns, mask: Mask | None, view: survey.View, axes: Axes) -> tuple[Any, Markup]:
    columns = embedding_columns(found)
    assert columns is not None
    x, y = map(found.column, columns)
    made = _coloured(found, x, y, mask, view, axes[2])
    return picture(made, view, **EMBEDDINGS[columns]), key("embedding", made, axes[2].what, axes[2])


def _scores(found: SurveyColumns, mask: Mask | None, view: survey.View, axes: Axes) -> tuple[Any, Markup]:
    every, chosen = survey.histogram(found.column(SCORE), view.x0, view.x1, BINS, mask)
    edges = np.linspace(view.x0, view.x1, BINS + 1)
    return bars(edges, every * found.every, chosen * found.every, x="logit"), key("scores", None)


def blank(name: str, limits: Box, labels: dict[str, str]) -> Any:
    """A plot before it is drawn: its axes, and nothing in them."""
    if name == "scores":
        none = np.zeros(1, np.int64)
        return bars(np.array(limits[:2]), none, none, x="logit").opts(ylim=limits[2:])
    made, view = nothing(limits)
    if name == "sky":
        return sky(made, view, [], [])
    return picture(made, view, **labels)


def key(name: str, made: survey.Picture | None, what: str = "", colour: Colour | None = None) -> Markup:
    """A plot's title, and what its colours mean."""
    title = Markup('<div class="head"><h3 data-testid="plot-{}">{}</h3>').format(name, TITLES[name])
    if made is None:
        return title + Markup("</div>")
    if colour is not None and colour.categories:
        shown = zip(colour.shades, colour.categories, strict=True)
        entries = [Markup('<span style="color:{}">■</span> {}').format(*one) for one in shown]
        none = Markup('<span style="color:#808080">■</span> none')
        words = Markup(" &ensp; ").join([*entries, none])
        return title + Markup('<span class="dim" data-testid="categories">{}: {}</span></div>').format(
            colour.column, words
        )
    stretch = ", logarithmic" if what.startswith("objects") else ", mean in a pixel"
    colours = Markup(",").join(survey.colour_bar())
    return title + Markup(
        '<span class="dim">{}</span><span class="ramp" style="background:linear-gradient(90deg,{})"></span>'
        '<span class="dim">{} {}{}</span></div>'
    ).format(_plain(made.low), colours, _plain(made.high), what, stretch)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _coloured(
    found: SurveyColumns,
    x: survey.Numbers,
    y: survey.Numbers,
    mask: Mask | None,
    view: survey.View,
    colour: Colour,
) -> survey.Picture:
    if colour.categories:
        return survey.by_category(x, y, view, colour.codes, colour.shades, mask=mask)
    if not colour.column:
        return survey.scatter(x, y, view, mask=mask)
    weight = found.column(colour.column)
    return survey.scatter(x, y, view, mask=mask, weight=weight, limits=survey.limits_of(weight))


DRAWN: dict[str, Callable[[SurveyColumns, Mask | None, survey.View, Axes], tuple[Any, Markup]]] = {
    "sky": _sky,
    "scatter": _scatter,
    "scores": _scores,
    "embedding": _embedding,
}
