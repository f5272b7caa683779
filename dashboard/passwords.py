"""Passwords: hashed with argon2id, and none that is guessed in an afternoon."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from data.errors import PeopleError

LEAST, MOST = 12, 200
FEWEST_DIFFERENT = 6
_HASHER = PasswordHasher()  # RFC 9106, the low-memory choice: 64 MiB, three passes
# Checked where there is no such account, so that the time tells nothing.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$dJeEQ2y2Xo3k2d1Kd2m0xw$Zs6k0p8t0C1qTq5TDM8m5I4q9mCkC3o2mO0y8b4sQwQ"
_WORDS = ("password", "passwort", "lensvet", "qwerty", "123456", "letmein", "abcdef")


def hashed(password: object, *, name: str) -> str:
    """The hash of a password that may be used.

    Raises
    ------
    PeopleError
        If it is short, long, of few different characters, or made of the person's name or a common word.
    """
    if not isinstance(password, str) or not LEAST <= len(password) <= MOST:
        raise PeopleError(
            f"a password has {LEAST} to {MOST} characters: several words are easy to keep in mind"
        )
    plain = password.casefold()
    if len(set(plain)) < FEWEST_DIFFERENT:
        raise PeopleError(
            f"the password has fewer than {FEWEST_DIFFERENT} different characters: choose another"
        )
    for word in (*_WORDS, *name.casefold().split()):
        if len(word) > 2 and len(plain.replace(word, "")) < LEAST // 2:
            raise PeopleError(f"the password is little more than {word!r}: choose another")
    return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether the password has that hash; as slow for somebody without one."""
    try:
        return _HASHER.verify(password_hash or _NOBODYS, password[: MOST + 1]) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False
