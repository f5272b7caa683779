"""People, passwords and invitations, in the database of the label store. Passwords come hashed: this checks none."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from data.audit_log import log, now
from data.database import for_writing
from data.errors import PeopleError
from data.people import NOBODY, Person, account_of, checked_name, checked_role

INVITATION_DAYS = 7
_METADATA = sa.MetaData()


def _table(name: str, *texts: str, numbers: tuple[str, ...] = ()) -> sa.Table:
    columns = [sa.Column(column, sa.Text) for column in texts]
    return sa.Table(name, _METADATA, *columns, *(sa.Column(column, sa.BigInteger) for column in numbers))


_PEOPLE = _table("people", "account", "name", "role", "at", "by", numbers=("seq",))
_CREDENTIALS = _table("credentials", "account", "password_hash", numbers=("generation",))
_IDENTITIES = _table("identities", "issuer", "subject", "account")
_INVITATIONS = _table("invitations", "token_hash", "account", "expires_at", "used_at")
_PERSON = (_PEOPLE.c.account, _PEOPLE.c.name, _PEOPLE.c.role)


@dataclass(frozen=True)
class Credentials:
    """How somebody signs in. generation : grows when all their sign-ins must end."""

    person: Person
    password_hash: str | None
    generation: int


class PeopleStore:
    """People of one campaign. Each change is a transaction that also writes the log."""

    def __init__(self, engine: sa.Engine) -> None:
        self._reading = engine
        self._writing = for_writing(engine)

    def everybody(self) -> list[Person]:
        """People with a role, by name."""
        newest = sa.select(sa.func.max(_PEOPLE.c.seq)).group_by(_PEOPLE.c.account)
        with self._reading.connect() as connection:
            rows = connection.execute(sa.select(*_PERSON).where(_PEOPLE.c.seq.in_(newest))).all()
        return sorted(
            (Person(*row) for row in rows if row.role != NOBODY), key=lambda person: person.name.casefold()
        )

    def person(self, account: str) -> Person | None:
        """Somebody by account; None if there is nobody, or not any more."""
        with self._reading.connect() as connection:
            return _person(connection, account)

    def credentials(self, account: str) -> Credentials | None:
        """How that person signs in, None if nobody has this account."""
        with self._reading.connect() as connection:
            person = _person(connection, account)
            if person is None:
                return None
            row = connection.execute(
                sa.select(_CREDENTIALS).where(_CREDENTIALS.c.account == account)
            ).one_or_none()
        return Credentials(person, row.password_hash if row else None, row.generation if row else 0)

    def add(self, name: str, role: str, *, by: str) -> Person:
        """Let somebody in, with that role; they come in by an invitation or another way of signing in.

        Raises
        ------
        PeopleError
            If the name cannot be used or looks like that of somebody who is there.
        """
        checked_role(role)
        person = Person(account_of(name), checked_name(name), role)
        with self._writing.begin() as connection:
            there = _person(connection, person.account)
            if there is not None:
                raise PeopleError(f"{there.name!r} is there already, as {there.role}: choose another name")
            _write(connection, person, by=by)
            log(
                connection,
                actor=by,
                action="person added",
                subject=person.name,
                details={"role": person.role},
            )
        return person

    def change_role(self, account: str, role: str, *, by: str) -> Person:
        """Give somebody another role; `none` shuts the door at once. The last admin stays.

        Raises
        ------
        PeopleError
        """
        checked_role(role)
        with self._writing.begin() as connection:
            before = _known(connection, account)
            if before.role == "admin" and role != "admin" and not _has_other_admin(connection, account):
                raise PeopleError(f"{before.name} is the only admin: make somebody else one first")
            person = Person(account, before.name, role)
            _write(connection, person, by=by)
            _end_sign_ins(connection, account)
            details = {"before": before.role, "role": role}
            log(connection, actor=by, action="role changed", subject=person.name, details=details)
        return person

    def set_password(self, account: str, password_hash: str | None, *, by: str) -> None:
        """Replace the password (None: no password opens the door), which ends all sign-ins."""
        with self._writing.begin() as connection:
            person = _known(connection, account)
            _end_sign_ins(connection, account)
            connection.execute(
                sa.update(_CREDENTIALS)
                .where(_CREDENTIALS.c.account == account)
                .values(password_hash=password_hash)
            )
            log(connection, actor=by, action="password set", subject=person.name)

    def end_sign_ins(self, account: str, *, by: str) -> None:
        """Sign somebody out of every browser."""
        with self._writing.begin() as connection:
            person = _known(connection, account)
            _end_sign_ins(connection, account)
            log(connection, actor=by, action="signed out everywhere", subject=person.name)

    def invite(self, account: str, *, by: str, days: int = INVITATION_DAYS) -> str:
        """A token that lets that person choose a password once; only its hash is kept. Earlier ones end."""
        token = secrets.token_urlsafe(32)
        expires_at = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="microseconds")
        with self._writing.begin() as connection:
            person = _known(connection, account)
            unused = (_INVITATIONS.c.account == account, _INVITATIONS.c.used_at.is_(None))
            connection.execute(sa.update(_INVITATIONS).where(*unused).values(used_at=now()))
            connection.execute(
                sa.insert(_INVITATIONS).values(
                    token_hash=_hashed(token), account=account, expires_at=expires_at, used_at=None
                )
            )
            log(connection, actor=by, action="invited", subject=person.name, details={"until": expires_at})
        return token

    def invited(self, token: str) -> Person:
        """Whom an invitation is for.

        Raises
        ------
        PeopleError
            If it was used, is too old, or was never made; it does not tell which.
        """
        with self._reading.connect() as connection:
            return _invited(connection, token)

    def accept(self, token: str, password_hash: str | None) -> Person:
        """Use an invitation: the password is theirs, and the token opens nothing any more.

        Raises
        ------
        PeopleError
        """
        with self._writing.begin() as connection:
            person = _invited(connection, token)
            used = _INVITATIONS.c.token_hash == _hashed(token)
            taken = connection.execute(
                sa.update(_INVITATIONS).where(used, _INVITATIONS.c.used_at.is_(None)).values(used_at=now())
            )
            if taken.rowcount != 1:
                raise _no_invitation()
            _end_sign_ins(connection, person.account)
            connection.execute(
                sa.update(_CREDENTIALS)
                .where(_CREDENTIALS.c.account == person.account)
                .values(password_hash=password_hash)
            )
            log(connection, actor=person.name, action="invitation accepted", subject=person.name)
        return person

    def accept_with_identity(self, token: str, issuer: str, subject: str) -> Person:
        """Use an invitation without a password: from now on that identity signs in as the person invited.

        Raises
        ------
        PeopleError
        """
        person = self.accept(token, None)
        self.link_identity(person.account, issuer, subject, by=person.name)
        return person

    def link_identity(self, account: str, issuer: str, subject: str, *, by: str) -> None:
        """Let an identity of another service (OpenID Connect) sign in as that person."""
        with self._writing.begin() as connection:
            person = _known(connection, account)
            row = {"issuer": issuer, "subject": subject, "account": account}
            connection.execute(
                sa.delete(_IDENTITIES).where(_IDENTITIES.c.issuer == issuer, _IDENTITIES.c.subject == subject)
            )
            connection.execute(sa.insert(_IDENTITIES).values(row))
            log(
                connection,
                actor=by,
                action="identity linked",
                subject=person.name,
                details={"issuer": issuer},
            )

    def identified(self, issuer: str, subject: str) -> Person | None:
        """Who signs in with that identity, or None."""
        query = sa.select(_IDENTITIES.c.account)
        query = query.where(_IDENTITIES.c.issuer == issuer, _IDENTITIES.c.subject == subject)
        with self._reading.connect() as connection:
            account = connection.execute(query).scalar()
            return None if account is None else _person(connection, account)

    def note(self, action: str, subject: str, *, actor: str = "", **details: object) -> None:
        """Write to the log what changes nothing here, such as a sign-in."""
        with self._writing.begin() as connection:
            log(connection, actor=actor, action=action, subject=subject, details=details)


def _person(connection: sa.Connection, account: str) -> Person | None:
    query = sa.select(*_PERSON).where(_PEOPLE.c.account == account).order_by(_PEOPLE.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None or row.role == NOBODY else Person(*row)


def _known(connection: sa.Connection, account: str) -> Person:
    person = _person(connection, account)
    if person is None:
        raise PeopleError(f"nobody here is called {account[:80]!r}: lensvet people lists who is")
    return person


def _write(connection: sa.Connection, person: Person, *, by: str) -> None:
    connection.execute(sa.insert(_PEOPLE).values(**vars(person), at=now(), by=by))


def _has_other_admin(connection: sa.Connection, account: str) -> bool:
    newest = sa.select(sa.func.max(_PEOPLE.c.seq)).group_by(_PEOPLE.c.account)
    query = sa.select(_PEOPLE.c.seq).where(_PEOPLE.c.seq.in_(newest), _PEOPLE.c.role == "admin")
    return connection.execute(query.where(_PEOPLE.c.account != account).limit(1)).first() is not None


def _end_sign_ins(connection: sa.Connection, account: str) -> None:
    """One generation on; the row is made if there is none."""
    moved = connection.execute(
        sa.update(_CREDENTIALS)
        .where(_CREDENTIALS.c.account == account)
        .values(generation=_CREDENTIALS.c.generation + 1)
    )
    if moved.rowcount == 0:
        connection.execute(sa.insert(_CREDENTIALS).values(account=account, password_hash=None, generation=1))


def _invited(connection: sa.Connection, token: str) -> Person:
    row = connection.execute(
        sa.select(_INVITATIONS).where(_INVITATIONS.c.token_hash == _hashed(token))
    ).one_or_none()
    if row is None or row.used_at is not None or row.expires_at < now():
        raise _no_invitation()
    person = _person(connection, row.account)
    if person is None:
        raise _no_invitation()
    return person


def _no_invitation() -> PeopleError:
    return PeopleError("this invitation was used, has ended or never was: ask an admin for a new one")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
