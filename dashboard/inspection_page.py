"""What of a group session comes to an inspector next, in the form of a page of the queue."""

from collections.abc import Mapping, Sequence

from dashboard.inspection_board import AHEAD, Board
from dashboard.queue_page import PageRequest
from dashboard.session import Session, shown_hash


def inspection_page(session: Session, board: Board, request: PageRequest) -> dict[str, object]:
    """The page as JSON values, ids as tickets. `total` counts what is, or may come, before this inspector.

    What is to be graded is handed out in small numbers, since others wait for it; `waiting` tells that all that is left
    is before others now.
    """
    decisions = board.decisions_of(session.inspector)
    state = board.inspection.state
    if not board.inspection.admits(session.person.account):
        # A lead who presents or decides walks through all, in the session's order, and takes nothing from anybody.
        found = [(place, 0) for place in range(len(board.items))]
    elif request.show == "todo":
        found = board.next_for(session.inspector, limit=min(request.limit, AHEAD)) if state == "open" else []
    else:
        wanted = {"all": None, "graded": True, "skipped": False}[request.show]
        found = [look for look, grade in decisions.items() if wanted in (None, grade is not None)]
    graded = sum(grade is not None for grade in decisions.values())
    left = (
        len(board.items)
        if not board.inspection.admits(session.person.account)
        else board.left_for(session.inspector)
    )
    return {
        "order": "session",
        "model": None,
        "seed": board.inspection.settings.seed,
        "version": f"{board.inspection.session_id}.{state}",
        "total": graded + left,
        "matching": len(found),
        "scored": 0,
        "graded": graded,
        "skipped": len(decisions) - graded,
        "session_state": state,
        "waiting": state == "open" and request.show == "todo" and left > 0 and not found,
        "items": _items(session, board, found[request.offset : request.offset + request.limit], decisions),
    }


def _items(
    session: Session,
    board: Board,
    looks: Sequence[tuple[int, int]],
    decisions: Mapping[tuple[int, int], str | None],
) -> list[dict[str, object]]:
    catalogue = session.state.catalogue.now()
    rows = catalogue.table.row_numbers(board.items[place].object_id for place, _ in looks)
    listed = catalogue.listed(rows)
    items = []
    for (place, look), (_, planes_hash) in zip(looks, listed, strict=True):
        ticket = session.ticket(board, place, look)
        items.append(
            {
                "object_id": ticket,
                "planes_hash": shown_hash(ticket, planes_hash),
                "rank": None,
                "grade": decisions.get((place, look)),
            }
        )
    return items
