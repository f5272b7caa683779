"""Tables of a report: figures of groups of objects, and of what passes a threshold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.reports.wording import shown, shown_interval
from data.shares import Interval, Share
from lensmodel.evaluation.figures import GroupFigures
from lensmodel.evaluation.thresholds import AtThreshold

_ERRORS = tuple(f"position_error_{part}_arcsec" for part in ("median", "p68", "p95"))


@dataclass(frozen=True)
class Cell:
    """A figure as people read it, and its interval; empty if there is none."""

    value: str
    interval: str = ""


@dataclass(frozen=True)
class GroupTable:
    """A row for each group: its name, then a cell for each of the columns."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


def lens_tables(what: str, groups: Mapping[str, Sequence[GroupFigures]]) -> list[GroupTable]:
    """Groups of lenses, a table for each model. what : what tells the groups apart."""
    columns = [what, "Lenses", "Found at 1 %", "Found at 0.1 %", "AUROC", "Error, median", "Error, 68 %"]
    columns += ["Error, 95 %", "Pull"]
    return [
        GroupTable(model, columns, [(found.group.name, _lens_cells(found)) for found in some])
        for model, some in groups.items()
        if some
    ]


def nonlens_tables(what: str, groups: Mapping[str, Sequence[GroupFigures]]) -> list[GroupTable]:
    """Groups of non-lenses, a table for each model."""
    columns = [what, "Objects", "Pass at 1 %", "AUROC against all lenses"]
    return [
        GroupTable(
            model,
            columns,
            [
                (
                    found.group.name,
                    [
                        Cell(f"{found.group.objects:,}"),
                        _found_cell(found),
                        Cell(shown("auroc", found.figures["auroc"])),
                    ],
                )
                for found in some
            ],
        )
        for model, some in groups.items()
        if some
    ]


def passed_tables(found: AtThreshold) -> list[GroupTable]:
    """What a model finds at its threshold, and the others where no more non-lenses pass: lenses, non-lenses."""
    names = [f"{found.model} from {found.p_lens:g}", *(name for name in found.common if name != found.model)]
    passed = list(found.common.values())
    lenses = _by_subtype(
        "all lenses", [one.lenses for one in passed], [one.lenses_by_subtype for one in passed]
    )
    others = _by_subtype(
        "all non-lenses", [one.nonlenses for one in passed], [one.nonlenses_by_subtype for one in passed]
    )
    return [
        GroupTable("Lenses found", ["Subtype", *names], lenses),
        GroupTable("Non-lenses that pass", ["Contaminant", *names], others),
    ]


def _by_subtype(
    everything: str, shares: Sequence[Share], subtypes: Sequence[Mapping[str, Share]]
) -> list[tuple[str, list[Cell]]]:
    """Subtypes are the same for all models, since the objects are."""
    rows = [(everything, [_share_cell(share) for share in shares])]
    return rows + [(name, [_share_cell(some[name]) for some in subtypes]) for name in subtypes[0]]


def _lens_cells(found: GroupFigures) -> list[Cell]:
    figures = found.figures
    median, *others = _ERRORS
    return [
        Cell(f"{found.group.objects:,}"),
        _found_cell(found),
        *(Cell(shown(name, figures[name])) for name in ("recall_at_fpr_0p1pct", "auroc")),
        Cell(shown(median, figures[median]), shown_interval(median, found.error_intervals["median"])),
        *(
            Cell(shown(name, figures[name]), _upto(name, found.error_intervals[part]))
            for name, part in zip(others, ("p68", "p95"), strict=True)
        ),
        Cell(shown("position_pull", figures["position_pull"])),
    ]


def _upto(name: str, interval: Interval) -> str:
    """An interval whose upper end may not be known, for want of lenses."""
    low, high = interval
    if math.isfinite(low) and not math.isfinite(high):
        return f"from {shown(name, low)}"
    return shown_interval(name, interval)


def _found_cell(found: GroupFigures) -> Cell:
    return Cell(
        shown("recall_at_fpr_1pct", found.found.value),
        shown_interval("recall_at_fpr_1pct", found.found_interval),
    )


def _share_cell(share: Share) -> Cell:
    name = "recall_at_fpr_1pct"
    interval = shown_interval(name, share.interval)
    of = f"{share.number:,} of {share.of:,}"
    return Cell(shown(name, share.value), f"{interval} ({of})" if interval else of)
