"""A real central on loopback, and a line to it that a test cuts after so many bytes."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection

from sync.central import enrol, kiosk_rows
from sync.central.api import make_app
from sync.central.feed import FeedChanges
from sync.central.limits import Limits, Rules
from sync.central.state import Central
from sync.client import CentralClient
from sync.wire import EnrolRequest
from tests.sync.central_side import Clock, new_central


@dataclass
class KioskClock:
    """Central's clock, as a kiosk asks it."""

    clock: Clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def monotonic_ms(self) -> int:
        return int(self.clock() * 1000)

    def boot_id(self) -> str:
        return "boot"


UNHURRIED = Rules(burst=1_000_000)
"""One kiosk asks far more often here than any does."""


@dataclass
class Served:
    """A central that listens, and who may ask it."""

    central: Central
    clock: Clock
    url: str
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    gens: dict[str, int] = field(default_factory=dict)

    def enrol(self, kiosk: str) -> None:
        """Makes a key a kiosk's."""
        self.keys[kiosk] = Ed25519PrivateKey.generate()
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        public = self.keys[kiosk].public_key().public_bytes(*raw)
        enrol.enrol(
            self.central, EnrolRequest(ticket=kiosk_rows.new_ticket(self.central, kiosk), public=public)
        )
        self.gens[kiosk] = self.gens.get(kiosk, 0) + 1

    def client(self, kiosk: str = "AAA1", url: str = "") -> CentralClient:
        """A kiosk's client, enrolled at its first use."""
        if kiosk not in self.keys:
            self.enrol(kiosk)
        return CentralClient(
            url or self.url,
            kiosk,
            self.gens[kiosk],
            self.keys[kiosk],
            self.key_for,
            KioskClock(self.clock),
        )

    def key_for(self, kid: bytes) -> Ed25519PublicKey | None:
        """Central's public key."""
        key = self.central.keys.central
        return key.private.public_key() if kid == key.kid else None

    def fill(self, first: int, count: int, bucket: str = "p1", name: str = "WARGA") -> None:
        """Holders with an entitlement each, straight into the feed."""
        for start in range(first, first + count, 400):
            ids = range(start, min(start + 400, first + count))
            self.central.database.write(partial(_put_holders, bucket, ids, name))

    def drop(self, *holders: int, bucket: str = "p1") -> None:
        """Takes holders out of the feed."""

        def work(connection: Connection) -> None:
            changes = FeedChanges()
            for one in holders:
                changes.drop(bucket, "holder", (one,))
            changes.write(connection)

        self.central.database.write(work)


def _put_holders(bucket: str, ids: range, name: str, connection: Connection) -> None:
    changes = FeedChanges()
    for one in ids:
        digest = hashlib.sha256(f"{bucket}/{one}".encode()).hexdigest()
        card_no = f"{int(digest[:8], 16):010d}"
        row = (
            one,
            card_no,
            1,
            f"{name} {one}",
            "1980-01-01",
            digest[:4],
            digest,
            one // 4 + 1000,
            1,
            "active",
        )
        changes.put(bucket, "holder", row)
        entitled = (one, 1, f"h{one}", "beras", 10_000, "2025-01-01", None, "active")
        changes.put(bucket, "entitlement", entitled)
    changes.write(connection)


@contextmanager
def served(home: Path, clock: Clock, url: str = "") -> Iterator[Served]:
    """A central that takes connections; on SQLite if no database is named."""
    central = new_central(home, url or f"sqlite:///{home.parent / 'central.db'}", clock)
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(make_app(central, limits=Limits(UNHURRIED)), log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield Served(central, clock, f"http://127.0.0.1:{bound.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
        central.close()


class CutLine:
    """A TCP proxy that ends each connection after ``after`` bytes from central (None: never)."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._bound = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._bound.getsockname()[1]}"
        self.after: int | None = None
        self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        self._bound.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._bound.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pass_back, args=(far, near), daemon=True).start()

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        left = self.after
        with suppress(OSError):
            while data := far.recv(4096 if left is None else max(1, min(left, 4096))):
                near.sendall(data)
                self.passed += len(data)
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        _end(far, near)


class SlowLine(CutLine):
    """A proxy that passes bytes from central on until so many have passed in all, and then stands still."""

    def __init__(self, url: str) -> None:
        self.until: int | None = None
        self._still = threading.Event()
        self._go = threading.Event()
        super().__init__(url)

    def wait_until_it_stands_still(self) -> None:
        """Until it has passed what it may."""
        assert self._still.wait(timeout=60)

    def let_go(self) -> None:
        """Ends the connections that stand still."""
        self._go.set()
        self._still.clear()

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while data := far.recv(1024):
                if self.until is not None and self.passed >= self.until:
                    self._go.clear()
                    self._still.set()
                    self._go.wait(timeout=60)
                    break
                near.sendall(data)
                self.passed += len(data)
        _end(far, near)


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while data := near.recv(65536):
            far.sendall(data)
    _end(far, near)


def _end(*sockets: Any) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
