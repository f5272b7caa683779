"""Ingest killed at any moment: the next run ends where an undisturbed one ends, and no file is torn."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from data.campaign import create_campaign, open_campaign
from data.cutout_store import CutoutStore
from data.cutouts import Cutout, planes_hash
from data.ingest import ingest
from tests.conftest import PROJECT
from tests.fixtures.euclid_files import write_euclid
from tests.fixtures.odd_files import picture, write_fits
from tests.fixtures.packed import planes

OBJECTS = 80
KILLS = 5


def start(campaign: Path, source: Path, workers: int) -> subprocess.Popen[str]:
    """An ingest in a process of its own, that has finished its first unit."""
    run = [sys.executable, "-m", "tests.fixtures.ingest_run", str(campaign), str(source), str(workers)]
    process = subprocess.Popen(run, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for number in range(OBJECTS // 2):
        write_euclid(folder / f"{number:03d}.fits", seed=number, side_px=40 + number % 2)
    for number in range(OBJECTS // 4):
        write_fits(folder / f"VIS/pair-{number:03d}.fits", picture(seed=number))
        write_fits(folder / f"NIR_H/pair-{number:03d}.fits", picture(seed=1000 + number))
    write_fits(folder / "stack_VIS.fits", np.stack([picture(seed=n) for n in range(OBJECTS // 4)]))
    (folder / "000b.fits").touch()
    return folder


def state(path):
    """All that an ingest leaves: rows without their place in the store, planes, rejections."""
    campaign = open_campaign(path)
    table, store = campaign.objects(), campaign.cutouts()
    rows = table.rows_of(table.ids)
    planes_of = {
        row.object_id: {
            band: (plane.flux.tobytes(), None if plane.rms is None else plane.rms.tobytes())
            for band, plane in store.read(row, with_noise=True).items()
        }
        for row in rows
    }
    hashes = {row.object_id: (row.planes_hash, row.source_files, row.warnings) for row in rows}
    return table.ids, hashes, planes_of, campaign.rejected_path.read_text()


def test_kills_at_random_moments_change_nothing(tmp_path, source):
    whole = create_campaign(tmp_path / "whole", survey="euclid")
    ingest(whole, [source])
    killed = create_campaign(tmp_path / "killed", survey="euclid")
    moments = random.Random(11)
    grown = []
    for _ in range(KILLS):
        process = start(killed.path, source, 0)
        for _ in range(moments.randrange(10)):
            process.stdout.readline()
        time.sleep(moments.uniform(0, 0.05))
        kill(process)
        objects = open_campaign(killed.path).objects()
        grown.append(len(objects))
        store = killed.cutouts()
        assert all(planes_hash(store.read(row)) == row.planes_hash for row in objects.rows_of(objects.ids))
    assert 0 < grown[KILLS // 2] < OBJECTS, "the kills were to fall in the middle"
    assert grown == sorted(grown)
    output, errors = start(killed.path, source, 0).communicate(timeout=120)
    assert output.endswith("finished\n")
    assert errors == ""
    assert state(killed.path) == state(whole.path)
    assert not list(killed.path.rglob("*.partial"))


def test_reading_processes_end_with_their_parent(tmp_path, source):
    process = start(create_campaign(tmp_path / "campaign", survey="euclid").path, source, 2)
    children = psutil.Process(process.pid).children(recursive=True)
    kill(process)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


class Killed(Exception):
    """A process ends here."""


def test_a_store_that_lost_any_of_its_writes_takes_the_next_cutouts(tmp_path, monkeypatch):
    cutout = Cutout("a", planes(bands=("VIS", "H")))
    write = zarr.storage.LocalStore.set
    writes_left = [0]

    async def die_in_time(self, *args, **kwargs):
        if writes_left[0] == 0:
            raise Killed
        writes_left[0] -= 1
        await write(self, *args, **kwargs)

    died_at = []
    for written in range(1000):
        path = tmp_path / f"{written}.zarr"
        CutoutStore(path, {})
        writes_left[0] = written
        with monkeypatch.context() as patch:
            patch.setattr(zarr.storage.LocalStore, "set", die_in_time)
            try:
                CutoutStore(path, {}).append([cutout])
            except Killed:
                died_at.append(written)
        (stored,) = CutoutStore(path, {}).append([cutout])
        assert planes_hash(CutoutStore(path).read(stored, with_noise=True)) == stored.planes_hash
        if written not in died_at:
            break
    assert len(died_at) == written >= 6
