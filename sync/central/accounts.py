"""Accounts of central's staff: who may ask for, and who may approve, what two people have to agree on.

Each has an Ed25519 key of its own. What is asked or approved is a COSE_Sign1 with context ``kmc/approval/1``
over a CBOR map, so that it can be checked later by anybody who has the accounts' public keys.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, insert, select, update

from kiosk import cose
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.keyset import key_id
from sync.central.models import account
from sync.central.paging import PAGE
from sync.central.state import Central

CONTEXT: Final = b"kmc/approval/1"
STAFF: Final = "staff"
CLERK: Final = "clerk"
ROLES: Final = (STAFF, CLERK)
"""Staff ask and approve; a clerk only asks."""
ACTIVE: Final = "active"
CLOSED: Final = "closed"
MAX_REASON: Final = 500
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")


@dataclass(frozen=True, slots=True)
class Signer:
    """An account with its private key, as read from its file."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """Raw, 32 bytes."""
        return _raw(self.private)


def add(central: Central, name: str, key_file: Path, role: str = STAFF) -> None:
    """Registers an account and writes its new key to ``key_file`` (32 raw bytes, mode 0400).

    Raises OfficerFault ``account_name``, ``account_exists``, ``role_unknown``; EnvironmentFault
    ``key_file_exists``, ``key_unwritable``, ``grants_log_failed``.
    """
    if not _NAME.fullmatch(name):
        raise OfficerFault("account_name", "a name is 2 to 32 of a-z, 0-9, dot, dash, underscore")
    if role not in ROLES:
        raise OfficerFault("role_unknown", f"roles are {', '.join(ROLES)}")
    with central.database.read() as connection:
        _refuse_known(connection, name)
    seed = secrets.token_bytes(32)
    _write_key(key_file, seed)
    public = _raw(Ed25519PrivateKey.from_private_bytes(seed))
    now = central.now()
    try:
        # First: an account that only the log knows has no key any more.
        central.outside.keep([{"account": {"name": name, "public": public.hex(), "role": role, "at": now}}])
        central.database.write(partial(_add, name, public, role, now))
    except BaseException:
        key_file.unlink()
        raise


def close(central: Central, name: str) -> None:
    """Ends an account: it signs nothing any more; what it signed stands.

    Raises OfficerFault ``unknown_account``; EnvironmentFault ``grants_log_failed``.
    """
    closing = update(account).where(account.c.name == name).values(state=CLOSED)
    if not central.database.write(lambda connection: connection.execute(closing).rowcount):
        raise OfficerFault("unknown_account", f"no account {name}")
    central.outside.keep([{"account_closed": {"name": name}}])


def listed(central: Central, after: str = "", limit: int = PAGE) -> list[dict[str, Any]]:
    """Accounts behind ``after`` in the order of their names, each with the id of its key."""
    query = select(account).where(account.c.name > after).order_by(account.c.name).limit(limit)
    with central.database.read() as connection:
        return [
            {
                "name": row.name,
                "role": row.role,
                "state": row.state,
                "key": key_id(bytes(row.public)).hex(),
                "added_at": row.added_at,
            }
            for row in connection.execute(query)
        ]


def signer(name: str, key_file: Path) -> Signer:
    """The account's key from its file. Raises EnvironmentFault ``key_unreadable``."""
    try:
        seed = key_file.read_bytes()
    except OSError as fault:
        raise EnvironmentFault("key_unreadable", f"{key_file.name}: {fault.strerror}") from fault
    if len(seed) != 32:
        raise EnvironmentFault("key_unreadable", f"{key_file.name} is not a key of 32 bytes")
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


def sign(connection: Connection, by: Signer, claims: dict[str, Any], *, approves: bool = False) -> bytes:
    """The signed claims of an account; ``v``, ``by`` are added.

    Raises OfficerFault ``unknown_account``, ``account_closed``, ``wrong_key``, ``role_lacking``.
    """
    row = connection.execute(select(account).where(account.c.name == by.name)).first()
    if row is None:
        raise OfficerFault("unknown_account", f"no account {by.name}")
    if row.state != ACTIVE:
        raise OfficerFault("account_closed", f"the account {by.name} is closed")
    if bytes(row.public) != by.public:
        raise OfficerFault("wrong_key", f"this is not the key of {by.name}")
    if approves and row.role != STAFF:
        raise OfficerFault("role_lacking", f"{by.name} may ask, not approve")
    payload = cose.encode({"v": 1, "by": by.name} | claims)
    return cose.sign(payload, by.private, key_id(by.public), CONTEXT)


def opened(connection: Connection, name: str, signed: bytes) -> dict[str, Any]:
    """The claims that an account signed, also if it is closed by now.

    Raises OfficerFault ``unknown_account``, ``approval_refused`` if the signature does not hold.
    """
    public = connection.execute(select(account.c.public).where(account.c.name == name)).scalar()
    if public is None:
        raise OfficerFault("unknown_account", f"no account {name}")
    key = Ed25519PublicKey.from_public_bytes(bytes(public))
    kid = key_id(bytes(public))
    try:
        claims = cose.decode(cose.verify(signed, lambda found: key if found == kid else None, CONTEXT))
    except cose.SignedDataFault as fault:
        raise OfficerFault("approval_refused", str(fault)) from None
    if not isinstance(claims, dict) or claims.get("by") != name:
        raise OfficerFault("approval_refused", f"not signed as {name}")
    return claims


def reason_of(text: str) -> str:
    """A reason as people gave it, trimmed. Raises OfficerFault ``reason_missing``, ``reason_long``."""
    reason = " ".join(text.replace("\x00", " ").split())
    if not reason:
        raise OfficerFault("reason_missing", "a reason is needed")
    if len(reason) > MAX_REASON:
        raise OfficerFault("reason_long", f"a reason has at most {MAX_REASON} characters")
    return reason


def _add(name: str, public: bytes, role: str, now: int, connection: Connection) -> None:
    _refuse_known(connection, name)
    connection.execute(
        insert(account).values(name=name, public=public, role=role, state=ACTIVE, added_at=now)
    )


def _refuse_known(connection: Connection, name: str) -> None:
    if connection.execute(select(account.c.name).where(account.c.name == name)).first():
        raise OfficerFault("account_exists", f"there is an account {name}; names are not used again")


def _write_key(path: Path, seed: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    except FileExistsError:
        raise EnvironmentFault("key_file_exists", f"{path.name} is there; it is not written over") from None
    except OSError as fault:
        raise EnvironmentFault("key_unwritable", f"{path.name}: {fault.strerror}") from fault
    with os.fdopen(handle, "wb") as file:
        file.write(seed)
        file.flush()
        os.fsync(file.fileno())


def _raw(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
