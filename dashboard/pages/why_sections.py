"""What stands in the sections of `/why`: HTML, figures and their data, made outside of the event loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import holoviews as hv
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dashboard.judgements import MISTAKES, ORDERS, Judgement, Subjects, mistakes
from dashboard.map_samples import OUTCOMES, in_common, methods_of, sample, stored_of, without_map
from dashboard.plots.completeness import Found, completeness_plot, height_px, sources_of, told
from dashboard.plots.map_pictures import map_picture
from dashboard.plots.stacks import colours_plot, profile_plot, stack_plot
from dashboard.plots.style import colour_of
from dashboard.plots.thumbnails import thumbnail
from dashboard.reports import response_words as words
from dashboard.reports.wording import counted
from dashboard.state import ServerState
from data.errors import LensVetError
from data.objects import StoredObject
from data.shares import Share
from data.votes import FLAGS
from lensmodel.errors import EvaluationError
from lensmodel.evaluation.responses import (
    OPERATING_POINTS,
    OperatingPoint,
    Partition,
    Selection,
    chosen_objects,
    selected,
    share_of,
    shares_in,
)
from lensmodel.explain import METHODS

COUNT = 24
POINTS = {point.title: name for name, point in OPERATING_POINTS.items()}
KINDS = {title: name for name, title in MISTAKES.items()}
GALLERY_ORDERS = {title: name for name, title in ORDERS.items()}
NO_METHOD = "None of its methods gives maps that can be stacked."


@dataclass(frozen=True)
class Contents:
    """What the page is about: models at an operating point on the objects of known class."""

    title: str
    subjects: Subjects
    judged: tuple[Judgement, ...]
    point: OperatingPoint
    unavailable: tuple[str, ...]

    @property
    def names(self) -> str:
        return " and ".join(one.name for one in self.judged)


def contents_of(state: ServerState, versions: Sequence[str], point: str) -> Contents:
    """Raises EvaluationError with what to do where there is nothing to show."""
    if not versions:
        raise EvaluationError(
            f"no network has scored this campaign yet: lensvet score {state.campaign.path}, then reload this page"
        )
    subjects = state.judgements.subjects()
    judged = tuple(
        state.judgements.judgement(version, OPERATING_POINTS[point], subjects) for version in versions
    )
    return Contents(
        title=state.campaign.title,
        subjects=subjects,
        judged=judged,
        point=OPERATING_POINTS[point],
        unavailable=tuple(one.name for one in judged if state.card(one.model_version) is None),
    )


# Sentences


def summary_html(contents: Contents) -> Markup:
    """The most important sentences of each model, and what a reader must know before quoting them."""
    subjects = contents.subjects
    scored = np.logical_or.reduce([one.is_scored for one in contents.judged])
    known = "simulated or catalogued truth" if subjects.truth is not None else "people's grades"
    notes = [
        *words.cautions(contents.point, subjects.is_lens, scored),
        *(
            f"The weights of {name} are not on this machine (lensvet models add FILE): its scores are shown, and maps "
            "only where they were computed before."
            for name in contents.unavailable
        ),
    ]
    said = Markup("").join(
        Markup('<li><span class="swatch" style="background:{}"></span>{}</li>').format(
            colour_of(index), sentence
        )
        for index, one in enumerate(contents.judged)
        for sentence in _main_sentences(contents, one)
    )
    dim = Markup(
        '<p class="dim">{:,} objects of known class, by {}; {:,} lenses, {:,} not. ± and brackets: 95 %, binomial '
        "(Wilson).</p>"
    ).format(len(subjects.rows), known, int(subjects.is_lens.sum()), int((~subjects.is_lens).sum()))
    warned = Markup("").join(Markup('<p class="problem">{}</p>').format(note) for note in notes)
    return Markup('<ul class="summary" data-testid="summary">{}</ul>{}{}').format(said, dim, warned)


def cards_of(contents: Contents) -> dict[str, Markup]:
    """What stands above each plot, by partition."""
    return {partition.name: card_html(contents, partition) for partition in contents.subjects.partitions}


def card_html(contents: Contents, partition: Partition) -> Markup:
    """Heading, the plain answer, save buttons, and the numbers with a button for each bin."""
    said = [text for one in contents.judged if (text := _sentence(contents, partition, one))]
    of_each = [_shares(contents, partition, one) for one in contents.judged]
    rows = Markup("").join(
        Markup(
            '<tr><th><button type="button" data-select="{}:{}" aria-pressed="false" title="Restrict the other plots '
            'and the gallery to these">{}</button></th>{}</tr>'
        ).format(
            partition.name,
            index,
            group.name,
            Markup("").join(Markup("<td>{}</td>").format(told(shares[index])) for shares in of_each),
        )
        for index, group in enumerate(partition.groups)
    )
    heads = Markup("").join(Markup("<th>{}</th>").format(one.name) for one in contents.judged)
    return Markup(
        '<section data-testid="card-{}">{}<p class="said">{}</p><details><summary>numbers</summary>'
        "<table><thead><tr><th>{}</th>{}</tr></thead><tbody>{}</tbody></table></details></section>"
    ).format(
        partition.name,
        head_html(partition.title, partition.name),
        Markup("<br>").join(said),
        _axis(partition),
        heads,
        rows,
    )


def head_html(title: str, plot: str) -> Markup:
    """The heading of a plot, with what saves it."""
    buttons = Markup("").join(
        Markup(
            '<button type="button" class="plain" data-save="{0}" data-plot="{1}" title="Save {2} as {0}">{3}</button>'
        ).format(kind, plot, "the data" if kind == "csv" else "the plot", kind.upper())
        for kind in ("png", "svg", "csv")
    )
    return Markup('<div class="head"><h3>{}</h3>{}</div>').format(title, buttons)


def chosen_html(contents: Contents, selection: Selection) -> Markup:
    """What is selected, and what is found of it."""
    subjects = contents.subjects
    if not any(selection.values()):
        return Markup(
            '<p class="chosen dim" data-testid="chosen">Click a bin or drag over some: the other plots and the gallery '
            "follow. Dotted: all. Shift adds, Esc clears.</p>"
        )
    rows = chosen_objects(subjects.partitions, selection, subjects.is_lens)
    found = [
        f"{one.name} takes {counted(share_of(one.taken, rows & one.is_scored))} for lenses"
        for one in contents.judged
    ]
    return Markup(
        '<p class="chosen" data-testid="chosen"><span>Selected: {}. {}.</span>'
        '<button type="button" data-act="clear" title="Clear the selection (Esc)">clear</button></p>'
    ).format(words.selection_words(subjects.partitions, selection), "; ".join(found))


def _main_sentences(contents: Contents, one: Judgement) -> list[str]:
    subjects = contents.subjects
    lens, scored = subjects.is_lens, one.is_scored
    subtypes, signal = subjects.partition("subtype"), subjects.partition("arc_snr")
    said = [
        words.headline(
            one.name, share_of(one.taken, scored & lens), share_of(one.taken, scored & ~lens), contents.point
        ),
        subtypes and _sentence(contents, subtypes, one),
        words.colour_sentence(
            one.name, subjects.partition("source_colour"), subtypes, one.taken, scored & lens
        ),
        signal and _sentence(contents, signal, one),
    ]
    return [text for text in said if text]


def _sentence(contents: Contents, partition: Partition, one: Judgement) -> str | None:
    shares = _shares(contents, partition, one)
    if partition.is_ordered:
        return words.against_sentence(one.name, partition, shares)
    if not partition.is_of_lenses:
        return words.contaminant_sentence(one.name, partition, shares)
    if partition.name == "source_colour":
        subtypes, rows = contents.subjects.partition("subtype"), one.is_scored & contents.subjects.is_lens
        return words.colour_sentence(one.name, partition, subtypes, one.taken, rows)
    return words.subtype_sentence(one.name, partition, shares)


def _shares(
    contents: Contents, partition: Partition, one: Judgement, selection: Selection | None = None
) -> list[Share]:
    subjects = contents.subjects
    rows = selected(subjects.partitions, selection or {}, subjects.is_lens, apart_from=partition.name)
    return shares_in(partition, one.taken, rows & one.is_scored)


def _axis(partition: Partition) -> str:
    return f"{partition.title}, {partition.unit}" if partition.unit else partition.title


# Plots


def figure_of(contents: Contents, partition: Partition) -> Any:
    """The drawn plot of a partition."""
    what = "found" if partition.is_of_lenses else "taken for lenses"
    plot = completeness_plot(
        partition, _found(contents, partition, {}), share=f"share {what}, {contents.point.title}"
    )
    return _drawn(plot, partition.name, tags_of(contents, partition.name, {}))


def heights_of(contents: Contents) -> dict[str, int]:
    """Of all plots, px."""
    return {
        partition.name: height_px(partition, len(contents.judged))
        for partition in contents.subjects.partitions
    }


def columns_of(contents: Contents, selection: Selection) -> dict[str, dict[str, Any]]:
    """New columns for the sources of all plots."""
    return {
        partition.name: sources_of(partition, _found(contents, partition, selection))
        for partition in contents.subjects.partitions
    }


def tags_of(contents: Contents, name: str, selection: Selection) -> list[str]:
    """What a saved table says in its first lines."""
    others = {other: bins for other, bins in selection.items() if other != name}
    selected_words = words.selection_words(contents.subjects.partitions, others)
    return [
        f"{contents.title}: {contents.names}, {contents.point.title}",
        f"selected: {selected_words or 'all'}",
    ]


def _found(contents: Contents, partition: Partition, selection: Selection) -> list[Found]:
    return [
        Found(one.name, _shares(contents, partition, one, selection), _shares(contents, partition, one))
        for one in contents.judged
    ]


def _drawn(plot: hv.Overlay, name: str, tags: list[str]) -> Any:
    figure = hv.render(plot, "bokeh")
    figure.name, figure.tags = name, tags
    return figure


# Maps


@dataclass(frozen=True)
class MapWork:
    """A sample of objects per model, and the maps of it that are missing: (model version, object id)."""

    sampled: tuple[dict[str, NDArray[np.int64]], ...]
    missing: tuple[tuple[str, str], ...]
    words: str
    offer: str
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Maps:
    """What the maps have in common: words, and plots with the HTML above each."""

    words: str
    plots: list[tuple[Markup, Any]]


def methods_by_title(state: ServerState, contents: Contents) -> dict[str, str]:
    """The methods that all of these models have, for a menu."""
    each = [methods_of(state, one.model_version) for one in contents.judged]
    return {METHODS[name].title: name for name in each[0] if all(name in some for some in each)}


def map_work(state: ServerState, contents: Contents, method: str, selection: Selection) -> MapWork:
    """What has to be computed before the maps can be compared."""
    subjects = contents.subjects
    rows = selected(subjects.partitions, selection, subjects.is_lens)
    sampled = tuple(sample(subjects, one, rows) for one in contents.judged)
    missing = tuple(
        (one.model_version, object_id)
        for one, some in zip(contents.judged, sampled, strict=True)
        for object_id in without_map(state, subjects, some, one.model_version, method)
        if state.card(one.model_version) is not None
    )
    objects = sum(len(places) for some in sampled for places in some.values())
    return MapWork(
        sampled=sampled,
        missing=missing,
        words=(
            f"{objects - len(missing):,} of {objects:,} maps are there: up to {OUTCOMES['lenses found']} of lenses "
            f"found, and 50 each of lenses missed and of non-lenses taken and left"
            f"{', of what is selected' if any(selection.values()) else ''}. They are kept."
        ),
        offer=f"Compute {len(missing):,} maps",
    )


def maps_of(state: ServerState, contents: Contents, work: MapWork, method: str) -> Maps:
    """Stacks, profiles and colours, as far as there are maps."""
    subjects, title = contents.subjects, METHODS[method].title
    red, _, blue = state.campaign.survey.composite
    colour = f"{blue} − {red}"
    tags = [f"{contents.title}: {title} of {contents.names}, {contents.point.title}"]
    plots, profiles, said, colours = [], {}, [], []
    for index, (one, sampled) in enumerate(zip(contents.judged, work.sampled, strict=True)):
        common = in_common(state, subjects, sampled, one.model_version, method)
        if common.stack is not None and common.profile is not None:
            sentence = words.stack_sentence(one.name, title, common.profile, common.lenses)
            said.append(sentence)
            profiles[one.name] = common.profile
            text = _above(f"{title} of {one.name}, stacked on the lens", f"stack-{index}", sentence)
            plots.append((text, _drawn(stack_plot(common.stack), f"stack-{index}", tags)))
        pairs = {
            row[0]: (row[1], other[1]) for row, other in zip(common.mattered, common.others, strict=True)
        }
        sentence = words.colours_sentence(one.name, colour, pairs)
        if sentence is not None:
            rows = {"where the map is strong": common.mattered, "the other light": common.others}
            text = _above(f"Colour of what mattered to {one.name}", f"colours-{index}", sentence)
            colours.append(
                (text, _drawn(colours_plot(rows, x=f"{colour} / mag, median"), f"colours-{index}", tags))
            )
    if profiles:
        text = _above("Strength against distance from the lens", "profile", "Band: 95 %, from lens to lens.")
        plots.append((text, _drawn(profile_plot(profiles), "profile", tags)))
    plots += colours
    return Maps(_map_words(contents, method, work, bool(profiles), bool(plots)), plots)


def _above(title: str, name: str, sentence: str) -> Markup:
    return Markup('<section data-testid="card-{}">{}<p class="said">{}</p></section>').format(
        name, head_html(title, name), sentence
    )


def _map_words(contents: Contents, method: str, work: MapWork, has_stack: bool, has_any: bool) -> str:
    row = METHODS[method]
    said = [f"{row.title} shows: {row.shows} It cannot say: {row.cannot_say}"]
    if not has_any:
        said.append("There are no maps of these objects.")
    elif not has_stack:
        said.append(
            "A stack needs lenses that are found and whose theta_E_arcsec, lens_x_arcsec and lens_y_arcsec are known."
        )
    if work.refused:
        said.append(f"{len(work.refused):,} maps could not be made: {work.refused[0]}")
    return " ".join(said)


# Mistakes


@dataclass(frozen=True)
class Gallery:
    """The pictures that are shown. total : how many there could be; missing : ids of objects without a map."""

    html: Markup
    total: int
    model_version: str
    missing: tuple[str, ...]


def gallery_of(
    state: ServerState,
    contents: Contents,
    kind: str,
    order: str,
    selection: Selection,
    count: int,
    method: str | None,
) -> Gallery:
    """The first mistakes of the first model, or what inspectors flagged."""
    one = contents.judged[0]
    flags = state.judgements.flags() if kind == "flagged" else {}
    rows = mistakes(kind, order, contents.subjects, one, selection, list(flags))
    place_of = np.full(len(contents.subjects.catalogue), -1)
    place_of[contents.subjects.rows] = np.arange(len(contents.subjects.rows))
    cards, missing = [], []
    for row, stored in zip(rows[:count].tolist(), stored_of(contents.subjects, rows[:count]), strict=True):
        map_ = state.map(one.model_version, method, stored) if method else None
        if map_ is None and method and state.card(one.model_version) is not None:
            missing.append(stored.object_id)
        picture = _picture(state, stored)
        lines = _facts(contents, one, row, int(place_of[row]), flags.get(stored.object_id, {}))
        cards.append(
            _card(stored.object_id, picture, map_, lines, METHODS[method].title if method else "map")
        )
    shown = Markup('<ul class="gallery" data-testid="gallery">{}</ul>').format(Markup("").join(cards))
    said = Markup('<p class="dim" data-testid="gallery-count">{}</p>').format(
        _gallery_words(contents, one, kind, len(rows), len(cards), any(selection.values()))
    )
    feedback = words.feedback_sentence(
        one.name, state.judgements.wrong_reasons(one, contents.subjects.catalogue)
    )
    told = Markup('<p class="said" data-testid="feedback">{}</p>').format(feedback) if feedback else ""
    return Gallery(told + said + shown, len(rows), one.model_version, tuple(missing))


def _gallery_words(
    contents: Contents, one: Judgement, kind: str, total: int, shown: int, is_restricted: bool
) -> str:
    within = " within the selection" if is_restricted else ""
    what = (
        MISTAKES[kind].replace("it ", f"{one.name} ")
        if kind != "flagged"
        else "objects flagged by inspectors"
    )
    if not total:
        more = ": raise a flag on /vet with f" if kind == "flagged" and not is_restricted else ""
        return f"There are no {what}{within}{more}."
    return f"{shown:,} of {total:,} {what}{within}. Logit in brackets. A click opens the object on /vet."


def _card(
    object_id: str, picture: str | None, map_: NDArray[np.float32] | None, lines: list[str], method: str
) -> Markup:
    image = _image(picture, f"cutout of {object_id}", "no composite")
    drawn = None if map_ is None else map_picture(map_)
    first, *others = lines
    return Markup(
        '<li><a href="vet?object={}" title="Open {} on /vet" data-object-id="{}">{}{}'
        '<span class="facts"><b>{}</b>{}<span class="dim">{}</span></span></a></li>'
    ).format(
        quote(object_id, safe=""),
        object_id,
        object_id,
        image,
        _image(drawn, f"{method} map of {object_id}", f"no {method} map yet"),
        first,
        Markup("").join(Markup("<span>{}</span>").format(text) for text in others),
        object_id,
    )


def _image(source: str | None, alt: str, otherwise: str) -> Markup:
    if source is None:
        return Markup('<span class="blank">{}</span>').format(otherwise)
    return Markup('<img src="{}" alt="{}" width="112" height="112">').format(source, alt)


def _picture(state: ServerState, stored: StoredObject) -> str | None:
    if stored.kind != "flux":
        return None
    try:
        return thumbnail(state.planes(stored), state.campaign.survey)
    except LensVetError:
        return None


def _facts(contents: Contents, one: Judgement, row: int, place: int, flags: Mapping[str, int]) -> list[str]:
    scores, subjects = one.scores, contents.subjects
    said = [subjects.subtype[place] if place >= 0 else "class not known"]
    if np.isfinite(scores.logit[row]):
        said.append(f"p_lens {scores.p_lens[row]:.3f} ({scores.logit[row]:+.1f})")
    else:
        said.append("not scored")
    if np.isfinite(scores.where_why[row]):
        said.append(f"where/why {scores.where_why[row]:.2f}")
    said += [f"{FLAGS[flag].label} × {number}" for flag, number in flags.items() if flag in FLAGS]
    if subjects.truth is not None and place >= 0 and subjects.is_lens[place]:
        known = subjects.truth.quantities
        formats = {"theta_E_arcsec": "θ_E {:.2f}″", "arc_snr": "S/N {:,.0f}"}
        facts = [
            shown.format(known[name][place])
            for name, shown in formats.items()
            if name in known and np.isfinite(known[name][place])
        ]
        said += [", ".join(facts)] if facts else []
    return [str(text) for text in said]
