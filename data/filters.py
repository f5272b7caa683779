"""Which objects: `p_lens > 0.9 and VIS_mag < 22 and not graded`, as a condition on the columns of a table. Pure.

    condition = parsed('p_lens > 0.9 and (class = "ring" or warnings is missing)')
    sql, values = as_sql(condition)            for DuckDB
    mask = as_mask(condition, columns)         for arrays in memory

Comparisons, `between … and …`, `in (…)`, `is missing`, `not`, `and`, `or`, parentheses. A column with other characters
than letters, digits and _ stands in back quotes. What is missing meets no comparison, so it does meet `not (…)`.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import FilterError

LONGEST = 2_000
DEEPEST = 40
Value = float | str
Mask = NDArray[np.bool_]

_COMPARED: dict[str, Callable[[NDArray[np.generic], Value], Mask]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_KEYWORDS = ("and", "or", "not", "between", "in", "is", "missing")
# Shorthands that people type, and what they stand for.
WORDS = {
    "graded": "n_votes > 0",
    "ungraded": "not n_votes > 0",
    "scored": "not logit is missing",
    "disputed": "score_spread >= 2",
    "known": "not known_lens is missing",
    "duplicate": "not duplicate_of is missing",
}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])
    | (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | `(?P<quoted>[^`]+)`
    | (?P<name>[^\W\d]\w*)
    | (?P<mark><=|>=|!=|<>|==|<|>|=|\(|\)|,)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Comparison:
    """A column against a value, by one of < <= > >= = !=."""

    column: str
    sign: str
    value: Value


@dataclass(frozen=True)
class Missing:
    """Where a column has no value."""

    column: str


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    of: "Condition"


@dataclass(frozen=True)
class Every:
    """All of these; where there are none, everything."""

    of: tuple["Condition", ...] = ()


@dataclass(frozen=True)
class Some:
    """At least one of these."""

    of: tuple["Condition", ...]


Condition = Comparison | Missing | Not | Every | Some


def parsed(text: str) -> Condition:
    """The condition that a text states; an empty one is met by everything.

    Raises
    ------
    FilterError
        If it is not understood; the message says where.
    """
    if len(text) > LONGEST:
        raise FilterError(f"the filter has {len(text)} characters; at most {LONGEST} are read")
    reader = _Reader(text)
    if reader.at_end():
        return Every()
    condition = reader.some(0)
    if not reader.at_end():
        raise reader.error("and, or, or the end")
    return condition


def columns_of(condition: Condition) -> set[str]:
    """The columns that a condition speaks of."""
    if isinstance(condition, Comparison | Missing):
        return {condition.column}
    parts = (condition.of,) if isinstance(condition, Not) else condition.of
    return set().union(*(columns_of(part) for part in parts))


def checked(condition: Condition, kinds: Mapping[str, str]) -> Condition:
    """The condition with columns named as the table names them, capitals aside.

    kinds : `number` or `text`, of each column.

    Raises
    ------
    FilterError
        If there is no such column, or a number is compared with text.
    """
    if isinstance(condition, Comparison | Missing):
        name = _named(condition.column, kinds)
        if isinstance(condition, Missing):
            return Missing(name)
        is_text = isinstance(condition.value, str)
        if is_text != (kinds[name] == "text"):
            expected = 'text in quotes, such as "ring"' if kinds[name] == "text" else "a number"
            raise FilterError(f"{name} is compared with {condition.value!r:.60}; expected {expected}")
        return Comparison(name, condition.sign, condition.value)
    if isinstance(condition, Not):
        return Not(checked(condition.of, kinds))
    parts = tuple(checked(part, kinds) for part in condition.of)
    return Every(parts) if isinstance(condition, Every) else Some(parts)


def as_sql(condition: Condition) -> tuple[str, list[Value]]:
    """A condition for WHERE, and the values of its question marks in their order; what is missing must be NULL."""
    if isinstance(condition, Comparison):
        return f"({quoted(condition.column)} {condition.sign} ?)", [condition.value]
    if isinstance(condition, Missing):
        return f"({quoted(condition.column)} IS NULL)", []
    if isinstance(condition, Not):
        if isinstance(condition.of, Missing):
            return f"({quoted(condition.of.column)} IS NOT NULL)", []
        sql, values = as_sql(condition.of)
        return f"(NOT coalesce({sql}, false))", values
    if not condition.of:
        return "true", []
    parts = [as_sql(part) for part in condition.of]
    joined = (" AND " if isinstance(condition, Every) else " OR ").join(sql for sql, _ in parts)
    return f"({joined})", [value for _, values in parts for value in values]


def as_mask(condition: Condition, columns: Mapping[str, NDArray[np.generic]], length: int) -> Mask:
    """Where the condition is met. columns : (length,) each, NaN or empty text where there is no value."""
    if isinstance(condition, Comparison):
        values = columns[condition.column]
        met = _COMPARED[condition.sign](values, condition.value)
        # NaN meets != and nothing else; empty text could meet anything.
        return met & ~_is_missing(values) if condition.sign == "!=" or values.dtype.kind != "f" else met
    if isinstance(condition, Missing):
        return _is_missing(columns[condition.column])
    if isinstance(condition, Not):
        return ~as_mask(condition.of, columns, length)
    masks = [as_mask(part, columns, length) for part in condition.of]
    start = np.full(length, isinstance(condition, Every))
    every_or_some: Mask = (np.logical_and if isinstance(condition, Every) else np.logical_or).reduce(
        [start, *masks]
    )
    return every_or_some


def quoted(name: str) -> str:
    """A column's name as it may stand in SQL."""
    return '"' + name.replace('"', '""') + '"'


def within(column: str, low: float | None = None, high: float | None = None) -> Condition:
    """Where a column lies from low to high; None is no bound."""
    bounds = ((">=", low), ("<=", high))
    return Every(tuple(Comparison(column, sign, value) for sign, value in bounds if value is not None))


def in_words(condition: Condition) -> str:
    """A condition as text that `parsed` reads again."""
    if isinstance(condition, Comparison):
        value = condition.value
        said = f"{value:.6g}" if not isinstance(value, str) else _in_quotes(value)
        return f"{_spoken(condition.column)} {condition.sign} {said}"
    if isinstance(condition, Missing):
        return f"{_spoken(condition.column)} is missing"
    if isinstance(condition, Not):
        return f"not ({in_words(condition.of)})"
    joint = " and " if isinstance(condition, Every) else " or "
    parts = [
        f"({in_words(part)})" if isinstance(part, Every | Some) and len(part.of) > 1 else in_words(part)
        for part in condition.of
    ]
    return joint.join(part for part in parts if part)


def _spoken(name: str) -> str:
    return name if re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in _KEYWORDS else f"`{name}`"


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_missing(values: NDArray[np.generic]) -> Mask:
    missing: Mask = np.isnan(values) if values.dtype.kind == "f" else values == ""
    return missing


def _named(name: str, kinds: Mapping[str, str]) -> str:
    if name in kinds:
        return name
    found = [known for known in kinds if known.lower() == name.lower()]
    if len(found) != 1:
        raise FilterError(f"there is no column {name!r:.60}; there are {', '.join(sorted(kinds))[:600]}")
    return found[0]


class _Reader:
    """Reads a filter from left to right: `or` binds least, then `and`, then `not`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def some(self, depth: int) -> Condition:
        parts = [self._every(depth)]
        while self._take("or"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def error(self, expected: str) -> FilterError:
        place = len(self._text) if self.at_end() else self._tokens[self._next][2]
        found = self._text[place : place + 20] or "the end"
        return FilterError(f"the filter has {found!r} at character {place + 1}; expected {expected}")

    def _every(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise FilterError(f"the filter has more than {DEEPEST} parentheses within each other")
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            within_them = self.some(depth + 1)
            self._expect(")")
            return within_them
        return self._about_a_column()

    def _about_a_column(self) -> Condition:
        kind, name, _ = self._tokens[self._next] if not self.at_end() else ("", "", 0)
        if kind not in ("name", "quoted") or (kind == "name" and name.lower() in _KEYWORDS):
            raise self.error("a column")
        self._next += 1
        if self._take("is"):
            negated = self._take("not")
            self._expect("missing")
            return Not(Missing(name)) if negated else Missing(name)
        if self._take("between"):
            low = self._value()
            self._expect("and")
            return Every((Comparison(name, ">=", low), Comparison(name, "<=", self._value())))
        if self._take("in"):
            return Some(tuple(Comparison(name, "=", value) for value in self._list()))
        for sign in (*_COMPARED, "==", "<>"):
            if self._take(sign):
                return Comparison(name, {"==": "=", "<>": "!="}.get(sign, sign), self._value())
        if kind == "name" and name.lower() in WORDS:
            return parsed(WORDS[name.lower()])
        raise self.error(f"a comparison, or one of {', '.join(WORDS)} alone")

    def _list(self) -> Iterator[Value]:
        self._expect("(")
        yield self._value()
        while self._take(","):
            yield self._value()
        self._expect(")")

    def _value(self) -> Value:
        kind, text, _ = self._tokens[self._next] if not self.at_end() else ("", "", 0)
        if kind not in ("number", "text"):
            raise self.error('a number, or text in quotes such as "ring"')
        self._next += 1
        return float(text) if kind == "number" else re.sub(r"\\(.)", r"\1", text[1:-1])

    def _take(self, word: str) -> bool:
        if self.at_end():
            return False
        kind, text, _ = self._tokens[self._next]
        if kind not in ("name", "mark") or text.lower() != word:
            return False
        self._next += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self.error(word)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise FilterError(f"the filter has {text[place:].strip()[:20]!r}, which is not understood")
        yield found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)
        place = found.end()
