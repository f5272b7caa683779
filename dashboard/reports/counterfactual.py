"""The report of `lensvet counterfactual`: each object before and after, and what the networks say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from dashboard.plots.thumbnails import thumbnail
from dashboard.reports import template_named
from dashboard.reports.wording import prior_sentence
from data.campaign import Campaign
from data.files import written_atomically
from data.surveys import Survey
from lensmodel.counterfactuals.summary import MedianFall, Summary, distance_arcsec, spread_of
from lensmodel.counterfactuals.verdicts import (
    ARCS_ERASED,
    AS_IS,
    CONTROL_ERASED,
    WINDOW_ARCSEC,
    Counterfactual,
    Judged,
    Verdict,
    cut,
)

TITLES = {AS_IS: "as it is", ARCS_ERASED: "arcs erased", CONTROL_ERASED: "control erased"}
_PICTURE_PX = 300
_MARGIN_ARCSEC = 2.0


@dataclass(frozen=True)
class Row:
    """One variant as one network judges it, as text; empty where there is nothing to say."""

    variant: str
    logit: str
    p_lens: str
    fall: str
    position: str
    windows: str
    window_fall: str


@dataclass(frozen=True)
class Entry:
    """One object. pictures : title and data URI. models : rows by the network's name, or the reason for none."""

    object_id: str
    facts: list[str]
    pictures: list[tuple[str, str]]
    models: dict[str, list[Row] | str]


def write_report(
    campaign: Campaign,
    entries: Sequence[Entry],
    summaries: Mapping[str, Summary],
    path: Path,
    *,
    priors: Mapping[str, float | None],
    made_at: str,
) -> None:
    """Write the report. priors : of the networks, by name. made_at : date and time, as text."""
    page = template_named("counterfactual.html").render(
        title=campaign.title,
        made_at=made_at,
        version=version("lensvet"),
        sentences=[sentence(name, summary) for name, summary in summaries.items()],
        prior_sentence=prior_sentence(priors, campaign.prior),
        entries=entries,
        side_px=_PICTURE_PX,
    )
    with written_atomically(path) as partial:
        partial.write_text(page, encoding="utf-8")


def sentence(name: str, summary: Summary) -> str:
    """What the erased arcs cost a network's score."""
    if not summary.lenses:
        return f"{name}: judged no object with arcs; {summary.refused} refused"
    return (
        f"{name}: without the arcs the logit falls by {_median(summary.arcs)}, without the control by "
        f"{_median(summary.control)} (median of {summary.lenses} with arcs); in moved windows by "
        f"{_median(summary.arcs_windows)} and {_median(summary.control_windows)}; {summary.refused} refused"
    )


def entry_of(one: Counterfactual, survey: Survey) -> Entry:
    """An object as the report shows it; needs its planes."""
    return Entry(
        object_id=one.subject.stored.object_id,
        facts=_facts(one),
        pictures=_pictures(one, survey),
        models={name: judged.reason or _rows(one, judged) for name, judged in one.judged.items()},
    )


def _median(fall: MedianFall) -> str:
    if fall.median is None:
        return "nothing measured"
    interval = "" if fall.interval is None else f" [{fall.interval[0]:z.2f}, {fall.interval[1]:z.2f}]"
    return f"{fall.median:z.2f}{interval}"


def _facts(one: Counterfactual) -> list[str]:
    subject = one.subject
    if subject.arcs is None or subject.lens_arcsec is None:
        return ["no arcs given: nothing to erase"]
    facts = [
        f"lens at x {subject.lens_arcsec[0]:+.2f}″, y {subject.lens_arcsec[1]:+.2f}″ from the centre",
        f"arcs of {int(subject.arcs.sum()):,} px",
    ]
    if one.control_share is not None and one.control_turn_deg is not None:
        facts.append(f"control turned by {one.control_turn_deg:.0f}°, {one.control_share:.0%} of that area")
    return facts


def _pictures(one: Counterfactual, survey: Survey) -> list[tuple[str, str]]:
    centre = one.subject.lens_arcsec or (0.0, 0.0)
    side = _side_arcsec(one, survey)
    drawn = []
    for variant, planes in one.planes.items():
        window, _ = cut(planes, centre, side)
        picture = thumbnail(window, survey, side_px=_PICTURE_PX)
        if picture is not None:
            drawn.append((TITLES[variant], picture))
    return drawn


def _side_arcsec(one: Counterfactual, survey: Survey) -> float:
    """Of a window that shows all of the arcs."""
    subject = one.subject
    if subject.arcs is None or subject.lens_arcsec is None:
        return WINDOW_ARCSEC
    plane = one.planes[AS_IS][survey.reference_among(subject.stored.bands)]
    return max(WINDOW_ARCSEC, 2 * (subject.arcs_reach_arcsec(plane.pixel_scale_arcsec) + _MARGIN_ARCSEC))


def _rows(one: Counterfactual, judged: Judged) -> list[Row]:
    return [
        Row(
            variant=TITLES[variant],
            logit=f"{verdict.logit:.2f}",
            p_lens=f"{verdict.p_lens:.4f}",
            fall="" if variant == AS_IS else _number(judged.fall(variant)),
            position=_position(one, verdict),
            windows=_windows(judged, variant),
            window_fall="" if variant == AS_IS else _number(judged.window_fall(variant)),
        )
        for variant, verdict in judged.whole.items()
    ]


def _position(one: Counterfactual, verdict: Verdict) -> str:
    if verdict.x_arcsec is None or verdict.y_arcsec is None:
        return ""
    distance = distance_arcsec(one.subject, verdict)
    place = f"x {verdict.x_arcsec:+.2f}″, y {verdict.y_arcsec:+.2f}″"
    return place if distance is None else f"{place}, {distance:.2f}″ from the lens"


def _windows(judged: Judged, variant: str) -> str:
    spread = spread_of(judged.windows[variant])
    reach = max(abs(x) for x, _ in judged.shifts_arcsec)
    moved = f"moved by up to {reach:.1f}″" if reach else "not moved"
    return (
        f"{spread['lowest']:.3f} / {spread['median']:.3f} / {spread['highest']:.3f} "
        f"({len(judged.windows[variant])} of {judged.window_arcsec:.1f}″, {moved})"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.2f}"
