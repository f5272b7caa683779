"""A session that is ill-treated, and one that is long. `python -m tests.endurance kills`, or `hours 2`.

`kills`: under ten grades a second the web process is killed 50 times, PostgreSQL 10 times and the network is cut for a
minute, while real browsers stay open. `hours`: the web process's memory under load.
"""

import asyncio
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page

from tests.benchmarks.browser import PAINTED
from tests.benchmarks.group import lost_votes, signed_in_context
from tests.fixtures.browsers import open_chromium
from tests.fixtures.crowd import Plan
from tests.fixtures.postgresql import PrivateServer, new_database
from tests.fixtures.servers import address_in, lensvet_process
from tests.fixtures.team_campaign import TeamCampaign, start_crowd, team_campaign

WEB_KILLS, DATABASE_KILLS, CUT_S = 50, 10, 60
PEOPLE, OBJECTS = 50, 2_000
PORT = 5081
UNACKED = "document.querySelector('[data-testid=stage]').dataset.unacked"


class Wire:
    """A TCP proxy that can be cut, between browsers and the server."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self.port = 0
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def cut(self, seconds: float) -> None:
        """Nothing passes for so long."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self._writers)])
        time.sleep(seconds)
        self._is_cut = False

    def _run(self, ready: threading.Event) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await server.serve_forever()

        self._loop.run_until_complete(serve())

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer), return_exceptions=True)
        self._writers -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.transport.abort() if reader.exception() else writer.close()


class Web:
    """`lensvet serve`, started again whenever it is killed."""

    def __init__(self, team: TeamCampaign, folder: Path) -> None:
        self._team, self._folder = team, folder
        self._words = ["serve", str(team.campaign.path), "--port", str(PORT), "--sign-in"]
        self._over = threading.Event()
        self.starts = 0
        self.process: psutil.Process | None = None
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def kill(self) -> bool:
        """Kill it if it answers; whether it did."""
        if self.process is None or not self.is_answering():
            return False
        self.process.kill()
        return True

    def is_answering(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{PORT}/sign-in", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        self._over.set()
        if self.process is not None:
            self.process.kill()
        self._thread.join()

    def _keep(self) -> None:
        while not self._over.is_set():
            self.starts += 1
            with lensvet_process(self._words, log=self._folder / f"web-{self.starts}.log") as process:
                self.process = psutil.Process(process.pid)
                process.wait()
            time.sleep(0.2)


def kills(
    web_kills: int = WEB_KILLS, database_kills: int = DATABASE_KILLS, cut_s: float = CUT_S
) -> dict[str, object]:
    """Kill everything under load, and count what is missing afterwards."""
    database = PrivateServer(durable=True)
    database.start()
    with tempfile.TemporaryDirectory() as name, open_chromium() as browser:
        folder = Path(name)
        url = new_database(database.url).replace("postgresql+psycopg", "postgresql")
        team = team_campaign(folder / "c", people=PEOPLE + 2, objects=OBJECTS, size_px=32, database=url)
        web = Web(team, folder)
        wire = Wire(PORT)
        address = f"http://127.0.0.1:{wire.port}"
        over = folder / "over"
        plan = Plan(
            address, team.session_id, team.cookies[2:], 10.0, 7200, str(folder / "out.json"), str(over)
        )
        while not web.is_answering():
            time.sleep(0.2)
        pages = [signed_in_context(browser, address, cookie).new_page() for cookie in team.cookies[:2]]
        for page in pages:
            page.goto(f"{address}/vet?session={team.session_id}")
            page.wait_for_function(PAINTED, timeout=60_000)
        crowd = start_crowd(plan, folder)
        done = _ill_treat(web, database, wire, pages, web_kills, database_kills, cut_s)
        recovered = [_recovers(page) for page in pages]
        over.touch()
        crowd.wait()
        web.stop()
        outcome = json.loads(Path(plan.out).read_text())
        found = {
            **done,
            "starts": web.starts,
            "acknowledged": len(outcome["acknowledged"]),
            "unacknowledged": len(outcome["unacknowledged"]),
            "refused": outcome["refused"][:5],
            "lost_or_doubled": lost_votes(team, outcome["acknowledged"]),
            "browsers_recovered": f"{sum(recovered)} of {len(recovered)}",
            "answers": outcome["answers"],
        }
    database.remove()
    return found


def _ill_treat(
    web: Web,
    database: PrivateServer,
    wire: Wire,
    pages: list[Page],
    web_kills: int,
    database_kills: int,
    cut_s: float,
) -> dict[str, object]:
    rng = random.Random(1)
    done = {"web_kills": 0, "database_kills": 0, "cut_s": cut_s, "graded_in_browsers": 0}
    every = max(1, web_kills // max(1, database_kills))
    while done["web_kills"] < web_kills:
        for page in pages:
            page.keyboard.press(rng.choice("abcx"))
            done["graded_in_browsers"] += 1
        time.sleep(rng.uniform(0.5, 2.5))
        if not web.kill():
            continue
        done["web_kills"] += 1
        if done["web_kills"] % every == 0 and done["database_kills"] < database_kills:
            while not web.is_answering():
                time.sleep(0.2)
            time.sleep(rng.uniform(0.5, 2))
            database.kill()
            done["database_kills"] += 1
            time.sleep(2)
            database.start()
        if done["web_kills"] == web_kills // 2:
            while not web.is_answering():
                time.sleep(0.2)
            wire.cut(cut_s)
    while not web.is_answering():
        time.sleep(0.2)
    return dict(done)


def _recovers(page: Page) -> bool:
    """Whether the page has no vote left and shows a candidate, without anybody touching it."""
    page.wait_for_function(f"{UNACKED} === '0'", timeout=60_000)
    page.wait_for_function(PAINTED, timeout=60_000)
    return True


def hours(number: float) -> dict[str, object]:
    """The web process's memory, MiB, each minute under one grade a second of 50 inspectors; growth in the last half."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        team = team_campaign(folder / "c", people=PEOPLE, objects=OBJECTS, size_px=64)
        log = folder / "serve.log"
        with lensvet_process(
            ["serve", str(team.campaign.path), "--port", "0", "--sign-in"], log=log
        ) as process:
            url = address_in(log)
            server = psutil.Process(process.pid)
            plan = Plan(url, team.session_id, team.cookies, 1.0, 3600 * number, str(folder / "out.json"))
            crowd = start_crowd(plan, folder)
            memory_mib = []
            while crowd.poll() is None:
                time.sleep(60)
                memory_mib.append(round(server.memory_info().rss / 2**20, 1))
                print(memory_mib[-1], flush=True)
            outcome = json.loads(Path(plan.out).read_text())
        lost = lost_votes(team, outcome["acknowledged"])
    half = memory_mib[len(memory_mib) // 2 :]
    return {
        "hours": number,
        "grades": len(outcome["acknowledged"]),
        "memory_mib": memory_mib,
        "growth_in_the_last_half": half[-1] / half[0] - 1,
        "lost_or_doubled": lost,
        "answers": outcome["answers"],
    }


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    result = kills(*map(int, numbers)) if what == "kills" else hours(float(numbers[0]))
    print(json.dumps(result, indent=1))
