"""What one inspector does: look at an object, vote, see what was voted.

No widgets and no HTTP; every route that tells something about an object goes through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dashboard import blindness
from dashboard.errors import MisdirectedError, WithheldError
from dashboard.state import ServerState
from data.errors import VoteConflictError
from data.objects import StoredObject
from data.votes import Vote, validate_vote

Row = dict[str, object]


@dataclass(frozen=True)
class Look:
    """An object as this inspector may see it now. Withheld parts are None."""

    stored: StoredObject
    is_revealed: bool
    is_withheld: bool
    columns: Row
    scores: list[Row] | None
    truth: Row | None
    my_votes: list[Vote]
    other_votes: list[Vote] | None


@dataclass(frozen=True)
class Session:
    """One inspector in one campaign."""

    state: ServerState
    inspector: str

    def look(self, object_id: str) -> Look:
        """The object and what this inspector may know of it. A blind-first campaign remembers what was shown.

        Raises
        ------
        UnknownObjectError
            If there is no such object.
        """
        stored = self.state.stored(object_id)
        withheld = self.is_withheld(object_id)
        if self.state.is_blind_first and not withheld:
            self.state.labels.record_reveal(self.inspector, object_id)
        votes = self.state.labels.votes(object_id=object_id)
        return Look(
            stored=stored,
            is_revealed=not withheld,
            is_withheld=withheld,
            columns=blindness.shown_columns(
                stored.columns, withheld=withheld, also=self.state.campaign.shown_columns
            ),
            scores=None if withheld else self._scores(object_id),
            truth=self._truth(stored),
            my_votes=[vote for vote in votes if vote.inspector == self.inspector],
            other_votes=None if withheld else [vote for vote in votes if vote.inspector != self.inspector],
        )

    def is_withheld(self, object_id: str) -> bool:
        """Whether scores, maps and other votes wait for this inspector's blind grade."""
        return self.state.is_blind_first and not self.state.labels.is_revealed(self.inspector, object_id)

    def reveal(self, object_id: str) -> StoredObject:
        """The object, of which a map is about to be shown.

        Raises
        ------
        UnknownObjectError, WithheldError
        """
        stored = self.state.stored(object_id)
        if self.is_withheld(object_id):
            raise WithheldError("scores and maps of this object come after your blind grade: grade it first")
        if self.state.is_blind_first:
            self.state.labels.record_reveal(self.inspector, object_id)
        return stored

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
        stored = self.state.stored(vote.object_id)
        # A repeated vote is compared with the stored one only: what was revealed since makes it no less true.
        before = self.state.labels.vote(vote.vote_id)
        if before is None:
            self._check_shown(vote, stored)
            self._check_phase(vote)
        is_new = self.state.labels.add(vote)
        return before or vote, is_new

    def history(self, *, object_id: str | None = None, limit: int | None = None) -> list[Vote]:
        """This inspector's votes, newest first."""
        return self.state.labels.votes(object_id=object_id, inspector=self.inspector, limit=limit)

    def decisions(self) -> dict[str, str | None]:
        """This inspector's grade by object id, None for a skip."""
        return self.state.labels.decided_ids(self.inspector)

    def exportable_ids(self) -> set[str] | None:
        """Objects whose results this inspector may take away; None is all. What is taken away was shown."""
        if not self.state.is_blind_first:
            return None
        revealed = self.state.labels.revealed_ids(self.inspector)
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

    def _truth(self, stored: StoredObject) -> Row | None:
        truth = blindness.truth_of(stored.columns)
        if not truth:
            return None
        graded = any(
            vote.inspector == self.inspector and vote.kind == "grade"
            for vote in self.state.labels.current_votes(stored.object_id)
        )
        return truth if graded else None

    def _check_shown(self, vote: Vote, stored: StoredObject) -> None:
        if vote.planes_hash is not None and vote.planes_hash != stored.planes_hash:
            raise VoteConflictError(
                f"the vote is for planes {vote.planes_hash}, but the object has {stored.planes_hash} now: "
                "reload it and look again"
            )

    def _check_phase(self, vote: Vote) -> None:
        """In a blind-first campaign, `blind` means nothing was given out, `revealed` that it could have been.

        An undo says nothing about the object and may come in either phase.
        """
        if not self.state.is_blind_first or vote.kind == "undo":
            return
        if vote.phase == "revealed" and self.is_withheld(vote.object_id):
            raise VoteConflictError(
                "phase is 'revealed', but nothing was revealed to you: give the blind grade first"
            )
        if vote.phase == "blind" and self.state.labels.was_shown(self.inspector, vote.object_id):
            raise VoteConflictError(
                "phase is 'blind', but this object was revealed to you: send phase 'revealed'"
            )


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
