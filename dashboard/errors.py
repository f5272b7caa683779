"""The errors of `dashboard`, one tree; `dashboard.api.problems` says which HTTP status each becomes."""

from data.errors import LensVetError


class MisdirectedError(LensVetError):
    """A page speaks for another campaign or inspector than this server would book its words to."""


class UnknownObjectError(LensVetError):
    """No object of the campaign has this id."""

    def __init__(self, object_id: str) -> None:
        shown = object_id if len(object_id) <= 80 else f"{object_id[:77]}…"
        super().__init__(f"no object {shown!r} in this campaign: check the id, or ingest its cutout")


class UnknownMapError(LensVetError):
    """There is no such model or method, or the model has no such method."""


class WithheldError(LensVetError):
    """The inspector may not see this before the blind grade is stored."""


class SignInError(LensVetError):
    """Nobody has signed in, or not with what opens this."""


class ForbiddenError(LensVetError):
    """Somebody has signed in whose role does not include this, or who is no member."""


class TooManyError(LensVetError):
    """Too many requests or wrong passwords came from one person or address."""


class BadRequestError(LensVetError):
    """A request asks for something that does not exist, such as an unknown order or format."""


class ServeError(LensVetError):
    """The server cannot start, or a process that it needs died."""
