"""Being alone with a database file, whatever is in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kiosk.errors import EnvironmentFault

SHARED_FIRST: Final = 0x4000_0002
SHARED_SIZE: Final = 510
"""The bytes on which every open connection in WAL mode holds a shared lock (SQLite's os.h)."""


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Holds a database file for oneself, while nobody else has it open.

    Raises EnvironmentFault ``ledger_in_use``, ``data_folder_read_only``. This process must not have it open
    itself: closing the handle here would end its locks.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as fault:
        raise EnvironmentFault("data_folder_read_only", f"{path.name}: {fault.strerror}") from fault
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST, os.SEEK_SET)
        except OSError as fault:
            raise EnvironmentFault(
                "ledger_in_use", f"{path.name} is open elsewhere: stop the kiosk and its sync first"
            ) from fault
        yield
    finally:
        os.close(handle)
