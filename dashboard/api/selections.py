"""Selections: what a filter lets through, kept; `GET queue?selection=` and sessions take them by id."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from dashboard.identity import LeadSession
from dashboard.queue_filter import check_withheld
from dashboard.queue_page import model_version_of
from dashboard.selecting import TITLE_LIMIT, keep
from data.filters import checked, parsed
from data.selections import LARGEST, selections_in
from data.survey_table import kinds_with_votes

router = APIRouter(prefix="/selections")

_NO_STORE = {"Cache-Control": "no-store"}


class Selecting(BaseModel):
    """What to keep. number : at most so many, the most lens-like; with a seed, so many at random."""

    filter: str = Field("", max_length=2_000, examples=["p_lens > 0.9 and I_E < 22"])
    model: str | None = Field(None, max_length=200)
    number: int | None = Field(None, ge=1, le=LARGEST)
    seed: int | None = Field(None, ge=0, lt=2**32)
    title: str = Field("", max_length=TITLE_LIMIT)


@router.get("")
def get_selections(session: LeadSession) -> JSONResponse:
    """All selections of this campaign, the newest first."""
    found: list[Any] = [asdict(one) for one in selections_in(session.state.campaign.selections_path)]
    return JSONResponse({"selections": found}, headers=_NO_STORE)


@router.post("", status_code=201)
def post_selection(session: LeadSession, given: Selecting) -> JSONResponse:
    """Keep what a filter lets through, as it is now."""
    version = model_version_of(session.state, given.model)
    kinds = kinds_with_votes(session.state.table.now(version))
    check_withheld(session, checked(parsed(given.filter), kinds), truth=True)
    kept = keep(
        session.state,
        given.filter,
        model_version=version,
        number=given.number,
        seed=given.seed,
        title=given.title,
        by=session.inspector,
    )
    return JSONResponse(asdict(kept), status_code=201, headers=_NO_STORE)
