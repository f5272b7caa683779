"""Maps on demand, the newest request first, and maps of what comes next: in worker processes, where torch lives."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError


@dataclass(frozen=True)
class Job:
    """A map that somebody wants to see. coarse : at once rather than in detail."""

    model_version: str
    method: str
    object_id: str
    coarse: bool = False

    def __str__(self) -> str:
        return f"{self.method} of {self.object_id[:80]!r}"


_PATIENCE = 10  # added to the niceness of the process that computes ahead
_INSPECTORS_AHEAD = 64  # for whom maps are computed ahead, the latest to ask


@dataclass
class _Wanted:
    done: asyncio.Future[None]
    waiting: int = field(default=0)


class Explainer:
    """Computes maps into the campaign's map stores. Use it from one event loop.

    serve : what the worker process runs; it answers each job with None or an error.
    """

    def __init__(self, campaign: Campaign, serve: Callable[[Path, Connection], None] | None = None) -> None:
        # Two, so that the map on screen does not wait for one that nobody looks at yet.
        self._worker: Worker[Job, None] = Worker(campaign.path, serve or serve_maps, name="lensvet-maps")
        self._worker_ahead: Worker[Job, None] = Worker(
            campaign.path, serve or serve_maps_ahead, name="lensvet-maps-ahead"
        )
        self._wanted: dict[Job, _Wanted] = {}
        self._ahead: dict[str, list[Job]] = {}
        self._running_ahead: tuple[Job, asyncio.Future[LensVetError | None]] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._draining_ahead: asyncio.Task[None] | None = None

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

    def ahead(self, inspector: str, jobs: Sequence[Job]) -> None:
        """Compute these, the first one first; they replace what was still ahead of the inspector."""
        self._ahead.pop(inspector, None)
        self._ahead[inspector] = list(jobs)
        for longest_ago in list(self._ahead)[:-_INSPECTORS_AHEAD]:
            del self._ahead[longest_ago]
        if self._draining_ahead is None or self._draining_ahead.done():
            self._draining_ahead = asyncio.get_running_loop().create_task(self._drain_ahead())

    def close(self) -> None:
        """End the workers, also in the middle of a map."""
        self._ahead.clear()
        self._worker.close()
        self._worker_ahead.close()

    async def _drain(self) -> None:
        while self._wanted:
            # Who walks through the queue wants the map of the object on screen, not of those passed by.
            job = next(reversed(self._wanted))
            wanted = self._wanted[job]
            if self._running_ahead and self._running_ahead[0] == job:
                error = await asyncio.shield(self._running_ahead[1])
            else:
                error = await asyncio.to_thread(self._worker.run, job) if wanted.waiting else None
            del self._wanted[job]
            if not wanted.waiting:
                wanted.done.cancel()
            elif error is None:
                wanted.done.set_result(None)
            else:
                wanted.done.set_exception(error)

    async def _drain_ahead(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ahead:
            inspector = next(iter(self._ahead))  # who has waited longest for one
            jobs = self._ahead.pop(inspector)
            if not jobs:
                continue
            self._running_ahead = (jobs[0], loop.create_future())
            error = await asyncio.to_thread(self._worker_ahead.run, jobs[0])
            self._running_ahead[1].set_result(error)
            self._running_ahead = None
            # Why the model cannot see an object is told to whoever asks; a worker that died is spared the rest.
            rest = [] if isinstance(error, ServeError) else jobs[1:]
            if inspector not in self._ahead:  # else something newer was asked for meanwhile
                self._ahead[inspector] = rest


def serve_maps_ahead(campaign_path: Path, connection: Connection) -> None:
    """`serve_maps`, after all that somebody waits for."""
    os.nice(_PATIENCE)
    serve_maps(campaign_path, connection)


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
            card = model_named(job.model_version)
            explain_one(campaign, card, job.method, job.object_id, coarse=job.coarse)
            connection.send(None)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # what a network raises is its own; the reason goes to the inspector
            connection.send(ServeError(f"{job.method} of {job.model_version} failed: {error!r}"[:500]))
