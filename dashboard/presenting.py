"""What a lead presents: everybody in the session follows the candidate, its stretch and its overlay, in rounds.

While a round is open nobody is told what others voted; when the lead closes it, everybody is at once. Kept in memory:
after a restart the lead presents again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

VIEW_LIMIT = 40  # settings of the stage that are handed on


@dataclass(frozen=True)
class Shown:
    """What is presented now. place : None if nothing is. view : of the stage. is_voting : the round is open.

    ahead : places that come next, so that everybody's screen has them when they do.
    """

    version: int = 0
    by: str = ""
    place: int | None = None
    view: Mapping[str, object] = field(default_factory=dict)
    is_voting: bool = False
    ahead: tuple[int, ...] = ()


class Presenter:
    """One session's presentation; those who follow wait for the next version. For one event loop."""

    def __init__(self) -> None:
        self.shown = Shown()
        self._changed = asyncio.Condition()
        self.followers = 0

    async def show(
        self,
        *,
        by: str,
        place: int | None,
        view: Mapping[str, object],
        is_voting: bool,
        ahead: tuple[int, ...] = (),
    ) -> Shown:
        """Show this to everybody."""
        async with self._changed:
            is_voting = is_voting and place is not None
            self.shown = Shown(self.shown.version + 1, by, place, dict(view), is_voting, ahead)
            self._changed.notify_all()
        return self.shown

    async def touch(self) -> None:
        """Tell everybody that something else is new, such as how many have voted."""
        async with self._changed:
            self.shown = replace(self.shown, version=self.shown.version + 1)
            self._changed.notify_all()

    async def next_after(self, version: int, *, wait_s: float) -> Shown | None:
        """What is shown once it is newer than that version; None if nothing came in time."""
        async with self._changed:
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait_for(lambda: self.shown.version > version)
            except TimeoutError:
                return None
        return self.shown
