"""What has landed of a download, sealed chunk by chunk: it can go on at any byte, and tells a thief nothing.

The file ``snapshot.<bucket>.part`` holds a salt of 16 bytes, then sealed chunks: length (4 bytes, big end),
a nonce, AES-256-GCM text and tag. The key is HKDF-SHA-256 of the cache's key with that salt; the
chunk's number and the file's name are bound in, so that no chunk stands in for another. The first chunk is
the signed manifest. A chunk cut short, by a power cut or a full disk, ends what has landed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kiosk.cache_folder import PART_FILES
from kiosk.errors import EnvironmentFault

CHUNK_BYTES: Final = 256 * 1024
_MOST_BYTES: Final = 8 * 1024 * 1024
_SALT: Final = 16
_TAG: Final = 16
_NONCE: Final = 12
_LENGTH: Final = 4


class Landing:
    """One download under way; used by one thread, while the cache folder is locked for loading."""

    def __init__(self, home: Path, bucket: str, key: bytes) -> None:
        self.path = home / f"{PART_FILES}{bucket}.part"
        self.size = 0
        """Bytes of the download that have landed, without the manifest."""
        self._key = key
        self._file: BinaryIO | None = None
        self._cipher: AESGCM | None = None
        self._count = 0
        self._held = bytearray()

    def resume(self) -> tuple[bytes, Iterator[bytes]] | None:
        """The manifest of what has landed, and its bytes in order; None if nothing has.

        Once the iterator is at its end, ``add`` goes on behind it. Raises EnvironmentFault.
        """
        with _write_faults():
            try:
                self._file = self.path.open("r+b")
            except FileNotFoundError:
                return None
            salt = self._file.read(_SALT)
            if len(salt) == _SALT:
                self._cipher = self._cipher_for(salt)
                manifest = self._next()
                if manifest is not None:
                    return manifest, self._rest()
        self.discard()
        return None

    def begin(self, manifest: bytes) -> None:
        """Starts anew. Raises EnvironmentFault ``disk_full``, ``write_failed``."""
        self.discard()
        with _write_faults():
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(handle, "w+b")
            salt = os.urandom(_SALT)
            self._file.write(salt)
            self._cipher = self._cipher_for(salt)
            self._seal(manifest)

    def add(self, data: bytes) -> None:
        """More of the download; lands a chunk at a time. Raises EnvironmentFault as ``begin`` does."""
        self._held += data
        self.size += len(data)
        if len(self._held) >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Lands what is held: after this, an interruption costs nothing of it."""
        if self._held:
            with _write_faults():
                self._seal(bytes(self._held))
            self._held.clear()

    def close(self) -> None:
        """Keeps what has landed, to go on another time."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Takes it all away."""
        self.close()
        self._held.clear()
        self._count = self.size = 0
        self.path.unlink(missing_ok=True)

    def _rest(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            self.size += len(chunk)
            yield chunk

    def _next(self) -> bytes | None:
        """The next chunk; where none is whole, the file ends there from now on."""
        file, cipher = self._opened()
        begins = file.tell()
        head = file.read(_LENGTH)
        length = int.from_bytes(head, "big")
        if len(head) == _LENGTH and _NONCE + _TAG < length <= _MOST_BYTES:
            sealed = file.read(length)
            try:
                chunk = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound())
            except (InvalidTag, ValueError):  # ValueError: too short to have a nonce
                pass
            else:
                self._count += 1
                return chunk
        with _write_faults():
            file.seek(begins)
            file.truncate()
        return None

    def _seal(self, chunk: bytes) -> None:
        file, cipher = self._opened()
        nonce = os.urandom(_NONCE)
        sealed = nonce + cipher.encrypt(nonce, chunk, self._bound())
        file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)
        file.flush()
        self._count += 1

    def _bound(self) -> bytes:
        return f"{self.path.name} {self._count}".encode()

    def _opened(self) -> tuple[BinaryIO, AESGCM]:
        if self._file is None or self._cipher is None:
            raise ValueError("nothing was begun or gone on with")
        return self._file, self._cipher

    def _cipher_for(self, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), 32, salt, b"kmc/snapshot chunks/1").derive(self._key))


@contextlib.contextmanager
def _write_faults() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        code = "disk_full" if fault.errno in (28, 122) else "write_failed"
        raise EnvironmentFault(code, f"what was loaded cannot be kept: {fault.strerror}") from fault
