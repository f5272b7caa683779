"""Serving a campaign until somebody stops it: first the socket, then slow imports, then the application."""

import contextlib
import ctypes
import getpass
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from dashboard.errors import ServeError
from data.campaign import Campaign
from data.label_store import LabelStore
from data.people_store import PeopleStore

if TYPE_CHECKING:
    import uvicorn

GIVE_BACK_S = 20.0
_M_ARENA_MAX = -8  # of <malloc.h>
GRACE_S = 2
BACKLOG = 2048
# A URL may carry an object's id of 10,000 characters, each up to four bytes, each byte written as %XX.
HEAD_LIMIT_BYTES = 256 * 1024


class Listening:
    """A bound socket. anyone : other machines can reach it, or a proxy speaks to it under a name of its own.

    Raises
    ------
    ServeError
        If the port is taken.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.anyone = not is_loopback(host)
        self.socket = _bound(host, port)
        self.port: int = self.socket.getsockname()[1]

    @property
    def url(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def check_people(campaign: Campaign, host: str) -> None:
    """Refuse to serve other machines before there is an admin who can sign in.

    Raises
    ------
    ServeError
    """
    with LabelStore.open(campaign.database_url) as labels:
        if any(person.role == "admin" for person in PeopleStore(labels.engine).everybody()):
            return
    raise ServeError(
        f"--host {host} lets other machines in, but nobody can sign in yet: "
        f"lensvet people add NAME --role admin --campaign {campaign.path}; "
        "or keep 127.0.0.1 and use ssh -L 5006:127.0.0.1:5006"
    )


def serve(
    campaign: Campaign,
    listening: Listening,
    *,
    inspector: str,
    signs_in: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT, or SIGTERM where that raises KeyboardInterrupt too; both end it in good order."""
    _give_memory_back()
    server = make_server(campaign, listening, inspector=inspector, signs_in=signs_in, on_ready=on_ready)
    try:
        server.run([listening.socket])
    except KeyboardInterrupt:
        return


def _give_memory_back() -> None:
    """Return what is free to the system now and then: cutouts come and go, and the heaps of glibc grow without end.

    By malloc_trim(3), from a thread of its own. Without heaps at all for what is large (M_MMAP_THRESHOLD) memory stays
    as low, but each cutout is mapped anew, and a page of the mosaic takes four times as long.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 2)  # instead of eight for each core
        trim = libc.malloc_trim
    except (OSError, AttributeError):  # another C library
        return

    def now_and_then() -> None:
        while True:
            time.sleep(GIVE_BACK_S)
            trim(0)

    threading.Thread(target=now_and_then, name="lensvet-memory", daemon=True).start()


def make_server(
    campaign: Campaign,
    listening: Listening,
    *,
    inspector: str,
    signs_in: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> "uvicorn.Server":
    """A server that calls `on_ready` once it answers. signs_in : people have accounts; always so for other machines."""
    import uvicorn

    from dashboard.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready()

    config = uvicorn.Config(
        create_app(
            campaign,
            inspector=inspector,
            anyone=listening.anyone or signs_in,
            signs_in=listening.anyone or signs_in,
        ),
        log_level="warning",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config)


def login_name() -> str:
    """Who started the server, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, address = addresses[0]
        # asyncio sends small answers at once only on sockets that name TCP as their protocol, which those of
        # socket.create_server do not: each vote would wait 40 ms for a delayed acknowledgement.
        with contextlib.ExitStack() as cleaning:
            bound = cleaning.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
            cleaning.pop_all()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ServeError(
            f"cannot listen on {host} port {port} ({reason}): choose another with --port"
        ) from error
    return bound
