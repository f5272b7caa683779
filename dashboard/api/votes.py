"""Votes: stored once, whatever happens on the way. The browser makes the id and repeats until answered."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import JSONResponse

from dashboard.api.problems import status_of
from dashboard.identity import CurrentSession
from dashboard.session import Session
from data.errors import LensVetError

router = APIRouter()

BATCH = 100

_EXAMPLE = {
    "vote_id": "3f2b8c1e-5d4a-4c39-9f0e-7a6b5c4d3e2f",
    "object_id": "EUCL J174517.55+655612.5",
    "phase": "blind",
    "grade": "A",
}


@router.post(
    "/votes",
    status_code=201,
    responses={200: {"description": "the same vote again"}, 421: {"description": "meant for somebody else"}},
)
def post_vote(
    session: CurrentSession,
    values: Annotated[dict[str, Any], Body(examples=[_EXAMPLE])],
    campaign: Annotated[str | None, Query(description="`id` of the campaign that the page shows")] = None,
    inspector: Annotated[str | None, Query(description="name that the page shows")] = None,
) -> JSONResponse:
    """Store a vote: 201 if it is new, 200 the same again, 409 if it contradicts what is stored.

    A page names the campaign and the inspector that it shows. If the server has been replaced, or the name was
    changed in another tab, the answer is 421 and the page keeps the vote.
    """
    session.check_meant(campaign=campaign, inspector=inspector)
    vote, is_new = session.vote(values)
    return JSONResponse({"vote": vote.as_dict()}, status_code=201 if is_new else 200)


@router.post("/votes/batch")
def post_votes(
    session: CurrentSession,
    votes: Annotated[list[dict[str, Any]], Body(max_length=BATCH)],
    campaign: Annotated[str | None, Query(description="`id` of the campaign that the page shows")] = None,
    inspector: Annotated[str | None, Query(description="name that the page shows")] = None,
) -> JSONResponse:
    """Store votes one by one, as `POST votes` does, in one request: a page of the mosaic may be graded at once.

    Each has an answer of its own, in the same order: {status, body}.
    """
    session.check_meant(campaign=campaign, inspector=inspector)
    return JSONResponse({"answers": [_answer(session, values) for values in votes]})


def _answer(session: Session, values: dict[str, Any]) -> dict[str, object]:
    try:
        vote, is_new = session.vote(values)
    except LensVetError as refusal:
        return {"status": status_of(refusal), "body": {"detail": str(refusal)}}
    return {"status": 201 if is_new else 200, "body": {"vote": vote.as_dict()}}


@router.get("/votes")
def get_votes(
    session: CurrentSession,
    object_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
    session_id: str | None = None,
) -> JSONResponse:
    """Your own votes, newest first, of one object, of a group session, or of all; undone and superseded ones too."""
    board = None if session_id is None else session.board(session_id)
    votes = session.history(object_id=object_id, limit=limit, board=board)
    return JSONResponse({"votes": [vote.as_dict() for vote in votes]}, headers={"Cache-Control": "no-store"})
