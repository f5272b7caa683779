"""Scoring that is ill-treated, and long. `python -m tests.endurance_scoring kills`, or `memory 1000000`.

`kills`: a worker, the client or the scheduler is killed 20 times at random during a run, whose rows are then those of
an undisturbed one. `memory`: what each worker holds while cutouts of 66x66 px in four bands are scored.
"""

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from data.campaign import Campaign
from lensmodel.models import ModelCard
from lensmodel.scoring import score
from lensmodel.survey_scoring import score_survey
from tests.fixtures.dask_cluster import DaskProcesses, dask_processes
from tests.fixtures.networks import added_model
from tests.fixtures.repeated import repeated_campaign
from tests.fixtures.scoring_run import score_on_cluster

KILLS = 20
OBJECTS = 60_000
WORKERS = 2
EVERY_S = 5.0
TARGET_MIB = 2048


def kills(folder: Path) -> bool:
    """Whether a run under kills gives the rows of an undisturbed one."""
    chance = random.Random(2026)
    card = added_model(folder)
    campaign = repeated_campaign(folder / "c", OBJECTS, side_px=66, scale_arcsec=0.3)
    happened = dict.fromkeys(("worker", "client", "scheduler"), 0)
    with dask_processes(folder / "dask", workers=WORKERS) as cluster:
        client = _start_client(campaign, card, cluster)
        there = 0
        while sum(happened.values()) < KILLS:
            time.sleep(chance.uniform(0, 4))
            if not client.is_alive():  # it lost its scheduler, or is done
                if _rows_there(campaign, card) == OBJECTS:
                    break
                client = _start_client(campaign, card, cluster)
                continue
            if _rows_there(campaign, card) == there:  # each run gets a little further
                continue
            there = _rows_there(campaign, card)
            victim = chance.choice(list(happened))
            happened[victim] += 1
            if victim == "worker":
                cluster.kill_worker(chance.randrange(WORKERS))
            elif victim == "scheduler":
                cluster.kill_scheduler()
            else:
                client.kill()
                client.join()
            print(f"{sum(happened.values()):3d} {victim}: {_rows_there(campaign, card):,} rows", flush=True)
        client.join()
        report = score_survey(campaign, card, scheduler=cluster.address)
    print(f"killed {happened}; the last run scored {report.scored:,}, {report.already_there:,} were there")
    rows = _rows(campaign, card)
    shutil.rmtree(campaign.path / "scores")
    score(campaign, card)
    is_same = rows.equals(_rows(campaign, card))
    print("identical to an undisturbed run" if is_same else "NOT identical to an undisturbed run")
    return is_same and sum(happened.values()) == KILLS


def memory(folder: Path, number: int) -> bool:
    """Whether the workers stay within their memory."""
    card = added_model(folder)
    campaign = repeated_campaign(folder / "c", number, side_px=66, scale_arcsec=0.3)
    begun = time.monotonic()
    done = [0]
    seen: list[tuple[float, int, list[float]]] = []

    def watch() -> None:
        while True:
            time.sleep(EVERY_S)
            held = [process.memory_info().rss / 2**20 for process in _workers()]
            seen.append((time.monotonic() - begun, done[0], held))
            if len(seen) % 12 == 0:
                print(
                    f"{seen[-1][0]:6.0f} s {done[0]:9,} objects, MiB {[round(one) for one in held]}",
                    flush=True,
                )

    threading.Thread(target=watch, daemon=True).start()
    report = score_survey(
        campaign, card, workers=WORKERS, on_progress=lambda progress: done.__setitem__(0, progress.done)
    )
    running = [held for _, objects, held in seen if 0 < objects < number and len(held) == WORKERS]
    peak = max(max(held) for held in running)
    half, end = (max(max(held) for held in part) for part in _halves(running))
    client = psutil.Process().memory_info().rss / 2**20
    print(
        f"{report.scored:,} objects in {report.seconds:.0f} s, {report.scored / report.seconds:.0f} a second; "
        f"peak of a worker {peak:.0f} MiB (first half {half:.0f}, second {end:.0f}), of the client now {client:.0f} MiB"
    )
    return peak <= TARGET_MIB


def _halves(values: list[list[float]]) -> tuple[list[list[float]], list[list[float]]]:
    return values[: len(values) // 2], values[len(values) // 2 :]


def _workers() -> list[psutil.Process]:
    """Processes of the local cluster that hold torch."""
    found = [
        child for child in psutil.Process().children(recursive=True) if "spawn" in " ".join(_line(child))
    ]
    return [child for child in found if "resource_tracker" not in " ".join(_line(child))]


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _start_client(campaign: Campaign, card: ModelCard, cluster: DaskProcesses) -> BaseProcess:
    run = multiprocessing.get_context("spawn").Process(
        target=score_on_cluster, args=(campaign.path, card, cluster.address)
    )
    run.start()
    return run


def _rows_there(campaign: Campaign, card: ModelCard) -> int:
    return sum(pq.read_metadata(part).num_rows for part in campaign.score_parts(card.version))


def _rows(campaign: Campaign, card: ModelCard) -> pa.Table:
    return pa.concat_tables(pq.read_table(part) for part in campaign.score_parts(card.version)).sort_by(
        "object_id"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.environ["LENSVET_HOME"] = f"{name}/home"
        if sys.argv[1:2] == ["kills"]:
            sys.exit(0 if kills(Path(name)) else 1)
        if len(sys.argv) == 3 and sys.argv[1] == "memory":
            sys.exit(0 if memory(Path(name), int(sys.argv[2])) else 1)
    sys.exit(__doc__)
