"""What a page with plots does beside the event loop: one task for each section, results put in the document's turn."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

import panel as pn
from bokeh.document import Document

from data.errors import LensVetError

log = logging.getLogger("lensvet")

Made = TypeVar("Made")


class PageBody:
    """The page of one browser. pool : where its work is done."""

    def __init__(self, document: Document, pool: Executor) -> None:
        self._document = document
        self._pool = pool
        self._tasks: dict[str, asyncio.Task[None]] = {}
        document.on_session_destroyed(lambda _: self._end())

    def say_problem(self, words: str) -> None:
        """Show what went wrong, in the document's turn."""
        raise NotImplementedError

    def _start(self, section: str, work: Coroutine[Any, Any, None]) -> None:
        """Go on with other things while this is done; what the section was busy with is given up."""
        self._give_up(section)
        task = self._tasks[section] = asyncio.get_running_loop().create_task(self._guarded(work))
        task.add_done_callback(
            lambda _: work.close()
        )  # given up before it began, it would be missed by nobody

    def _give_up(self, *names: str) -> None:
        for name in names:
            if name in self._tasks:
                self._tasks[name].cancel()

    def _end(self) -> None:
        self._give_up(*self._tasks)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except LensVetError as error:
            await self._put(self.say_problem, str(error))
        except Exception:
            log.exception("a page failed")
            await self._put(self.say_problem, "the server failed on this page; its log says why: reload it")

    async def _made(self, make: Callable[..., Made], *given: Any) -> Made:
        """The result of a function that takes its time, from a thread for such."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(make, *given))

    async def _put(self, show: Callable[..., None], *given: Any) -> None:
        """Change the page in its document's own turn, and wait until it is changed."""
        done = asyncio.get_running_loop().create_future()

        def turn() -> None:
            try:
                with pn.io.hold():
                    show(*given)
            except Exception as error:  # it belongs to whoever waits
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():  # whoever waited was given up meanwhile
                    done.set_result(None)

        self._document.add_next_tick_callback(turn)
        await done
