"""Central's keys as the keyset in force says, for processes that run on while keys change."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kiosk.keyset import KeySet, open_keyset
from sync.central import key_files, settings
from sync.central.database import Database
from sync.central.key_files import KEYS_FOLDER, Keys
from sync.wire import from_base64

LOOK_EVERY_S: Final = 10.0
"""How often the database is asked by itself: the keyset may have been changed from another machine."""


class KeyRing:
    """Keys and keyset, read anew when the folder of keys has changed; may be used by any thread."""

    def __init__(self, home: Path, database: Database, clock: Callable[[], float]) -> None:
        """Reads them. Raises EnvironmentFault ``keys_unreadable``."""
        self._home, self._database, self._clock = home, database, clock
        self._found = self._read()

    @property
    def keys(self) -> Keys:
        """The keys to sign with now. Raises EnvironmentFault ``keys_unreadable``."""
        return self._current()[0]

    @property
    def keyset(self) -> KeySet:
        """The keyset in force."""
        return self._current()[1]

    def _current(self) -> tuple[Keys, KeySet]:
        keys, known, stamp, until, looked_at = self._found
        changed = stamp != self._stamp() or self._clock() >= until
        if changed or time.monotonic() - looked_at > LOOK_EVERY_S:
            self._found = self._read()
            keys, known, *_ = self._found
        return keys, known

    def _read(self) -> tuple[Keys, KeySet, int, float, float]:
        stamp, looked_at = self._stamp(), time.monotonic()
        with self._database.read() as connection:
            signed = from_base64(settings.get(connection, "keyset"))
        now = int(self._clock())
        known = open_keyset(signed, key_files.load(self._home).roots)
        turns = [at for key in known.keys for at in (key.start, key.until) if at > now]
        return key_files.load(self._home, known, now), known, stamp, min(turns, default=2**62), looked_at

    def _stamp(self) -> int:
        return (self._home / KEYS_FOLDER).stat().st_mtime_ns
