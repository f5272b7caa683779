"""The report of `lensvet evaluate`: one HTML file with summary, tables, plots and the worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import holoviews as hv
from bokeh.embed import components
from bokeh.resources import Resources
from markupsafe import Markup

from dashboard.plots.groups import link
from dashboard.plots.style import colour_of
from dashboard.reports import template_named
from dashboard.reports.examples import Example, examples, worst_false_negatives, worst_false_positives
from dashboard.reports.explanations import EXPLANATION_LIMITS, PICTURE_PX, ExplanationSection
from dashboard.reports.sections import Part, sections_of
from dashboard.reports.wording import FIGURE_WORDS, prior_sentence, sentences, shown, shown_interval
from data.campaign import Campaign
from data.files import written_atomically
from lensmodel.evaluation.comparison import Comparison
from lensmodel.evaluation.explanation_figures import REFERENCES
from lensmodel.evaluation.figures import ModelFigures


@dataclass(frozen=True)
class Mistakes:
    """What one model got most wrong."""

    model: str
    false_positives: list[Example]
    false_negatives: list[Example]


def write_report(
    comparison: Comparison,
    campaign: Campaign,
    path: Path,
    *,
    made_at: str,
    explanations: ExplanationSection | None = None,
) -> None:
    """Write the report. made_at : date and time, as text."""
    sections = sections_of(comparison)
    script, divs = _drawn([part for section in sections for part in section.parts])
    page = template_named("evaluation.html").render(
        comparison=comparison,
        lenses=int(comparison.truth.is_lens.sum()),
        made_at=made_at,
        version=version("lensvet"),
        sentences=sentences(comparison),
        prior_sentence=prior_sentence(
            {report.name: report.card.prior for report in comparison.models}, campaign.prior
        ),
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
        explanations=explanations,
        limits=EXPLANATION_LIMITS,
        explanation_references=REFERENCES,
        picture_px=PICTURE_PX,
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


def _drawn(parts: Sequence[Part]) -> tuple[str, dict[str, str]]:
    """Script and elements by key of the figures; those of a part that is linked follow one another."""
    drawn: dict[str, Any] = {}
    for part in parts:
        plots = {figure.key: hv.render(figure.plot, "bokeh") for figure in part.figures}
        if part.is_linked and len(plots) > 1:
            link(list(plots.values()))
        drawn |= plots
    return components(drawn) if drawn else ("", {})


def _unbroken(text: str) -> str:
    """A number and its percent sign stay on one line."""
    return text.replace(" %", "\u00a0%")


def _bokeh_inline() -> str:
    """Bokeh's own script alone: `render_js` would link to extensions that happen to be loaded, such as Panel's."""
    return "\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw)
