"""Many objects in one answer, for a page of the mosaic: their pixels, and what a network says of them.

They are posted because a page may name hundreds of objects. Pixels tell nothing that is withheld and never change under
their hash, so that the browser keeps them; verdicts are refused wherever grading is blind.
"""

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from starlette.responses import Response

from dashboard.api.framing import CELLS, VERDICTS, framed
from dashboard.api.maps import position_on
from dashboard.api.planes import described_plane
from dashboard.cells import averaged, factor_for, statistics_of
from dashboard.errors import WithheldError
from dashboard.identity import CurrentSession
from dashboard.session import Session, Subject
from data.cutouts import Plane
from data.errors import StoreError
from lensmodel.explain import find_method

router = APIRouter()

LARGEST_PAGE = 400


class Cells(BaseModel):
    """Which objects, and how large they are shown."""

    object_ids: list[str] = Field(max_length=LARGEST_PAGE)
    side_px: int = Field(ge=1, le=4096, description="of a cell: no more pixels than this are needed")
    bands: list[str] = Field(default=[], max_length=16, description="all, of objects that lack one of these")


class Verdicts(BaseModel):
    """Whose opinion of which objects. method : of the maps to send along, those that are stored."""

    model: str = Field(max_length=200)
    method: str | None = Field(default=None, max_length=100)
    object_ids: list[str] = Field(max_length=LARGEST_PAGE)
    side_px: int = Field(default=4096, ge=1, le=4096)


@router.post("/cells", response_class=Response)
def post_cells(session: CurrentSession, wanted: Cells) -> Response:
    """Planes of many objects, averaged over whole blocks where a cell has fewer pixels than they have.

    `LVC1`, uint32 LE length of the header, JSON header, float32 LE planes. An object that cannot be shown has a
    `problem` in place of planes. `statistics` : of the pixels before they were averaged.
    """
    data = _Data()
    cells = [
        _cell(session, subject, wanted, data)
        if isinstance(subject, Subject)
        else {"object_id": object_id, "problem": str(subject)}
        for object_id, subject in zip(wanted.object_ids, session.subjects(wanted.object_ids), strict=True)
    ]
    return data.answer(CELLS, {"cells": cells})


@router.post("/cells/verdicts", response_class=Response)
def post_verdicts(session: CurrentSession, wanted: Verdicts) -> Response:
    """Score, predicted position and stored map of many objects; nothing is computed for it.

    `LVV1`, uint32 LE length of the header, JSON header, float32 LE maps.
    """
    if session.is_blind:
        raise WithheldError("scores and maps come after your blind grade: a mosaic shows none here")
    state = session.state
    version = state.version_of(wanted.model)
    method = find_method(wanted.method) if wanted.method else None
    stored = [one.stored for one in session.subjects(wanted.object_ids) if isinstance(one, Subject)]
    scores = state.scores.rows(version, state.catalogue.now(), [one.object_id for one in stored])
    maps = state.maps(version, method.name, stored) if method else [None] * len(stored)
    data = _Data()
    verdicts = []
    for one, map_ in zip(stored, maps, strict=True):
        row = scores.get(one.object_id, {})
        scale = state.reference_scale_arcsec(one)
        drawn = None if map_ is None else _map(Plane(map_, scale), wanted.side_px, data)
        verdicts.append({"object_id": one.object_id, "map": drawn} | {name: row.get(name) for name in _SCORE})
    signed = method is not None and method.signed
    return data.answer(VERDICTS, {"model": version, "signed": signed, "verdicts": verdicts})


_SCORE = ("p_lens", "x_arcsec", "y_arcsec", "position_sigma_arcsec")


class _Data:
    """The arrays behind a header, and where each begins."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.float32]] = []
        self._length = 0

    def add(self, values: NDArray[np.float32]) -> int:
        """Take an array; returns its offset in bytes from where data start."""
        offset = self._length
        self._arrays.append(values)
        self._length += values.size * 4
        return offset

    def answer(self, magic: bytes, header: dict[str, object]) -> Response:
        body = framed(magic, header, self._arrays)
        return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


def _cell(session: Session, subject: Subject, wanted: Cells, data: _Data) -> dict[str, object]:
    shown, kind = subject.shown, subject.stored.kind
    try:
        planes = session.state.planes(subject.stored)
    except StoreError as damaged:
        return {"object_id": shown.object_id, "problem": str(damaged)}
    described = []
    for band in wanted.bands if wanted.bands and planes.keys() >= set(wanted.bands) else planes:
        factor = factor_for(planes[band].flux.shape, wanted.side_px)
        small = averaged(planes[band], factor, kind=kind)
        gain = factor**2 if kind == "flux" else 1
        statistics = statistics_of(planes[band].flux, gain=gain)
        entry = described_plane(band, small)
        described.append(entry | {"statistics": statistics, "offset": data.add(small.flux)})
    return {
        "object_id": shown.object_id,
        "planes_hash": shown.planes_hash,
        "kind": kind,
        "planes": described,
    }


def _map(map_: Plane, side_px: int, data: _Data) -> dict[str, object]:
    small = averaged(map_, factor_for(map_.flux.shape, side_px), kind="map")
    return {
        "shape": small.flux.shape,
        "pixel_scale_arcsec": small.pixel_scale_arcsec,
        "position": position_on(map_.flux, map_.pixel_scale_arcsec),
        "offset": data.add(small.flux),
    }
