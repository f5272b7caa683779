"""Maps of what a network saw in an object, computed when somebody first asks for them."""

import asyncio
from collections.abc import Coroutine
from typing import Literal

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.api.framing import MAP, framed
from dashboard.api.parameters import ObjectId
from dashboard.errors import UnknownMapError
from dashboard.explainer import Job
from dashboard.identity import CurrentSession
from dashboard.session import Subject
from dashboard.state import ServerState
from lensmodel.explain import find_method

router = APIRouter()

POLL_S = 0.25


class Ahead(BaseModel):
    """Which maps will be wanted next."""

    model: str = Field(max_length=200)
    methods: list[str] = Field(max_length=4)
    object_ids: list[str] = Field(max_length=8, description="the nearest first")


@router.get("/objects/{object_id:path}/maps/{model}/{method}", response_class=Response)
async def get_map(
    request: Request,
    session: CurrentSession,
    object_id: ObjectId,
    model: str,
    method: str,
    quality: Literal["fine", "coarse"] = "fine",
) -> Response:
    """A map on the reference band's pixels, NaN where it says nothing.

    `LVM1`, uint32 LE length of the header, JSON header, float32 LE values. quality : "coarse" gives a quick map of a
    method that takes long, or the fine one if that is there already; the header says which.
    """
    state = session.state
    subject = await run_in_threadpool(session.reveal, object_id)
    stored = subject.stored
    version = await run_in_threadpool(state.version_with_method, model, method)
    coarse = False
    found = await run_in_threadpool(state.map, version, method, stored)
    if found is None and quality == "coarse" and _has_coarse(method):
        coarse = True
        found = await run_in_threadpool(state.map, version, method, stored, coarse=True)
    if found is None:
        job = Job(version, method, stored.object_id, coarse)
        await _while_connected(request, state.explainer.compute(job))
        found = await run_in_threadpool(state.map, version, method, stored, coarse=coarse)
    if found is None:
        raise UnknownMapError(
            f"{method} of {version} gave no map of {stored.object_id!r}: try another method"
        )
    body = await run_in_threadpool(packed, state, subject, version, method, found, coarse=coarse)
    return Response(
        body, media_type="application/octet-stream", headers={"Cache-Control": "private, no-cache"}
    )


@router.post("/maps/ahead", status_code=202, response_class=Response)
async def post_ahead(session: CurrentSession, ahead: Ahead) -> Response:
    """Have maps of the candidates that come next computed; they are given out as all others are."""
    state = session.state
    versions = [
        (await run_in_threadpool(state.version_with_method, ahead.model, method), method)
        for method in ahead.methods
    ]
    jobs = []
    for subject in await run_in_threadpool(session.subjects, ahead.object_ids):
        if not isinstance(subject, Subject):
            raise subject
        jobs += [Job(version, method, subject.stored.object_id) for version, method in versions]
    state.explainer.ahead(session.inspector, jobs)
    return Response(status_code=202)


def packed(
    state: ServerState,
    subject: Subject,
    version: str,
    method: str,
    values: NDArray[np.float32],
    *,
    coarse: bool = False,
) -> bytes:
    """The answer's body, with the position read off the map."""
    found = find_method(method)
    assert found is not None
    scale = state.reference_scale_arcsec(subject.stored)
    header = {
        "object_id": subject.shown.object_id,
        "model_version": version,
        "method": method,
        "quality": "coarse" if coarse else "fine",
        "shape": values.shape,
        "pixel_scale_arcsec": scale,
        "signed": found.signed,
        "unit": found.unit,
        "position": position_on(values, scale),
    }
    return framed(MAP, header, [values])


def position_on(values: NDArray[np.float32], scale_arcsec: float) -> dict[str, float] | None:
    """The position read off a map, None if it points nowhere."""
    from data.maps import position_of

    position = position_of(values, scale_arcsec)
    return None if position is None else dict(zip(_POSITION, position, strict=True))


def _has_coarse(method: str) -> bool:
    found = find_method(method)
    return found is not None and found.has_coarse


_POSITION = ("x_arcsec", "y_arcsec", "sigma_arcsec")


async def _while_connected(request: Request, work: Coroutine[None, None, None]) -> None:
    """Wait for the work, and give it up when the browser went away: it has moved on to another object."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=POLL_S))[0]:
            if await request.is_disconnected():
                return
        task.result()
    finally:
        task.cancel()
