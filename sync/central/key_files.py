"""Central's key files: mode 0400 in the folder ``keys``; whoever reads them is central.

``root1`` and ``root2`` sign keysets only. Their private files are needed at ``init`` and when a key changes;
in production they belong in a safe, and only ``root1.pub`` and ``root2.pub`` stay here. Of central's and the
issuer's keys there may be several: which one signs, the keyset says.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import keyset
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.keyset import KeySet, KeyStatus, KeyUse

KEYS_FOLDER: Final = "keys"
SIZE: Final = 32
_ROOTS: Final = ("root1", "root2")
_SIGNING: Final = ("central", "issuer")
_SECRET: Final = ("nik", "pepper")


@dataclass(frozen=True, slots=True)
class Signer:
    """A signing key with its id."""

    private: Ed25519PrivateKey
    kid: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Root:
    """A root key as central knows it from day to day."""

    kid: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """All that central signs or hashes with, as of one moment."""

    root1: Root
    root2: Root
    central: Signer
    issuer: Signer
    nik: bytes
    """HMAC-SHA-256 key of the NIK hashes that caches hold."""
    pepper: bytes
    """Of officers' PINs; kiosks get it at enrolment."""

    @property
    def roots(self) -> tuple[bytes, bytes]:
        """Both root keys, raw."""
        return self.root1.public, self.root2.public


def create(folder: Path) -> None:
    """Makes what is not there yet; durable before it returns."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in _ROOTS:
        public = folder / f"{name}.pub"
        if not public.exists():
            _write_new(folder / f"{name}.key", secrets.token_bytes(SIZE), 0o400)
            _write_new(public, read_signer(folder / f"{name}.key").public, 0o444)
    for name in (*_SIGNING, *_SECRET):
        _write_new(folder / f"{name}.key", secrets.token_bytes(SIZE), 0o400)
    sync(folder)


def add_signer(folder: Path, use: KeyUse) -> Signer:
    """Makes one more key for ``use``, durable before it returns; it signs once a keyset names it."""
    private = Ed25519PrivateKey.generate()
    made = _signer(private)
    _write_new(folder / f"{use}-{made.kid.hex()}.key", private.private_bytes_raw(), 0o400)
    sync(folder)
    return made


def load(home: Path, known: KeySet | None = None, now: int = 0) -> Keys:
    """The keys in a data folder; of several for one use, the newest that ``known`` has in force at ``now``.

    Without ``known``, the first ones made. Raises EnvironmentFault ``keys_unreadable``.
    """
    folder = home / KEYS_FOLDER
    try:
        secret = {name: (folder / f"{name}.key").read_bytes() for name in _SECRET}
    except OSError as fault:
        raise EnvironmentFault("keys_unreadable", f"{KEYS_FOLDER}: {fault.strerror}") from fault
    if any(len(value) != SIZE for value in secret.values()):
        raise EnvironmentFault("keys_unreadable", "a key file is not 32 bytes")
    return Keys(
        _root(folder, "root1"),
        _root(folder, "root2"),
        _in_force(folder, KeyUse.CENTRAL, known, now),
        _in_force(folder, KeyUse.ISSUER, known, now),
        secret["nik"],
        secret["pepper"],
    )


def read_signer(path: Path) -> Signer:
    """The key in a file of 32 raw bytes. Raises EnvironmentFault ``keys_unreadable``."""
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise EnvironmentFault("keys_unreadable", f"{path.name}: {fault.strerror}") from fault
    if len(raw) != SIZE:
        raise EnvironmentFault("keys_unreadable", f"{path.name} is not 32 bytes")
    return _signer(Ed25519PrivateKey.from_private_bytes(raw))


def root_signer(path: Path, keys: Keys) -> Signer:
    """One of the city's two root keys, from wherever it is kept.

    Raises EnvironmentFault ``keys_unreadable``; OfficerFault ``root_key_foreign``.
    """
    made = read_signer(path)
    if made.public not in keys.roots:
        raise OfficerFault("root_key_foreign", f"{path.name} is none of this city's root keys")
    return made


def in_force_at(known: KeySet, use: KeyUse, now: int) -> list[bytes]:
    """Ids of the keys that may sign at ``now``, the newest first."""
    found = [
        key
        for key in known.keys
        if key.use is use and key.status is KeyStatus.ACTIVE and key.start <= now < key.until
    ]
    return [key.kid for key in sorted(found, key=lambda key: (key.start, key.since, key.kid), reverse=True)]


def card_authority(home: Path, known: KeySet, now: int) -> Signer | None:
    """The key that certifies chips now; None if no such key is in force, or it is not in this folder."""
    if not in_force_at(known, KeyUse.CARD_CA, now):
        return None
    return _in_force(home / KEYS_FOLDER, KeyUse.CARD_CA, known, now)


def sync(folder: Path) -> None:
    """Makes the names in a folder durable, and tells running processes that something in it has changed."""
    os.utime(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _root(folder: Path, name: str) -> Root:
    path = folder / f"{name}.pub"
    if not path.exists():
        public = read_signer(folder / f"{name}.key").public
    else:
        public = path.read_bytes()
    if len(public) != SIZE:
        raise EnvironmentFault("keys_unreadable", f"{name}.pub is not 32 bytes")
    return Root(keyset.key_id(public), public)


def _in_force(folder: Path, use: KeyUse, known: KeySet | None, now: int) -> Signer:
    first = folder / f"{use}.key"
    if known is None:
        return read_signer(first)
    # Of central and issuer one is made at the start; card authorities are only ever added.
    files = [*([] if use is KeyUse.CARD_CA else [first]), *sorted(folder.glob(f"{use}-*.key"))]
    here = {one.kid: one for one in map(read_signer, files)}
    active = [key.kid for key in known.keys if key.use is use and key.status is KeyStatus.ACTIVE]
    # A clock that is wrong on central must not silence it: any active key, if none is in force by the date.
    for kid in (*in_force_at(known, use, now), *active[::-1]):
        if kid in here:
            return here[kid]
    raise EnvironmentFault("keys_unreadable", f"no key in force for {use} is in this folder")


def _signer(private: Ed25519PrivateKey) -> Signer:
    public = private.public_key().public_bytes_raw()
    return Signer(private, keyset.key_id(public), public)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
