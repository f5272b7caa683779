"""Group sessions: opened, presented and closed by leads; followed, discussed and reported to those who are in."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from dashboard.api.json_values import as_json
from dashboard.errors import BadRequestError, WithheldError
from dashboard.identity import CurrentSession, LeadSession
from dashboard.inspection_board import Board
from dashboard.inspection_opening import open_inspection
from dashboard.inspection_results import csv_of, reports_of, results_of, summary_of
from dashboard.presenting import Presenter, Shown
from dashboard.session import Session, Subject
from data.inspection_store import Inspection

router = APIRouter(prefix="/sessions")

_NO_STORE = {"Cache-Control": "no-store"}
KEEP_ALIVE_S = 15.0
_EXAMPLE = {
    "settings": {"title": "Best of Q1", "quorum": 6, "repeats": 0.05},
    "selection": {"model": "evidence-net", "p_lens_from": 0.5, "limit": 1000},
    "known": "catalogue",
    "known_share": 0.1,
}


class Step(BaseModel):
    """What a lead does with a session."""

    step: str = Field(max_length=40, description="pause, resume, close or reopen")


class Comment(BaseModel):
    """Something said of an object; object_id : as you know it, also a ticket."""

    object_id: str
    comment: str


class FinalGrade(BaseModel):
    """What the discussion came to."""

    object_id: str
    grade: str = Field(max_length=10)
    comment: str = ""


class Presented(BaseModel):
    """What everybody should see: an object (null ends it), settings of the stage, and whether a round is open.

    ahead : what will probably come next; browsers fetch it.
    """

    object_id: str | None = None
    view: dict[str, Any] = Field(default_factory=dict, max_length=40)
    voting: bool = True
    ahead: list[str] = Field(default_factory=list, max_length=4)


@router.get("")
def get_sessions(session: CurrentSession) -> JSONResponse:
    """Sessions that you are in; to leads, all of them."""
    found = [
        _brief(session, one)
        for one in session.state.inspections.all()
        if one.admits(session.person.account) or session.person.may("lead")
    ]
    return JSONResponse(as_json({"sessions": found, "role": session.person.role}), headers=_NO_STORE)


@router.post("", status_code=201)
def post_session(
    session: LeadSession, values: Annotated[dict[str, Any], Body(examples=[_EXAMPLE])]
) -> JSONResponse:
    """Open a session."""
    opened = open_inspection(session, values)
    return JSONResponse(as_json(_brief(session, opened)), status_code=201)


@router.get("/{session_id}")
def get_session(session: CurrentSession, session_id: str) -> JSONResponse:
    """A session: what was agreed, how far it is; to leads, also who is here and how far people agree."""
    board = _board(session, session_id)
    told = _brief(session, board.inspection)
    settings = board.inspection.settings
    told |= {
        "note": settings.note,
        "examples": {grade: _example(session, object_id) for grade, object_id in settings.examples},
        "members": list(settings.members),
    }
    if session.person.may("lead"):
        told |= {
            "people": board.people(),
            "known": int(board.is_known.sum()),
            "settings": settings.as_dict(),
            "summary": summary_of(session.state, board),
        }
    return JSONResponse(as_json(told), headers=_NO_STORE)


@router.post("/{session_id}/step")
async def post_step(session: LeadSession, session_id: str, step: Step) -> JSONResponse:
    """Pause, resume, close or reopen it."""
    inspections = session.state.inspections
    inspection = await run_in_threadpool(inspections.store.step, session_id, step.step, by=session.inspector)
    await run_in_threadpool(inspections.changed)
    await session.state.presenter(session_id).touch()
    return JSONResponse(as_json(await run_in_threadpool(_brief, session, inspection)))


@router.get("/{session_id}/results")
def get_results(
    session: LeadSession, session_id: str, disputed: bool = False, format: str = "json"
) -> Response:
    """What the votes come to by object, by every rule; to a lead who is in it, only what the lead has graded, or all
    once the session is closed. disputed : only opinions two grades apart or more, the widest first.
    """
    board = _board(session, session_id)
    rows = results_of(session.state, board)
    rows = [
        {"ticket": session.ticket(board, board.place_of[row["object_id"]], 0), **row}
        for row in rows
        if _may_know(session, board, row["object_id"])
    ]
    if disputed:
        rows = sorted((row for row in rows if row["is_disputed"]), key=lambda row: -float(row["spread"]))
    if format == "csv":
        headers = {**_NO_STORE, "Content-Disposition": 'attachment; filename="session.csv"'}
        return Response(csv_of(rows), media_type="text/csv; charset=utf-8", headers=headers)
    if format != "json":
        raise BadRequestError(f"format is {format!r:.40}; expected json or csv")
    return JSONResponse(as_json({"rows": rows}), headers=_NO_STORE)


@router.get("/{session_id}/reports")
def get_reports(session: CurrentSession, session_id: str) -> JSONResponse:
    """Reports of inspectors: your own once the session is closed or if it trains; to leads, everybody's."""
    board = _board(session, session_id)
    reports = reports_of(session.state, board)
    if not session.person.may("lead"):
        if board.inspection.state != "closed" and not board.inspection.settings.feedback:
            raise WithheldError(
                "your report comes when the session is closed: it would tell what was mixed in"
            )
        reports = {name: report for name, report in reports.items() if name == session.inspector}
    return JSONResponse(as_json({"reports": reports}), headers=_NO_STORE)


@router.get("/{session_id}/discussion")
def get_discussion(session: CurrentSession, session_id: str, object_id: str) -> JSONResponse:
    """What was said of an object, after your own blind grade."""
    board = _board(session, session_id)
    subject = _discussed(session, board, object_id)
    store = session.state.inspections.store
    said = [vars(one) for one in store.discussion(session_id, subject.stored.object_id)]
    final = store.final_grades(session_id).get(subject.stored.object_id)
    return JSONResponse(as_json({"said": said, "final": final and vars(final)}), headers=_NO_STORE)


@router.post("/{session_id}/discussion", status_code=201)
def post_comment(session: CurrentSession, session_id: str, comment: Comment) -> JSONResponse:
    """Say something of an object, after your own blind grade."""
    subject = _discussed(session, _board(session, session_id), comment.object_id)
    store = session.state.inspections.store
    store.comment(session_id, subject.stored.object_id, comment.comment, by=session.inspector)
    return JSONResponse({}, status_code=201)


@router.post("/{session_id}/final", status_code=201)
def post_final(session: LeadSession, session_id: str, final: FinalGrade) -> JSONResponse:
    """Store the grade that the discussion came to: a record of its own, beside the votes."""
    subject = _discussed(session, _board(session, session_id), final.object_id)
    store = session.state.inspections.store
    store.decide(session_id, subject.stored.object_id, final.grade, final.comment, by=session.inspector)
    return JSONResponse({}, status_code=201)


@router.post("/{session_id}/present")
async def post_presented(session: LeadSession, session_id: str, presented: Presented) -> JSONResponse:
    """Have everybody in the session follow; a round that was open and is not any more shows all votes at once."""
    board = await run_in_threadpool(_board, session, session_id)
    places = await run_in_threadpool(_places, session, board, [presented.object_id, *presented.ahead])
    shown = await session.state.presenter(session_id).show(
        by=session.inspector,
        place=places[0],
        view=presented.view,
        is_voting=presented.voting,
        ahead=tuple(place for place in places[1:] if place is not None),
    )
    return JSONResponse({"version": shown.version})


@router.get("/{session_id}/presented")
async def get_presented(
    request: Request,
    session: CurrentSession,
    session_id: str,
    stream: Annotated[bool, Query(description="keep sending, as server-sent events")] = True,
) -> Response:
    """What is presented, now and whenever it changes, with ids as tickets of yours."""
    board = await run_in_threadpool(_board, session, session_id)
    presenter = session.state.presenter(session_id)
    if not stream:
        return JSONResponse(as_json(await run_in_threadpool(_told, session, board, presenter.shown)))
    return StreamingResponse(
        _events(request, session, board, presenter), media_type="text/event-stream", headers=_NO_STORE
    )


async def _events(
    request: Request, session: Session, board: Board, presenter: Presenter
) -> AsyncIterator[str]:
    presenter.followers += 1
    version = -1
    try:
        while not session.state.is_closing:
            shown = presenter.shown
            if shown.version == version:
                found = await presenter.next_after(version, wait_s=KEEP_ALIVE_S)
                if found is None:
                    yield ": still here\n\n"
                    continue
                shown = found
            version = shown.version
            told = await run_in_threadpool(_told, session, board, shown)
            yield f"data: {json.dumps(as_json(told), ensure_ascii=True)}\n\n"
    except asyncio.CancelledError:
        return
    finally:
        presenter.followers -= 1


def _places(session: Session, board: Board, object_ids: list[str | None]) -> list[int | None]:
    """The places of these objects in the session; None has none."""
    places = []
    for object_id in object_ids:
        found = None if object_id is None else session.subject(object_id).stored.object_id
        if found is not None and found not in board.place_of:
            raise BadRequestError("this object is not in the session")
        places.append(None if found is None else board.place_of[found])
    return places


def _told(session: Session, board: Board, shown: Shown) -> dict[str, object]:
    """What one who follows is told."""
    told: dict[str, object] = {
        "version": shown.version,
        "by": shown.by,
        "view": shown.view,
        "voting": shown.is_voting,
        "state": board.inspection.state,
        "object_id": None,
        "ahead": [_entry(session, board, place) for place in shown.ahead],
    }
    if shown.place is not None:
        subject = session.subject(session.ticket(board, shown.place, 0))
        grades = board.grades_on(shown.place)
        told |= {
            "object_id": subject.shown.object_id,
            "planes_hash": subject.shown.planes_hash,
            "n_votes": len(grades),
            "votes": None
            if shown.is_voting or session.is_withheld(subject)
            else [{"inspector": name, "grade": grade} for name, grade in sorted(grades.items())],
        }
    return told


def _entry(session: Session, board: Board, place: int) -> dict[str, object]:
    shown = session.subject(session.ticket(board, place, 0)).shown
    return {"object_id": shown.object_id, "planes_hash": shown.planes_hash}


def _board(session: Session, session_id: str) -> Board:
    """Of a session that this person is in, or leads."""
    if session.person.may("lead"):
        return session.state.inspections.board(session_id)
    return session.board(session_id)


def _discussed(session: Session, board: Board, object_id: str) -> Subject:
    subject = session.subject(object_id)
    if subject.stored.object_id not in board.place_of:
        raise BadRequestError("this object is not in the session")
    if not _may_know(session, board, subject.stored.object_id):
        raise WithheldError("what others say of this object comes after your blind grade: grade it first")
    return subject


def _may_know(session: Session, board: Board, object_id: str) -> bool:
    """Whether others' votes on an object may be told: to those who graded it, and to leads who are not in it."""
    if not board.inspection.admits(session.person.account) or board.inspection.state == "closed":
        return session.person.may("lead") or not session.is_withheld(session.subject(object_id))
    return not session.is_withheld(session.subject(session.ticket(board, board.place_of[object_id], 0)))


def _example(session: Session, object_id: str) -> dict[str, object]:
    stored = session.state.stored(object_id)
    return {"object_id": stored.object_id, "planes_hash": stored.planes_hash}


def _brief(session: Session, inspection: Inspection) -> dict[str, object]:
    board = session.state.inspections.board(inspection.session_id)
    settings = inspection.settings
    is_in = inspection.admits(session.person.account)
    decisions = board.decisions_of(session.inspector) if is_in else {}
    return {
        "session_id": inspection.session_id,
        "title": settings.title,
        "state": inspection.state,
        "quorum": settings.quorum,
        "reveal": settings.reveal,
        "feedback": settings.feedback,
        "opened_at": inspection.opened_at,
        "opened_by": inspection.opened_by,
        "progress": vars(board.progress()),
        "is_member": is_in,
        "mine": {
            "graded": sum(grade is not None for grade in decisions.values()),
            "left": board.left_for(session.inspector) if is_in else 0,
        },
        "followers": session.state.presenter(inspection.session_id).followers,
        "presenting": session.state.presenter(inspection.session_id).shown.place is not None,
    }
