"""The campaign itself: is the server well, what may be said about an object, and who is asking."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.responses import JSONResponse

from dashboard.api.json_values import as_json
from dashboard.errors import BadRequestError, ForbiddenError
from dashboard.identity import CurrentSession, remember
from dashboard.inspection_board import Board
from dashboard.queue_order import Order
from dashboard.queue_page import allowed_orders
from dashboard.session import Session
from dashboard.state import ServerState
from data.people import composed_name
from data.priors import prior_of
from data.votes import CONTAMINANTS, FLAGS, GRADES, TAGS, Term
from lensmodel.explain import METHODS, Method, find_method, methods_for

router = APIRouter()

SESSION_ORDER = Order("session", "what the session gives you")


@router.get("/health")
def get_health(session: CurrentSession) -> JSONResponse:
    """Whether the server answers, and how much it holds."""
    state = session.state
    catalogue = state.catalogue.now()
    answer = {
        "status": "ok",
        "version": version("lensvet"),
        "campaign": state.campaign.title,
        "objects": len(catalogue),
        "scored": {name: state.scores.columns(name, catalogue).scored for name in state.scored_versions()},
        "votes": state.labels.number_of_votes(),
        "reveal": state.campaign.reveal,
    }
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.get("/campaign")
def get_campaign(session: CurrentSession, session_id: str | None = None) -> JSONResponse:
    """The words and choices of this campaign, or of a group session in it: all a page needs to draw its controls."""
    board = None if session_id is None else session.board(session_id)
    return JSONResponse(as_json(described(session, board)), headers={"Cache-Control": "no-store"})


@router.post("/me")
def post_me(
    session: CurrentSession, values: Annotated[dict[str, Any], Body(examples=[{"name": "Ada"}])]
) -> JSONResponse:
    """Say who you are, on a machine where nobody signs in; this browser remembers it."""
    if session.state.signing_in is not None:
        raise ForbiddenError("people sign in here: to be somebody else, sign out")
    if "name" not in values:
        raise BadRequestError('name is missing; send {"name": "…"}')
    name = composed_name(values["name"])
    answer = JSONResponse({"inspector": name})
    remember(answer, name)
    return answer


def described(session: Session, board: Board | None = None) -> dict[str, object]:
    """Settings, vocabulary, models and orders; in a group session, what it has of its own."""
    state = session.state
    survey = state.campaign.survey
    return {
        "id": state.campaign.identifier,
        "title": state.campaign.title,
        "survey": survey.name,
        "reveal": "after-grade" if board else state.campaign.reveal,
        "quorum": board.inspection.settings.quorum if board else state.campaign.quorum,
        "now": datetime.now(UTC).isoformat(),
        "is_blind": session.is_blind,
        "session": _session(board) if board else None,
        "inspector": session.inspector,
        "role": session.person.role,
        "signs_in": state.signing_in is not None,
        "bands": [band.name for band in survey.bands],
        "psf_fwhm_arcsec": {band.name: band.psf_fwhm_arcsec for band in survey.bands},
        "composite": survey.composite,
        "composite_neutral_mag": survey.composite_neutral_mag,
        "reference_band": survey.reference_band,
        "grades": _terms(GRADES),
        "contaminants": _terms(CONTAMINANTS),
        "tags": _terms(TAGS),
        "flags": _terms(FLAGS),
        "models": [_model(state, name) for name in state.scored_versions()],
        "methods": [_method(method) for method in _methods(state)],
        "orders": [
            {"name": order.name, "title": order.title}
            for order in ([SESSION_ORDER] if board else allowed_orders(session))
        ],
    }


def _session(board: Board) -> dict[str, object]:
    """A group session as its inspectors know it."""
    settings = board.inspection.settings
    return {
        "id": board.inspection.session_id,
        "title": settings.title,
        "state": board.inspection.state,
        "reveal": settings.reveal,
        "feedback": settings.feedback,
        "note": settings.note,
    }


def _terms(table: dict[str, Term]) -> list[dict[str, object]]:
    return [
        {"id": name, "label": term.label, "key": term.key, "definition": term.definition}
        for name, term in table.items()
    ]


def _model(state: ServerState, model_version: str) -> dict[str, object]:
    """A model that scored here; one that this machine does not have can explain nothing new."""
    card = state.card(model_version)
    return {
        "version": model_version,
        "name": card.name if card else model_version,
        "title": card.title if card else model_version,
        "predicts_position": card.predicts_position if card else False,
        "prior": prior_of(state.campaign, model_version),
        "methods": methods_for(card) if card else [],
    }


def _methods(state: ServerState) -> list[Method]:
    """Those of every model, each once."""
    found = dict(METHODS)
    for card in map(state.card, state.scored_versions()):
        for name in methods_for(card) if card else []:
            method = find_method(name, card)
            assert method is not None
            found.setdefault(name, method)
    return list(found.values())


def _method(method: Method) -> dict[str, object]:
    return {
        "name": method.name,
        "title": method.title,
        "shows": method.shows,
        "cannot_say": method.cannot_say,
        "unit": method.unit,
        "signed": method.signed,
        "has_coarse": method.has_coarse,
    }
