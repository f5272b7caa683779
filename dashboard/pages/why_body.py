"""What `/why` holds, for one browser: sentences, linked plots, maps, mistakes.

Everything that computes runs in `Judgements.pool` or in the map worker; the event loop only puts it on the page.
"""

import json
from typing import Any

import panel as pn
from bokeh.document import Document
from markupsafe import Markup

from dashboard.components.why import WhyFrame
from dashboard.explainer import Job
from dashboard.pages import why_dreams as dreams
from dashboard.pages import why_sections as sections
from dashboard.pages.body import PageBody
from dashboard.pages.why import columns, html, wrapped
from dashboard.plots.completeness import BINS, source_of, update
from dashboard.state import ServerState
from data.errors import LensVetError
from lensmodel.evaluation.responses import Selection

_TOLD_EVERY = 10  # maps


class WhyBody(PageBody):
    """The page of one browser in an open campaign."""

    def __init__(self, state: ServerState, frame: WhyFrame, document: Document) -> None:
        super().__init__(document, state.judgements.pool)
        self._state = state
        self._frame = frame
        self._contents: sections.Contents | None = None
        self._selection: Selection = {}
        self._figures: dict[str, Any] = {}
        self._shown = sections.COUNT
        self._make_pieces()
        frame.on_select = self._select

    @property
    def pieces(self) -> list[pn.viewable.Viewable]:
        """What the page shows, from the top."""
        return [pn.Row(self._model, self._other, self._point, margin=0), self._summary, self._below]

    def begin(self) -> None:
        self._start("models", self._load())

    def _make_pieces(self) -> None:
        versions = {self._state.name_of(version): version for version in self._state.scored_versions()}
        self._model = menu("Network", versions)
        self._other = menu("beside", {"no other": "", **versions})
        self._other.visible = len(versions) > 1
        self._point = menu("at", sections.POINTS)
        self._summary = html(Markup('<p class="dim">Counting…</p>'))
        self._chosen = html("")
        self._plots = columns(480)
        self._method = menu("Maps by", {})
        self._compute = pn.widgets.Button(
            name="Compute",
            stylesheets=["assets/why.css"],
            width=230,
            align="end",
            margin=(4, 0),
            visible=False,
        )
        self._map_words = html("")
        self._maps = columns(390)
        self._kind = menu("Show", sections.KINDS)
        self._order = menu("in order", sections.GALLERY_ORDERS)
        self._gallery = html("")
        self._more = pn.widgets.Button(
            name=f"{sections.COUNT} more", stylesheets=["assets/why.css"], width=130, visible=False
        )
        self._dreams = html("")
        self._imagine = pn.widgets.Button(
            name="Imagine", stylesheets=["assets/why.css"], width=130, margin=(4, 0), visible=False
        )
        self._below = pn.Column(
            html(Markup("<h2>What it finds, and what that depends on</h2>")),
            self._chosen,
            self._plots,
            html(Markup("<h2>Where it looks</h2>")),
            pn.Row(self._method, self._compute, margin=0),
            self._map_words,
            self._maps,
            html(Markup("<h2>What misled it</h2>")),
            pn.Row(self._kind, self._order, margin=0),
            self._gallery,
            self._more,
            html(Markup("<h2>What it imagines</h2>")),
            self._imagine,
            self._dreams,
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        self._watch()

    def _watch(self) -> None:
        for menu in (self._model, self._other, self._point):
            menu.param.watch(lambda _: self._start("models", self._load()), "value")
        for menu in (self._kind, self._order):
            menu.param.watch(lambda _: self._start("gallery", self._show_gallery()), "value")
        self._method.param.watch(lambda _: self._start("maps", self._show_maps()), "value")
        self._compute.on_click(lambda _: self._start("maps", self._show_maps(compute=True)))
        self._imagine.on_click(lambda _: self._start("dreams", self._show_dreams(imagine=True)))
        self._more.on_click(lambda _: self._start("gallery", self._show_gallery(more=True)))

    def say_problem(self, words: str) -> None:
        self._summary.object = wrapped(
            Markup('<p class="problem" data-testid="problem">{}</p>').format(words)
        )
        self._below.visible = False

    # What the models find

    async def _load(self) -> None:
        """Everything anew, for these models at this operating point."""
        self._give_up("selection", "maps", "gallery", "dreams")
        versions = list(dict.fromkeys(filter(None, (self._model.value, self._other.value))))
        contents = await self._made(sections.contents_of, self._state, versions, self._point.value)
        self._contents, self._selection, self._figures = contents, {}, {}
        methods = await self._made(sections.methods_by_title, self._state, contents)
        summary = await self._made(sections.summary_html, contents)
        cards = await self._made(sections.cards_of, contents)
        await self._put(self._show_summary, summary, cards, methods)
        for partition in contents.subjects.partitions:
            figure = await self._made(sections.figure_of, contents, partition)
            if contents is not self._contents:
                return
            await self._put(self._place, partition.name, figure)
        self._start("gallery", self._show_gallery())
        self._start("maps", self._show_maps())
        self._start("dreams", self._show_dreams())

    def _show_summary(self, summary: Markup, cards: dict[str, Markup], methods: dict[str, str]) -> None:
        assert self._contents is not None
        self._summary.object = wrapped(summary)
        self._chosen.object = wrapped(sections.chosen_html(self._contents, {}))
        self._method.options = methods
        self._frame.selection = "{}"
        self._panes = {name: pn.pane.Bokeh(sizing_mode="stretch_width", margin=0) for name in cards}
        # What is not drawn yet has its place, so that nothing moves when it comes.
        heights = sections.heights_of(self._contents)
        self._plots[:] = [
            pn.Column(
                html(text),
                pn.Column(self._panes[name], sizing_mode="stretch_width", min_height=heights[name], margin=0),
                sizing_mode="stretch_width",
                margin=0,
            )
            for name, text in cards.items()
        ]
        self._below.visible = True

    def _place(self, name: str, figure: Any) -> None:
        self._figures[name] = figure
        self._panes[name].object = figure

        def follow(_: str, __: list[int], bins: list[int]) -> None:
            self._select({**_as_lists(self._selection), name: list(bins)})

        source_of(figure, BINS).selected.on_change("indices", follow)

    # What is selected

    def _select(self, bins: dict[str, list[int]]) -> None:
        """Bins were chosen, in a plot or by a button."""
        selection = {name: frozenset(some) for name, some in bins.items() if some}
        if selection != self._selection and self._contents is not None:
            self._selection = selection
            self._start("selection", self._restrict(selection))

    async def _restrict(self, selection: Selection) -> None:
        contents = self._contents
        new = await self._made(sections.columns_of, contents, selection)
        chosen = await self._made(sections.chosen_html, contents, selection)
        if selection == self._selection and contents is self._contents:
            await self._put(self._show_restricted, new, chosen)
            self._start("gallery", self._show_gallery())
            self._start("maps", self._show_maps())

    def _show_restricted(self, new: dict[str, Any], chosen: Markup) -> None:
        assert self._contents is not None
        for name, figure in self._figures.items():
            update(figure, new[name])
            figure.tags = sections.tags_of(self._contents, name, self._selection)
            source_of(figure, BINS).selected.indices = sorted(self._selection.get(name, ()))
        self._frame.selection = json.dumps(_as_lists(self._selection))
        self._chosen.object = wrapped(chosen)

    # Maps

    async def _show_maps(self, *, compute: bool = False) -> None:
        """What the maps of a sample have in common; missing ones are computed if that was asked for."""
        contents, method, selection = self._contents, self._method.value, self._selection
        if not method:
            await self._put(self._say_of_maps, sections.NO_METHOD, [])
            return
        work = await self._made(sections.map_work, self._state, contents, method, selection)
        if work.missing and not compute:
            await self._put(self._say_of_maps, work.words, [], work.offer)
            return
        await self._compute_maps(work, method)
        maps = await self._made(sections.maps_of, self._state, contents, work, method)
        await self._put(self._place_maps, maps)

    async def _compute_maps(self, work: sections.MapWork, method: str) -> None:
        """One after another: whoever vets and asks for a map waits for one of these at most."""
        for number, (version, object_id) in enumerate(work.missing):
            if number % _TOLD_EVERY == 0:
                words = f"{number:,} of {len(work.missing):,} maps computed…"
                await self._put(self._say_of_maps, words, None)
            try:
                await self._state.explainer.compute(Job(version, method, object_id))
            except LensVetError as error:
                work.refused.append(str(error))

    def _say_of_maps(self, words: str, cards: list[Any] | None, offer: str = "") -> None:
        self._map_words.object = wrapped(Markup('<p class="dim" data-testid="maps">{}</p>').format(words))
        self._compute.visible = bool(offer)
        self._compute.name = offer or "Compute"
        if cards is not None:
            self._maps[:] = cards

    def _place_maps(self, maps: sections.Maps) -> None:
        cards = [
            pn.Column(
                html(text),
                pn.pane.Bokeh(figure, sizing_mode="stretch_width", margin=0),
                sizing_mode="stretch_width",
                margin=0,
            )
            for text, figure in maps.plots
        ]
        self._say_of_maps(maps.words, cards)

    # Dreams

    async def _show_dreams(self, *, imagine: bool = False) -> None:
        """What the networks imagined; what is missing is computed if that was asked for."""
        contents, problems = self._contents, []
        missing = await self._made(dreams.wishes, self._state, contents)
        for wish in missing if imagine else ():
            await self._put(self._say_of_dreams, "Imagining…", True)
            try:
                await self._state.dreamer.imagine(wish)
            except LensVetError as error:
                problems.append(str(error))
        shown = await self._made(dreams.dreams_html, self._state, contents, "; ".join(problems))
        missing = await self._made(dreams.wishes, self._state, contents)
        await self._put(self._place_dreams, shown, bool(missing))

    def _say_of_dreams(self, words: str, is_busy: bool) -> None:
        self._imagine.name = words
        self._imagine.disabled = is_busy

    def _place_dreams(self, shown: Markup, is_missing: bool) -> None:
        self._dreams.object = wrapped(shown)
        self._say_of_dreams("Imagine", False)
        self._imagine.visible = is_missing

    # Mistakes

    async def _show_gallery(self, *, more: bool = False) -> None:
        contents, method = self._contents, self._method.value
        self._shown = self._shown + sections.COUNT if more else sections.COUNT
        asked = (contents, self._kind.value, self._order.value, self._selection, self._shown)
        gallery = await self._made(sections.gallery_of, self._state, *asked, method)
        await self._put(self._place_gallery, gallery)
        for object_id in gallery.missing:
            try:
                await self._state.explainer.compute(Job(gallery.model_version, method, object_id))
            except LensVetError:
                continue  # its place says that there is none
        now = (self._contents, self._kind.value, self._order.value, self._selection, self._shown)
        if gallery.missing and now == asked:
            again = await self._made(sections.gallery_of, self._state, *asked, method)
            await self._put(self._place_gallery, again)

    def _place_gallery(self, gallery: sections.Gallery) -> None:
        self._gallery.object = wrapped(gallery.html)
        self._more.visible = gallery.total > self._shown


def menu(title: str, options: dict[str, str], *, width: int = 250) -> pn.widgets.Select:
    """A menu with a label."""
    return pn.widgets.Select(
        name=title, options=options, stylesheets=["assets/why.css"], width=width, margin=(4, 14, 4, 0)
    )


def _as_lists(selection: Selection) -> dict[str, list[int]]:
    return {name: sorted(bins) for name, bins in selection.items()}
