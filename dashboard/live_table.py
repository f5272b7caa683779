"""The survey table of each model as it is now; when scores or objects came, a process of its own makes it anew.

The same process brings the crossmatch up to date, with each table and by itself. Another one makes UMAP of the features
where somebody looks at them, minutes later; the table then has it too.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data import crossmatch
from data.campaign import Campaign, open_campaign
from data.embeddings import needs_umap, write_umap
from data.errors import LensVetError
from data.label_store import LabelStore
from data.survey_table import SurveyTable, made_of, made_of_in, votes_table, write_survey_table

UNSCORED = "unscored"  # stands for a model where there are no scores
CROSSMATCH = "crossmatch"  # stands for a model where only that is asked for: no version is called so, all have a digest
WAIT_S = 30.0
REST_S = 5.0  # between two makings of a table, and ten times as long as one takes
FAILED_REST_S = 60.0
VOTES_KEPT_S = 5.0
LENSES_KEPT_S = 60.0
LENS_GRADES = ("A", "B")
FEWEST_FOR_UMAP = 200
_PATIENCE = 10


@dataclass(frozen=True)
class TableJob:
    """A table to be made. lenses : ids graded so."""

    model_version: str
    lenses: tuple[str, ...] = ()

    def __str__(self) -> str:
        return CROSSMATCH if self.model_version == CROSSMATCH else f"the table of {self.model_version}"


class LiveTable:
    """Gives survey tables. Safe from several threads."""

    def __init__(self, campaign: Campaign, labels: LabelStore) -> None:
        self._campaign, self._labels = campaign, labels
        self._worker: Worker[TableJob, float] = Worker(campaign.path, serve_tables, name="lensvet-table")
        self._turns = ThreadPoolExecutor(1, "table")
        self._umap_worker: Worker[str, float] = Worker(campaign.path, serve_umaps, name="lensvet-umap")
        self._umap_turns = ThreadPoolExecutor(1, "umap")
        self._umaps: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self._making: dict[str, Future[float]] = {}
        self._rest_until: dict[str, float] = {}
        self._open: dict[str, tuple[str, SurveyTable]] = {}
        self._votes: tuple[float, pa.Table] | None = None
        self._is_closed = False
        self._lenses: tuple[float, tuple[str, ...]] | None = None

    def now(self, model_version: str | None) -> SurveyTable:
        """The table of a model: the newest there is, or the first one once it is made.

        Raises
        ------
        ServeError
            If it cannot be made, or is not there after `WAIT_S`.
        """
        version = model_version or UNSCORED
        making = self.prepare(version)
        if making is not None and made_of_in(self._campaign.table_path(version)) is None:
            try:
                making.result(WAIT_S)
            except TimeoutError:
                raise ServeError("the table of this survey is being made: try again in a minute") from None
        return self._opened(version)

    def prepare(self, model_version: str | None) -> "Future[float] | None":
        """Begin to make a table that is not as the campaign is now; None if there is nothing to do."""
        version = model_version or UNSCORED
        lenses = self._graded_lenses()
        with self._lock:
            making = self._making.get(version)
            if making is not None and not making.done():
                return making
            path = self._campaign.table_path(version)
            there = made_of_in(path)
            if there is not None and (
                time.monotonic() < self._rest_until.get(version, 0)
                or (
                    there == made_of(self._campaign, version, lenses=len(lenses))
                    and crossmatch.is_up_to_date(self._campaign)
                )
            ):
                return None
            job = TableJob(version, lenses)
            making = self._making[version] = self._turns.submit(self._make, job)
            return making

    def prepare_crossmatch(self) -> None:
        """Begin to bring the crossmatch up to date, unless that was begun or has only just been done."""
        with self._lock:
            making = self._making.get(CROSSMATCH)
            is_resting = time.monotonic() < self._rest_until.get(CROSSMATCH, 0)
            if not self._is_closed and not is_resting and (making is None or making.done()):
                self._rest_until[CROSSMATCH] = time.monotonic() + FAILED_REST_S  # less, once it is made
                self._making[CROSSMATCH] = self._turns.submit(self._make, TableJob(CROSSMATCH))

    def embed(self, model_version: str) -> "Future[None]":
        """Begin to make UMAP of a model's features, if it is wanting; for who looks at them."""
        with self._lock:
            making = self._umaps.get(model_version)
            if making is None or making.done():
                making = self._umaps[model_version] = self._umap_turns.submit(self._embed, model_version)
            return making

    def votes(self) -> pa.Table:
        """What the votes come to, a few seconds old at most."""
        with self._lock:
            if self._votes is None or time.monotonic() - self._votes[0] > VOTES_KEPT_S:
                self._votes = time.monotonic(), votes_table(self._labels)
            return self._votes[1]

    def close(self) -> None:
        """End the process, and give back what the tables hold."""
        with self._lock:
            self._is_closed = True
        for worker, turns in ((self._worker, self._turns), (self._umap_worker, self._umap_turns)):
            worker.close()  # type: ignore[attr-defined]  # they answer different jobs
            turns.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for _, table in self._open.values():
                table.close()

    def _make(self, job: TableJob) -> float:
        answer = self._worker.run(job)
        if isinstance(answer, LensVetError):
            raise answer
        self._rest_until[job.model_version] = time.monotonic() + max(REST_S, 10 * answer)
        return answer

    def _embed(self, version: str) -> None:
        path = self._campaign.embedding_path(version, umap=True)
        if needs_umap(self._campaign, version, path, fewest=FEWEST_FOR_UMAP):
            self._umap_worker.run(version)

    def _graded_lenses(self) -> tuple[str, ...]:
        if self._lenses is None or time.monotonic() - self._lenses[0] > LENSES_KEPT_S:
            votes = self.votes()
            is_lens = pc.is_in(votes["grade"], value_set=pa.array(LENS_GRADES))
            self._lenses = time.monotonic(), tuple(votes["object_id"].filter(is_lens).to_pylist())
        return self._lenses[1]

    def _opened(self, version: str) -> SurveyTable:
        path = self._campaign.table_path(version)
        made = made_of_in(path)
        with self._lock:
            known = self._open.get(version)
            if known is None or known[0] != made:
                # The one before is closed when the last question to it is answered.
                self._open[version] = known = made or "", SurveyTable(path)
            return known[1]


def serve_tables(campaign_path: Path, connection: Connection) -> None:
    """Make the tables that are asked for until the other side closes, and say how many seconds each took."""
    _serve(campaign_path, connection, _write_table)


def serve_umaps(campaign_path: Path, connection: Connection) -> None:
    """Make UMAP for the models that are asked for until the other side closes."""
    _serve(campaign_path, connection, _write_umap)


def _write_table(campaign: Campaign, job: TableJob) -> None:
    if job.model_version == CROSSMATCH:
        crossmatch.bring_up_to_date(campaign)
        return
    path = campaign.table_path(job.model_version)
    write_survey_table(campaign, job.model_version, path, lenses=job.lenses, threads=1)


def _write_umap(campaign: Campaign, model_version: str) -> None:
    write_umap(campaign, model_version, campaign.embedding_path(model_version, umap=True))


def _serve(campaign_path: Path, connection: Connection, make: Callable[[Campaign, Any], None]) -> None:
    os.nice(_PATIENCE)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            begun = time.monotonic()
            make(open_campaign(campaign_path), job)
            connection.send(time.monotonic() - begun)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # a full disk, say; the reason goes to whoever waits
            connection.send(ServeError(f"{job} could not be made: {error!r}"[:500]))
