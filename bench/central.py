"""Central as a city uses it: recalls, an idle kiosk's traffic, and all kiosks coming back at once."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench import recall, reconnect
from bench.figures import Figure, Limit, Yardstick, single
from bench.world import World
from kiosk.demonstration import Demonstration

IDLE_S: Final = 125.0
"""Two polls of a minute, and a little."""
SETTLE_S: Final = 10.0
LIMIT_BYTES: Final = 1024.0


def measure(world: World) -> list[Figure]:
    """What a recall takes, what an idle kiosk sends, what 500 kiosks wait for."""
    folder = world.folder / "central"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    figures = [recall.measure(folder / "recall"), *_idle(folder / "idle"), *reconnect.measure(world)]
    shutil.rmtree(folder, ignore_errors=True)
    return figures


def _idle(folder: Path) -> list[Figure]:
    """Bytes on the socket, both ways, of a sync process with nothing to do."""
    demonstration = Demonstration(folder)
    demonstration.set_up_central()
    with demonstration.central_running() as url:
        demonstration.set_up_kiosk(url)
        port = urlsplit(url).port or 0
        with closing(Counting(port)) as counting:
            address = f"http://127.0.0.1:{counting.port}"
            with recall.syncing(demonstration.kiosk_home, address, folder / "sync.log"):
                time.sleep(SETTLE_S)
                connections, before, begun = counting.connections, counting.counts, time.monotonic()
                time.sleep(IDLE_S)
                after, minutes = counting.counts, (time.monotonic() - begun) / 60
                reconnected = counting.connections - connections
    up, down = ((late - early) / minutes for early, late in zip(before, after, strict=True))
    bare = Yardstick("TCP alone", single(0.0))
    note = f"over {minutes * 60:.0f} s, headers and all; {reconnected} new connections meanwhile"
    return [
        Figure("idle kiosk to central", "bytes/min", single(up), bare, Limit(LIMIT_BYTES), note),
        Figure("central to idle kiosk", "bytes/min", single(down), bare, Limit(LIMIT_BYTES)),
    ]


class Counting:
    """A socket before central's that counts what goes through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._up = self._down = 0
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, name="counting", daemon=True).start()

    @property
    def counts(self) -> tuple[int, int]:
        """Bytes to central and from it by now."""
        return self._up, self._down

    def close(self) -> None:
        """Takes no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return  # closed
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, up in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass_on, args=(source, sink, up), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                if up:
                    self._up += len(data)
                else:
                    self._down += len(data)
        except OSError:
            pass  # one end went
        for one in (source, sink):
            one.close()
