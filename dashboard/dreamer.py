"""What networks imagine, computed in a process of its own: it takes many passes, and no map should wait for them."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from dashboard.errors import ServeError
from dashboard.worker import Worker
from data.campaign import Campaign, open_campaign
from data.errors import LensVetError

_PATIENCE = 10  # added to the niceness of the process


@dataclass(frozen=True)
class Wish:
    """What a model imagines, and its dream of that object; empty for none."""

    model_version: str
    object_id: str

    def __str__(self) -> str:
        return f"what {self.model_version} imagines"


class Dreamer:
    """Fulfils wishes one after the other; what comes of them lies in the campaign (`lensmodel.explain.imagined`)."""

    def __init__(self, campaign: Campaign) -> None:
        self._worker: Worker[Wish, None] = Worker(campaign.path, serve_wishes, name="lensvet-dreams")
        self._turns = ThreadPoolExecutor(1, "dreams")

    async def imagine(self, wish: Wish) -> None:
        """Return once it is there.

        Raises
        ------
        LensVetError
            If the model cannot see the object, or the process died twice.
        """
        error = await asyncio.get_running_loop().run_in_executor(self._turns, self._worker.run, wish)
        if error is not None:
            raise error

    def close(self) -> None:
        """End the process."""
        self._worker.close()
        self._turns.shutdown(wait=False, cancel_futures=True)


def serve_wishes(campaign_path: Path, connection: Connection) -> None:
    """Imagine until the other side closes. Runs in the process."""
    import torch

    from lensmodel.explain.imagined import imagine
    from lensmodel.models import model_named

    os.nice(_PATIENCE)
    torch.set_num_threads(1)  # the other core belongs to the web process
    campaign = open_campaign(campaign_path)
    while True:
        try:
            wish: Wish = connection.recv()
        except EOFError:
            return
        try:
            imagine(campaign, model_named(wish.model_version), wish.object_id)
            connection.send(None)
        except LensVetError as error:
            connection.send(error)
        except Exception as error:  # what a network raises is its own; the reason goes to the page
            connection.send(ServeError(f"{wish} failed: {error!r}"[:500]))
