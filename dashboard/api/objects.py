"""One object: where it is, what the catalogue says, and what this inspector may know of scores and votes."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from dashboard.api.json_values import as_json
from dashboard.api.parameters import ObjectId
from dashboard.identity import CurrentSession
from dashboard.session import Look

router = APIRouter()


@router.get("/objects/{object_id:path}")
def get_object(session: CurrentSession, object_id: ObjectId) -> JSONResponse:
    """An object; scores, truth, known lens and other votes are null while they are withheld from this inspector.

    crossmatch : null while it is not known. Its `known_lens` is the nearest of a catalogue of known lenses (name,
    grading, type, z_lens, reference, separation_arcsec, catalogue), its `duplicate_of` the first object of this
    catalogue that is at the same place (object_id, separation_arcsec); null if there is none.
    """
    return JSONResponse(as_json(described(session.look(object_id))), headers={"Cache-Control": "no-store"})


def described(look: Look) -> dict[str, object]:
    """What the page shows beside the picture."""
    shown = look.shown
    return {
        "object_id": shown.object_id,
        "name": look.name,
        "planes_hash": shown.planes_hash,
        "ra_deg": shown.ra_deg,
        "dec_deg": shown.dec_deg,
        "bands": shown.bands,
        "kind": shown.kind,
        "columns": look.columns,
        "warnings": shown.warnings,
        "revealed": look.is_revealed,
        "withheld": look.is_withheld,
        "scores": look.scores,
        "truth": look.truth,
        "crossmatch": look.match
        and {"known_lens": look.match.known_lens, "duplicate_of": look.match.duplicate},
        "my_votes": [vote.as_dict() for vote in look.my_votes],
        "other_votes": None if look.other_votes is None else [vote.as_dict() for vote in look.other_votes],
    }
