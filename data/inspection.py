"""A group session: many inspectors grade the same objects blind. Its settings and how it is put together. Pure.

`inspection_store` keeps sessions; `dashboard.inspection_board` hands their objects out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import InspectionError
from data.people import account_of
from data.votes import COMMENT_LIMIT, GRADES, NAME_LIMIT

REVEALS = ("after-grade", "after-close")
KNOWN = ("lens", "nonlens")
STATES = ("open", "paused", "closed")
# What a lead does: from which state, to which.
STEPS = {
    "pause": ("open", "paused"),
    "resume": ("paused", "open"),
    "close": ("open", "closed"),
    "reopen": ("closed", "open"),
}
MOST_QUORUM = 100


@dataclass(frozen=True)
class InspectionSettings:
    """What was agreed when the session was opened; it never changes.

    quorum : independent grades an object needs. early : objects that are clear are retired before.
    reveal : when scores, maps and others' votes are shown, `after-grade` or `after-close`.
    feedback : tell after each grade what known objects are (training). seed : of every order in it.
    repeats : share of objects that an inspector gets a second time, unmarked. members : accounts; empty is everybody.
    note : what inspectors are told. examples : by grade, an object that shows what it means.
    """

    title: str
    quorum: int = 6
    early: bool = False
    reveal: str = "after-grade"
    feedback: bool = False
    seed: int = 1
    repeats: float = 0.0
    members: tuple[str, ...] = ()
    note: str = ""
    examples: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; `settings_from` makes the same settings of it."""
        return {**asdict(self), "members": list(self.members), "examples": dict(self.examples)}


def settings_from(values: Mapping[str, object]) -> InspectionSettings:
    """Settings of JSON values, as a lead or the database gives them.

    Raises
    ------
    InspectionError
        If one is unknown or malformed; the message names it.
    """
    unknown = sorted(set(values) - {field.name for field in fields(InspectionSettings)})
    if unknown:
        raise InspectionError(f"{unknown[0]!r:.40} is no setting of a session")
    given = {"title": "", **values}
    _check_text("title", given["title"], least=1, most=NAME_LIMIT)
    _check_text("note", given.get("note", ""), most=COMMENT_LIMIT)
    _check(
        "quorum", given.get("quorum", 6), _is_whole(1, MOST_QUORUM), f"a whole number from 1 to {MOST_QUORUM}"
    )
    _check("seed", given.get("seed", 1), _is_whole(0, 2**32 - 1), "a whole number from 0 to 4294967295")
    _check("reveal", given.get("reveal", REVEALS[0]), REVEALS.__contains__, f"one of {', '.join(REVEALS)}")
    _check("repeats", given.get("repeats", 0.0), _is_share, "a share from 0 to 0.5")
    for name in ("early", "feedback"):
        _check(name, given.get(name, False), lambda value: isinstance(value, bool), "true or false")
    members = given.get("members", ())
    _check("members", members, _are_texts, "a list of names")
    examples = given.get("examples", {})
    _check("examples", examples, _are_examples, f"objects by grade ({', '.join(GRADES)})")
    assert isinstance(members, list | tuple)
    assert isinstance(examples, Mapping)
    checked: dict[str, Any] = {
        **given,
        "title": str(given["title"]).strip(),
        "members": tuple(dict.fromkeys(account_of(member) for member in members)),
        "examples": tuple(examples.items()),
    }
    return InspectionSettings(**checked)


def mixed(
    targets: Sequence[str], known: Mapping[str, bool], *, known_share: float, seed: int
) -> list[tuple[str, str | None]]:
    """Objects of a session in an order that tells nothing, with known ones so that they are that share of all.

    known : objects that may be mixed in, whether each is a lens; as many lenses as others are taken, as far as there
    are. The result is (object_id, None, `lens` or `nonlens`).

    Raises
    ------
    InspectionError
        If nothing is left to grade, or the share is asked for and there are no known objects.
    """
    rng = np.random.default_rng(seed)
    chosen = list(dict.fromkeys(object_id for object_id in targets if object_id not in known))
    wanted = round(known_share * len(chosen) / (1 - known_share)) if known_share < 1 else len(known)
    lenses, others = ([i for i, is_lens in known.items() if is_lens is kind] for kind in (True, False))
    if wanted and not known:
        raise InspectionError("known objects are to be mixed in, but none are given: leave the share at 0")
    n_lenses = min(len(lenses), max((wanted + 1) // 2, wanted - len(others)))
    n_others = min(len(others), wanted - n_lenses)
    items: list[tuple[str, str | None]] = [(object_id, None) for object_id in chosen]
    items += [(object_id, "lens") for object_id in _drawn(lenses, n_lenses, rng)]
    items += [(object_id, "nonlens") for object_id in _drawn(others, n_others, rng)]
    if not items:
        raise InspectionError("the selection holds no object of this campaign")
    return [items[index] for index in rng.permutation(len(items))]


def shuffle_keys(count: int, seed: int) -> NDArray[np.uint64]:
    """A number per row that depends on the row and the seed only, so that objects added later move no others.

    SplitMix64: Steele, Lea & Flood 2014, OOPSLA, Fig. 17.
    """
    with np.errstate(over="ignore"):
        key = (
            np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed % 2**32) * np.uint64(2**32)
        ) * np.uint64(0x9E3779B97F4A7C15)
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def _drawn(object_ids: Sequence[str], number: int, rng: np.random.Generator) -> list[str]:
    return [object_ids[index] for index in rng.permutation(len(object_ids))[:number]]


def _check(name: str, value: object, holds: Any, expected: str) -> None:
    if not holds(value):
        raise InspectionError(f"{name} is {value!r:.60}; expected {expected}")


def _check_text(name: str, value: object, *, least: int = 0, most: int) -> None:
    if not isinstance(value, str) or not least <= len(value.strip()) <= most:
        raise InspectionError(f"{name} is {value!r:.60}; expected text of {least} to {most} characters")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise InspectionError(f"{name} holds a NUL or half of a surrogate pair; remove that character")


def _is_whole(least: int, most: int) -> Any:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 0.5


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)


def _are_examples(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        grade in GRADES and isinstance(object_id, str) for grade, object_id in value.items()
    )
