"""Which cache file is the current one: ``cache.current`` names it, and is swapped atomically."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk import durable_file, file_lock
from kiosk.cache import Cache, damage_mark
from kiosk.errors import EnvironmentFault

POINTER_FILE = "cache.current"
LOCK_FILE = "cache.lock"
PROGRESS_FILE = "cache.loading"
"""How far the first load is, in percent; there is none while a whole cache is current."""
PART_FILES = "snapshot."
"""Begins the names of what has landed of a snapshot."""
DAMAGE_CODES = ("database_damaged", "database_missing", "database_newer", "cache_pointer_damaged")
"""Faults of a cache that a new one mends."""
_SWAPS_WAITED_FOR = 5


class CacheFolder:
    """Finds the current cache file; one per thread, since it keeps the connection open."""

    def __init__(self, home: Path, key: bytes) -> None:
        self.home = home
        self._key = key
        self._open: Cache | None = None
        self._inode = 0

    def current(self) -> Cache:
        """The current cache, opened anew when the pointer has moved.

        Raises EnvironmentFault: ``cache_missing`` before the first load, and what opening raises.
        """
        for attempt in range(1, _SWAPS_WAITED_FOR + 1):
            number = self.current_number()
            if number is None:
                self.close()
                raise EnvironmentFault("cache_missing", "nothing was loaded from central yet")
            path = self.path_of(number)
            if self._open is not None and self._open.path == path and _inode(path) == self._inode:
                return self._open
            self.close()
            try:
                self._inode = _inode(path)
                self._open = Cache(path, self._key)
                return self._open
            except EnvironmentFault as fault:
                # Swapped between the pointer and the file: the pointer names another one by now.
                if fault.code != "database_missing" or attempt == _SWAPS_WAITED_FOR:
                    raise
        raise AssertionError("the loop ends by itself")

    def close(self) -> None:
        """Closes the open connection, if any."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def current_number(self) -> int | None:
        """The number in the pointer file; None if there is none.

        Raises EnvironmentFault ``cache_pointer_damaged``.
        """
        try:
            text = (self.home / POINTER_FILE).read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            raise EnvironmentFault("cache_pointer_damaged", f"{POINTER_FILE} cannot be read") from fault
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise EnvironmentFault("cache_pointer_damaged", f"{POINTER_FILE} holds no number")
        return int(text)

    def path_of(self, number: int) -> Path:
        """The file of a cache number."""
        return self.home / f"cache.{number}.db"

    def is_sound(self) -> bool:
        """True if there is a current cache that opens and that nobody found damaged."""
        try:
            number = self.current_number()
            if number is None or damage_mark(self.path_of(number)).exists():
                return False
            self.current()
        except EnvironmentFault as fault:
            if fault.code not in DAMAGE_CODES:
                raise
            return False
        return True

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Held by whoever changes the cache: one process at a time, the next one waits."""
        with file_lock.held(self.home / LOCK_FILE):
            yield

    def create(self) -> tuple[int, Cache]:
        """A new, empty cache file that is not current yet, and its number; to be called while ``loading``."""
        number, path = self.new_path()
        return number, Cache(path, self._key, create=True)

    def new_path(self) -> tuple[int, Path]:
        """Number and path for a cache file that is about to be made; to be called while ``loading``."""
        for number, path in self._files():
            if number != self.current_number_or_none():
                path.unlink(missing_ok=True)  # left by a load that never came to its end
        number = max([number for number, _ in self._files()] + [self.current_number_or_none() or 0]) + 1
        return number, self.path_of(number)

    @property
    def key(self) -> bytes:
        """The key of the files."""
        return self._key

    def note_progress(self, percent: int | None) -> None:
        """Leaves word for the screen how far a new cache is loaded (0 to 100); None: nothing to tell.

        Only a hint, so a disk that refuses it stops nothing.
        """
        path = self.home / PROGRESS_FILE
        with contextlib.suppress(OSError):
            if percent is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(str(percent), encoding="ascii")

    def progress(self) -> int | None:
        """How far a new cache is loaded, in percent; None if none is on its way."""
        try:
            text = (self.home / PROGRESS_FILE).read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return min(int(text), 100) if text.isdigit() and len(text) <= 3 else None

    def make_current(self, number: int) -> None:
        """Swaps the pointer atomically and removes all other files; to be called while ``loading``.

        Raises EnvironmentFault ``write_failed``.
        """
        durable_file.replace(self.home / POINTER_FILE, str(number).encode("ascii"))
        for other, path in self._files():
            if other != number:
                path.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Removes pointer and files: after this device was revoked. The ledger stays."""
        self.close()
        (self.home / POINTER_FILE).unlink(missing_ok=True)
        for _, path in self._files():
            path.unlink(missing_ok=True)
        for path in (*self.home.glob(f"{PART_FILES}*"), self.home / PROGRESS_FILE):
            path.unlink(missing_ok=True)

    def has_files(self) -> bool:
        """True if a cache, or a part of one, is on this device."""
        others = (self.home / POINTER_FILE, self.home / PROGRESS_FILE)
        parts = any(self.home.glob(f"{PART_FILES}*"))
        return parts or bool(self._files()) or any(path.exists() for path in others)

    def current_number_or_none(self) -> int | None:
        """The number in the pointer file; None also where it cannot be read."""
        try:
            return self.current_number()
        except EnvironmentFault:
            return None

    def _files(self) -> list[tuple[int, Path]]:
        """Every file of a cache, with its number."""
        found = ((path.name.split(".")[1], path) for path in self.home.glob("cache.*.db*"))
        return [(int(part), path) for part, path in found if part.isascii() and part.isdigit()]


def _inode(path: Path) -> int:
    """Tells a file from another one that has taken its name; 0 if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
