"""Maps on demand, the newest request first, and maps of what comes next: in worker processes, where torch lives."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from dashboard.children import start_child, stop_child
from dashboard.errors import ServeError
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError


@dataclass(frozen=True)
class Job:
    """A map that somebody wants to see."""

    model_version: str
    method: str
    object_id: str


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
        self._worker = _Worker(campaign.path, serve or serve_maps)
        self._worker_ahead = _Worker(campaign.path, serve or serve_maps_ahead)
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


class _Worker:
    """The process that holds the networks; started with the first job, and again if it died."""

    def __init__(self, campaign_path: Path, serve: Callable[[Path, Connection], None]) -> None:
        self._campaign_path = campaign_path
        self._serve = serve
        self._lock = threading.Lock()
        self._running: tuple[BaseProcess, Connection] | None = None
        self._is_closed = False

    def run(self, job: Job) -> LensVetError | None:
        for _ in range(2):
            try:
                _, connection = self._started()
                connection.send(job)
                answer: LensVetError | None = connection.recv()
                return answer
            except (EOFError, OSError):
                self._stop()
            except Exception as error:  # an answer that cannot be read; whoever waits must hear of it
                self._stop()
                return ServeError(
                    f"{job.method} of {job.object_id[:80]!r} gave no readable answer: {error!r}"[:500]
                )
        return ServeError(
            f"the process that computes maps died on {job.method} of {job.object_id[:80]!r}: try again"
        )

    def close(self) -> None:
        self._is_closed = True
        self._stop()

    def _started(self) -> tuple[BaseProcess, Connection]:
        with self._lock:
            if self._is_closed:
                raise EOFError
            if self._running is None:
                ours, theirs = Pipe()
                self._running = (
                    start_child(self._serve, self._campaign_path, theirs, name="lensvet-maps"),
                    ours,
                )
                # The child holds its own copy: with ours closed, the child's death ends our waiting.
                theirs.close()
            return self._running

    def _stop(self) -> None:
        with self._lock:
            if self._running is not None:
                process, connection = self._running
                self._running = None
                stop_child(process)
                connection.close()


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
            explain_one(campaign, model_named(job.model_version), job.method, job.object_id)
            connection.send(None)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # what a network raises is its own; the reason goes to the inspector
            connection.send(ServeError(f"{job.method} of {job.model_version} failed: {error!r}"[:500]))
