"""A page of the queue for one inspector: what comes next, and how far he or she is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import BadRequestError, UnknownObjectError, WithheldError
from dashboard.live_catalogue import Catalogue
from dashboard.queue_filter import matching, selected
from dashboard.queue_order import ORDERS, Order, seed_of
from dashboard.session import Session
from dashboard.state import Queue, ServerState

SHOWN = ("todo", "all", "graded", "skipped")
Decisions = Mapping[str, str | None]


@dataclass(frozen=True)
class PageRequest:
    """Which part of the queue. order, model, seed : None takes the campaign's default.

    filter : of `data.filters`. selection : the id of one.
    as_of : what is to be done, or was graded, at that moment, so that pages stay as they are while one grades.
    holding : the page with this object, in place of that at `offset`.
    with_votes : also what the inspector said of each object.
    """

    order: str | None = None
    model: str | None = None
    seed: int | None = None
    offset: int = 0
    limit: int = 32
    show: str = "todo"
    filter: str = ""
    selection: str = ""
    as_of: datetime | None = None
    holding: str | None = None
    with_votes: bool = False


def queue_page(session: Session, request: PageRequest) -> dict[str, object]:
    """The page as JSON values. `total` counts the campaign, `matching` what `show` lets through.

    Raises
    ------
    BadRequestError
        If the order or the model is not known.
    FilterError
        If the filter is not understood, or there is no such selection.
    WithheldError
        If the order or the filter would tell what is withheld.
    """
    state = session.state
    order = _order(session, request.order)
    version = model_version_of(state, request.model)
    seed = seed_of(session.inspector) if request.seed is None else request.seed
    queue = state.queue(order, model_version=version, seed=seed)
    decisions = session.decisions()
    n_graded = sum(grade is not None for grade in decisions.values())
    listed = decisions if request.as_of is None else session.decisions(as_of=request.as_of)
    shown = _is_shown(queue.catalogue, listed, request.show)
    for board in session.open_boards():
        # These come by ticket: under their own ids they would tell which tickets are theirs.
        shown[board.rows_in(queue.catalogue)] = False
    if request.filter.strip():
        shown &= matching(session, queue.catalogue, version, request.filter)
    if request.selection:
        shown &= selected(session, queue.catalogue, request.selection)
    ranks = np.flatnonzero(shown[queue.rows])
    offset = request.offset if request.holding is None else _offset_of(queue, ranks, request)
    items = _items(queue, ranks[offset : offset + request.limit], decisions, session)
    return {
        "order": order.name,
        "model": version,
        "seed": seed,
        "filter": request.filter,
        "selection": request.selection,
        "version": queue.version,
        "total": len(queue.catalogue),
        "matching": len(ranks),
        "scored": queue.scores.scored if queue.scores else 0,
        "graded": n_graded,
        "skipped": len(decisions) - n_graded,
        "offset": offset,
        "items": _with_votes(session, items) if request.with_votes else items,
    }


def _offset_of(queue: Queue, ranks: NDArray[np.int64], request: PageRequest) -> int:
    """Where the page of `limit` candidates begins that holds the object asked for."""
    assert request.holding is not None
    row = queue.catalogue.table.row_numbers([request.holding])
    places = np.flatnonzero(queue.rows[ranks] == row[0]) if row[0] >= 0 else []
    if not len(places):
        raise UnknownObjectError(request.holding)
    return int(places[0]) // request.limit * request.limit


def _with_votes(session: Session, items: list[dict[str, object]]) -> list[dict[str, object]]:
    """The items with the vote that stands, and whether a blind vote on them would be refused."""
    object_ids = [str(item["object_id"]) for item in items]
    votes, shown = session.standing_votes(object_ids), session.shown_ids(object_ids)
    return [
        item
        | {
            "vote": votes[object_id].as_dict() if object_id in votes else None,
            "was_shown": object_id in shown,
        }
        for object_id, item in zip(object_ids, items, strict=True)
    ]


def allowed_orders(session: Session) -> list[Order]:
    """The orders that tell nothing that is withheld; the first is the default."""
    if session.is_blind:
        # A catalogue may be sorted by score, or hold all lenses first.
        return [ORDERS["random"]]
    return [order for order in ORDERS.values() if order.of_table is None or session.state.offers(order)]


def _order(session: Session, name: str | None) -> Order:
    allowed = allowed_orders(session)
    if name is None:
        return allowed[0]
    if name not in ORDERS:
        raise BadRequestError(f"order is {name!r:.40}; expected one of {', '.join(ORDERS)}")
    if ORDERS[name] not in allowed and session.is_blind:
        raise WithheldError(
            f"order {name} would tell what the network thinks before your blind grade: "
            f"choose {' or '.join(order.name for order in allowed)}"
        )
    return ORDERS[name]


def model_version_of(state: ServerState, name: str | None) -> str | None:
    """The version of the model of that name, of the newest one if none is named; None without scores."""
    if name is not None:
        return state.version_of(name)
    return next(iter(state.scored_versions()), None)


def _is_shown(catalogue: Catalogue, decisions: Decisions, show: str) -> NDArray[np.bool_]:
    """For each catalogue row, whether it is among those asked for."""
    if show == "all":
        return np.ones(len(catalogue), bool)
    decided = [
        i for i, grade in decisions.items() if show == "todo" or (grade is None) == (show == "skipped")
    ]
    rows = catalogue.table.row_numbers(decided)
    shown = np.full(len(catalogue), show == "todo")
    shown[rows[rows >= 0]] = show != "todo"
    return shown


def _items(
    queue: Queue, ranks: NDArray[np.int64], decisions: Decisions, session: Session
) -> list[dict[str, object]]:
    """The candidates of these ranks. rank : from 1, in the whole order; None in a blind-first campaign."""
    listed = queue.catalogue.listed(queue.rows[ranks])
    return [
        {
            "object_id": object_id,
            "planes_hash": planes_hash,
            "rank": None if session.is_blind else int(rank) + 1,
            "grade": decisions.get(object_id),
        }
        for rank, (object_id, planes_hash) in zip(ranks, listed, strict=True)
    ]
