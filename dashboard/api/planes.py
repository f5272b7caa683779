"""The pixels of an object, as they were measured; the browser keeps them, since a hash names them."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from dashboard.api.framing import PLANES, framed
from dashboard.api.parameters import ObjectId
from dashboard.identity import CurrentSession
from data.cutouts import Plane
from data.objects import StoredObject
from data.surveys import pivot_um

router = APIRouter()

IMMUTABLE = "private, max-age=31536000, immutable"


@router.get("/objects/{object_id:path}/planes", response_class=Response)
def get_planes(
    request: Request, session: CurrentSession, object_id: ObjectId, hash: str | None = None
) -> Response:
    """Planes of all bands, each at its own pixel scale.

    `LVP1`, uint32 LE length of the header, JSON header, float32 LE planes.
    """
    subject = session.subject(object_id)
    shown = subject.shown
    etag = f'"{shown.planes_hash}"'
    # An address that names the hash of planes which were replaced since must not keep the new ones for ever.
    is_current = hash in (None, "", shown.planes_hash)
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE if is_current else "no-store"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = packed(shown, session.state.planes(subject.stored))
    return Response(body, media_type="application/octet-stream", headers=headers)


def described_plane(band: str, plane: Plane) -> dict[str, object]:
    """What a header says of a plane."""
    return {
        "band": band,
        "shape": plane.flux.shape,
        "pixel_scale_arcsec": plane.pixel_scale_arcsec,
        "zero_point_mag": plane.zero_point_mag,
        "pivot_um": pivot_um(band),
    }


def packed(stored: StoredObject, planes: dict[str, Plane]) -> bytes:
    """The answer's body. offset : of a plane, in bytes from where data start."""
    described, offset = [], 0
    for band, plane in planes.items():
        described.append(described_plane(band, plane) | {"offset": offset})
        offset += plane.flux.size * 4
    header = {
        "object_id": stored.object_id,
        "planes_hash": stored.planes_hash,
        "ra_deg": stored.ra_deg,
        "dec_deg": stored.dec_deg,
        "cd_deg": stored.cd_deg,
        "centre_deg": (stored.sky.ra_deg, stored.sky.dec_deg) if stored.sky else None,
        "kind": stored.kind,
        "planes": described,
    }
    return framed(PLANES, header, [plane.flux for plane in planes.values()])
