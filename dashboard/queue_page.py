"""A page of the queue for one inspector: what comes next, and how far he or she is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.errors import BadRequestError, WithheldError
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
    """

    order: str | None = None
    model: str | None = None
    seed: int | None = None
    offset: int = 0
    limit: int = 32
    show: str = "todo"
    filter: str = ""
    selection: str = ""


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
    shown = _is_shown(queue.catalogue, decisions, request.show)
    for board in session.open_boards():
        # These come by ticket: under their own ids they would tell which tickets are theirs.
        shown[board.rows_in(queue.catalogue)] = False
    if request.filter.strip():
        shown &= matching(session, queue.catalogue, version, request.filter)
    if request.selection:
        shown &= selected(session, queue.catalogue, request.selection)
    ranks = np.flatnonzero(shown[queue.rows])
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
        "items": _items(queue, ranks[request.offset : request.offset + request.limit], decisions, session),
    }


def allowed_orders(session: Session) -> list[Order]:
    """The orders that tell nothing that is withheld; the first is the default."""
    if session.is_blind:
        # A catalogue may be sorted by score, or hold all lenses first.
        return [ORDERS["random"]]
    return list(ORDERS.values())


def _order(session: Session, name: str | None) -> Order:
    allowed = allowed_orders(session)
    if name is None:
        return allowed[0]
    if name not in ORDERS:
        raise BadRequestError(f"order is {name!r:.40}; expected one of {', '.join(ORDERS)}")
    if ORDERS[name] not in allowed:
        raise WithheldError(
            f"order {name} would tell what the network thinks before your blind grade: "
            f"choose {' or '.join(order.name for order in allowed)}"
        )
    return ORDERS[name]


def model_version_of(state: ServerState, name: str | None) -> str | None:
    versions = state.scored_versions()
    if name is None:
        return versions[0] if versions else None
    found = [version for version in versions if name in (version, state.name_of(version))]
    if not found:
        listed = ", ".join(versions) or "none yet"
        raise BadRequestError(f"model is {name!r:.80}; scores here are by {listed}")
    return found[0]


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
