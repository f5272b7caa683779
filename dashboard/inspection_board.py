"""Who gets which object of a group session next, and how far it is: kept in memory, made again from the votes.

An object is leased to whoever has it before them, so that no more people look at it than its quorum needs; a lease that
is not renewed ends, and the object comes back.
"""

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from dashboard.live_catalogue import Catalogue
from data.consensus import POINTS
from data.inspection import shuffle_keys
from data.inspection_store import Inspection, Item
from data.retirement import RetirementRule, is_decided
from data.swap import PRIOR, SAYS_LENS, log_likelihood_ratio
from data.votes import Vote

LEASE_S = 300.0
REPEAT_AFTER = 20  # grades that come between the two looks
_LOOK_EACH_S = 0.5  # at leases that ended
AHEAD = 12  # objects that one inspector has at once
_GRADES = list(POINTS)
Places = NDArray[np.int64]


def decision_of(votes: Sequence[Vote]) -> tuple[bool, str | None]:
    """Whether an inspector has decided on a look, and the grade that counts: the last blind one that is not undone.

    Somebody who takes the blind grade back after the reveal has decided, but gives no grade that counts.

    votes : all of one inspector on one look at an object, oldest first.
    """
    undone = {vote.supersedes for vote in votes if vote.kind == "undo"}
    made = [vote for vote in votes if vote.kind != "undo" and vote.vote_id not in undone]
    blind = [vote.grade for vote in made if vote.grade is not None and vote.phase == "blind"]
    return bool(made), blind[-1] if blind else None


def second_look(session_id: str) -> str:
    """Under which session the votes of repeats are stored, so that nothing takes them for first ones."""
    return f"{session_id}:repeat"


@dataclass
class _Inspector:
    """What one person has done. order : places, first to last. grades : by place, in the order of grading."""

    order: Places
    is_repeated: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    grades: dict[int, str | None] = field(default_factory=dict)
    repeats: dict[int, str | None] = field(default_factory=dict)
    leases: dict[int, float] = field(default_factory=dict)
    active_at: float = 0.0


@dataclass(frozen=True)
class Progress:
    """decided of `objects` have what they need (known ones apart); grades : given so far, repeats apart."""

    objects: int
    decided: int
    grades: int
    people: int


class Board:
    """One session as it stands. Safe from several threads."""

    def __init__(
        self,
        inspection: Inspection,
        items: Sequence[Item],
        votes: Iterable[Vote] = (),  # of the session, oldest first
        *,
        lease_s: float = LEASE_S,
    ) -> None:
        self.inspection = inspection
        self.items = tuple(items)
        self.place_of = {item.object_id: place for place, item in enumerate(self.items)}
        self.is_known = np.array([item.known is not None for item in self.items], bool)
        self.counts = np.zeros((len(self.items), len(_GRADES)), np.int64)
        self._rule = RetirementRule(quorum=inspection.settings.quorum, early=inspection.settings.early)
        self._decided = np.zeros(len(self.items), bool)
        self._leased = np.zeros(len(self.items), np.int64)
        self._people: dict[str, _Inspector] = {}
        self._lease_s = lease_s
        self._looked_at = float("-inf")
        self._lock = RLock()
        self._rows: tuple[object, Places] | None = None
        said: dict[tuple[str, int, int], list[Vote]] = defaultdict(list)
        for vote in votes:
            place = self.place_of.get(vote.object_id)
            if place is not None:
                said[vote.inspector, place, self.look_of(vote)].append(vote)
        for (name, place, look), some in said.items():
            is_seen, grade = decision_of(some)
            self._set(name, place, look, grade, is_seen=is_seen)

    def rows_in(self, catalogue: Catalogue) -> Places:
        """Rows of the catalogue that are in this session."""
        with self._lock:
            if self._rows is None or self._rows[0] != catalogue.version:
                rows = catalogue.table.row_numbers(self.place_of)
                self._rows = (catalogue.version, rows[rows >= 0])
            return self._rows[1]

    def look_of(self, vote: Vote) -> int:
        """0, or 1 for the vote on a repeat."""
        return int(vote.session_id == second_look(self.inspection.session_id))

    def next_for(
        self, name: str, *, limit: int = AHEAD, moment: float | None = None
    ) -> list[tuple[int, int]]:
        """Places and looks that this inspector should see next; those that others need too are leased."""
        now = time.monotonic() if moment is None else moment
        with self._lock:
            self._end_leases(now)
            mine = self._inspector(name)
            mine.active_at = now
            found = [(place, 1) for place in self._due_repeats(mine)][: max(1, limit // 4)]
            wanted = (
                ~mine.seen
                & ~self._decided
                & (self.is_known | (self.counts.sum(axis=1) + self._leased < self._rule.quorum))
            )
            kept = [place for place in mine.leases if not mine.seen[place] and not self._decided[place]]
            wanted[kept] = True
            for place in map(int, mine.order[wanted[mine.order]][: limit - len(found)]):
                self._lease(mine, place, now + self._lease_s)
                found.append((place, 0))
            if not found:  # nothing else is left: repeats come early
                found = [(place, 1) for place in self._due_repeats(mine, after=0)][:limit]
            return found

    def left_for(self, name: str) -> int:
        """How many objects may still come to this inspector."""
        with self._lock:
            mine = self._inspector(name)
            return int((~mine.seen & ~self._decided).sum()) + len(self._due_repeats(mine, after=0))

    def waits_for_others(self, name: str) -> bool:
        """Whether all that is left is before others now, and comes back if they leave."""
        return self.left_for(name) > 0 and not self.next_for(name, limit=1)

    def record(self, name: str, place: int, look: int, grade: str | None, *, is_seen: bool = True) -> None:
        """What stands now as this inspector's decision. is_seen : False after an undo, when it comes again."""
        with self._lock:
            self._set(name, place, look, grade, is_seen=is_seen)

    def exclude(self, name: str, object_ids: Iterable[str]) -> None:
        """Never give these to this inspector: what is told of them was seen before."""
        with self._lock:
            mine = self._inspector(name)
            for object_id in object_ids:
                place = self.place_of.get(object_id)
                if place is not None and place not in mine.grades:
                    mine.seen[place] = True

    def grade_of(self, name: str, place: int, look: int) -> str | None:
        """The grade that stands, None if there is none."""
        with self._lock:
            mine = self._inspector(name)
            return (mine.repeats if look else mine.grades).get(place)

    def grades_on(self, place: int) -> dict[str, str]:
        """First-look grades of a place that stand, by name."""
        with self._lock:
            found = {name: mine.grades.get(place) for name, mine in self._people.items()}
        return {name: grade for name, grade in found.items() if grade is not None}

    def is_given(self, name: str, place: int, look: int) -> bool:
        """Whether this inspector was offered that look: a repeat comes only after the first one."""
        return 0 <= place < len(self.items) and (
            look == 0 or (look == 1 and place in self._inspector(name).grades)
        )

    def decisions_of(self, name: str) -> dict[tuple[int, int], str | None]:
        """Grade by place and look, None for a skip, in the order of first looks."""
        with self._lock:
            mine = self._inspector(name)
            return {
                **{(place, 0): grade for place, grade in mine.grades.items()},
                **{(place, 1): grade for place, grade in mine.repeats.items()},
            }

    def progress(self) -> Progress:
        """How far the session is."""
        with self._lock:
            targets = ~self.is_known
            grades = int(self.counts.sum())
            people = sum(bool(mine.grades) for mine in self._people.values())
            return Progress(int(targets.sum()), int((self._decided & targets).sum()), grades, people)

    def people(self) -> dict[str, dict[str, object]]:
        """By name: how many grades, and seconds since they were last here (None if not since the start)."""
        now = time.monotonic()
        with self._lock:
            return {
                name: {
                    "grades": sum(grade is not None for grade in mine.grades.values()),
                    "skips": sum(grade is None for grade in mine.grades.values()),
                    "away_s": now - mine.active_at if mine.active_at else None,
                }
                for name, mine in self._people.items()
                if mine.grades or mine.active_at
            }

    def decided(self) -> NDArray[np.bool_]:
        """Which places need no more grades."""
        with self._lock:
            return self._decided.copy()

    def _inspector(self, name: str) -> _Inspector:
        if name not in self._people:
            seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little")
            seed ^= self.inspection.settings.seed
            order = np.argsort(shuffle_keys(len(self.items), seed), kind="stable")
            drawn = np.random.default_rng(seed).random(len(self.items))
            self._people[name] = _Inspector(
                order, drawn < self.inspection.settings.repeats, np.zeros(len(self.items), bool)
            )
        return self._people[name]

    def _due_repeats(self, mine: _Inspector, after: int = REPEAT_AFTER) -> list[int]:
        graded = [place for place, grade in mine.grades.items() if grade is not None]
        old_enough = graded[: len(graded) - after] if after else graded
        return [place for place in old_enough if mine.is_repeated[place] and place not in mine.repeats]

    def _set(self, name: str, place: int, look: int, grade: str | None, *, is_seen: bool = True) -> None:
        mine = self._inspector(name)
        table = mine.repeats if look else mine.grades
        before = table.get(place)
        if is_seen:
            table[place] = grade
        else:
            table.pop(place, None)
        if look:
            return
        mine.seen[place] = is_seen
        if before is not None:
            self.counts[place, _GRADES.index(before)] -= 1
        if is_seen and grade is not None:
            self.counts[place, _GRADES.index(grade)] += 1
        self._release(mine, place)
        self._decided[place] = not self.is_known[place] and self._is_decided(place)

    def _is_decided(self, place: int) -> bool:
        p_lens = [self._p_lens(place)] if self._rule.early else None
        return bool(is_decided(self.counts[place : place + 1], self._rule, p_lens)[0])

    def _p_lens(self, place: int) -> float:
        """By SWAP, with the skills that inspectors have shown on known objects so far."""
        log_odds = math.log(PRIOR / (1 - PRIOR))
        for mine in self._people.values():
            grade = mine.grades.get(place)
            if grade is not None:
                of_lens, of_others = self._skill(mine)
                says_lens = POINTS[grade] >= SAYS_LENS
                log_odds += float(log_likelihood_ratio(says_lens, of_lens, of_others))
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, log_odds))))

    def _skill(self, mine: _Inspector) -> tuple[float, float]:
        """P(says lens | lens) and P(says not | not), one answer of each kind in advance."""
        said = {"lens": [1, 2], "nonlens": [1, 2]}
        for place, grade in mine.grades.items():
            known = self.items[place].known
            if known is not None and grade is not None:
                said[known][0] += (POINTS[grade] >= SAYS_LENS) is (known == "lens")
                said[known][1] += 1
        return said["lens"][0] / said["lens"][1], said["nonlens"][0] / said["nonlens"][1]

    def _lease(self, mine: _Inspector, place: int, until: float) -> None:
        if place not in mine.leases:
            self._leased[place] += 1
        mine.leases[place] = until

    def _release(self, mine: _Inspector, place: int) -> None:
        if mine.leases.pop(place, None) is not None:
            self._leased[place] -= 1

    def _end_leases(self, now: float) -> None:
        if abs(now - self._looked_at) < _LOOK_EACH_S:
            return
        self._looked_at = now
        for mine in self._people.values():
            for place in [place for place, until in mine.leases.items() if until < now]:
                self._release(mine, place)
