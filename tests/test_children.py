"""Child processes end with their parent, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dashboard.children import start_child, stop_child
from tests.fixtures.idle_children import busy, idle, note

PROJECT = Path(__file__).resolve().parents[1]
PARENT = """
import sys, time
from pathlib import Path
from dashboard.children import start_child
from tests.fixtures.idle_children import {target}
if __name__ == "__main__":
    children = [start_child({target}, Path(sys.argv[1]) / str(n), name="child") for n in range(2)]
    time.sleep(60)
"""


def test_a_child_does_its_work_with_its_arguments(tmp_path):
    child = start_child(note, tmp_path / "noted", "ж", name="child")
    child.join(30)
    assert child.exitcode == 0
    assert (tmp_path / "noted").read_text() == "ж"
    child.close()


def test_ctrl_c_is_left_to_the_parent(tmp_path):
    child = start_child(idle, tmp_path / "up", name="child")
    wait_for([tmp_path / "up"])
    os.kill(child.pid, signal.SIGINT)
    time.sleep(0.2)
    assert child.is_alive()
    stop_child(child)


def test_a_stopped_child_cleans_up(tmp_path):
    child = start_child(idle, tmp_path / "up", name="child")
    wait_for([tmp_path / "up"])
    stop_child(child)
    assert (tmp_path / "up").read_text() == "cleaned up"


@pytest.mark.parametrize(
    ("target", "how"), [("idle", signal.SIGKILL), ("idle", signal.SIGTERM), ("busy", signal.SIGKILL)]
)
def test_children_of_a_parent_that_was_killed_end(target: str, how: signal.Signals, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(target=target))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment)
    wait_for([tmp_path / "0", tmp_path / "1"])
    children = psutil.Process(parent.pid).children(recursive=True)
    parent.send_signal(how)
    parent.wait(10)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert len(children) >= 2
    assert alive == []


def wait_for(files: list[Path], *, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_child_that_ignores_being_asked_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("dashboard.children.STOP_WAIT_S", 0.2)
    child = start_child(busy, tmp_path / "up", name="child")
    wait_for([tmp_path / "up"])
    pid = child.pid
    stop_child(child)
    assert not psutil.pid_exists(pid)
