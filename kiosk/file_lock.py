"""Files that one holder at a time may hold, across processes and threads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk.errors import EnvironmentFault


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the lock file at ``path``, made if it is missing; who comes second waits. Ends with the process.

    Raises EnvironmentFault ``data_folder_read_only``.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise EnvironmentFault("data_folder_read_only", f"{path.name}: {fault.strerror}") from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
