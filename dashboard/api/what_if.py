"""What a network would say of an object with pixels hidden or a lens injected: asked at each stroke of a brush."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dashboard.api.framing import WHAT_IF, framed
from dashboard.errors import BadRequestError
from dashboard.experimenter import Question
from dashboard.identity import CurrentSession
from dashboard.session import Subject
from dashboard.state import ServerState
from data.objects import StoredObject
from data.simulations.injected_lens import InjectedLens
from lensmodel.explain import METHODS
from lensmodel.explain.changes import FILLS, Change, Stroke

router = APIRouter()

MOST_POINTS = 10_000  # in all strokes together; each is rasterised while somebody waits
_TOLD = ("logit", "p_lens", "x_arcsec", "y_arcsec", "position_sigma_arcsec", "where_why")

Offset = Annotated[float, Field(ge=-1_000, le=1_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class StrokeGiven(_Strict):
    """The path of a round brush, x right, y up, from the cutout's centre."""

    radius_arcsec: Annotated[float, Field(gt=0, le=100)]
    points_arcsec: Annotated[list[tuple[Offset, Offset]], Field(min_length=1)]


class LensGiven(_Strict):
    """A simulated lens: an isothermal deflector and a source behind it, as `data.simulations.injected_lens` says."""

    x_arcsec: Offset
    y_arcsec: Offset
    theta_e_arcsec: Annotated[float, Field(ge=0.1, le=5)]
    mag_vis: Annotated[float, Field(ge=15, le=30)]
    vis_y: Annotated[float, Field(ge=-2, le=5)]
    offset: Annotated[float, Field(ge=0, le=1)]
    angle_deg: Annotated[float, Field(ge=-360, le=360)]


class WhatIfAsked(_Strict):
    """What to change. bands: those in which pixels are hidden, null for all. map: with the evidence map as it then is.

    inject: a lens to be added to all of Euclid's bands.
    """

    object_id: str
    model: str
    strokes: list[StrokeGiven] = []
    fill: Literal[*FILLS] = "median"  # type: ignore[valid-type]  # the table's names
    bands: list[str] | None = None
    map: bool = False
    inject: LensGiven | None = None

    def change(self, stored: StoredObject) -> Change:
        """As the network's process takes it.

        Raises
        ------
        BadRequestError
            If the object has no such band, or there is more than can be drawn while somebody waits.
        """
        points = sum(len(stroke.points_arcsec) for stroke in self.strokes)
        if points > MOST_POINTS:
            raise BadRequestError(f"the strokes have {points} points; at most {MOST_POINTS} are drawn")
        unknown = [band for band in self.bands or () if band not in stored.bands]
        if unknown:
            raise BadRequestError(f"bands has {unknown[0]!r:.40}; the object has {', '.join(stored.bands)}")
        strokes = tuple(Stroke(one.radius_arcsec, tuple(one.points_arcsec)) for one in self.strokes)
        lens = InjectedLens(**self.inject.model_dump()) if self.inject else None
        return Change(strokes, self.fill, None if self.bands is None else tuple(self.bands), lens)


@router.post("/what-if", response_class=Response)
async def post_what_if(session: CurrentSession, asked: WhatIfAsked) -> Response:
    """What a model says of the object before and now, and the changed pixels as it saw them. Nothing is kept.

    `LVW1`, uint32 LE length of the header, JSON header, float32 LE: for each of `patches` its values (y, x), and
    where `map` is not null, the map on the reference band's pixels.
    """
    subject = await run_in_threadpool(session.reveal, asked.object_id)
    body = await answered(session.state, subject, asked)
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


async def answered(state: ServerState, subject: Subject, asked: WhatIfAsked) -> bytes:
    """The answer's body. offset : of a patch or the map, in bytes from where data start."""
    stored = subject.stored
    card = await run_in_threadpool(state.runnable_card, asked.model)
    answer = await state.experimenter.answer(
        Question(card.version, stored, asked.change(stored), with_map=asked.map)
    )
    planes: list[NDArray[np.float32]] = []
    offset = 0

    def placed(values: NDArray[np.float32], **described: object) -> dict[str, object]:
        nonlocal offset
        entry = {**described, "shape": values.shape, "offset": offset}
        planes.append(values)
        offset += values.size * 4
        return entry

    def verdict(row: dict[str, object]) -> dict[str, object]:
        stated = state.scores.stated(card.version, row)
        return {name: stated.get(name) for name in _TOLD}

    header = {
        "object_id": subject.shown.object_id,
        "model_version": card.version,
        "before": await run_in_threadpool(verdict, answer.before),
        "now": await run_in_threadpool(verdict, answer.now),
        "hidden": vars(answer.hidden) if answer.hidden else None,
        "patches": [
            placed(patch.values, band=patch.band, x_px=patch.x_px, y_px=patch.y_px)
            for patch in answer.patches
        ],
        "map": None if answer.evidence is None else placed(answer.evidence, **_map_fields(state, stored)),
    }
    return framed(WHAT_IF, header, planes)


def _map_fields(state: ServerState, stored: StoredObject) -> dict[str, object]:
    method = METHODS["evidence"]
    return {
        "method": method.name,
        "signed": method.signed,
        "unit": method.unit,
        "pixel_scale_arcsec": state.reference_scale_arcsec(stored),
    }
