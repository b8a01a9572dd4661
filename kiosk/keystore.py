"""This device's secrets: where they come from, and how they are made once.

They come from the service manager's credential store (systemd ``LoadCredentialEncrypted=``, bound to a TPM
where there is one), else from a file that only the kiosk's user can read. They are never in settings,
arguments or the environment, and never printed.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kiosk import cose, durable_file
from kiosk.errors import EnvironmentFault

CREDENTIAL_NAME = "kmc-kiosk.keys"
FILE_NAME = "device.keys"
PEPPER_FILE_NAME = "officer.pepper"
RING_FILE_NAME = "device.ring"
LEDGER_NAME = "ledger.db"
MAX_FILE = 1024
MAX_RING_FILE = 16 * 1024
SIZE = 32

_NAMES = ("database_key", "device_key", "officer_pepper", "nik_key")
_PEPPER_LABEL = b"kmc/officer-pepper/1"
_RING_LABEL = b"kmc/device-ring/1"


class KeySource(StrEnum):
    """Where the device's keys were found."""

    SERVICE = "service"
    """The service manager's credential store."""
    FILE = "file"
    """A file on the disk: who steals the disk can read it."""


@dataclass(frozen=True, slots=True, repr=False)
class DeviceKeys:
    """The secrets of one device, 32 bytes each."""

    database_key: bytes
    """Raw key of the encrypted databases."""
    device_key: bytes
    """Seed of the device's Ed25519 key (RFC 8032), which signs the journal and the requests."""
    officer_pepper: bytes
    """Under the officers' PINs; central's after enrolment."""
    nik_key: bytes
    """For keyed hashes of identity numbers."""
    source: KeySource = field(default=KeySource.FILE, compare=False)
    ring: tuple[bytes, ...] = ()
    """Seeds of device keys made later, oldest first: for a roll or another generation."""

    def __post_init__(self) -> None:
        if any(len(getattr(self, name)) != SIZE for name in _NAMES):
            raise ValueError(f"each key has {SIZE} bytes")

    def __repr__(self) -> str:
        return f"DeviceKeys(…, source={self.source!s})"

    @property
    def disk_theft_exposes(self) -> bool:
        """True if who steals the disk has the keys: ``status`` and ``doctor`` warn."""
        return self.source is KeySource.FILE

    def signer(self) -> Ed25519PrivateKey:
        """The device's first private key as the crypto library takes it."""
        return Ed25519PrivateKey.from_private_bytes(self.device_key)

    def public(self) -> bytes:
        """The device's first public key, raw, 32 bytes."""
        return public_of(self.signer())

    def signers(self) -> list[Ed25519PrivateKey]:
        """Every device key that this device has, the newest first."""
        return [Ed25519PrivateKey.from_private_bytes(seed) for seed in (*self.ring[::-1], self.device_key)]

    def signer_of(self, public: bytes) -> Ed25519PrivateKey | None:
        """The device key with that public key (raw, 32 bytes); None if it is not one of this device."""
        return next((key for key in self.signers() if public_of(key) == public), None)

    def to_bytes(self) -> bytes:
        """What the file or the credential holds: a deterministic CBOR map."""
        return cose.encode({"v": 1} | {name: getattr(self, name) for name in _NAMES})


def public_of(key: Ed25519PrivateKey) -> bytes:
    """The raw public key, 32 bytes."""
    return key.public_key().public_bytes_raw()


def generate() -> DeviceKeys:
    """New random keys, kept nowhere yet."""
    database, device, pepper, nik = (secrets.token_bytes(SIZE) for _ in _NAMES)
    return DeviceKeys(database, device, pepper, nik)


def create(home: Path) -> DeviceKeys:
    """Makes this device's keys, once, in ``home/device.keys`` (mode 0400), durable before it returns.

    Raises EnvironmentFault ``keys_missing`` if there is a ledger already, which only the lost keys open;
    ``keys_exist`` if there are keys; ``write_failed``.
    """
    if (home / LEDGER_NAME).exists():
        raise EnvironmentFault(
            "keys_missing", "a ledger without its keys: bring back the keys, or set it aside"
        )
    keys = generate()
    try:
        durable_file.create(home / FILE_NAME, keys.to_bytes(), 0o400)
    except FileExistsError:
        raise EnvironmentFault("keys_exist", f"{FILE_NAME} is there already") from None
    return keys


def load(home: Path, environment: Mapping[str, str] = os.environ) -> DeviceKeys:
    """The keys, from ``$CREDENTIALS_DIRECTORY`` if the service manager gave them, else from ``home``.

    Raises EnvironmentFault ``keys_missing`` (none: ``create`` makes them where nothing was lost),
    ``keys_exposed`` (others can read the file), ``keys_damaged``.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    given = Path(folder) / CREDENTIAL_NAME if folder else None
    if given is not None and given.exists():
        keys = _read(_contents(given, private=False), KeySource.SERVICE)
    else:
        keys = _read(_contents(home / FILE_NAME, private=True), KeySource.FILE)
    return _with_ring(home, _with_stored_pepper(home, keys))


def add_device_key(home: Path, keys: DeviceKeys) -> DeviceKeys:
    """Makes one more device key, durable before it returns; which key signs, the journal says.

    It is kept in ``home/device.ring``, sealed under a key derived from the database key. Raises
    EnvironmentFault ``write_failed``.
    """
    changed = replace(keys, ring=(*_with_ring(home, keys).ring, secrets.token_bytes(SIZE)))
    durable_file.replace(
        home / RING_FILE_NAME, _seal(keys, _RING_LABEL, cose.encode(list(changed.ring))), 0o400
    )
    return changed


def forget_pepper(home: Path) -> None:
    """Removes central's pepper: officers can sign in here again only after another enrolment.

    Raises EnvironmentFault ``write_failed``.
    """
    durable_file.remove(home / PEPPER_FILE_NAME)


def adopt_pepper(home: Path, keys: DeviceKeys, pepper: bytes) -> DeviceKeys:
    """Takes central's pepper (32 bytes) in the place of the device's own, durable before it returns.

    It is kept in ``home/officer.pepper``, sealed under a key derived from the database key, since keys of the
    credential store cannot be rewritten by the kiosk. Raises EnvironmentFault ``write_failed``.
    """
    changed = replace(keys, officer_pepper=pepper)
    durable_file.replace(home / PEPPER_FILE_NAME, _seal(keys, _PEPPER_LABEL, pepper), 0o400)
    return changed


def _with_stored_pepper(home: Path, keys: DeviceKeys) -> DeviceKeys:
    path = home / PEPPER_FILE_NAME
    if not path.exists():
        return keys
    try:
        return replace(keys, officer_pepper=_unseal(keys, _PEPPER_LABEL, _contents(path, private=True)))
    except (InvalidTag, ValueError):
        raise EnvironmentFault("keys_damaged", f"{path.name} does not open with these keys") from None


def _with_ring(home: Path, keys: DeviceKeys) -> DeviceKeys:
    path = home / RING_FILE_NAME
    if not path.exists():
        return keys
    try:
        seeds = cose.decode(_unseal(keys, _RING_LABEL, _contents(path, private=True, most=MAX_RING_FILE)))
        if not isinstance(seeds, list) or not all(
            isinstance(one, bytes) and len(one) == SIZE for one in seeds
        ):
            raise ValueError("not a list of seeds")
    except (InvalidTag, ValueError):
        raise EnvironmentFault("keys_damaged", f"{path.name} does not open with these keys") from None
    return replace(keys, ring=tuple(seeds))


def _seal(keys: DeviceKeys, label: bytes, content: bytes) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + _cipher(keys, label).encrypt(nonce, content, label)


def _unseal(keys: DeviceKeys, label: bytes, sealed: bytes) -> bytes:
    """Raises InvalidTag, ValueError."""
    return _cipher(keys, label).decrypt(sealed[:12], sealed[12:], label)


def _cipher(keys: DeviceKeys, label: bytes) -> ChaCha20Poly1305:
    """RFC 8439, under a key by HKDF-SHA-256 (RFC 5869)."""
    return ChaCha20Poly1305(HKDF(SHA256(), SIZE, None, label).derive(keys.database_key))


def _contents(path: Path, *, private: bool, most: int = MAX_FILE) -> bytes:
    # Non-blocking, or a pipe in the file's place would hold the start for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if private else 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise EnvironmentFault("keys_missing", f"there is no {path.name}") from None
    except OSError as fault:
        raise EnvironmentFault("keys_damaged", f"{path.name}: {fault.strerror}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise EnvironmentFault("keys_damaged", f"{path.name} is no file")
        open_to_others = facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if private and (open_to_others or facts.st_uid not in (os.geteuid(), 0)):
            raise EnvironmentFault("keys_exposed", f"{path.name} must be mode 0400 and the kiosk's own")
        return os.read(handle, most + 1)
    except OSError as fault:
        raise EnvironmentFault("keys_damaged", f"{path.name}: {fault.strerror}") from None
    finally:
        os.close(handle)


def _read(data: bytes, source: KeySource) -> DeviceKeys:
    if len(data) > MAX_FILE:
        raise EnvironmentFault("keys_damaged", f"more than {MAX_FILE} bytes")
    try:
        content = cose.decode(data)
        if not isinstance(content, Mapping) or set(content) != {"v", *_NAMES} or content["v"] != 1:
            raise ValueError("other fields or version")
        values = {name: content[name] for name in _NAMES}
        if not all(isinstance(value, bytes) for value in values.values()):
            raise ValueError("a key that is not bytes")
        return replace(DeviceKeys(**values), source=source)
    except ValueError as fault:
        raise EnvironmentFault("keys_damaged", str(fault)) from None
