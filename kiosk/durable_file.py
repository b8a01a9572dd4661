"""Small files that are either wholly there or not at all, also after a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from kiosk.errors import EnvironmentFault


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes ``data`` to ``path``, durable before it returns; a reader sees the old file or the new one.

    Raises EnvironmentFault ``write_failed``.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write_new(beside, data, mode)
            beside.replace(path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            raise
        sync_folder(path.parent)
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{path.name}: {fault.strerror}", file=path.name) from fault


def create(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Like ``replace``, for a file that must not exist yet.

    Raises FileExistsError, EnvironmentFault ``write_failed``.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write_new(beside, data, mode)
            os.link(beside, path)  # unlike a rename, fails when the name is taken
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{path.name}: {fault.strerror}", file=path.name) from fault


def remove(path: Path) -> None:
    """Removes a file that need not be there, durable before it returns.

    Raises EnvironmentFault ``write_failed``.
    """
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{path.name}: {fault.strerror}", file=path.name) from fault


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)  # whatever the umask left
        file.write(data)
        file.flush()
        os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
