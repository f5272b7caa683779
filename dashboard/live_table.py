"""The survey table of each model as it is now; when scores or objects came, a process of its own makes it anew.

The same process brings the crossmatch up to date, with each table and by itself.
"""

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import pyarrow as pa

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data import crossmatch
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError
from data.label_store import LabelStore
from data.survey_table import SurveyTable, made_of, made_of_in, votes_table, write_survey_table

UNSCORED = "unscored"  # stands for a model where there are no scores
CROSSMATCH = "crossmatch"  # stands for a model where only that is asked for: no version is called so, all have a digest
WAIT_S = 30.0
REST_S = 5.0  # between two makings of a table, and ten times as long as one takes
FAILED_REST_S = 60.0
VOTES_KEPT_S = 5.0
_PATIENCE = 10


class LiveTable:
    """Gives survey tables. Safe from several threads."""

    def __init__(self, campaign: Campaign, labels: LabelStore) -> None:
        self._campaign, self._labels = campaign, labels
        self._worker: Worker[str, float] = Worker(campaign.path, serve_tables, name="lensvet-table")
        self._turns = ThreadPoolExecutor(1, "table")
        self._lock = threading.Lock()
        self._making: dict[str, Future[float]] = {}
        self._rest_until: dict[str, float] = {}
        self._open: dict[str, tuple[str, SurveyTable]] = {}
        self._votes: tuple[float, pa.Table] | None = None
        self._is_closed = False

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
        with self._lock:
            making = self._making.get(version)
            if making is not None and not making.done():
                return making
            path = self._campaign.table_path(version)
            there = made_of_in(path)
            if there is not None and (
                time.monotonic() < self._rest_until.get(version, 0)
                or (there == made_of(self._campaign, version) and crossmatch.is_up_to_date(self._campaign))
            ):
                return None
            making = self._making[version] = self._turns.submit(self._make, version)
            return making

    def prepare_crossmatch(self) -> None:
        """Begin to bring the crossmatch up to date, unless that was begun or has only just been done."""
        with self._lock:
            making = self._making.get(CROSSMATCH)
            is_resting = time.monotonic() < self._rest_until.get(CROSSMATCH, 0)
            if not self._is_closed and not is_resting and (making is None or making.done()):
                self._rest_until[CROSSMATCH] = time.monotonic() + FAILED_REST_S  # less, once it is made
                self._making[CROSSMATCH] = self._turns.submit(self._make, CROSSMATCH)

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
        self._worker.close()
        self._turns.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for _, table in self._open.values():
                table.close()

    def _make(self, version: str) -> float:
        answer = self._worker.run(version)
        if isinstance(answer, LensVetError):
            raise answer
        self._rest_until[version] = time.monotonic() + max(REST_S, 10 * answer)
        return answer

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
    os.nice(_PATIENCE)
    while True:
        try:
            version: str = connection.recv()
        except EOFError:
            return
        try:
            begun = time.monotonic()
            campaign = open_campaign(campaign_path)
            if version == CROSSMATCH:
                crossmatch.bring_up_to_date(campaign)
            else:
                write_survey_table(campaign, version, campaign.table_path(version), threads=1)
            connection.send(time.monotonic() - begun)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # a full disk, say; the reason goes to whoever waits
            connection.send(ServeError(f"the table of {version} could not be made: {error!r}"[:500]))
