"""A real server and a real browser. Browser tests wait on state, never on time."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from data.campaign import Campaign
from tests.fixtures.browsers import open_chromium

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new page in a new profile; an error in the page's scripts fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


@dataclass
class Server:
    """`lensvet serve` as a process of its own, that can be killed and started again at the same address."""

    campaign: Campaign
    port: int = 0
    words: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "dashboard.cli",
            "serve",
            str(self.campaign.path),
            "--port",
            str(self.port),
            "--inspector",
            "Ada",
            *self.words,
        ]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "http://" in line:
                self.port = int(line.split("127.0.0.1:")[1].split()[0].strip("/"))
                return
        pytest.fail(f"the server ended with exit code {self.process.wait()}")

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(timeout=20)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            body: bytes = answer.read()
        return body


@pytest.fixture
def served() -> Iterator[Callable[..., Server]]:
    """Start a server for a campaign, with further words of the command; it is stopped when the test ends."""
    running: list[Server] = []

    def serve(campaign: Campaign, *words: str) -> Server:
        server = Server(campaign, words=words)
        running.append(server)
        server.start()
        return server

    yield serve
    for server in running:
        server.stop()


@pytest.fixture
def screenshots() -> Path:
    """Where pictures of the pages go, for a person to look at."""
    folder = Path(__file__).resolve().parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
