"""People who may sign in: their names and roles. Pure; `people_store` keeps them.

A name is shown as it was given; what tells people apart is their account, which is the same for names that look alike.
"""

import unicodedata
from dataclasses import dataclass

from data.errors import PeopleError
from data.votes import NAME_LIMIT

# What each role may do includes what those before it may.
ROLES: dict[str, str] = {
    "inspector": "grades what sessions give out, and sees own results",
    "lead": "opens, presents and closes sessions, sees everybody's results, exports",
    "admin": "invites people and changes their roles, reads the log",
}
NOBODY = "none"  # the role of somebody who was removed: their votes and name stay, the door is shut


@dataclass(frozen=True)
class Person:
    """Somebody with a role. account : what names that look alike have in common."""

    account: str
    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this person's role includes that one."""
        ranks = list(ROLES)
        return self.role in ranks and ranks.index(self.role) >= ranks.index(role)


def composed_name(name: object) -> str:
    """A name without the space around it, in Unicode's composed form.

    Raises
    ------
    PeopleError
        If it is empty, too long or holds control characters.
    """
    if not isinstance(name, str):
        raise PeopleError(f"name is {name!r:.80}; expected text")
    trimmed = unicodedata.normalize("NFC", name).strip()
    if not 0 < len(trimmed) <= NAME_LIMIT:
        raise PeopleError(f"name has {len(trimmed)} characters; expected 1 to {NAME_LIMIT}")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in trimmed):
        raise PeopleError("name holds a control character; remove it")
    return trimmed


def checked_name(name: object) -> str:
    """A composed name that cannot be mistaken for another: nothing invisible, and one script in each word.

    Raises
    ------
    PeopleError
    """
    composed = composed_name(name)
    # Also as the account has it: there the micro sign is a Greek letter, and one character may have become eighteen.
    for form in (composed, _folded(composed)):
        _check_characters(form)
    return composed


def account_of(name: object) -> str:
    """What tells people apart: without case, accents' encodings, widths or repeated space.

    >>> account_of("  Ada  LOVELACE ") == account_of("ada lovelace")
    True
    """
    return _folded(checked_name(name))


def checked_role(role: object) -> str:
    """A role that somebody can have.

    Raises
    ------
    PeopleError
    """
    if not isinstance(role, str) or role not in (*ROLES, NOBODY):
        raise PeopleError(f"role is {role!r:.40}; expected one of {', '.join(ROLES)}, or {NOBODY} to remove")
    return role


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _folded(name: str) -> str:
    """Compatibility forms and case taken away, until nothing changes any more."""
    while True:
        folded = " ".join(
            unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split()
        )
        if folded == name:
            return folded
        name = folded


def _check_characters(name: str) -> None:
    if not 0 < len(name) <= NAME_LIMIT:
        raise PeopleError(f"name has {len(name)} characters once it is folded; expected 1 to {NAME_LIMIT}")
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp"):
            raise PeopleError(f"name holds the invisible character U+{ord(character):04X}; remove it")
    for word in name.split():
        scripts = {_script(character) for character in word if character.isalpha()}
        if len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1:
            raise PeopleError(
                f"name has the word {word[:80]!r} in letters of {' and '.join(sorted(scripts)).lower()}: use one script"
            )
