"""Packed cutouts become scores on many processes or machines: partitions on Dask, one finished file each, resumed.

Whatever dies, worker, client or scheduler, costs the partitions in flight; the next run scores those. What comes out
does not depend on how many work, nor on who died: see `lensmodel.partitions`.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data.campaign import Campaign, open_campaign
from data.cutout_store import CutoutStore
from data.errors import CampaignError, LensVetError
from data.files import held_alone
from lensmodel import Progress
from lensmodel.batches import fetched_ahead
from lensmodel.errors import ModelError
from lensmodel.models import ModelCard, check_survey, load_network
from lensmodel.on_dask import client_of, finished, refused_by, saying_how_far
from lensmodel.partitions import Partition, groups_in, objects_in, planned
from lensmodel.preprocessing import why_not
from lensmodel.scoring import (
    MOST_UNREAD,
    ScoringReport,
    Tally,
    Unread,
    check_run,
    prepare,
    scored_or_why_not,
    unread_error,
    write_scored,
)
from lensmodel.verdicts import score_rows
from lensmodel.worker_network import network_of

BYTES_PER_OBJECT = 1_000  # of scores and features on disk, more than any network takes
_PROBE = ".can-everybody-see-this"


@dataclass(frozen=True)
class Job:
    """What every worker needs to know; the network is loaded once per process.

    run : whose scores these are; see `lensmodel.scoring.prepare`.
    """

    campaign: Path
    card: ModelCard
    batch_size: int | None
    run: str


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
        could not be scored; the others are. `UnreadError`, if some cutouts could not be read: see `scoring.score`.
    """
    check_survey(card, campaign.survey.name)
    load_network(card)
    _check_sight(campaign, card)
    started = time.monotonic()
    with held_alone(campaign.scores_path(card.version) / ".lock", doing="scoring"):
        job = Job(campaign.path.resolve(), card, batch_size, prepare(campaign, card))
        tally = Tally()
        with (
            client_of(workers, scheduler) as client,
            saying_how_far(lambda: f"{tally.scored + tally.refused:,} objects"),
        ):
            plan = planned(campaign, card.version, workers=max(1, sum(client.nthreads().values())))
            check_room(campaign, plan.waiting)
            check_workers(client, job, campaign.scores_path(card.version))
            pieces = {f"{one.group} {one.first}-{one.last} {job.run}": (job, one) for one in plan.partitions}
            in_a_row = 0
            for done in finished(client, score_partition, pieces):
                tally.add_tally(done)
                if on_progress is not None:
                    on_progress(Progress(tally.scored + tally.refused, plan.waiting))
                in_a_row = 0 if done.scored or done.refused else in_a_row + len(done.unread)
                if in_a_row >= MOST_UNREAD:
                    break
    if tally.unread:
        raise unread_error(tally)
    return ScoringReport(tally, plan.already_there, time.monotonic() - started)


def score_partition(job: Job, partition: Partition) -> Tally:
    """Score the objects of a partition and write their file; what a worker does."""
    network = network_of(job.card)
    campaign, store = _opened(job.campaign)
    steps = objects_in(campaign.catalogue_path, partition, chunk=store.chunk_length(partition.group))
    work = partial(score_rows, network, job.card, store, job.batch_size)
    tally = Tally()
    scored = []
    check_run(campaign.scores_path(job.card.version), job.run)
    for step in fetched_ahead(job.card, store, steps):
        made = scored_or_why_not(work, step)
        if isinstance(made, Unread):
            tally.unread += [made]
            continue
        tally.add(made.rows)
        scored.append(made)
    if scored:
        check_run(campaign.scores_path(job.card.version), job.run)
        write_scored(campaign, job.card.version, scored, name=partition.part_of(steps))
    return tally


def check_worker(job: Job, probe: str) -> str | None:
    """Why a worker cannot do a job, None if it can. probe : a file that it must see."""
    try:
        open_campaign(job.campaign)
        if not Path(probe).exists():
            return f"it does not see the same {job.campaign}: mount the campaign folder there under that path"
        if not os.access(Path(probe).parent, os.W_OK):
            return f"it may not write to {Path(probe).parent}"
        network_of(job.card)
    except (LensVetError, OSError) as error:
        return str(error)
    return None


def _check_sight(campaign: Campaign, card: ModelCard) -> None:
    if not campaign.catalogue_path.exists():
        raise CampaignError(f"{campaign.path} has no objects yet: lensvet ingest {campaign.path} SOURCE")
    store = campaign.cutouts()
    reasons = [why_not(card, one, store) for one in groups_in(campaign.catalogue_path)]
    if reasons and all(reasons):
        raise ModelError(f"{card.title} can see no object of {campaign.path}: {reasons[0]}")


def check_room(campaign: Campaign, number: int) -> None:
    """Refuse to begin where scores of so many objects have no room.

    Raises
    ------
    ModelError
    """
    free = shutil.disk_usage(campaign.path).free
    needed = number * BYTES_PER_OBJECT
    if free < needed:
        raise ModelError(
            f"{campaign.path} has {free / 1e9:.1f} GB free and scores of {number:,} objects may take "
            f"{needed / 1e9:.1f} GB: make room, or move the campaign"
        )


def check_workers(client: Any, job: Job, folder: Path) -> None:
    """Refuse to begin with workers that cannot do the job. folder : that all must see.

    Raises
    ------
    ModelError
    """
    probe = folder / _PROBE
    probe.touch()
    try:
        problem = refused_by(client, check_worker, job, str(probe.resolve()))
    finally:
        probe.unlink(missing_ok=True)
    if problem:
        raise ModelError(problem)


def _opened(path: Path) -> tuple[Campaign, CutoutStore]:
    """A campaign and its cutouts as they are now: an array that was opened earlier lacks rows that came since."""
    campaign = open_campaign(path)
    return campaign, campaign.cutouts()
