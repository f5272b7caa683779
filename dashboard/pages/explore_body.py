"""What `/explore` holds, for one browser: a filter in words, and linked plots of everything it lets through.

The filter is the one truth: a box in a plot becomes words in it, and every plot shows what the words select.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
from bokeh.document import Document
from markupsafe import Markup

from dashboard.live_table import REST_S
from dashboard.pages import explore_drawing as drawing
from dashboard.pages.body import PageBody
from dashboard.pages.why import html, wrapped
from dashboard.pages.why_body import menu
from dashboard.plots import survey
from dashboard.plots.survey_figures import Box, Plot, Rest
from dashboard.plots.thumbnails import thumbnail
from dashboard.selecting import keep
from dashboard.state import ServerState
from dashboard.survey_columns import Mask, SurveyColumns
from data.errors import LensVetError
from data.filters import Comparison, Condition, Every, Some, columns_of, in_words, parsed, within
from data.selections import Selection
from data.survey_table import VOTE_COLUMNS

REACH_PX = 8
# Two rows that fill the window; Panel's columns begin with a button that would take the first place.
_GRID = """
:host { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(max(480px, 34%), 100%), 1fr)); gap: 6px 22px;
  grid-auto-rows: max(230px, calc((100vh - 180px) / 2)); }
.scroll-button { display: none }
"""
_CARD = ":host { display: grid; grid-template-rows: auto minmax(0, 1fr) } .scroll-button { display: none }"
_POINT = Markup('<p class="dim">Click a point to see the object. Drag a box to select; the wheel zooms.</p>')
GRADE = "grade"  # what the votes come to
_NO_COLOUR = "how many there are"
_NOT_PLOTTED = ("row",)
# What is done with a selection: address, name, words.
_NEXT = (
    ("vet?", "vet-these", "vet them"),
    ("group?", "open-session", "open a session"),
    ("api/v1/export.fits?", "export-fits", "FITS"),
    ("api/v1/export.csv?", "export-csv", "CSV"),
)


@dataclass(frozen=True)
class _Selected:
    """What the words select: None where that is everything."""

    text: str
    mask: Mask | None
    number: int


class ExploreBody(PageBody):
    """The page of one browser in an open campaign."""

    def __init__(self, state: ServerState, inspector: str, document: Document) -> None:
        super().__init__(document, state.survey.pool)
        self._state, self._inspector = state, inspector
        self._columns: SurveyColumns | None = None
        self._selected = _Selected("", None, 0)
        self._plots: dict[str, Plot] = {}
        versions = {state.name_of(version): version for version in state.scored_versions()}
        self._model = menu("Network", versions or {"no scores yet": ""})
        self._filter = pn.widgets.TextInput(
            name="Filter: p_lens > 0.9 and not graded",
            stylesheets=["assets/why.css"],
            sizing_mode="stretch_width",
            margin=(4, 14, 4, 0),
        )
        self._x, self._y, self._colour = (
            menu(title, {}, width=180) for title in ("Across", "Up", "Coloured by")
        )
        self._words = html(Markup('<p class="dim">Counting…</p>'))
        self._number = pn.widgets.IntInput(
            name="at random",
            value=None,
            start=1,
            stylesheets=["assets/why.css"],
            width=110,
            margin=(4, 14, 4, 0),
        )
        self._keep = _button("Keep this selection", 190)
        self._umap = _button("UMAP is ready: show it", 210, visible=False)
        self._kept, self._object, self._hover = html(""), html(_POINT), html("")
        self._figures = pn.Column(stylesheets=[_GRID], sizing_mode="stretch_width", margin=(4, 0))
        self._keys: dict[str, pn.pane.HTML] = {}
        self._watch()

    @property
    def pieces(self) -> list[pn.viewable.Viewable]:
        """What the page shows, from the top."""
        return [
            pn.Row(
                self._model, self._filter, self._number, self._keep, sizing_mode="stretch_width", margin=0
            ),
            pn.Row(
                pn.Column(self._words, self._kept, sizing_mode="stretch_width", margin=(14, 14, 0, 0)),
                *(self._umap, self._x, self._y, self._colour),
                sizing_mode="stretch_width",
                margin=0,
            ),
            self._figures,
            self._hover,
        ]

    def begin(self) -> None:
        """Read the survey and draw it."""
        self._start("survey", self._load())

    def say_problem(self, words: str) -> None:
        self._words.object = wrapped(Markup('<p class="problem" data-testid="problem">{}</p>').format(words))

    def _watch(self) -> None:
        self._model.param.watch(lambda _: self.begin(), "value")
        self._filter.param.watch(lambda _: self._start("selected", self._select()), "value")
        for chooser in (self._x, self._y):
            chooser.param.watch(lambda _: self._start("scatter axes", self._replot()), "value")
        self._colour.param.watch(lambda _: self._draw_all(), "value")
        self._keep.on_click(lambda _: self._start("keep", self._keep_selection()))
        self._umap.on_click(lambda _: self.begin())

    # The survey

    async def _load(self) -> None:
        found = await self._made(self._state.survey.columns, self._model.value or None)
        if not len(found):
            await self._put(
                self.say_problem, "This campaign has no objects yet: lensvet ingest CAMPAIGN SOURCE"
            )
            return
        self._columns = found
        await self._made(found.sky)
        categories = await self._made(_categories, found)
        await self._put(self._offer_columns, found, categories)
        await self._select(draw=False)
        limits = await self._made(drawing.first_limits, found, self._x.value, self._y.value)
        await self._put(self._place_plots, limits)
        self._draw_all()
        await self._put(self._show_offer, False)
        if self._model.value:
            self._start("umap", self._offer_umap(found, self._model.value))
        else:
            self._give_up("umap")

    async def _offer_umap(self, found: SurveyColumns, version: str) -> None:
        """Say when there is a newer UMAP than is drawn; what somebody looks at is not exchanged unasked."""
        path = self._state.campaign.embedding_path(version, umap=True)
        before = _written_ns(path)
        await asyncio.shield(asyncio.wrap_future(self._state.table.embed(version)))
        is_drawn = drawing.UMAP in found.table.kinds
        if _written_ns(path) is None or (is_drawn and _written_ns(path) == before):
            return
        while True:
            newer = await self._made(self._state.table.now, version)
            if newer is not found.table and drawing.UMAP in newer.kinds:
                break
            await asyncio.sleep(REST_S)
        await self._put(self._show_offer, True)

    def _show_offer(self, is_there: bool) -> None:
        self._umap.visible = is_there

    def _offer_columns(self, found: SurveyColumns, categories: list[str]) -> None:
        numbers = [
            name for name, kind in found.table.kinds.items() if kind == "number" and name not in _NOT_PLOTTED
        ]
        for chooser, first in ((self._x, drawing.first_column(numbers)), (self._y, drawing.SCORE)):
            if chooser.options != numbers:
                chooser.param.update(options=numbers, value=first)
        self._colour.options = {_NO_COLOUR: "", **{name: name for name in (*numbers, GRADE, *categories)}}

    def _place_plots(self, limits: dict[str, Box]) -> None:
        self._plots = {name: self._plot(name, box) for name, box in limits.items()}
        self._figures[:] = [*(self._card(name) for name in self._plots), self._object]

    def _plot(self, name: str, limits: Box) -> Plot:
        assert self._columns is not None
        return Plot(
            drawing.blank(name, limits, self._labels(name, self._columns)),
            limits,
            on_view=lambda: self._draw(name),
            on_box=lambda box: self._box(name, box),
            on_tap=lambda x, y: self._start("object", self._point_at(name, x, y)),
            on_rest=lambda rest: self._start("hover", self._rest_at(name, rest)),
        )

    def _labels(self, name: str, found: SurveyColumns) -> dict[str, str]:
        embedded = drawing.embedding_columns(found)
        if name == "embedding" and embedded is not None:
            return drawing.EMBEDDINGS[embedded]
        return {"x": self._x.value, "y": self._y.value}

    def _card(self, name: str) -> pn.Column:
        self._keys[name] = html(drawing.key(name, None))
        return pn.Column(
            self._keys[name],
            self._plots[name].pane,
            stylesheets=[_CARD],
            sizing_mode="stretch_both",
            margin=0,
        )

    async def _replot(self) -> None:
        """Other axes: their limits are others too."""
        if self._columns is None or "scatter" not in self._plots:
            return
        limits = await self._made(drawing.first_limits, self._columns, self._x.value, self._y.value)
        await self._put(self._place_plots, limits)
        self._draw_all()

    # What is selected

    async def _select(self, *, draw: bool = True) -> None:
        assert self._columns is not None
        selected = await self._made(self._selection_of, self._columns, self._filter.value)
        self._selected = selected
        await self._put(self._say_selected, selected)
        if draw:
            self._draw_all()

    def _selection_of(self, found: SurveyColumns, text: str) -> _Selected:
        condition = parsed(text)
        votes = self._state.table.votes() if columns_of(condition) & set(VOTE_COLUMNS) else None
        mask = found.mask(condition, votes)
        number = found.total if mask is None else found.table.count(condition, votes)
        return _Selected(text, mask, number)

    def _say_selected(self, selected: _Selected) -> None:
        assert self._columns is not None
        thinned = f"; drawn from every {self._columns.every}th" if self._columns.every > 1 else ""
        self._words.object = wrapped(
            Markup('<p data-testid="selected"><b>{:,}</b> of {:,} objects{}{}</p>').format(
                selected.number, self._columns.total, f": {selected.text}" if selected.text else "", thinned
            )
        )
        self._kept.object = ""

    def _box(self, name: str, box: Box) -> None:
        """A box was drawn: its plot's columns are restricted to it, whatever was said of them before."""
        if self._columns is None:
            return
        new = self._condition_of(name, box)
        try:
            before = parsed(self._filter.value)
        except LensVetError:
            before = Every()
        parts = before.of if isinstance(before, Every) else (before,)
        others = [part for part in parts if not columns_of(part) & columns_of(new)]
        self._filter.value = in_words(Every((*others, *(new.of if isinstance(new, Every) else (new,)))))

    def _condition_of(self, name: str, box: Box) -> Condition:
        assert self._columns is not None
        x0, y0, x1, y1 = box
        if name == "sky":
            return _on_sky(self._columns, box)
        if name == "scores":
            return within(drawing.SCORE, _short(x0), _short(x1))
        embedded = drawing.embedding_columns(self._columns) if name == "embedding" else None
        across, up = embedded or (self._x.value, self._y.value)
        return _both(within(across, _short(x0), _short(x1)), within(up, _short(y0), _short(y1)))

    async def _keep_selection(self) -> None:
        number = self._number.value
        seed = None if number is None else int(np.random.default_rng().integers(2**31))
        kept = await self._made(self._kept_selection, number, seed)
        await self._put(self._say_kept, kept)

    def _kept_selection(self, number: int | None, seed: int | None) -> Selection:
        return keep(
            self._state,
            self._filter.value,
            model_version=self._model.value or None,
            by=self._inspector,
            number=number,
            seed=seed,
        )

    def _say_kept(self, kept: Selection) -> None:
        drawn = "" if kept.seed is None else f", drawn at random from {kept.drawn_from:,} (seed {kept.seed})"
        links = Markup(" · ").join(
            Markup('<a href="{}selection={}" data-testid="{}">{}</a>').format(
                to, kept.selection_id, name, said
            )
            for to, name, said in _NEXT
        )
        self._kept.object = wrapped(
            Markup('<p data-testid="kept">{:,} objects are kept{}: {}</p>').format(kept.number, drawn, links)
        )

    # Drawing

    def _draw_all(self) -> None:
        for name in self._plots:
            self._draw(name)

    def _draw(self, name: str) -> None:
        self._start(f"draw {name}", self._drawn(name))

    async def _drawn(self, name: str) -> None:
        await asyncio.sleep(0)  # the last of several movements at once is the one that counts
        plot = self._plots[name]
        element, key = await self._made(self._picture(name), plot.view)
        if self._plots.get(name) is plot:
            await self._put(self._show_plot, name, element, key)

    def _show_plot(self, name: str, element: Any, key: Markup) -> None:
        self._plots[name].show(element)
        self._keys[name].object = wrapped(key)

    def _picture(self, name: str) -> Callable[[survey.View], Any]:
        drawn = drawing.DRAWN[name]
        found, mask = self._columns, self._selected.mask
        assert found is not None
        x, y, column = self._x.value, self._y.value, self._colour.value
        return lambda view: drawn(found, mask, view, (x, y, self._colour_by(found, column)))

    def _colour_by(self, found: SurveyColumns, column: str) -> drawing.Colour:
        """What a column's colours are; of votes as they are now."""
        if column != GRADE and found.table.kinds.get(column) != "text":
            return drawing.Colour(column)
        values, codes = found.categories(column, self._state.table.votes() if column == GRADE else None)
        return drawing.Colour(column, tuple(values), codes) if values else drawing.Colour()

    # One object

    async def _point_at(self, name: str, x: float, y: float) -> None:
        told = await self._made(self._object_at, name, x, y)
        await self._put(self._show_object, told)

    def _show_object(self, told: str) -> None:
        self._object.object = told

    async def _rest_at(self, name: str, rest: Rest | None) -> None:
        """Show the cutout under a pointer that rests, and nothing under one that moves."""
        told = ""
        if rest is not None:
            row = await self._made(self._row_at, name, *rest[:2])
            told = "" if row is None else await self._made(_hovered, self._state, row, rest)
        if told or self._hover.object:
            await self._put(self._show_hover, told)

    def _show_hover(self, told: str) -> None:
        self._hover.object = told

    def _object_at(self, name: str, x: float, y: float) -> str:
        row = self._row_at(name, x, y)
        return wrapped(_POINT if row is None else _told(self._state, row))

    def _row_at(self, name: str, x: float, y: float) -> dict[str, object] | None:
        """What the table says of the object nearest to a point of a plot, None if none is near."""
        assert self._columns is not None
        found, view = self._columns, self._plots[name].view
        if name == "scores":
            return None
        across, up = drawing.positions(found, name, self._x.value, self._y.value)
        reach = REACH_PX * view.pixel, REACH_PX * (view.y1 - view.y0) / view.height_px
        place = survey.nearest(across, up, (x, y), reach, self._selected.mask)
        return None if place is None else found.table.at(place * found.every)


def _button(name: str, width: int, **fields: object) -> pn.widgets.Button:
    """A button beside fields whose names stand above them."""
    return pn.widgets.Button(
        name=name, stylesheets=["assets/why.css"], width=width, align="end", margin=(4, 14, 4, 0), **fields
    )


def _written_ns(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def _categories(found: SurveyColumns) -> list[str]:
    """Columns of text that have a few values."""
    return [name for name, kind in found.table.kinds.items() if kind == "text" and found.categories(name)[0]]


def _on_sky(found: SurveyColumns, box: Box) -> Condition:
    """The ranges of right ascension and declination that a box on the sky spans."""
    projection, *_ = found.sky()
    x0, y0, x1, y1 = box
    ra_deg, dec_deg = projection.unproject(*survey.View(x0, x1, y0, y1, 60, 60).centres())
    if not np.isfinite(ra_deg).any():
        return within("dec_deg", 90.0, -90.0)
    west = (ra_deg - projection.centre_ra_deg + 180) % 360 - 180
    low, high = (
        _short((value + projection.centre_ra_deg) % 360) for value in (np.nanmin(west), np.nanmax(west))
    )
    dec = within("dec_deg", _short(np.nanmin(dec_deg)), _short(np.nanmax(dec_deg)))
    if low <= high:
        return _both(within("ra_deg", low, high), dec)
    across_zero = Some((Comparison("ra_deg", ">=", low), Comparison("ra_deg", "<=", high)))
    return _both(across_zero, dec)


def _both(first: Condition, second: Condition) -> Every:
    parts = [part.of if isinstance(part, Every) else (part,) for part in (first, second)]
    return Every((*parts[0], *parts[1]))


def _short(value: float) -> float:
    """To six digits, as it is written in the filter."""
    return float(f"{value:.6g}")


def _told(state: ServerState, row: dict[str, object]) -> Markup:
    """An object's picture, its numbers, and the way to it."""
    object_id = str(row["object_id"])
    facts = Markup("").join(
        Markup("<span>{} {}</span>").format(name, f"{value:.6g}" if isinstance(value, float) else value)
        for name, value in row.items()
        if value is not None and name not in ("row", "object_id")
    )
    link = Markup('<a href="vet?object={}" data-testid="pointed">').format(object_id)
    told = Markup('<span class="facts"><b>{}</b>{}</span></a>').format(object_id, facts)
    return Markup('<div class="gallery">{}{}{}</div>').format(link, _pictured(state, row), told)


def _hovered(state: ServerState, row: dict[str, object], rest: Rest) -> str:
    """An object's picture and score beside the pointer, on the side where there is room."""
    object_id, p_lens = str(row["object_id"]), row.get("p_lens")
    score = f"p_lens {p_lens:.3g}" if isinstance(p_lens, float) else "not scored"
    left, top = (int(value) for value in rest[2:])
    card = Markup(
        '<div class="hover" data-testid="hovered" style="left: min({}px, 100vw - 170px); top: max(8px, {}px)">'
        "{}<b>{}</b><span>{}</span></div>"
    )
    return wrapped(card.format(left + 14, top - 190, _pictured(state, row), object_id, score))


def _pictured(state: ServerState, row: dict[str, object]) -> Markup:
    try:
        stored = state.stored_in(int(str(row["row"])), str(row["object_id"]))
        image = thumbnail(state.planes(stored), state.campaign.survey)
    except LensVetError:
        image = None
    if image is None:
        return Markup('<span class="blank">no picture</span>')
    return Markup('<img src="{}" alt="">').format(image)
