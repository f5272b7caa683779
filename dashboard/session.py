"""What one inspector does: look at an object, vote, see what was voted. No widgets and no HTTP; every route goes through here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from dashboard import blindness
from dashboard.errors import BadRequestError, WithheldError
from dashboard.live_catalogue import Catalogue
from dashboard.queue_order import ORDERS, Order, seed_of
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
        """The object and all that this inspector may know of it; in a blind-first campaign, what is shown is remembered.

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
            columns=blindness.shown_columns(stored.columns, withheld=withheld),
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

    def vote(self, values: Mapping[str, object]) -> tuple[Vote, bool]:
        """Store a vote and say whether it is new. The server sets the inspector and the time.

        Raises
        ------
        VoteError
            If a field is malformed.
        UnknownObjectError
            If there is no such object.
        VoteConflictError
            If another vote has this id, other planes were shown, or the phase is not what the server knows it was.
        """
        given = {**values, "inspector": self.inspector, "created_at": datetime.now(UTC)}
        vote = validate_vote(given)
        stored = self.state.stored(vote.object_id)
        # A repeated vote is compared with the stored one only: what was revealed since does not make it false.
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

    def orders(self) -> list[Order]:
        """The orders of the queue that this inspector may choose; the first is the default."""
        if self.state.is_blind_first:
            return [ORDERS["random"], ORDERS["catalogue"]]
        return list(ORDERS.values())

    def queue_page(
        self, *, order: str | None, model: str | None, seed: int | None, offset: int, limit: int, show: str
    ) -> dict[str, object]:
        """A page of the queue as JSON values. rank : from 1, in the whole order; None in a blind-first campaign.

        Raises
        ------
        BadRequestError, WithheldError
            If the order or the model is not known, or the order would tell what is withheld.
        """
        chosen = self._order(order)
        version = self._model(model)
        seed = seed_of(self.inspector) if seed is None else seed
        queue = self.state.queue(chosen, model_version=version, seed=seed)
        decisions = self.decisions()
        n_graded = sum(grade is not None for grade in decisions.values())
        ranks = np.flatnonzero(_shown_rows(queue.catalogue, decisions, show)[queue.rows])
        page = ranks[offset : offset + limit]
        return {
            "order": chosen.name,
            "model": version,
            "seed": seed,
            "version": queue.version,
            "total": len(queue.catalogue),
            "matching": len(ranks),
            "scored": queue.scores.scored if queue.scores else 0,
            "graded": n_graded,
            "skipped": len(decisions) - n_graded,
            "items": [
                {
                    "object_id": object_id,
                    "planes_hash": planes_hash,
                    "rank": None if self.state.is_blind_first else int(rank) + 1,
                    "grade": decisions.get(object_id),
                }
                for rank, (object_id, planes_hash) in zip(
                    page, queue.catalogue.listed(queue.rows[page]), strict=True
                )
            ],
        }

    def exportable_ids(self) -> set[str] | None:
        """Objects whose results this inspector may take away; None is all."""
        return self.state.labels.revealed_ids(self.inspector) if self.state.is_blind_first else None

    def _order(self, name: str | None) -> Order:
        allowed = self.orders()
        if name is None:
            return allowed[0]
        if name not in ORDERS:
            raise BadRequestError(f"order is {name!r:.40}; expected one of {', '.join(ORDERS)}")
        if ORDERS[name] not in allowed:
            raise WithheldError(
                f"order {name} would tell what the network thinks before your blind grade: choose catalogue or random"
            )
        return ORDERS[name]

    def _model(self, name: str | None) -> str | None:
        versions = self.state.scored_versions()
        if name is None:
            return versions[0] if versions else None
        found = [version for version in versions if name in (version, self.state.name_of(version))]
        if not found:
            raise BadRequestError(
                f"model is {name!r:.80}; scores here are by {', '.join(versions) or 'none yet'}"
            )
        return found[0]

    def _scores(self, object_id: str) -> list[Row]:
        catalogue = self.state.catalogue.now()
        found = []
        for version in self.state.scored_versions():
            row = self.state.scores.row(version, catalogue, object_id)
            if row is not None:
                card = self.state.card(version)
                found.append({**row, "model_version": version, "title": card.title if card else version})
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
                f"the vote is for planes {vote.planes_hash}, but {stored.object_id!r} has {stored.planes_hash} now: "
                "reload the object and look again"
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


def _shown_rows(catalogue: Catalogue, decisions: Mapping[str, str | None], show: str) -> NDArray[np.bool_]:
    """For each catalogue row, whether the inspector asked to see it: todo, graded, skipped or all."""
    if show == "all":
        return np.ones(len(catalogue), bool)
    wanted = [i for i, grade in decisions.items() if show == "todo" or (grade is None) == (show == "skipped")]
    rows = catalogue.table.row_numbers(wanted)
    shown = np.full(len(catalogue), show == "todo")
    shown[rows[rows >= 0]] = show != "todo"
    return shown
