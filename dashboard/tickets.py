"""Tickets: what an inspector gets in place of an object's id in a group session, so that the id tells nothing.

A simulated lens that was mixed in must not give itself away by its name, nor a repeat by being the same. A ticket is
the session, the place, the person and which look it is, in one block of AES: it means the same after a restart, can be
read by the server alone, and cannot be made up.
"""

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from dashboard.secret import derived

_LENGTH = 26
_SHAPE = re.compile(rf"[a-z2-7]{{{_LENGTH}}}")
_LAYOUT = struct.Struct(">IIB7s")  # session, place, look, person


@dataclass(frozen=True)
class Ticket:
    """session : its number. place : in the session's list. look : 0, or 1 for the repeat."""

    session: int
    place: int
    look: int


class Tickets:
    """Writes and reads tickets with a key made from the campaign's secret."""

    def __init__(self, secret: bytes) -> None:
        # One block, each different: what makes ECB unfit for messages is what is wanted of names.
        self._cipher = Cipher(algorithms.AES(derived(secret, "tickets")), modes.ECB())  # noqa: S305

    def written(self, ticket: Ticket, account: str) -> str:
        """The ticket as that person sees it."""
        block = _LAYOUT.pack(ticket.session, ticket.place, ticket.look, _tag(account))
        sealed = self._cipher.encryptor().update(block)
        return base64.b32encode(sealed).decode().rstrip("=").lower()

    def read(self, text: str, account: str) -> Ticket | None:
        """The ticket, None if it is none or somebody else's."""
        if not _SHAPE.fullmatch(text):
            return None
        try:
            sealed = base64.b32decode(text.upper() + "=" * 6)
        except binascii.Error:
            return None
        session, place, look, tag = _LAYOUT.unpack(self._cipher.decryptor().update(sealed))
        return Ticket(session, place, look) if tag == _tag(account) else None


def _tag(account: str) -> bytes:
    return hashlib.blake2b(account.encode(), digest_size=7).digest()
