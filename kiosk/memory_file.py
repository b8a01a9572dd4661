"""A database file in this process's memory only, for SQLCipher to attach: nothing of it meets a disk.

SQLite's own ``memdb`` file system (``memdb.c``) keeps a file whose name begins with ``/`` for all connections
of a process. Python's drivers can open such a file but not fill it with the bytes of a ready-made database;
SQLite's C interface can (``sqlite3_vfs_find``, https://www.sqlite.org/c3ref/vfs.html).
"""

from __future__ import annotations

import ctypes
import secrets
from importlib.util import find_spec
from types import TracebackType
from typing import Final, Self

from kiosk.errors import EnvironmentFault

_OK: Final = 0
# https://www.sqlite.org/c3ref/c_open_autoproxy.html
_OPEN_READWRITE, _OPEN_CREATE, _OPEN_MAIN_DB = 0x2, 0x4, 0x100


class _Methods(ctypes.Structure):
    """The beginning of ``sqlite3_io_methods``."""

    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("xClose", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)),
        ("xRead", ctypes.c_void_p),
        (
            "xWrite",
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_longlong),
        ),
    ]


class _File(ctypes.Structure):
    """``sqlite3_file``."""

    _fields_ = [("pMethods", ctypes.POINTER(_Methods))]


class _Vfs(ctypes.Structure):
    """The beginning of ``sqlite3_vfs``."""

    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        (
            "xOpen",
            ctypes.CFUNCTYPE(
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_char_p,
                ctypes.c_void_p,
                ctypes.c_int,
                ctypes.POINTER(ctypes.c_int),
            ),
        ),
    ]


class MemoryFile:
    """Bytes in memory under a name that this process's SQLCipher connections can attach while it is open."""

    def __init__(self) -> None:
        """Makes an empty one. Raises EnvironmentFault ``memory_file`` where SQLCipher was built without."""
        driver = find_spec("sqlcipher3._sqlite3")
        library = ctypes.CDLL(driver.origin if driver else None)
        try:
            find = library.sqlite3_vfs_find
        except AttributeError:
            raise EnvironmentFault("memory_file", "SQLCipher's library hides its C interface") from None
        find.restype, find.argtypes = ctypes.POINTER(_Vfs), [ctypes.c_char_p]
        vfs = find(b"memdb")
        if not vfs:
            raise EnvironmentFault("memory_file", "SQLCipher was built without files in memory")
        self.name = f"/kmc-{secrets.token_hex(8)}"
        self.size = 0
        self._handle = ctypes.create_string_buffer(vfs.contents.szOsFile)
        self._pointer = ctypes.cast(self._handle, ctypes.c_void_p)
        flags = _OPEN_READWRITE | _OPEN_CREATE | _OPEN_MAIN_DB
        code = vfs.contents.xOpen(
            ctypes.cast(vfs, ctypes.c_void_p),
            self.name.encode() + b"\0\0\0",  # a list of parameters follows a name; this one is empty
            self._pointer,
            flags,
            ctypes.byref(ctypes.c_int()),
        )
        if code != _OK:
            raise EnvironmentFault("memory_file", f"SQLite's code {code}")
        self._methods = ctypes.cast(self._handle, ctypes.POINTER(_File)).contents.pMethods.contents
        self._open = True

    @property
    def uri(self) -> str:
        """What ``ATTACH`` takes, for reading."""
        return f"file:{self.name}?vfs=memdb&mode=ro"

    def write(self, data: bytes) -> None:
        """Appends bytes. Raises EnvironmentFault ``out_of_memory``."""
        code = self._methods.xWrite(self._pointer, data, len(data), self.size)
        if code != _OK:
            raise EnvironmentFault("out_of_memory", f"{self.size + len(data)} bytes: SQLite's code {code}")
        self.size += len(data)

    def close(self) -> None:
        """Lets the bytes go, once no connection has them attached either."""
        if self._open:
            self._open = False
            self._methods.xClose(self._pointer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
