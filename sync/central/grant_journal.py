"""The log outside the database: what central must remember although its database went back to a backup.

JSON lines in ``grants.log`` of the data folder, on disk before the answer that carries what they say: grants
and stock slices as they were signed, enrolments, devices' new keys, revocations, keysets, accounts of staff
and what they signed to be written off. Those who wait for the disk at the same time share one flush.
``backup`` begins a new file and keeps old ones for HORIZON_DAYS.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from kiosk.durable_file import sync_folder
from kiosk.errors import EnvironmentFault
from sync.wire import to_base64

FILE: Final = "grants.log"
OLDER: Final = "grants-*.log"
HORIZON_DAYS: Final = 35


class GrantJournal:
    """The log of one data folder; any thread may write, and other processes of central too."""

    def __init__(self, folder: Path) -> None:
        """Opens nothing yet."""
        self._folder = folder
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._asked = self._done = 0
        self._busy = False
        self._failed: OSError | None = None
        self._failed_upto = 0
        self._file = -1

    def close(self) -> None:
        """Closes the file."""
        with self._changed:
            self._drop_file()

    def keep_grants(self, grants: Iterable[bytes]) -> None:
        """Signed grants that are about to be answered. Raises as ``keep`` does."""
        self.keep([{"grant": to_base64(one)} for one in grants])

    def keep_answer(self, grants: Iterable[bytes], slices: Iterable[bytes]) -> None:
        """Signed grants and stock slices that are about to be answered. Raises as ``keep`` does."""
        self.keep(
            [{"grant": to_base64(one)} for one in grants] + [{"slice": to_base64(one)} for one in slices]
        )

    def keep_enrolment(self, document: bytes, ticket_hash: bytes) -> None:
        """A signed enrolment that is about to be answered. Raises as ``keep`` does."""
        self.keep([{"enrolment": to_base64(document), "ticket": ticket_hash.hex()}])

    def keep_key(self, kiosk: str, gen: int, from_seq: int, public: bytes) -> None:
        """A device's key from record ``from_seq`` on. Raises as ``keep`` does."""
        self.keep([{"key": {"kiosk": kiosk, "gen": gen, "from_seq": from_seq, "public": public.hex()}}])

    def keep_revocation(self, kiosk: str, gen: int, at: int) -> None:
        """A kiosk that may take part no more. Raises as ``keep`` does."""
        self.keep([{"revoked": {"kiosk": kiosk, "gen": gen, "at": at}}])

    def keep_keyset(self, signed: bytes) -> None:
        """A keyset that is in force from now on. Raises as ``keep`` does."""
        self.keep([{"keyset": to_base64(signed)}])

    def keep(self, entries: Sequence[dict[str, Any]]) -> None:
        """Returns when all entries are on disk. Raises EnvironmentFault ``grants_log_failed``."""
        if not entries:
            return
        lines = [json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries]
        with self._changed:
            self._waiting += lines
            self._asked += 1
            mine = self._asked
            while self._busy and self._done < mine:
                self._changed.wait()
            if self._done < mine:
                self._busy = True
                some, self._waiting, upto = self._waiting, [], self._asked
            else:
                some, upto = [], 0
        if upto:
            self._write_out(some, upto)
        if self._failed is not None and mine <= self._failed_upto:
            raise EnvironmentFault("grants_log_failed", f"{FILE}: {self._failed.strerror}") from self._failed

    def _write_out(self, lines: Sequence[bytes], upto: int) -> None:
        failed: OSError | None = None
        try:
            self._append(b"".join(lines))
        except OSError as fault:
            failed = fault
        with self._changed:
            if failed is not None:
                # What the kernel still holds of a file whose flush failed is unknown: open it anew.
                self._failed, self._failed_upto = failed, upto
                self._drop_file()
            self._busy, self._done = False, upto
            self._changed.notify_all()

    def _append(self, data: bytes) -> None:
        path = self._folder / FILE
        if self._file < 0 or not _is_at(self._file, path):
            self._drop_file()
            new = not path.exists()
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if new:
                sync_folder(self._folder)
            elif _is_torn(path):
                data = b"\n" + data
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)

    def _drop_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def begin_new(self, now: float) -> None:
        """Puts the file aside for a backup that is about to begin, and removes those past HORIZON_DAYS."""
        path = self._folder / FILE
        if path.exists():
            path.rename(self._folder / f"grants-{int(now)}-{os.getpid()}.log")
        for older in self._folder.glob(OLDER):
            if older.stat().st_mtime < now - HORIZON_DAYS * 86_400:
                older.unlink()
        sync_folder(self._folder)

    def entries(self) -> Iterator[dict[str, Any]]:
        """All that is known, oldest first. A line that was cut off was never answered, and is passed over."""
        older = sorted(self._folder.glob(OLDER), key=lambda one: one.stat().st_mtime)
        for path in (*older, self._folder / FILE):
            if not path.exists():
                continue
            with path.open("rb") as file:
                for line in file:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(entry, dict):
                        yield entry


def _is_at(file: int, path: Path) -> bool:
    """False when a backup has put the file aside."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _is_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
