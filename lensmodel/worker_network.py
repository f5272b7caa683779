"""The network of a worker process: loaded once, on one core, with the memory of the batch before."""

import contextlib
import ctypes
import threading
from functools import lru_cache

import torch

from lensmodel.devices import placed
from lensmodel.models import ModelCard, load_network
from lensmodel.networks import LensNetwork

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


_LOADING = threading.Lock()


def network_of(card: ModelCard) -> LensNetwork:
    """The network with its weights, for the threads of this process.

    Raises
    ------
    WeightsError
        If the weights are not those of the card.
    """
    with _LOADING:
        return _loaded(card)


@lru_cache(maxsize=1)
def _loaded(card: ModelCard) -> LensNetwork:
    torch.set_num_threads(1)  # a worker's threads each run a batch of their own
    _keep_memory()
    network = placed(load_network(card), card)
    return network


def _keep_memory() -> None:
    """Keep freed memory for the next batch: Dask starts workers so that they give it back, which takes twice as long
    as the network does."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc, which has no such habit
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 512 * 2**20)
