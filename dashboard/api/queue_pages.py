"""The queue: in which order candidates come to this inspector, and how far he or she is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import JSONResponse

from dashboard.identity import CurrentSession
from dashboard.inspection_page import inspection_page
from dashboard.queue_page import PageRequest, queue_page

router = APIRouter()

LIMIT = 1_000
FILTER_LIMIT = 2_000


@router.get("/queue")
def get_queue(
    session: CurrentSession,
    order: str | None = None,
    model: str | None = None,
    seed: Annotated[int | None, Query(ge=0, lt=2**32)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT)] = 32,
    show: Literal["todo", "all", "graded", "skipped"] = "todo",
    filter_text: Annotated[str, Query(alias="filter", max_length=FILTER_LIMIT)] = "",
    selection: Annotated[str, Query(max_length=40)] = "",
    as_of: AwareDatetime | None = None,
    holding: str | None = None,
    with_votes: bool = False,
    session_id: str | None = None,
) -> JSONResponse:
    """A page of the queue: of all, or of those that a filter (`p_lens > 0.9 and I_E < 22`) or a selection lets through.

    `version` changes when scores or objects land, `matching` counts all pages.

    `as_of` keeps the pages of what is to be done as they were while one grades: a time that the server told as `now`.
    `holding` asks for the page with that object; `with_votes` for what you said of each.

    With a `session_id`, what that group session gives you next: ids are tickets, made for you alone.
    """
    request = PageRequest(
        order,
        model,
        seed,
        offset,
        limit,
        show,
        filter=filter_text,
        selection=selection,
        as_of=as_of,
        holding=holding,
        with_votes=with_votes,
    )
    page = (
        queue_page(session, request)
        if session_id is None
        else inspection_page(session, session.board(session_id), request)
    )
    return JSONResponse(page, headers={"Cache-Control": "no-store"})
