"""Maps on demand: one worker process computes them, the newest request first; torch lives there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError


@dataclass(frozen=True)
class Job:
    """A map that somebody wants to see."""

    model_version: str
    method: str
    object_id: str

    def __str__(self) -> str:
        return f"{self.method} of {self.object_id[:80]!r}"


@dataclass
class _Wanted:
    done: asyncio.Future[None]
    waiting: int = field(default=0)


class Explainer:
    """Computes maps into the campaign's map stores. Use it from one event loop.

    serve : what the worker process runs; it answers each job with None or an error.
    """

    def __init__(self, campaign: Campaign, serve: Callable[[Path, Connection], None] | None = None) -> None:
        self._worker: Worker[Job, None] = Worker(campaign.path, serve or serve_maps, name="lensvet-maps")
        self._wanted: dict[Job, _Wanted] = {}
        self._draining: asyncio.Task[None] | None = None

    async def compute(self, job: Job) -> None:
        """Return once the map is in the store; what nobody waits for any more is not computed.

        Raises
        ------
        LensVetError
            If the model cannot see this object, or the worker died twice.
        """
        loop = asyncio.get_running_loop()
        wanted = self._wanted.setdefault(job, _Wanted(loop.create_future()))
        if self._draining is None or self._draining.done():
            self._draining = loop.create_task(self._drain())
        wanted.waiting += 1
        try:
            await asyncio.shield(wanted.done)
        finally:
            wanted.waiting -= 1

    def close(self) -> None:
        """End the worker, also in the middle of a map."""
        self._worker.close()

    async def _drain(self) -> None:
        while self._wanted:
            # Who walks through the queue wants the map of the object on screen, not of those passed by.
            job = next(reversed(self._wanted))
            wanted = self._wanted[job]
            error = await asyncio.to_thread(self._worker.run, job) if wanted.waiting else None
            del self._wanted[job]
            if not wanted.waiting:
                wanted.done.cancel()
            elif error is None:
                wanted.done.set_result(None)
            else:
                wanted.done.set_exception(error)


def serve_maps(campaign_path: Path, connection: Connection) -> None:
    """Compute the maps that are asked for until the other side closes. Runs in the worker process."""
    import torch

    from lensmodel.explain import explain_one
    from lensmodel.models import model_named

    # The other core belongs to the web process.
    torch.set_num_threads(1)
    campaign = open_campaign(campaign_path)
    while True:
        try:
            job: Job = connection.recv()
        except EOFError:
            return
        try:
            explain_one(campaign, model_named(job.model_version), job.method, job.object_id)
            connection.send(None)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # what a network raises is its own; the reason goes to the inspector
            connection.send(ServeError(f"{job.method} of {job.model_version} failed: {error!r}"[:500]))
