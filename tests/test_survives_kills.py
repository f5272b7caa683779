"""Server and scoring are killed outright, again and again, under votes: nothing acknowledged is lost."""

import multiprocessing
import random
import socket
import sqlite3
import threading
import time
import uuid
from multiprocessing.context import ForkServerProcess

import httpx
import pyarrow.parquet as pq
import pytest

from data.cutouts import Cutout
from data.label_store import LabelStore
from tests.fixtures.networks import added_model
from tests.fixtures.packed import fill, planes
from tests.fixtures.servers import API
from tests.fixtures.serving_run import score_at, serve_on

KILLS = 20
OBJECTS = 120
PATIENCE_S = 60


class Voter(threading.Thread):
    """An inspector whose browser repeats each vote until it is answered."""

    def __init__(self, url: str, name: str, object_ids: list[str], over: threading.Event) -> None:
        super().__init__()
        self.url, self.inspector, self.object_ids, self.over = url, name, object_ids, over
        self.acknowledged: dict[str, dict[str, object]] = {}
        self.repeats_needed = 0

    def run(self) -> None:
        choose = random.Random(self.inspector)
        cookies = {"lensvet_inspector": self.inspector}
        with httpx.Client(base_url=self.url, timeout=5, cookies=cookies) as client:
            while not self.over.is_set():
                vote = {
                    "vote_id": str(uuid.uuid4()),
                    "object_id": choose.choice(self.object_ids),
                    "phase": "blind",
                    "grade": choose.choice("ABCX"),
                    "comment": f"vote {len(self.acknowledged)}",
                }
                self.repeat_until_answered(client, vote)

    def repeat_until_answered(self, client: httpx.Client, vote: dict[str, object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                status = client.post(f"{API}/votes", json=vote).status_code
            except httpx.HTTPError:
                time.sleep(0.01)
                continue
            assert status in (200, 201)
            self.repeats_needed += status == 200
            self.acknowledged[str(vote["vote_id"])] = vote
            return
        raise AssertionError("no answer")


@pytest.fixture
def forking():
    """Processes that start at once, since torch and Panel were imported before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fixtures.serving_run"])
    return context


def test_twenty_kills_lose_no_acknowledged_vote_store_none_twice_and_tear_no_file(
    tmp_path, campaign, lensvet_home, forking
):
    card = added_model(tmp_path)
    object_ids = [f"object {n}" for n in range(OBJECTS)]
    fill(campaign, [Cutout(name, planes(seed=n % 5)) for n, name in enumerate(object_ids)])
    port, moment, over = free_port(), random.Random(7), threading.Event()
    voters = [Voter(f"http://127.0.0.1:{port}", name, object_ids, over) for name in ("Ada", "Bo")]

    def start() -> list[ForkServerProcess]:
        targets = ((serve_on, (campaign.path, port)), (score_at, (lensvet_home, campaign.path, card.name)))
        children = [forking.Process(target=target, args=arguments) for target, arguments in targets]
        for child in children:
            child.start()
        return children

    children = start()
    for voter in voters:
        voter.start()
    for _ in range(KILLS):
        wait_for_another_vote(voters)
        time.sleep(moment.uniform(0, 0.15))
        for child in moment.sample(children, 2):
            child.kill()
            child.join()
        check_scores(campaign, card.version)
        children = start()
    wait_for_another_vote(voters)
    over.set()
    for voter in voters:
        voter.join(PATIENCE_S)
    children[1].join(PATIENCE_S)
    children[0].kill()
    children[0].join()

    check_votes(campaign, voters)
    assert check_scores(campaign, card.version) == set(object_ids)


def check_votes(campaign, voters: list[Voter]) -> None:
    """What was acknowledged is stored once, as it was sent; nothing else is stored."""
    sent = {
        vote_id: (voter.inspector, vote) for voter in voters for vote_id, vote in voter.acknowledged.items()
    }
    with LabelStore.open(campaign.database_url) as labels:
        stored = list(labels.all_votes())
    assert len(sent) > KILLS
    assert len({vote.vote_id for vote in stored}) == len(stored)
    assert {vote.vote_id for vote in stored} == set(sent)
    for vote in stored:
        inspector, given = sent[vote.vote_id]
        assert (vote.inspector, vote.object_id, vote.grade, vote.comment) == (
            inspector,
            given["object_id"],
            given["grade"],
            given["comment"],
        )
    with sqlite3.connect(campaign.path / "labels.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def check_scores(campaign, version: str) -> set[str]:
    """Every part that is there can be read whole, and no object is in two; the ids."""
    ids = [i for part in campaign.score_parts(version) for i in pq.read_table(part)["object_id"].to_pylist()]
    assert len(ids) == len(set(ids))
    return set(ids)


def wait_for_another_vote(voters: list[Voter]) -> None:
    before = [len(voter.acknowledged) for voter in voters]
    deadline = time.monotonic() + PATIENCE_S
    while not all(len(voter.acknowledged) > count for voter, count in zip(voters, before, strict=True)):
        assert time.monotonic() < deadline, "no vote was acknowledged"
        assert all(voter.is_alive() for voter in voters)
        time.sleep(0.005)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
