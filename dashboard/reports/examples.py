"""The objects that a model got most wrong, with pictures."""

from dataclasses import dataclass

import numpy as np

from dashboard.plots.thumbnails import thumbnail
from data.campaign import Campaign
from data.objects import ObjectTable
from lensmodel.evaluation.breakdowns import QUANTITIES
from lensmodel.evaluation.figures import Judged

SHOWN = 8


@dataclass(frozen=True)
class Example:
    """One object. picture : data URI, None if there is none. facts : what is known of it, as text."""

    object_id: str
    subtype: str
    p_lens: float
    logit: float
    picture: str | None
    facts: list[str]


def worst_false_positives(judged: Judged) -> list[int]:
    """Rows of the non-lenses that score highest, the highest first."""
    others = np.flatnonzero(~judged.truth.is_lens)
    return [int(row) for row in others[np.argsort(-judged.logit[others], kind="stable")][:SHOWN]]


def worst_false_negatives(judged: Judged) -> list[int]:
    """Rows of the lenses that score lowest, the lowest first."""
    lenses = np.flatnonzero(judged.truth.is_lens)
    return [int(row) for row in lenses[np.argsort(judged.logit[lenses], kind="stable")][:SHOWN]]


def examples(campaign: Campaign, objects: ObjectTable, judged: Judged, rows: list[int]) -> list[Example]:
    """These objects, as a report shows them."""
    return [
        Example(
            object_id=str(judged.truth.object_ids[row]),
            subtype=str(judged.truth.subtype[row]),
            p_lens=float(judged.p_lens[row]),
            logit=float(judged.logit[row]),
            picture=_picture(campaign, objects, str(judged.truth.object_ids[row])),
            facts=_facts(judged, row),
        )
        for row in rows
    ]


def _picture(campaign: Campaign, objects: ObjectTable, object_id: str) -> str | None:
    stored = objects.get(object_id)
    if stored is None or stored.kind != "flux":
        return None
    return thumbnail(campaign.cutouts().read(stored), campaign.survey)


def _facts(judged: Judged, row: int) -> list[str]:
    if not judged.truth.is_lens[row]:
        return []
    known = judged.truth.quantities
    formats = {"theta_E_arcsec": "{:.2f}″", "arc_snr": "{:,.0f}"}
    return [
        f"{QUANTITIES[name].title} {shown.format(known[name][row])}"
        for name, shown in formats.items()
        if name in known and np.isfinite(known[name][row])
    ]
