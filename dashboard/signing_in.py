"""Signing in: a signed cookie that names a person and a generation, and ends with either or after a month."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import BoundedSemaphore, Lock

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import Response

from dashboard.errors import SignInError, TooManyError
from dashboard.passwords import is_right
from dashboard.secret import derived
from data.errors import PeopleError
from data.people import Person, account_of
from data.people_store import PeopleStore

COOKIE = "lensvet_sign_in"
LONGEST_S = 30 * 24 * 3600
RENEWED_AFTER_S = 24 * 3600
REMEMBERED_S = 20  # for so long a sign-in is taken for valid without asking the database
TRIES = 10  # wrong passwords per account or address in `TRIES_S`
TRIES_S = 300
_REMEMBERED = 5_000


@dataclass
class _Tries:
    """When wrong passwords came, by account and by address."""

    failed: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def check(self, *keys: str) -> None:
        start = time.monotonic() - TRIES_S
        with self.lock:
            for key in keys:
                self.failed[key] = [moment for moment in self.failed.get(key, []) if moment > start]
                self.failed.move_to_end(key)
                if len(self.failed[key]) >= TRIES:
                    raise TooManyError(f"{TRIES} wrong passwords: try again in {TRIES_S // 60} minutes")
            while len(self.failed) > _REMEMBERED:
                self.failed.popitem(last=False)

    def wrong(self, *keys: str) -> None:
        with self.lock:
            for key in keys:
                self.failed.setdefault(key, []).append(time.monotonic())


class SigningIn:
    """Who holds which cookie. secret : of the campaign; whoever has it can make cookies."""

    def __init__(self, people: PeopleStore, secret: bytes, campaign: str) -> None:
        self._people = people
        self._signer = URLSafeTimedSerializer(derived(secret, "sign-in"), salt=campaign)
        self._tries = _Tries()
        self._verifying = BoundedSemaphore(2)  # each takes 64 MiB and a core for a tenth of a second
        self._known: dict[str, tuple[float, Person, int]] = {}

    def by_password(self, name: object, password: object, *, address: str) -> Person:
        """The person of that name and password.

        Raises
        ------
        SignInError
            If there is none; it does not tell whether the name or the password is wrong.
        TooManyError
            After too many wrong ones, for this account or from this address.
        """
        try:
            account = account_of(name)
        except PeopleError:
            account = ""
        keys = (f"account {account}", f"address {address}")
        self._tries.check(*keys)
        found = self._people.credentials(account) if account else None
        with self._verifying:
            given = password if isinstance(password, str) else ""
            fits = is_right(given, found.password_hash if found else None)
        if not fits:
            self._tries.wrong(*keys)
            # As a literal: what no database keeps, such as NUL, is in it as an escape.
            self._people.note("sign-in refused", ascii(name)[:200], address=address)
            raise SignInError("name and password do not fit")
        assert found is not None
        self._people.note("signed in", found.person.name, actor=found.person.name)
        return found.person

    def remember(self, response: Response, person: Person, *, secure: bool) -> None:
        """Give this browser the cookie."""
        found = self._people.credentials(person.account)
        assert found is not None
        response.set_cookie(
            COOKIE,
            str(self._signer.dumps([person.account, found.generation])),
            max_age=LONGEST_S,
            httponly=True,
            # Lax, not strict: whoever follows a link from a mail, or comes back from another sign-in, is signed in.
            samesite="lax",
            secure=secure,
            path="/",
        )

    def forget(self, response: Response) -> None:
        """Take the cookie from this browser."""
        response.delete_cookie(COOKIE, path="/")

    def needs_asking(self, cookie: str) -> bool:
        """Whether `person_of` would ask the database, and so must not be called where others wait for it."""
        account, _ = self._read(cookie)
        return account is not None and self._is_stale(account)

    def person_of(self, cookie: str) -> Person | None:
        """Who holds this cookie; None if it was forged, is too old or was revoked."""
        account, generation = self._read(cookie)
        return None if account is None else self._current(account, generation)

    def end_everywhere(self, account: str, *, by: str) -> None:
        """Sign somebody out of every browser, now."""
        self._people.end_sign_ins(account, by=by)
        self._known.pop(account, None)

    def forget_known(self, account: str) -> None:
        """Ask the database again: this person has changed."""
        self._known.pop(account, None)

    def _read(self, cookie: str) -> tuple[str | None, object]:
        try:
            account, generation = self._signer.loads(cookie, max_age=LONGEST_S)
        except (BadSignature, ValueError, TypeError):
            return None, None
        return str(account), generation

    def _is_stale(self, account: str) -> bool:
        return time.monotonic() - self._known.get(account, (-REMEMBERED_S, None, 0))[0] >= REMEMBERED_S

    def _current(self, account: str, generation: object) -> Person | None:
        if self._is_stale(account):
            found = self._people.credentials(account)
            if found is None:
                return None
            self._known[account] = (time.monotonic(), found.person, found.generation)
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        _, person, known_generation = self._known[account]
        return person if generation == known_generation else None
