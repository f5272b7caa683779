"""Packed cutouts become scores on many processes or machines: partitions on Dask, one finished file each, resumed.

Whatever dies, worker, client or scheduler, costs the partitions in flight; the next run scores those. What comes out
does not depend on how many work, nor on who died: see `lensmodel.partitions`.
"""

import contextlib
import ctypes
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from data.campaign import Campaign, open_campaign
from data.cutout_store import CutoutStore
from data.errors import LensVetError
from data.files import held_alone
from lensmodel import Progress
from lensmodel.errors import ModelError
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.networks import LensNetwork
from lensmodel.partitions import Partition, Plan, groups_in, objects_in, planned
from lensmodel.preprocessing import why_not
from lensmodel.scoring import ScoringReport, Tally, prepare, write_scored
from lensmodel.verdicts import score_rows

WORKER_MEMORY = "2GiB"  # of one local worker, which Dask starts anew beyond it
BYTES_PER_OBJECT = 1_000  # of scores and features on disk, more than any network takes
IN_FLIGHT = 3  # partitions per thread that workers know of
MOST_FAILURES = 10
_RETRIES = 2
_PATIENCE_S = 30.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_PROBE = ".can-everybody-see-this"


@dataclass(frozen=True)
class Job:
    """What every worker needs to know; the network is loaded once per process."""

    campaign: Path
    card: ModelCard
    batch_size: int | None


class Done(NamedTuple):
    """A finished partition."""

    partition: Partition
    tally: Tally


def score_survey(
    campaign: Campaign,
    card: ModelCard,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    batch_size: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> ScoringReport:
    """Score every object that has no row of this model version yet, on local processes or a Dask scheduler's workers.

    workers : processes to start here, of one thread each. scheduler : an address such as tcp://host:8786, whose
        workers see the campaign folder under the same path.

    Raises
    ------
    CampaignError
        If nothing was ingested, or another process is scoring with this model version.
    ModelError
        Before the first task: if the weights are not those of the card, no object has bands that the model needs, the
        disk is too small, or a worker cannot see the campaign. After it: if the scheduler went away, or partitions
        could not be scored; the others are.
    """
    check_survey(card, campaign.survey.name)
    load_network(card)
    _check_sight(campaign, card)
    job = Job(campaign.path.resolve(), card, batch_size)
    started = time.monotonic()
    with held_alone(campaign.scores_path(card.version) / ".lock", doing="scoring"):
        prepare(campaign, card)
        tally = Tally()
        with _client(workers, scheduler) as client, _saying_how_far(tally):
            threads = sum(client.nthreads().values())
            plan = planned(campaign, card.version, workers=threads)
            _check_room(campaign, plan)
            _check_workers(client, job)
            for done in _finished(client, job, plan, threads):
                tally.add_tally(done.tally)
                if on_progress is not None:
                    on_progress(Progress(tally.scored + tally.refused, plan.waiting))
    return ScoringReport(tally, plan.already_there, time.monotonic() - started)


def score_partition(job: Job, partition: Partition) -> Done:
    """Score the objects of a partition and write their file; what a worker does."""
    network = _network(job.card)
    campaign, store = _opened(job.campaign)
    steps = objects_in(campaign.catalogue_path, partition, chunk=store.chunk_length(partition.group))
    work = partial(score_rows, network, job.card, store, job.batch_size)
    scored = [work(step) for step in steps]
    tally = Tally()
    for step in scored:
        tally.add(step.rows)
    write_scored(campaign, job.card.version, scored, name=partition.part)
    return Done(partition, tally)


def check_worker(job: Job, probe: str) -> str | None:
    """Why a worker cannot do a job, None if it can."""
    try:
        campaign, _ = _opened(job.campaign)
        if not (campaign.scores_path(job.card.version) / probe).exists():
            return f"it does not see the same {job.campaign}: mount the campaign folder there under that path"
        _network(job.card)
    except (LensVetError, OSError) as error:
        return str(error)
    return None


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    import distributed

    # What goes wrong is said once, by the error that we raise.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is None:
        with (
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


def _check_sight(campaign: Campaign, card: ModelCard) -> None:
    store = campaign.cutouts()
    reasons = [why_not(card, one, store) for one in groups_in(campaign.catalogue_path)]
    if reasons and all(reasons):
        raise ModelError(f"{card.title} can see no object of {campaign.path}: {reasons[0]}")


def _check_room(campaign: Campaign, plan: Plan) -> None:
    free = shutil.disk_usage(campaign.path).free
    needed = plan.waiting * BYTES_PER_OBJECT
    if free < needed:
        raise ModelError(
            f"{campaign.path} has {free / 1e9:.1f} GB free and scores of {plan.waiting:,} objects may take "
            f"{needed / 1e9:.1f} GB: make room, or move the campaign"
        )


def _check_workers(client: Any, job: Job) -> None:
    probe = job.campaign / "scores" / job.card.version / _PROBE
    probe.touch()
    try:
        answers = client.run(check_worker, job, _PROBE, on_error="return")
    finally:
        probe.unlink(missing_ok=True)
    problems = [f"{address}: {answer}" for address, answer in answers.items() if answer is not None]
    if problems:
        raise ModelError(f"{len(problems)} of {len(answers)} workers cannot score; {problems[0]}")


@contextlib.contextmanager
def _saying_how_far(tally: Tally) -> Iterator[None]:
    """Turn what Dask says when its scheduler goes away into one sentence."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (FutureCancelledError, CommClosedError) as error:
        raise ModelError(
            f"the Dask scheduler went away, {tally.scored + tally.refused:,} objects later ({error}): start it, and "
            "run the same command again, which goes on there"
        ) from error


def _finished(client: Any, job: Job, plan: Plan, threads: int) -> Iterator[Done]:
    """Partitions as they are finished, in any order; workers know of a few per thread at a time."""
    import distributed

    waiting = iter(plan.partitions)
    failures: list[str] = []
    finished = 0

    def submit(partition: Partition) -> Any:
        key = f"{job.card.version}/{partition.part}"
        return client.submit(score_partition, job, partition, key=key, retries=_RETRIES, pure=False)

    running = distributed.as_completed()
    for _, partition in zip(range(threads * IN_FLIGHT), waiting, strict=False):
        running.add(submit(partition))
    for future in running:
        if future.status == "error":
            failures.append(f"{future.key}: {future.exception()}")
        else:
            yield future.result()  # which raises if it was cancelled
            finished += 1
        following = next(waiting, None) if len(failures) < MOST_FAILURES else None
        if following is not None:
            running.add(submit(following))
    if failures:
        raise ModelError(
            f"{len(failures):,} partitions could not be scored, {finished:,} are; the first: {failures[0]:.500}"
        )


_LOADING = threading.Lock()


def _network(card: ModelCard) -> LensNetwork:
    with _LOADING:
        return _loaded(card)


@lru_cache(maxsize=1)
def _loaded(card: ModelCard) -> LensNetwork:
    torch.set_num_threads(1)  # a worker's threads each run a batch of their own
    _keep_memory()
    network = load_network(card)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    return network


def _opened(path: Path) -> tuple[Campaign, CutoutStore]:
    """A campaign and its cutouts as they are now: an array that was opened earlier lacks rows that came since."""
    campaign = open_campaign(path)
    return campaign, campaign.cutouts()


def _keep_memory() -> None:
    """Keep freed memory for the next batch: Dask starts workers so that they give it back, which takes twice as long
    as the network does."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc, which has no such habit
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 512 * 2**20)
