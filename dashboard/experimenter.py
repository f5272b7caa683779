"""What-if questions: a worker process of their own answers them, so that no map keeps the brush waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError
from data.objects import StoredObject
from lensmodel.explain.changes import Change

if TYPE_CHECKING:
    from lensmodel.explain.what_if import Answer


@dataclass(frozen=True)
class Question:
    """What a model says of an object with changed pixels. with_map : with its evidence map."""

    model_version: str
    stored: StoredObject
    change: Change
    with_map: bool

    def __str__(self) -> str:
        return f"what {self.model_version} says of {self.stored.object_id[:80]!r} with changed pixels"


class Experimenter:
    """Answers questions one after the other, in the order of their arrival.

    serve : what the worker process runs.
    """

    def __init__(self, campaign: Campaign, serve: Callable[[Path, Connection], None] | None = None) -> None:
        self._worker: Worker[Question, Answer] = Worker(
            campaign.path, serve or serve_answers, name="lensvet-what-if"
        )
        self._turns = ThreadPoolExecutor(1, "what-if")

    async def answer(self, question: Question) -> "Answer":
        """The answer.

        Raises
        ------
        LensVetError
            If the model cannot see this object, or the worker died twice.
        """
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._turns, self._worker.run, question)
        if isinstance(answer, LensVetError):
            raise answer
        return answer

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
        self._turns.shutdown(wait=False, cancel_futures=True)


def serve_answers(campaign_path: Path, connection: Connection) -> None:
    """Answer questions until the other side closes. Runs in the worker process."""
    import torch

    from lensmodel.explain.what_if import WhatIf
    from lensmodel.models import model_named

    # The other core belongs to the web process.
    torch.set_num_threads(1)
    what_if = WhatIf(open_campaign(campaign_path))
    while True:
        try:
            asked: Question = connection.recv()
        except EOFError:
            return
        try:
            card = model_named(asked.model_version)
            connection.send(what_if.answer(card, asked.stored, asked.change, with_map=asked.with_map))
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # what a network raises is its own; the reason goes to the inspector
            connection.send(ServeError(f"{asked} failed: {error!r}"[:500]))
