"""The group sessions of a campaign as they are now: one board each, made when somebody first asks."""

import threading
import time

from dashboard.inspection_board import Board, second_look
from data.errors import InspectionError
from data.inspection_store import Inspection, InspectionStore
from data.label_store import LabelStore

STATES_KEPT_S = 1.0


class LiveInspections:
    """Boards by session. Safe from several threads."""

    def __init__(self, labels: LabelStore) -> None:
        self.store = InspectionStore(labels.engine)
        self._labels = labels
        self._boards: dict[str, Board] = {}
        self._lock = threading.RLock()
        self._all: list[Inspection] = []
        self._read_at = float("-inf")

    def all(self) -> list[Inspection]:
        """Every session, the newest first."""
        with self._lock:
            if time.monotonic() - self._read_at > STATES_KEPT_S:
                self._all = self.store.all()
                self._read_at = time.monotonic()
                for inspection in self._all:
                    if inspection.session_id in self._boards:
                        self._boards[inspection.session_id].inspection = inspection
            return self._all

    def changed(self) -> None:
        """Read anew what the sessions are: one was opened, or its state is another."""
        with self._lock:
            self._read_at = float("-inf")
            self.all()

    def board(self, session_id: str) -> Board:
        """The board of a session.

        Raises
        ------
        InspectionError
            If there is no such session.
        """
        with self._lock:
            found = [one for one in self.all() if one.session_id == session_id]
            if not found:
                raise InspectionError(f"no session {session_id!r:.60} in this campaign")
            if session_id not in self._boards:
                votes = self._labels.votes(session_ids=[session_id, second_look(session_id)])[::-1]
                self._boards[session_id] = Board(found[0], self.store.items(session_id), votes)
            return self._boards[session_id]

    def numbered(self, number: int) -> Board | None:
        """The board of the session with that number, None if there is none."""
        found = [one for one in self.all() if one.number == number]
        return self.board(found[0].session_id) if found else None

    def open_to(self, account: str) -> list[Board]:
        """Boards of sessions that are not closed and that this person is in."""
        return [
            self.board(one.session_id) for one in self.all() if one.state != "closed" and one.admits(account)
        ]
