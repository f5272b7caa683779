"""Serving a campaign until somebody stops it: first the socket, then slow imports, then the application."""

import contextlib
import getpass
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from dashboard.errors import ServeError
from data.campaign import Campaign

if TYPE_CHECKING:
    import uvicorn

GRACE_S = 2
BACKLOG = 2048
# A URL may carry an object's id of 10,000 characters, each up to four bytes, each byte written as %XX.
HEAD_LIMIT_BYTES = 256 * 1024


class Listening:
    """A bound socket. anyone : addresses beyond this machine are allowed.

    Raises
    ------
    ServeError
        If the address is not this machine's own and not allowed, or the port is taken.
    """

    def __init__(self, host: str, port: int, *, anyone: bool = False) -> None:
        if not anyone and not _is_loopback(host):
            raise ServeError(
                f"--host {host} would let anyone who reaches it vote under any name: keep 127.0.0.1 and use "
                "ssh -L 5006:127.0.0.1:5006, or add --allow-anyone"
            )
        self.host = host
        self.anyone = anyone
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


def serve(
    campaign: Campaign, listening: Listening, *, inspector: str, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGINT, or SIGTERM where that raises KeyboardInterrupt too; both end it in good order."""
    try:
        make_server(campaign, listening, inspector=inspector, on_ready=on_ready).run([listening.socket])
    except KeyboardInterrupt:
        return


def make_server(
    campaign: Campaign, listening: Listening, *, inspector: str, on_ready: Callable[[], None] = lambda: None
) -> "uvicorn.Server":
    """A server that calls `on_ready` once it answers."""
    import uvicorn

    from dashboard.server import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_ready()

    config = uvicorn.Config(
        create_app(campaign, inspector=inspector, anyone=listening.anyone),
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


def _is_loopback(host: str) -> bool:
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
