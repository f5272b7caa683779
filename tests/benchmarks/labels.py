"""The label store with many votes: what one inspector decided, against reading the same rows bare."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from data.label_store import LabelStore
from tests.benchmarks.rows import Row, at_most
from tests.fixtures.votes import fill

VOTES = 300_000


def bench() -> list[Row]:
    """A queue page needs this once for each inspector; SQLite, the best of three."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.sqlite"
        url = f"sqlite:///{path}"
        with LabelStore.open(url) as store:
            fill(url, number=VOTES, inspectors=["Ana"])
            decided_s = min(_seconds(lambda: store.decided_ids("Ana")) for _ in range(3))
        with sqlite3.connect(path) as bare:
            query = "SELECT object_id, grade FROM votes WHERE inspector = 'Ana'"
            bare_s = min(_seconds(lambda: dict(bare.execute(query))) for _ in range(3))
        bare.close()
    reference = f"{decided_s:.2f} s; bare SELECT of {VOTES:,} votes {bare_s:.2f} s"
    return [
        at_most(
            "decisions of one inspector", decided_s / bare_s, 5, "times a bare SELECT", reference=reference
        )
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
