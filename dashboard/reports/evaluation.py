"""The report of `lensvet evaluate`: one HTML file with summary, table, plots and the worst mistakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import holoviews as hv
import numpy as np
from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from dashboard.plots.groups import error_against_plot, share_against_plot, subtype_plot
from dashboard.plots.positions import error_plot, pull_plot
from dashboard.plots.style import colour_of
from dashboard.plots.verdicts import purity_plot, reliability_plot, roc_plot, threshold_plot
from dashboard.reports.examples import Example, examples, worst_false_negatives, worst_false_positives
from dashboard.reports.wording import FIGURE_WORDS, sentences, shown, shown_interval
from data.campaign import Campaign
from data.files import written_atomically
from lensmodel.evaluation.breakdowns import QUANTITIES
from lensmodel.evaluation.comparison import Comparison
from lensmodel.evaluation.figures import GroupFigures, ModelFigures
from lensmodel.evaluation.metrics import purity_curve, reliability, roc_curve

_LOGARITHMIC = ("arc_snr",)  # if all of it is above zero


@dataclass(frozen=True)
class Figure:
    """One plot of the report with its heading and what to look for."""

    key: str
    title: str
    note: str
    plot: hv.Overlay


@dataclass(frozen=True)
class Section:
    """Plots that answer one question."""

    title: str
    figures: list[Figure]


@dataclass(frozen=True)
class Mistakes:
    """What one model got most wrong."""

    model: str
    false_positives: list[Example]
    false_negatives: list[Example]


def write_report(comparison: Comparison, campaign: Campaign, path: Path, *, made_at: str) -> None:
    """Write the report. made_at : date and time, as text."""
    sections = sections_of(comparison)
    figures = [figure for section in sections for figure in section.figures]
    drawn = {figure.key: hv.render(figure.plot, "bokeh") for figure in figures}
    script, divs = components(drawn) if drawn else ("", {})
    page = _template().render(
        comparison=comparison,
        lenses=int(comparison.truth.is_lens.sum()),
        made_at=made_at,
        version=version("lensvet"),
        sentences=sentences(comparison),
        words=FIGURE_WORDS,
        shown=shown,
        unbroken=_unbroken,
        shown_interval=shown_interval,
        colour_of=colour_of,
        tables=tables_of(comparison),
        sections=sections,
        divs={key: Markup(div) for key, div in divs.items()},  # noqa: S704  # Bokeh's own, no text of the user's
        script=Markup(script),  # noqa: S704  # same; texts in it are escaped by Bokeh
        bokeh=Markup(_bokeh_inline()),  # noqa: S704  # same
        mistakes=mistakes_of(comparison, campaign),
    )
    with written_atomically(path) as partial:
        partial.write_text(page, encoding="utf-8")


def tables_of(comparison: Comparison) -> list[tuple[str, dict[str, ModelFigures]]]:
    """Heading and figures by model: on what each scored, and on the common set where that differs."""
    own = {report.name: report.own for report in comparison.models}
    differs = any(0 < comparison.common < report.scored for report in comparison.models)
    if not differs:
        return [(f"On the {comparison.common:,} objects that were scored", own)]
    common = {report.name: report.common for report in comparison.models if report.scored}
    return [
        ("On all objects that each model scored", own),
        (f"On the {comparison.common:,} objects that all of these models scored", common),
    ]


def mistakes_of(comparison: Comparison, campaign: Campaign) -> list[Mistakes]:
    """The worst mistakes of each model that scored anything."""
    objects = campaign.objects()
    return [
        Mistakes(
            model=report.name,
            false_positives=examples(campaign, objects, judged, worst_false_positives(judged)),
            false_negatives=examples(campaign, objects, judged, worst_false_negatives(judged)),
        )
        for report in comparison.models
        if len(judged := report.own.judged)
    ]


def sections_of(comparison: Comparison) -> list[Section]:
    """All plots; what has nothing to show is left out. Models keep their colours throughout."""
    drawn = [
        Section("Whether: lenses and non-lenses", _verdict_figures(comparison)),
        Section("Which: by subtype", _subtype_figures(comparison)),
        Section("What completeness depends on", _against_figures(comparison, _share_figure, "share_found")),
        Section("Where: positions", _position_figures(comparison)),
        Section(
            "What the position error depends on",
            _against_figures(comparison, _error_figure, "position_error"),
        ),
    ]
    return [section for section in drawn if section.figures]


def _verdict_figures(comparison: Comparison) -> list[Figure]:
    truth = comparison.truth
    if not comparison.compared or truth.is_lens.all() or not truth.is_lens.any():
        return []
    judged = {report.name: report.own.judged for report in comparison.models}
    roc = {name: roc_curve(some.logit, some.truth.is_lens) for name, some in judged.items()}
    purity = {name: purity_curve(some.p_lens, some.truth.is_lens) for name, some in judged.items()}
    bins = {name: reliability(some.p_lens, some.truth.is_lens) for name, some in judged.items()}
    return [
        Figure(
            "roc",
            "ROC",
            "Higher is better, and the left counts: lenses are rare. Dashed: 0.1 % and 1 %.",
            roc_plot(roc, non_lenses=int((~truth.is_lens).sum())),
        ),
        Figure(
            "purity",
            "Purity and completeness",
            f"In the mix of this campaign, where {truth.is_lens.mean():.0%} are lenses; on the sky purity is lower.",
            purity_plot(purity),
        ),
        Figure(
            "threshold",
            "Where to set the threshold",
            "Completeness (whole line) and purity (dotted) of what has p_lens from there up.",
            threshold_plot(purity),
        ),
        Figure(
            "reliability",
            "Reliability",
            "On the diagonal p_lens is what comes true. Below it the model is too sure.",
            reliability_plot(bins),
        ),
    ]


def _subtype_figures(comparison: Comparison) -> list[Figure]:
    figures = []
    for is_lens, title, note, label in (
        (
            True,
            "Lenses found",
            "Share of each subtype above the threshold that 1 % of non-lenses exceed.",
            "found",
        ),
        (
            False,
            "Non-lenses taken for lenses",
            "Share of each subtype above the same threshold.",
            "taken for lenses",
        ),
    ):
        groups = {
            report.name: [found for found in report.own.by_subtype if found.group.is_lens == is_lens]
            for report in comparison.models
        }
        if _has("share_found", groups):
            figures.append(Figure(f"subtype-{label}", title, note, subtype_plot(groups, x=label)))
    return figures


def _against_figures(
    comparison: Comparison, draw: "Callable[[str, Mapping[str, list[GroupFigures]]], Figure]", what: str
) -> list[Figure]:
    figures = []
    for name in QUANTITIES:
        groups = {report.name: report.own.against.get(name, []) for report in comparison.models}
        if _has(what, groups):
            figures.append(draw(name, groups))
    return figures


def _share_figure(name: str, groups: Mapping[str, list[GroupFigures]]) -> Figure:
    plot = share_against_plot(groups, x=_axis(name), is_log=_is_logarithmic(name, groups))
    return Figure(f"share-{name}", QUANTITIES[name].title, "At 1 % false positives.", plot)


def _error_figure(name: str, groups: Mapping[str, list[GroupFigures]]) -> Figure:
    plot = error_against_plot(groups, x=_axis(name), is_log=_is_logarithmic(name, groups))
    note = "Median, and a bar up to what 95 % have."
    return Figure(f"error-{name}", QUANTITIES[name].title, note, plot)


def _position_figures(comparison: Comparison) -> list[Figure]:
    judged = {report.name: report.own.judged for report in comparison.models}
    if not any(np.isfinite(some.position_error_arcsec).any() for some in judged.values()):
        return []
    errors = {name: some.position_error_arcsec for name, some in judged.items()}
    pulls = {name: some.pull for name, some in judged.items()}
    figures = [
        Figure(
            "errors",
            "Position error",
            "Of lenses, at any score. Dashed: 50, 68 and 95 %.",
            error_plot(errors),
        )
    ]
    if any(np.isfinite(pull).any() for pull in pulls.values()):
        note = "Narrower than the dashed Gaussian: sigma is too wide. Wider: too narrow."
        figures.append(Figure("pulls", "Is the uncertainty honest?", note, pull_plot(pulls)))
    return figures


def _has(what: str, groups: Mapping[str, list[GroupFigures]]) -> bool:
    values = [
        found.share_found if what == "share_found" else found.figures["position_error_median_arcsec"]
        for some in groups.values()
        for found in some
    ]
    return bool(np.isfinite(values).any())


def _is_logarithmic(name: str, groups: Mapping[str, list[GroupFigures]]) -> bool:
    return name in _LOGARITHMIC and all(found.group.low > 0 for some in groups.values() for found in some)


def _axis(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{quantity.title} / {quantity.unit}" if quantity.unit else quantity.title


def _unbroken(text: str) -> str:
    """A number and its percent sign stay on one line."""
    return text.replace(" %", "\u00a0%")


def _bokeh_inline() -> str:
    """Bokeh's own script alone: `render_js` would link to extensions that happen to be loaded, such as Panel's."""
    return "\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw)


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("evaluation.html")
