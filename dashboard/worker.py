"""A process that holds networks and answers jobs, one after the other, over a pipe."""

import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, TypeVar

from dashboard.children import start_child, stop_child
from dashboard.errors import ServeError
from data.errors import LensVetError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Worker(Generic[Job, Answer]):
    """Started with the first job, and again if it died. `str(job)` says in messages what was asked.

    serve : what the process runs; it answers each job with an Answer or an error.
    """

    def __init__(self, campaign_path: Path, serve: Callable[[Path, Connection], None], *, name: str) -> None:
        self._campaign_path = campaign_path
        self._serve = serve
        self._name = name
        self._lock = threading.Lock()
        self._running: tuple[BaseProcess, Connection] | None = None
        self._is_closed = False

    def run(self, job: Job) -> Answer | LensVetError:
        """The answer, or what went wrong; not from two threads at once."""
        for _ in range(2):
            try:
                _, connection = self._started()
                connection.send(job)
                answer: Answer | LensVetError = connection.recv()
                return answer
            except (EOFError, OSError):
                self._stop()
            except Exception as error:  # an answer that cannot be read; whoever waits must hear of it
                self._stop()
                return ServeError(f"{job} gave no readable answer: {error!r}"[:500])
        return ServeError(f"the process {self._name} died on {job}: try again")

    def close(self) -> None:
        """End the process, also in the middle of a job."""
        self._is_closed = True
        self._stop()

    def _started(self) -> tuple[BaseProcess, Connection]:
        with self._lock:
            if self._is_closed:
                raise EOFError
            if self._running is None:
                ours, theirs = Pipe()
                self._running = start_child(self._serve, self._campaign_path, theirs, name=self._name), ours
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
