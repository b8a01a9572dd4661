"""One kiosk window on a data folder at a time."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Final

from kiosk.errors import EnvironmentFault

LOCK_FILE: Final = "kiosk.lock"


class OneAtATime:
    """A lock that keeps two kiosk windows off one data folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_FILE

    def __enter__(self) -> None:
        """Raises EnvironmentFault ``already_running``, ``data_folder_read_only``."""
        try:
            self._file = self._path.open("a")
        except OSError as error:
            raise EnvironmentFault("data_folder_read_only", f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise EnvironmentFault("already_running", "a kiosk window runs on this data folder") from None

    def __exit__(self, *_: object) -> None:
        self._file.close()


def is_running(home: Path) -> bool:
    """True while a kiosk window runs on this data folder, so far as this user may see it."""
    try:
        with (home / LOCK_FILE).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:  # no folder, no lock, or another user's
        return False
