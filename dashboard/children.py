"""Processes that the server starts: they leave Ctrl-C to it, and end when it ends, however it ends."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn

STOP_WAIT_S = 3.0


def start_child(target: Callable[..., None], *arguments: object, name: str) -> BaseProcess:
    """Run `target(*arguments)` in a fresh interpreter; both must be importable or picklable."""
    # spawn: a forked child would share the web process's threads, sockets and database connections.
    child = multiprocessing.get_context("spawn").Process(
        target=_run, args=(target, arguments), name=name, daemon=True
    )
    child.start()
    return child


def stop_child(child: BaseProcess) -> None:
    """Ask the child to end, and end it if it does not."""
    child.terminate()
    child.join(STOP_WAIT_S)
    if child.is_alive():
        child.kill()
        child.join()
    child.close()


def _run(target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    # The terminal sends Ctrl-C to all; the server decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    target(*arguments)


def _exit(signal_number: int, frame: FrameType | None) -> NoReturn:
    # Asked once is enough: a second exception would be raised in what the first one finalises.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


def _end_with_parent() -> None:
    # The pipe behind the parent's sentinel closes even when the parent is killed outright.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_WAIT_S)
        os._exit(1)
