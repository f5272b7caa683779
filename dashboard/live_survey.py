"""The numbers of whole surveys for plots, one table in memory for all who look at it, and threads that draw."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dashboard.survey_columns import SurveyColumns

if TYPE_CHECKING:
    from dashboard.state import ServerState

_KEPT = 1  # a table of ten million rows takes half a gigabyte


class LiveSurvey:
    """Columns by model. pool : for whatever takes longer than a few milliseconds. Safe from several threads."""

    def __init__(self, state: "ServerState") -> None:
        self._state = state
        self._lock = threading.Lock()
        self._columns: dict[str | None, SurveyColumns] = {}
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="lensvet-survey")

    def columns(self, model_version: str | None) -> SurveyColumns:
        """The columns of a model's table as it is now.

        Raises
        ------
        LensVetError
            If there is no table.
        """
        table = self._state.table.now(model_version)
        with self._lock:
            known = self._columns.pop(model_version, None)
            if known is None or known.table is not table:
                known = SurveyColumns(table)
            self._columns[model_version] = known
            while len(self._columns) > _KEPT:
                del self._columns[next(iter(self._columns))]
            return known

    def close(self) -> None:
        """End the threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
