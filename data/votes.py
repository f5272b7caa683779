"""A vote: what one inspector said about one object, and the words that votes are made of. Pure.

`label_store` keeps votes, `consensus` sums them up.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from data.errors import VoteError

COMMENT_LIMIT = 10_000
NAME_LIMIT = 200
MARKS_LIMIT = 100
PHASES = ("blind", "revealed")
MARK_KINDS = ("lens", "image", "other")


@dataclass(frozen=True)
class Term:
    """One choice of a menu. key : what to type for it; an upper-case letter is typed with Shift."""

    label: str
    key: str
    definition: str


GRADES: dict[str, Term] = {
    "A": Term("sure", "a", "A sure lens: clear arcs or images that only lensing explains."),
    "B": Term("probable", "b", "A probable lens: lensing features that better data should confirm."),
    "C": Term("possible", "c", "A possible lens: features that something else explains as well."),
    "X": Term("no", "x", "Not a lens."),
}
CONTAMINANTS: dict[str, Term] = {
    "spiral": Term("spiral", "S", "A spiral galaxy whose arms look like arcs."),
    "ring_galaxy": Term(
        "ring galaxy", "R", "A ring of stars or star formation that belongs to the galaxy itself."
    ),
    "merger": Term("merger", "M", "Interacting galaxies, tidal tails or shells."),
    "edge_on_disc": Term("edge-on disc", "E", "A disc seen from its side that looks like an arc."),
    "companions": Term("companions", "G", "An elliptical galaxy with companions that look like images."),
    "star_or_quasar": Term("star or quasar", "Q", "A point source, its halo or its diffraction spikes."),
    "artefact": Term("artefact", "T", "A ghost, satellite trail, bad pixel or reduction fault."),
    "blend": Term("blend", "O", "Unrelated objects that overlap on the sky."),
}
TAGS: dict[str, Term] = {
    "compound_arc": Term("compound arc", "o", "Arcs of two sources at different distances."),
    "double_ring": Term("double ring", "d", "Two rings, of two sources at different distances."),
    "quad": Term("quad", "q", "Four images of one source."),
    "red_ring": Term("red ring", "r", "A ring or arc as red as the deflector."),
    "edge_on_lens": Term("edge-on lens", "e", "The deflector is a disc seen from its side."),
    "group_lens": Term("group or cluster", "g", "The deflector is a group or a cluster of galaxies."),
}
FLAGS: dict[str, Term] = {
    "false_positive": Term("false positive", "f", "The network says lens; it is none."),
    "false_negative": Term("false negative", "n", "The network says no lens; it is one."),
    "wrong_reason": Term(
        "right for the wrong reason", "w", "The verdict is right, but the evidence is elsewhere."
    ),
}


@dataclass(frozen=True)
class Mark:
    """A point that an inspector set: pixel of the reference band (from 0, y up); sky where there is a WCS."""

    kind: str
    x_px: float
    y_px: float
    ra_deg: float | None = None
    dec_deg: float | None = None


@dataclass(frozen=True)
class Vote:
    """One thing that one inspector said about one object. It is never changed; a later vote may supersede it.

    phase : whether scores and maps were hidden (`blind`) or seen (`revealed`) when it was given.
    planes_hash : of the pixels that were shown. model_version : whose scores and maps were shown.
    created_at : UTC, when the server received it.
    """

    vote_id: str
    object_id: str
    inspector: str
    phase: str
    grade: str | None
    created_at: datetime
    session_id: str = ""
    contaminant: str | None = None
    tags: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    flag: str | None = None
    comment: str = ""
    elapsed_ms: int | None = None
    planes_hash: str | None = None
    model_version: str | None = None
    supersedes: str | None = None

    @property
    def kind(self) -> Literal["grade", "skip", "undo"]:
        """A grade, a skip (no grade), or the undo of the vote that it supersedes."""
        if self.grade is not None:
            return "grade"
        return "skip" if self.supersedes is None else "undo"

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; `validate_vote` makes the same vote of it."""
        return {
            **asdict(self),
            "tags": list(self.tags),
            "marks": [asdict(mark) for mark in self.marks],
            "created_at": self.created_at.isoformat(timespec="microseconds"),
        }


FIELDS = tuple(field.name for field in fields(Vote))
_REQUIRED = ("vote_id", "object_id", "inspector", "phase", "grade", "created_at")


def validate_vote(values: Mapping[str, object]) -> Vote:
    """Make a vote of JSON values, as they came from a browser or a script.

    The server sets `inspector` and `created_at` itself before it asks. Everything else but `vote_id`,
    `object_id`, `phase` and `grade` may be absent.

    Raises
    ------
    VoteError
        If a field is missing, unknown or malformed; the message names it.
    """
    _check_names(values)
    return Vote(
        vote_id=_uuid("vote_id", values["vote_id"]),
        object_id=_text("object_id", values["object_id"], least=1),
        inspector=_name("inspector", values["inspector"]),
        phase=_choice("phase", values["phase"], PHASES),
        grade=_optional_choice("grade", values["grade"], GRADES),
        created_at=_moment("created_at", values["created_at"]),
        session_id=_text_or_empty("session_id", values.get("session_id"), most=NAME_LIMIT),
        contaminant=_optional_choice("contaminant", values.get("contaminant"), CONTAMINANTS),
        tags=_tags(values.get("tags")),
        marks=_marks(values.get("marks")),
        flag=_optional_choice("flag", values.get("flag"), FLAGS),
        comment=_text_or_empty("comment", values.get("comment"), most=COMMENT_LIMIT),
        elapsed_ms=_milliseconds("elapsed_ms", values.get("elapsed_ms")),
        planes_hash=_optional_text("planes_hash", values.get("planes_hash")),
        model_version=_optional_text("model_version", values.get("model_version")),
        supersedes=None if values.get("supersedes") is None else _uuid("supersedes", values["supersedes"]),
    )


def _check_names(values: Mapping[str, object]) -> None:
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise VoteError(f"{missing[0]} is missing; a vote carries at least {', '.join(_REQUIRED)}")
    unknown = sorted(str(name) for name in values if name not in FIELDS)
    if unknown:
        raise VoteError(f"{reprlib.repr(unknown[0])} is not a field of a vote; known are {', '.join(FIELDS)}")


def _wrong(name: str, value: object, expected: str) -> VoteError:
    return VoteError(f"{name} is {reprlib.repr(value)}; expected {expected}")


def _uuid(name: str, value: object) -> str:
    try:
        return str(UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise _wrong(name, value, "a UUID such as 3f2b8c1e-5d4a-4c39-9f0e-7a6b5c4d3e2f") from None


def _text(name: str, value: object, *, least: int = 0, most: int | None = None) -> str:
    """Text as it came. What no database keeps is refused: NUL, and halves of surrogate pairs."""
    if not isinstance(value, str):
        raise _wrong(name, value, "text")
    if len(value) < least or (most is not None and len(value) > most):
        expected = f"{least} to {most}" if most else f"at least {least}"
        raise VoteError(f"{name} has {len(value)} characters; expected {expected}")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise VoteError(f"{name} holds a NUL or half of a surrogate pair; remove that character")
    return value


def _text_or_empty(name: str, value: object, *, most: int) -> str:
    return "" if value is None else _text(name, value, most=most)


def _optional_text(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value, most=NAME_LIMIT)


def _name(name: str, value: object) -> str:
    text = _text(name, value, most=NAME_LIMIT)
    if not text.strip():
        raise _wrong(name, value, "a name")
    return text


def _choice(name: str, value: object, choices: Mapping[str, object] | tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _wrong(name, value, f"one of {', '.join(choices)}")
    return value


def _optional_choice(name: str, value: object, choices: Mapping[str, object]) -> str | None:
    return None if value is None else _choice(name, value, choices)


def _list(name: str, value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list")
    return list(value)


def _tags(value: object) -> tuple[str, ...]:
    """Each tag once, in the order of `TAGS`, so that the order of clicks makes no other vote."""
    given = {_choice("tags", tag, TAGS) for tag in _list("tags", value)}
    return tuple(tag for tag in TAGS if tag in given)


def _marks(value: object) -> tuple[Mark, ...]:
    marks = _list("marks", value)
    if len(marks) > MARKS_LIMIT:
        raise VoteError(f"marks has {len(marks)} entries; expected at most {MARKS_LIMIT}")
    return tuple(_mark(mark) for mark in marks)


def _mark(value: object) -> Mark:
    if not isinstance(value, Mapping) or not {"kind", "x_px", "y_px"} <= value.keys():
        raise _wrong("marks", value, "entries with kind, x_px, y_px and perhaps ra_deg, dec_deg")
    ra_deg, dec_deg = value.get("ra_deg"), value.get("dec_deg")
    if (ra_deg is None) != (dec_deg is None):
        raise _wrong("marks", value, "ra_deg and dec_deg, or neither")
    return Mark(
        kind=_choice("marks.kind", value["kind"], MARK_KINDS),
        x_px=_number("marks.x_px", value["x_px"], -1e6, 1e6),
        y_px=_number("marks.y_px", value["y_px"], -1e6, 1e6),
        ra_deg=None if ra_deg is None else _number("marks.ra_deg", ra_deg, 0, 360),
        dec_deg=None if dec_deg is None else _number("marks.dec_deg", dec_deg, -90, 90),
    )


def _number(name: str, value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _wrong(name, value, f"a number from {least:g} to {most:g}")
    return float(value)


def _milliseconds(name: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise _wrong(name, value, "a whole number of milliseconds, 0 or more")
    return value


def _moment(name: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise _wrong(name, value, "a time with its zone, such as 2026-01-31T12:00:00+00:00")
    return moment.astimezone(UTC)
