"""Central in this process: the real application and a real SQLite file, without sockets or threads."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

from sqlalchemy import select

from kiosk.errors import CentralFault
from kiosk.values import Mode
from sync import client, enrolling
from sync.central import api, backup, changes, gate, migration, poll, restoring, settings, state
from sync.central.following import Follower
from sync.central.grant_journal import FILE as LOG
from sync.central.limits import Limits
from sync.central.models import kiosk_gen
from sync.signature import SignedBy
from tests.sim.clocks import VirtualTime
from tests.sim.crashes import Crash, Frames

T = TypeVar("T")
TICK_S: Final = 30
"""How often central looks at what time brings; less often than it does, which is a sixth of a run's time."""
WORD: Final = "x-simulated"
"""Header that stands for a request's signature where none is made."""


class CentralHost:
    """One central of this process; every run puts a fresh copy of a template's database under it.

    The engine and the application are kept, since compiling their statements takes longer than a run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._home = root / "central"
        self.time = VirtualTime()
        self.frames = Frames()
        self.up = True
        self.stops = 0
        self.writes = 0
        """Transactions that changed more than a nonce or when a kiosk was seen."""
        self._loads = 0
        self.next_countdown = 0
        """Where it dies in the next exchange, if at all; for directed schedules."""
        url = state.default_url(root / "central")
        self.central = state.init(root / "central", url, Mode.DEMONSTRATION, self.time)
        self.file = root / "central" / state.DATABASE_FILE
        tickers: list[poll.Ticker] = []
        tolds: list[poll.Told] = []
        with (
            mock.patch.object(poll, "Ticker", _kept_in(tickers, poll.Ticker)),
            mock.patch.object(poll, "Told", _kept_in(tolds, poll.Told)),
        ):
            # Handed over: the application makes its gate at the first request only.
            self._app = api.make_app(self.central, limits=Limits(monotonic=self._ever))
        self._ticker, self._told = tickers[0], tolds[0]
        self._loop = asyncio.new_event_loop()
        self._write = self.central.database.write
        self.central.database.write = self._write_or_die  # type: ignore[method-assign]

    def close(self) -> None:
        """Ends it."""
        self.central.close()
        self._loop.close()

    def save(self, path: Path) -> None:
        """Copies the database, whole, to ``path``, and the log outside it beside that."""
        self.central.database.engine.dispose()
        shutil.copyfile(self.file, path)
        if (self._home / LOG).exists():
            shutil.copyfile(self._home / LOG, path.with_suffix(".log"))

    def load(self, path: Path) -> None:
        """Puts a copy of ``path`` in the place of the database, and forgets what is in memory."""
        self._put_in_place(path)
        self._loads += 1
        self.forget_log()
        if path.with_suffix(".log").exists():
            shutil.copyfile(path.with_suffix(".log"), self._home / LOG)
        self._is_incarnation(1)

    def backup(self, path: Path) -> None:
        """As ``backup.write`` does, the rows as a copy of the file."""
        if (self._home / LOG).exists():
            os.utime(self._home / LOG, (self.time.now, self.time.now))
        self.central.outside.begin_new(self.time.now)
        self.central.database.engine.dispose()
        shutil.copyfile(self.file, path)
        with self.central.database.read() as connection:
            rows = connection.execute(select(kiosk_gen.c.kiosk, kiosk_gen.c.gen, kiosk_gen.c.acked_seq))
            acked = [(row.kiosk, row.gen, row.acked_seq) for row in rows]
        note = partial(backup._note, self.central.now(), path.name, acked)
        self.central.database.write(note)

    def restore(self, path: Path) -> int:
        """As ``restoring.restore`` does, the rows as a copy of the file; answers how many have to report."""
        self._put_in_place(path)
        head = {"central_kid": self.central.keys.central.kid.hex(), "tables": "", "made_at": 0}
        with self.central.database.read() as connection:
            head["incarnation"] = settings.get(connection, "incarnation")
        with (
            mock.patch.object(backup, "check", return_value=head),
            mock.patch.object(migration, "upgrade_on"),
            mock.patch.object(restoring, "_clear"),
            mock.patch.object(restoring, "_load", return_value=0),
            mock.patch.object(restoring, "Database", return_value=_Kept(self.central.database)),
        ):
            done = restoring.restore(self._home, "", path, self.central.now(), replace=True)
        self._is_incarnation(done["incarnation"])
        self.restart()
        return int(done["reports_asked"])

    def forget_log(self) -> None:
        """The log outside the database is lost, too."""
        self.central.outside.close()
        for log in self._home.glob("grants*.log"):
            log.unlink()

    def _ever(self) -> float:
        """Seconds that only rise, also from run to run."""
        return self._loads * 1e9 + self.time.now

    def _put_in_place(self, path: Path) -> None:
        self.restart()
        for suffix in ("-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(path, self.file)

    def _is_incarnation(self, number: int) -> None:
        object.__setattr__(self.central, "incarnation", number)

    def restart(self) -> None:
        """Central's process starts anew: only its database remains."""
        self.central.database.engine.dispose()
        self._told.resets.clear()
        self._told.recalls.clear()
        self._ticker.hasten()
        self.next_countdown = 0
        self.up = True

    def call(
        self, method: str, target: str, headers: dict[str, str], body: bytes, countdown: int = 0
    ) -> tuple[int, dict[str, str], bytes]:
        """One HTTP exchange, ``target`` being path and query; ``countdown``: where central dies, if it does.

        Raises ConnectionError if central is down, or dies.
        """
        if not self.up:
            raise ConnectionError("central is down")
        countdown, self.next_countdown = countdown or self.next_countdown, 0
        with self.frames.entered("central", "central", countdown):
            try:
                return self._loop.run_until_complete(self._ask(method, target, headers, body))
            except Crash:
                self.stops += 1
                self.up = False
                raise ConnectionError("central died") from None

    async def _ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in (headers | {"content-type": "application/json"}).items()
            ],
            "server": ("central", 80),
            "client": ("kiosk", 1),
        }
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        told: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            told.append(dict(message))

        await self._app(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in told[0]["headers"]}
        return told[0]["status"], found, b"".join(one.get("body", b"") for one in told[1:])

    def _write_or_die(self, work: Callable[[Any], T], **how: bool) -> T:
        def run(connection: Any) -> T:
            result = work(connection)
            self.frames.point("central:before commit")
            return result

        result = self._write(run, **how)
        self.writes += not how.get("quiet", False)
        self.frames.point("central:after commit")
        return result


class _Kept:
    """The database that is open already, for who would open another and close it."""

    def __init__(self, database: Any) -> None:
        self.transaction = database.transaction

    def close(self) -> None:
        """It stays open."""


@contextmanager
def without_threads() -> Iterator[None]:
    """Central's work runs where it is called: one thread, so that a seed always gives the same run."""

    async def inline(work: Callable[..., T], *args: Any, **named: Any) -> T:
        return work(*args, **named)

    with (
        mock.patch.object(api, "run_in_threadpool", inline),
        mock.patch.object(gate, "run_in_threadpool", inline),
        mock.patch.object(poll, "TICK_S", TICK_S),
    ):
        yield


@contextmanager
def page_size(rows: int) -> Iterator[None]:
    """The feed's pages hold about so many rows."""
    plain = changes.page

    def page(central: state.Central, who: Follower, cursor: str) -> Any:
        return plain(central, who, cursor, rows)

    with mock.patch.object(changes, "page", page):
        yield


@contextmanager
def words_for_signatures() -> Iterator[None]:
    """Requests name their signer and his key instead of signing, which takes a third of a run's time.

    Nonce, clock, key id, the choice of the key and the seal of answers stay; signatures have tests of their
    own, and the directed schedules make them.
    """

    def sign(
        method: str, url: str, body: bytes, key: Any, keyid: str, *, nonce: str, created: float
    ) -> dict[str, str]:
        return {WORD: f"{keyid} {nonce} {int(created)} {key.public_key().public_bytes_raw().hex()}"}

    def signer(headers: dict[str, str]) -> str:
        if WORD not in headers:
            raise CentralFault("signature_missing", "the request names no signer")
        return headers[WORD].split()[0]

    def verify(method: str, url: str, headers: dict[str, str], body: bytes, public: Any) -> SignedBy:
        keyid, nonce, created, by = headers[WORD].split()
        if by != public.public_bytes_raw().hex():
            raise CentralFault("bad_signature", "another key's word")
        return SignedBy(keyid, nonce, int(created))

    with (
        mock.patch.object(client, "sign_request", sign),
        mock.patch.object(enrolling, "sign_request", sign),
        mock.patch.object(gate, "signer_of", signer),
        mock.patch.object(gate, "verify_request", verify),
    ):
        yield


def _kept_in(made: list[T], kind: Callable[..., T]) -> Callable[..., T]:
    def make(*args: Any) -> T:
        made.append(kind(*args))
        return made[-1]

    return make
