"""Work on Dask: on processes of this machine, or on a scheduler's workers, of which any may die."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from lensmodel.errors import ModelError

WORKER_MEMORY = "2GiB"  # of one local worker, which Dask starts anew beyond it
IN_FLIGHT = 3  # pieces of work per thread that workers know of
MOST_FAILURES = 10  # in a row
_RETRIES = 2
_PATIENCE_S = 30.0

Made = TypeVar("Made")


@contextlib.contextmanager
def client_of(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """A Dask client. workers : processes to start here, of one thread each. scheduler : an address instead.

    Raises
    ------
    ModelError
        If no scheduler answers there, or it has no worker.
    """
    import dask
    import distributed

    # What goes wrong is said once, by the error that we raise.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is None:
        # What a worker is busy with is sampled for a page that nobody opens, and kept: 30 MiB in ten minutes.
        with (
            dask.config.set({"distributed.worker.profile.enabled": False}),
            distributed.LocalCluster(
                n_workers=workers or 1,
                threads_per_worker=1,
                processes=True,
                memory_limit=WORKER_MEMORY,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            client.wait_for_workers(workers or 1, timeout=_PATIENCE_S)
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"no Dask scheduler answers at {scheduler} ({error}): expected an address such as tcp://host:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError:
            raise ModelError(
                f"the scheduler at {scheduler} has no worker: start one with dask worker {scheduler}"
            ) from None
        yield client


@contextlib.contextmanager
def saying_how_far(said: Callable[[], str]) -> Iterator[None]:
    """Turn what Dask says when its scheduler goes away into one sentence. said : how far the work is then."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (FutureCancelledError, CommClosedError) as error:
        raise ModelError(
            f"the Dask scheduler went away after {said()} ({error}): start it, and run the same command again, which "
            "goes on there"
        ) from error


def refused_by(client: Any, check: Callable[..., str | None], *arguments: object) -> str | None:
    """What a worker says against a job, None if all can do it. check : run on each worker, for its reason."""
    answers = client.run(check, *arguments, on_error="return")
    problems = [f"{address}: {answer}" for address, answer in answers.items() if answer is not None]
    return f"{len(problems)} of {len(answers)} workers cannot score; {problems[0]}" if problems else None


def finished(client: Any, work: Callable[..., Made], pieces: Mapping[str, tuple[Any, ...]]) -> Iterator[Made]:
    """What `work` makes of the arguments of each named piece, as it is finished, in any order.

    Workers know of a few pieces per thread at a time.

    Raises
    ------
    ModelError
        At the end, if some could not be done; sooner if many in a row cannot, or no worker is left.
    """
    import distributed

    waiting = iter(pieces.items())
    failures: list[str] = []
    done = in_a_row = 0
    threads = sum(client.nthreads().values())
    if pieces and not threads:
        raise ModelError("the scheduler has no worker any more: start one, and run the same command again")

    def submit(name: str, arguments: tuple[Any, ...]) -> Any:
        return client.submit(work, *arguments, key=name, retries=_RETRIES, pure=False)

    running = distributed.as_completed()
    for _, piece in zip(range(threads * IN_FLIGHT), waiting, strict=False):
        running.add(submit(*piece))
    for future in running:
        if future.status == "error":
            failures.append(f"{future.key}: {future.exception()}")
            in_a_row += 1
        else:
            yield future.result()  # which raises if it was cancelled
            done += 1
            in_a_row = 0
        following = next(waiting, None) if in_a_row < MOST_FAILURES else None
        if following is not None:
            running.add(submit(*following))
    if failures:
        raise ModelError(
            f"{len(failures):,} partitions could not be scored, {done:,} are; the first: {failures[0]:.500}"
        )
