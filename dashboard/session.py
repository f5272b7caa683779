"""What one inspector does: look at an object, vote, see what was voted.

No widgets and no HTTP; every route that tells something about an object goes through here.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dashboard import blindness
from dashboard.errors import ForbiddenError, MisdirectedError, UnknownObjectError, WithheldError
from dashboard.inspection_board import Board, decision_of, second_look
from dashboard.live_crossmatch import Match
from dashboard.state import ServerState
from dashboard.tickets import Ticket
from data.errors import VoteConflictError
from data.inspection_store import Inspection
from data.objects import StoredObject
from data.people import Person
from data.votes import Vote, validate_vote

Row = dict[str, object]

_COMES_BY_TICKET = (
    "this object is in a session that you are in: it comes to you there, and shows itself after that"
)


@dataclass(frozen=True)
class Subject:
    """An object that an inspector named. stored : as it is. shown : as it may be told of, under the id that was named.

    board, ticket : the group session and the place in it, if it was named by a ticket.
    """

    stored: StoredObject
    shown: StoredObject
    board: Board | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True)
class Look:
    """An object as this inspector may see it now. Withheld parts are None. name : its own id, None while withheld.

    match : None also while it is not known.
    """

    shown: StoredObject
    name: str | None
    is_revealed: bool
    is_withheld: bool
    columns: Row
    scores: list[Row] | None
    truth: Row | None
    match: Match | None
    my_votes: list[Vote]
    other_votes: list[Vote] | None


@dataclass(frozen=True)
class Session:
    """One inspector in one campaign."""

    state: ServerState
    person: Person

    @property
    def inspector(self) -> str:
        """The name that votes carry."""
        return self.person.name

    @property
    def is_blind(self) -> bool:
        """Whether verdicts wait for this inspector's own grades: in this campaign, or in a session that is open."""
        return self.state.is_blind_first or bool(self.open_boards())

    def open_boards(self) -> list[Board]:
        """Group sessions that are not closed and that this inspector is in."""
        return self.state.inspections.open_to(self.person.account)

    def board(self, session_id: str) -> Board:
        """The board of a group session that this inspector is in, or may look into as a lead.

        Raises
        ------
        InspectionError
            If there is no such session.
        ForbiddenError
            If this inspector is no member.
        """
        board = self.state.inspections.board(session_id)
        if not self._may_look_into(board):
            raise ForbiddenError(
                f"{self.inspector} is no member of the session {board.inspection.settings.title!r}"
            )
        return board

    def subject(self, given_id: str) -> Subject:
        """What is meant by an id or a ticket.

        Raises
        ------
        UnknownObjectError
            If there is no such object; also for a ticket that was never given to this inspector.
        WithheldError
            If it is to come by a ticket first.
        """
        (found,) = self.subjects([given_id])
        if not isinstance(found, Subject):
            raise found
        return found

    def subjects(self, given_ids: Sequence[str]) -> list[Subject | UnknownObjectError | WithheldError]:
        """What is meant by each of these, or why it may not be had; they are looked up together, in their order."""
        meant = [self._meant(given_id) for given_id in given_ids]
        stored = self.state.stored_by_id([object_id for object_id, *_ in meant if object_id is not None])
        found: list[Subject | UnknownObjectError | WithheldError] = []
        for given_id, (object_id, board, ticket) in zip(given_ids, meant, strict=True):
            one = None if object_id is None else stored.get(object_id)
            if one is None:
                found.append(UnknownObjectError(given_id))
            elif board is not None:
                found.append(Subject(one, _anonymous(one, given_id), board, ticket))
            elif self._comes_by_ticket(Subject(one, one)):
                found.append(WithheldError(_COMES_BY_TICKET))
            else:
                found.append(Subject(one, one))
        return found

    def _meant(self, given_id: str) -> tuple[str | None, Board | None, Ticket | None]:
        """The object's own id, None of a ticket that this inspector was not given; board and ticket if it is one."""
        ticket = self.state.tickets.read(given_id, self.person.account)
        if ticket is None:
            return given_id, None, None
        board = self.state.inspections.numbered(ticket.session)
        if (
            board is None
            or not self._may_look_into(board)
            or not board.is_given(self.inspector, ticket.place, ticket.look)
        ):
            return None, None, None
        return board.items[ticket.place].object_id, board, ticket

    def look(self, given_id: str) -> Look:
        """The object and what this inspector may know of it. Where grading is blind, what was shown is remembered.

        Raises
        ------
        UnknownObjectError
            If there is no such object.
        """
        subject = self.subject(given_id)
        stored = subject.stored
        withheld = self.is_withheld(subject)
        if not withheld:
            self._remember_reveal(subject)
        votes = self._votes_on(subject)
        columns = blindness.shown_columns(
            stored.columns, withheld=withheld, also=() if subject.board else self.state.campaign.shown_columns
        )
        if subject.board and withheld:
            columns = {name: value for name, value in columns.items() if not blindness.is_place(name)}
        return Look(
            shown=subject.shown
            if withheld or subject.board is None
            else replace(stored, object_id=subject.shown.object_id, planes_hash=subject.shown.planes_hash),
            name=None if withheld else stored.object_id,
            is_revealed=not withheld,
            is_withheld=withheld,
            columns=columns,
            scores=None if withheld else self._scores(stored.object_id),
            truth=self._truth(subject),
            match=self._match(subject, withheld=withheld),
            my_votes=[vote for vote in votes if vote.inspector == self.inspector],
            other_votes=None
            if withheld or self._is_in_open_round(subject)
            else [vote for vote in votes if vote.inspector != self.inspector],
        )

    def is_withheld(self, subject: Subject) -> bool:
        """Whether scores, maps and other votes wait for this inspector's blind grade, or for the session's end."""
        if subject.board is not None and subject.ticket is not None:
            return self._waits_in(
                subject.board, subject.ticket.place, subject.ticket.look, subject.shown.object_id
            )
        object_id = subject.stored.object_id
        for board in self.open_boards():
            place = board.place_of.get(object_id)
            if place is not None:
                ticket = self.ticket(board, place, 0)
                return self._waits_in(board, place, 0, ticket)
        return self.state.is_blind_first and not self.state.labels.is_revealed(self.inspector, object_id)

    def ticket(self, board: Board, place: int, look: int) -> str:
        """What this inspector gets in place of the id of an object in a group session."""
        return self.state.tickets.written(Ticket(board.inspection.number, place, look), self.person.account)

    def reveal(self, given_id: str) -> Subject:
        """The object, of which a map is about to be shown.

        Raises
        ------
        UnknownObjectError, WithheldError
        """
        subject = self.subject(given_id)
        if self.is_withheld(subject):
            raise WithheldError("scores and maps of this object come after your blind grade: grade it first")
        self._remember_reveal(subject)
        return subject

    def check_meant(self, *, campaign: str | None, inspector: str | None) -> None:
        """Refuse what a page says that shows another campaign or another name than it would be booked to.

        Raises
        ------
        MisdirectedError
        """
        if campaign is not None and campaign != self.state.campaign.identifier:
            raise MisdirectedError(
                f"another campaign is served here now ({self.state.campaign.title}): your votes are kept in "
                "this browser until the one that you voted in is back at this address"
            )
        if inspector is not None and inspector != self.inspector:
            raise MisdirectedError(
                f"this browser votes as {self.inspector} now, but this page was opened as {inspector}: "
                "your votes are kept; reload the page, or change the name back"
            )

    def vote(self, values: Mapping[str, object]) -> tuple[Vote, bool]:
        """Store a vote and say whether it is new. The server sets the inspector and the time.

        Raises
        ------
        VoteError
            If a field is malformed.
        UnknownObjectError
            If there is no such object.
        VoteConflictError
            If another vote has this id, other planes were shown, or the phase is not what it really was.
        """
        given = {**values, "inspector": self.inspector, "created_at": datetime.now(UTC)}
        vote = validate_vote(given)
        subject = self.subject(vote.object_id)
        booked = self._booked(vote, subject)
        # A repeated vote is compared with the stored one only: what was revealed since makes it no less true.
        before = self.state.labels.vote(vote.vote_id)
        if before is None:
            if subject.board and not subject.board.inspection.admits(self.person.account):
                raise ForbiddenError(
                    "you are not in this session: look, and leave the grades to those who are"
                )
            self._check_shown(vote, subject)
            self._check_phase(vote, subject)
        is_new = self.state.labels.add(booked)
        if is_new:
            self._tell_board(booked)
        return self.as_shown(before or booked, subject.board), is_new

    def history(
        self, *, object_id: str | None = None, limit: int | None = None, board: Board | None = None
    ) -> list[Vote]:
        """This inspector's votes, newest first: those of a group session, or those outside of open ones."""
        if object_id is not None:
            subject = self.subject(object_id)
            votes = [vote for vote in self._votes_on(subject) if vote.inspector == self.inspector]
            return votes[:limit]
        if board is not None:
            ids = [board.inspection.session_id, second_look(board.inspection.session_id)]
            votes = self.state.labels.votes(inspector=self.inspector, session_ids=ids, limit=limit)
        else:
            open_ids = {i for one in self.open_boards() for i in _session_ids(one)}
            votes = self.state.labels.votes(inspector=self.inspector, limit=None if open_ids else limit)
            votes = [vote for vote in votes if vote.session_id not in open_ids][:limit]
        return [self.as_shown(vote, board) for vote in votes]

    def as_shown(self, vote: Vote, board: Board | None = None) -> Vote:
        """A vote as its inspector knows it: in that session, or an open one, by ticket, else by the object's id."""
        for one in [board] if board else self.open_boards():
            place = one.place_of.get(vote.object_id)
            if place is not None and vote.session_id in _session_ids(one):
                shown_id = self.ticket(one, place, one.look_of(vote))
                planes_hash = vote.planes_hash and shown_hash(shown_id, vote.planes_hash)
                return replace(
                    vote, object_id=shown_id, session_id=one.inspection.session_id, planes_hash=planes_hash
                )
        return vote

    def decisions(self, *, as_of: datetime | None = None) -> dict[str, str | None]:
        """This inspector's grade by object id, None for a skip; as it stood at a moment, if one is given."""
        return self.state.labels.decided_ids(self.inspector, before=as_of)

    def standing_votes(self, object_ids: Sequence[str]) -> dict[str, Vote]:
        """This inspector's grades that stand, by object id."""
        return self.state.labels.standing_votes(self.inspector, object_ids)

    def shown_ids(self, object_ids: Sequence[str]) -> set[str]:
        """Those whose scores were shown to this inspector, where grading is blind; nobody counts it elsewhere."""
        return self.state.labels.shown_ids(self.inspector, object_ids) if self.is_blind else set()

    def exportable_ids(self) -> set[str] | None:
        """Objects whose results this inspector may take away; None is all. What is taken away was shown."""
        if not self.is_blind:
            return None
        revealed = self.state.labels.revealed_ids(self.inspector)
        if not self.state.is_blind_first:
            revealed = set(self.state.catalogue.now().table.ids)
        for board in self.open_boards():
            revealed -= {
                object_id
                for object_id, place in board.place_of.items()
                if self._waits_in(board, place, 0, self.ticket(board, place, 0))
            }
        self.state.labels.record_reveals(self.inspector, revealed)
        return revealed

    def _scores(self, object_id: str) -> list[Row]:
        catalogue = self.state.catalogue.now()
        found = []
        for version in self.state.scored_versions():
            row = self.state.scores.row(version, catalogue, object_id)
            if row is not None:
                card = self.state.card(version)
                title, bands = (card.title, card.bands) if card else (version, ())
                told = {"model_version": version, "title": title, "judged_from": judged_from(row, bands)}
                found.append({**row, **told})
        return found

    def _truth(self, subject: Subject) -> Row | None:
        truth = blindness.truth_of(subject.stored.columns)
        board, ticket = subject.board, subject.ticket
        if board is not None and ticket is not None:
            # Told to whoever trains; else it would show which objects were mixed in.
            graded = board.grade_of(self.inspector, ticket.place, ticket.look) is not None
            known = board.items[ticket.place].known
            return (
                ({"class": known} | truth)
                if board.inspection.settings.feedback and graded and known
                else None
            )
        if not truth or any(subject.stored.object_id in one.place_of for one in self.open_boards()):
            return None
        graded = any(
            vote.inspector == self.inspector and vote.kind == "grade"
            for vote in self.state.labels.current_votes(subject.stored.object_id)
        )
        return truth if graded else None

    def _match(self, subject: Subject, *, withheld: bool) -> Match | None:
        """Whether it comes twice, and which known lens it is: a hint, which waits for the grade.

        In a group session it waits for the end: it would show which objects were mixed in.
        """
        if subject.board is not None and withheld:
            return None  # another id tells which object it is
        found = self.state.crossmatch.of(subject.stored.object_id)
        boards = self.open_boards() if subject.board is None else [subject.board]
        in_session = any(
            board.inspection.state != "closed" and subject.stored.object_id in board.place_of
            for board in boards
        )
        return replace(found, known_lens=None) if found and (withheld or in_session) else found

    def _comes_by_ticket(self, subject: Subject) -> bool:
        """Whether the object is in an open session of this inspector's, who has not graded it there yet."""
        boards = [one for one in self.open_boards() if subject.stored.object_id in one.place_of]
        return bool(boards) and self.is_withheld(subject)

    def _sessions(self) -> list[Inspection]:
        return self.state.inspections.all()

    def _is_in_open_round(self, subject: Subject) -> bool:
        """Whether a lead presents this object and the votes of all wait for the round's end."""
        if subject.board is None or subject.ticket is None:
            return False
        shown = self.state.presenter(subject.board.inspection.session_id).shown
        return shown.is_voting and shown.place == subject.ticket.place

    def _may_look_into(self, board: Board) -> bool:
        """Members, and leads who are not: those look, and do not vote."""
        return board.inspection.admits(self.person.account) or self.person.may("lead")

    def _waits_in(self, board: Board, place: int, look: int, shown_id: str) -> bool:
        if not board.inspection.admits(self.person.account):
            return False
        settings = board.inspection.settings
        if settings.reveal == "after-close" and board.inspection.state != "closed":
            return True
        if board.grade_of(self.inspector, place, look) is not None:
            return False
        return not self.state.labels.was_shown(self.inspector, shown_id)

    def _remember_reveal(self, subject: Subject) -> None:
        if subject.board is not None or self.is_blind:
            ids = dict.fromkeys((subject.shown.object_id, subject.stored.object_id))
            self.state.labels.record_reveal(self.inspector, *ids)

    def _votes_on(self, subject: Subject) -> list[Vote]:
        """Votes on an object, newest first; by ticket, those of its look, so that a repeat does not show itself."""
        votes = self.state.labels.votes(object_id=subject.stored.object_id)
        if subject.board is None or subject.ticket is None:
            open_ids = {i for one in self.open_boards() for i in _session_ids(one)}
            return [vote for vote in votes if vote.session_id not in open_ids]
        board, look = subject.board, subject.ticket.look
        of_session = [vote for vote in votes if vote.session_id in _session_ids(board)]
        mine = [
            self.as_shown(vote, board)
            for vote in of_session
            if vote.inspector == self.inspector and board.look_of(vote) == look
        ]
        others = [vote for vote in of_session if vote.inspector != self.inspector and not board.look_of(vote)]
        return mine + others

    def _booked(self, vote: Vote, subject: Subject) -> Vote:
        """The vote under the object's own id and the session that its ticket is of."""
        if subject.board is None or subject.ticket is None:
            if any(
                vote.session_id in (one.session_id, second_look(one.session_id)) for one in self._sessions()
            ):
                raise VoteConflictError(
                    "session_id is that of a group session, whose votes name objects by their tickets"
                )
            return vote
        first, second = _session_ids(subject.board)
        shown = vote.planes_hash == subject.shown.planes_hash
        return replace(
            vote,
            object_id=subject.stored.object_id,
            session_id=second if subject.ticket.look else first,
            planes_hash=subject.stored.planes_hash if shown else vote.planes_hash,
        )

    def _tell_board(self, vote: Vote) -> None:
        """Have the session's board take over what stands now of this inspector and object."""
        for one in self._sessions():
            if vote.session_id not in (one.session_id, second_look(one.session_id)):
                continue
            board = self.state.inspections.board(one.session_id)
            place = board.place_of.get(vote.object_id)
            if place is None:
                return
            votes = self.state.labels.votes(
                object_id=vote.object_id, inspector=self.inspector, session_ids=[vote.session_id]
            )
            is_seen, grade = decision_of(votes[::-1])
            board.record(self.inspector, place, board.look_of(vote), grade, is_seen=is_seen)

    def _check_shown(self, vote: Vote, subject: Subject) -> None:
        if vote.planes_hash is not None and vote.planes_hash != subject.shown.planes_hash:
            raise VoteConflictError(
                f"the vote is for planes {vote.planes_hash}, but the object has {subject.shown.planes_hash} now: "
                "reload it and look again"
            )

    def _check_phase(self, vote: Vote, subject: Subject) -> None:
        """Where grading is blind, `blind` means nothing was given out, `revealed` that it could have been.

        An undo says nothing about the object and may come in either phase.
        """
        if vote.kind == "undo" or not (subject.board or self.state.is_blind_first):
            return
        if vote.phase == "revealed" and self.is_withheld(subject):
            raise VoteConflictError(
                "phase is 'revealed', but nothing was revealed to you: give the blind grade first"
            )
        if vote.phase == "blind" and self.state.labels.was_shown(self.inspector, subject.shown.object_id):
            raise VoteConflictError(
                "phase is 'blind', but this object was revealed to you: send phase 'revealed'"
            )


def _session_ids(board: Board) -> tuple[str, str]:
    """Under which session ids votes of a board are stored: first looks, and repeats."""
    return board.inspection.session_id, second_look(board.inspection.session_id)


def _anonymous(stored: StoredObject, shown_id: str) -> StoredObject:
    """The object without anything that tells which one it is."""
    return replace(
        stored,
        object_id=shown_id,
        planes_hash=shown_hash(shown_id, stored.planes_hash),
        ra_deg=math.nan,
        dec_deg=math.nan,
        cd_deg=None,
        centre_deg=None,
        columns={},
        source_files=(),
    )


def shown_hash(shown_id: str, planes_hash: str) -> str:
    """The planes' hash under that ticket; those of a repeat have another."""
    return hashlib.blake2b(f"{shown_id} {planes_hash}".encode(), digest_size=16).hexdigest()


def judged_from(score: Row, bands: Sequence[str]) -> str | None:
    """In words, which bands a score was made from, if some of the model's were missing.

    >>> judged_from({"bands_missing": "Y,J,H"}, ("VIS", "Y", "J", "H"))
    'VIS alone'
    >>> judged_from({"bands_missing": "J,H"}, ("VIS", "Y", "J", "H"))
    'without J, H'
    """
    missing = str(score.get("bands_missing") or "").split(",")
    if missing == [""]:
        return None
    there = [band for band in bands if band not in missing]
    return f"{there[0]} alone" if len(there) == 1 else f"without {', '.join(missing)}"
