"""Runs central's application on a socket until a signal ends it."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from types import FrameType

import uvicorn

from kiosk.errors import EnvironmentFault
from sync.central.api import make_app
from sync.central.poll import Hub
from sync.central.restoring import in_use
from sync.central.state import Central
from sync.central.verifying import VerifyPool, spare_cores

GRACE_S = 3
SWITCH_S = 0.001
KEEP_ALIVE_S = 75
"""Longer than any pause of a kiosk's: none has to connect anew, or finds it closed as it sends."""
BACKLOG = 1024
"""Kiosks that come back at the same moment."""


class _Server(uvicorn.Server):
    """Lets waiting polls go before it waits for open requests."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._hub.close()
        super().handle_exit(sig, frame)


def serve(central: Central, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; ``listening`` gets the address once connections are taken.

    Raises EnvironmentFault ``port_taken``. TLS is the business of a proxy before it.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
            bound.listen(BACKLOG)
        except OSError as fault:
            raise EnvironmentFault("port_taken", f"{host}:{port}: {fault.strerror}") from fault
        hub = Hub()
        pool = VerifyPool(spare_cores())
        config = uvicorn.Config(
            make_app(replace(central, verify=pool.verify), hub),
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=64 * 1024,
        )
        name = f"[{host}]" if ":" in host else host
        listening(f"http://{name}:{bound.getsockname()[1]}")
        # A thread that waits for a database or a signature gets its turn of the interpreter sooner.
        sys.setswitchinterval(SWITCH_S)
        _allow_connections()
        with in_use(central.home, alone=False), _signals_end_it(), closing(pool):
            _Server(config, hub).run(sockets=[bound])


def _allow_connections() -> None:
    """As many open files as this process may have: each kiosk keeps two connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more: it has done its work and is to do nothing then."""
    before = {name: signal.signal(name, _ignore) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _ignore(_sig: int, _frame: FrameType | None) -> None:
    """Does nothing."""
