"""The disk under a kiosk: a shim between its processes and the C library (see ``shim/disk.c``)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import shutil
import stat
import struct
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "shim"
SECTOR = 512
"""Bytes that a disk writes wholly or not at all."""


class CompilerMissing(Exception):
    """No C compiler is installed."""


def build(name: str, folder: Path) -> Path:
    """A compiled shim, made by whichever worker of a run comes first. Raises CompilerMissing."""
    library = folder / f"{name}.so"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            if shutil.which("gcc") is None:
                raise CompilerMissing
            options = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(library))
            subprocess.run(["gcc", *options, str(SOURCES / f"{name}.c"), "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class _Entry:
    identity: str
    mode: int
    name: str


class FaultyDisk:
    """A folder on a disk that fails as it is told to, or whose power can be cut.

    ``image`` is a folder of the disk's own for what would be there after a cut.
    """

    def __init__(self, library: Path, folder: Path, image: Path) -> None:
        self.folder = folder
        self._library = library
        self._image = image

    def environment(
        self, *, kill_at: int = 0, sync_fails: int = 0, room: int | None = None, log: Path | None = None
    ) -> dict[str, str]:
        """What a process on this disk gets: see ``shim/disk.c``. Remembers what is synced once ``prime`` was
        called."""
        told: Mapping[str, object] = {
            "ROOT": self.folder,
            "IMAGE": self._image if self._image.exists() else None,
            "KILL_AT": kill_at or None,
            "SYNC_FAILS": sync_fails or None,
            "ROOM": room,
            "LOG": log,
        }
        named = {f"KMC_DISK_{name}": str(value) for name, value in told.items() if value is not None}
        return {"LD_PRELOAD": str(self._library)} | named

    def prime(self) -> None:
        """Everything that is in the folder now is on the disk."""
        shutil.rmtree(self._image, ignore_errors=True)
        self._image.mkdir()
        for path in (self.folder, *self.folder.rglob("*")):
            if path.is_dir():
                lines = [f"{_identity(one)} {one.lstat().st_mode:o} {one.name}\n" for one in path.iterdir()]
                self._image_of(path).write_text("".join(lines))
            else:
                shutil.copyfile(path, self._image_of(path))

    def cut(self, rng: random.Random | None = None) -> None:
        """The power goes: what was not synced is gone, or with ``rng`` some sectors and some folders' names.

        Every process on this disk must have ended. Afterwards the folder is what a machine finds that is
        switched on again, and all of that is on the disk.
        """
        after = self.folder.with_name(f"{self.folder.name}.after")
        live = {_identity(path): path for path in (self.folder, *self.folder.rglob("*"))}
        self._restore(_identity(self.folder), after, live, rng)
        after.chmod(stat.S_IMODE(self.folder.stat().st_mode))
        shutil.rmtree(self.folder)
        after.rename(self.folder)
        self.prime()

    def _restore(self, identity: str, target: Path, live: dict[str, Path], rng: random.Random | None) -> None:
        target.mkdir()
        for entry in self._names(identity, live, rng):
            path = target / entry.name
            if stat.S_ISDIR(entry.mode):
                self._restore(entry.identity, path, live, rng)
            elif not entry.name.endswith("-shm"):  # memory, not disk
                path.write_bytes(self._content(entry.identity, live, rng))
            else:
                continue
            path.chmod(stat.S_IMODE(entry.mode))

    def _names(self, identity: str, live: dict[str, Path], rng: random.Random | None) -> list[_Entry]:
        if rng is not None and identity in live and rng.random() < 0.5:
            names = live[identity].iterdir()
            return [_Entry(_identity(path), path.lstat().st_mode, path.name) for path in names]
        image = self._image / identity
        lines = image.read_text().splitlines() if image.exists() else []
        return [_Entry(known, int(mode, 8), name) for known, mode, name in (x.split(" ", 2) for x in lines)]

    def _content(self, identity: str, live: dict[str, Path], rng: random.Random | None) -> bytes:
        image = self._image / identity
        synced = image.read_bytes() if image.exists() else b""
        if rng is None or identity not in live:
            return synced
        newest = live[identity].read_bytes()
        longest = max(len(synced), len(newest))
        # Its new length may be known before its new content is.
        length = rng.choice([len(synced), len(newest)])
        parts = []
        for at in range(0, min(length, longest), SECTOR):
            source = rng.choice([synced, newest])
            parts.append(source[at : at + SECTOR].ljust(min(SECTOR, length - at), b"\0"))
        return b"".join(parts)

    def _image_of(self, path: Path) -> Path:
        return self._image / _identity(path)


Under = Callable[[Path], FaultyDisk]
"""Puts a faulty disk under a folder."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _STATX_BASIC_STATS, _STATX_BTIME = -100, 0x100, 0x7FF, 0x800


def _identity(path: Path) -> str:
    """Inode number and time of birth, as the shim writes them; offsets of statx(2), which Python lacks."""
    found = ctypes.create_string_buffer(256)
    wanted = _STATX_BASIC_STATS | _STATX_BTIME
    if _LIBC.statx(_AT_FDCWD, os.fsencode(path), _AT_SYMLINK_NOFOLLOW, wanted, found):
        raise OSError(ctypes.get_errno(), "statx", str(path))
    (mask,) = struct.unpack_from("=I", found, 0)
    (inode,) = struct.unpack_from("=Q", found, 32)
    seconds, part = struct.unpack_from("=qI", found, 80) if mask & _STATX_BTIME else (0, 0)
    return f"{inode}.{seconds}.{part:09}"
