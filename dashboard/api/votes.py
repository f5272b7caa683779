"""Votes: stored once, whatever happens on the way. The browser makes the id and repeats until answered."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import JSONResponse

from dashboard.identity import CurrentSession

router = APIRouter()

_EXAMPLE = {
    "vote_id": "3f2b8c1e-5d4a-4c39-9f0e-7a6b5c4d3e2f",
    "object_id": "EUCL J174517.55+655612.5",
    "phase": "blind",
    "grade": "A",
}


@router.post("/votes", status_code=201, responses={200: {"description": "the same vote again"}})
def post_vote(
    session: CurrentSession, values: Annotated[dict[str, Any], Body(examples=[_EXAMPLE])]
) -> JSONResponse:
    """Store a vote: 201 if it is new, 200 the same again, 409 if it contradicts what is stored."""
    vote, is_new = session.vote(values)
    return JSONResponse({"vote": vote.as_dict()}, status_code=201 if is_new else 200)


@router.get("/votes")
def get_votes(
    session: CurrentSession, object_id: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 50
) -> JSONResponse:
    """Your own votes, newest first, of one object or of all; undone and superseded ones too."""
    votes = session.history(object_id=object_id, limit=limit)
    return JSONResponse({"votes": [vote.as_dict() for vote in votes]}, headers={"Cache-Control": "no-store"})
