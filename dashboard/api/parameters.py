"""Parameters that several routes share."""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Path

from dashboard.errors import BadRequestError


async def _decoded(object_id: Annotated[str, Path(description="percent-encoded, also its slashes")]) -> str:
    # `dashboard.guard` leaves this part of the address as it was sent: `a%2Fplanes` is an id and no route.
    try:
        return unquote_to_bytes(object_id).decode()
    except UnicodeDecodeError:
        raise BadRequestError("the object's id in the address is not UTF-8, percent-encoded") from None


ObjectId = Annotated[str, Depends(_decoded)]
