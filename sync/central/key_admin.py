"""Changing the city's keys: each change is one newer keyset, signed by a root key and told through the feed.

``retired`` keys sign no more and what they signed holds; nothing a ``compromised`` one signed does. Grants
outstanding are renewed by the key in force when central's own is compromised. A root key that is compromised
is named in a keyset by the other one, and believed no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from kiosk import keyset
from kiosk.errors import OfficerFault
from kiosk.keyset import Key, KeySet, KeyStatus, KeyUse, open_keyset
from sync.central import key_files, key_renewal, settings
from sync.central.feed import FeedChanges
from sync.central.key_files import KEYS_FOLDER, Keys, Signer
from sync.central.state import Central
from sync.wire import CITY, from_base64, to_base64

MOST_KEYS: Final = 40
"""A kiosk keeps two keysets and its enrolment in 16 KiB."""
SIGNING: Final = (KeyUse.CENTRAL, KeyUse.ISSUER, KeyUse.CARD_CA)
"""What keys are made for; without the last one chips that sign are merely read."""
YEAR_S: Final = 366 * 86_400
DEFAULT_YEARS: Final = 10

Change = Callable[[list[Key]], list[Key]]


def listed(central: Central) -> list[dict[str, Any]]:
    """Every key of the keyset and both roots, for people."""
    keys, known = central.keys, central.ring.keyset
    authority = key_files.in_force_at(known, KeyUse.CARD_CA, central.now())
    signing = {keys.central.kid, keys.issuer.kid, *authority[:1]}
    rows = [_told(key, signs=key.kid in signing) for key in known.keys if key.use is not KeyUse.ROOT]
    for name, root in (("root1", keys.root1), ("root2", keys.root2)):
        status = KeyStatus.COMPROMISED if known.distrusts(root.public) else KeyStatus.ACTIVE
        rows.append({"kid": root.kid.hex(), "use": name, "status": str(status)})
    return rows


def add(central: Central, use: KeyUse, root_file: Path, *, start: int = 0) -> dict[str, Any]:
    """Makes a key for ``use`` that signs from ``start`` (Unix seconds; 0 is now) on.

    Raises OfficerFault ``root_key_foreign``, ``root_key_compromised``, ``too_many_keys``; EnvironmentFault.
    """
    root = _root(central, root_file)
    made = key_files.add_signer(central.home / KEYS_FOLDER, use)
    now = central.now()
    start = start or now
    key = Key(made.kid, use, made.public, start, start + DEFAULT_YEARS * YEAR_S, KeyStatus.ACTIVE, now)
    _publish(central, root, lambda keys: [*keys, key])
    return _told(key, signs=start <= now)


def retire(central: Central, kid: str, root_file: Path) -> dict[str, Any]:
    """Ends the use of a key; what it signed holds.

    Raises OfficerFault ``unknown_key``, ``key_compromised``, ``last_key``, and what ``add`` raises.
    """
    return _declare(central, kid, root_file, KeyStatus.RETIRED)


def compromise(central: Central, kid: str, root_file: Path) -> dict[str, Any]:
    """Declares that somebody else has a key: nothing it signed holds. A root key takes the other one's file.

    Grants outstanding are renewed when this returns, if the key was central's. Raises as ``retire`` does.
    """
    told = _declare(central, kid, root_file, KeyStatus.COMPROMISED)
    return told | {"renewed": key_renewal.renew(central)}


def signing_root(central: Central) -> bytes:
    """The root key (raw) that signed the keyset in force: tickets name it, a new kiosk trusts it first."""
    return keyset.signer_of(signed_keyset(central), central.keys.roots)


def signed_keyset(central: Central) -> bytes:
    """The keyset in force as a root key signed it."""
    with central.database.read() as connection:
        return from_base64(settings.get(connection, "keyset"))


def _declare(central: Central, kid: str, root_file: Path, status: KeyStatus) -> dict[str, Any]:
    root = _root(central, root_file)
    now, keys = central.now(), central.keys
    wanted = _kid_of(kid)
    for one in (keys.root1, keys.root2):
        if one.kid == wanted:
            return _declare_root(central, root, one.public, status)

    def change(known: list[Key]) -> list[Key]:
        found = next((key for key in known if key.kid == wanted and key.use is not KeyUse.ROOT), None)
        if found is None:
            raise OfficerFault("unknown_key", f"no key {kid} in the keyset")
        if found.status is KeyStatus.COMPROMISED and status is not KeyStatus.COMPROMISED:
            raise OfficerFault("key_compromised", f"{kid} is compromised for good")
        left = [key for key in known if key is not found]
        needed = found.use is not KeyUse.CARD_CA
        if needed and not key_files.in_force_at(KeySet(now, tuple(left)), found.use, now):
            raise OfficerFault("last_key", f"add another key for {found.use} first")
        return [replace(found, status=status, since=now) if key is found else key for key in known]

    published = _publish(central, root, change)
    return _told(next(key for key in published if key.kid == wanted), signs=False)


def _declare_root(central: Central, root: Signer, public: bytes, status: KeyStatus) -> dict[str, Any]:
    if status is not KeyStatus.COMPROMISED:
        raise OfficerFault("root_key_stays", "a root key is only ever compromised, by the other one")
    if public == root.public:
        raise OfficerFault("root_key_compromised", "a root key cannot speak of itself: take the other one")
    now, kid = central.now(), keyset.key_id(public)
    named = Key(kid, KeyUse.ROOT, public, 0, keyset.MAX_UNIX, status, now)
    _publish(central, root, lambda known: [*(key for key in known if key.public != public), named])
    return _told(named, signs=False)


def _publish(central: Central, root: Signer, change: Change) -> list[Key]:
    """Signs and tells a newer keyset; durable, and known to running processes, when this returns."""
    work = partial(_write, central.keys, root, change, central.now())
    published = central.database.write(work)
    central.outside.keep_keyset(signed_keyset(central))
    key_files.sync(central.home / KEYS_FOLDER)
    return published


def _write(keys: Keys, root: Signer, change: Change, now: int, connection: Connection) -> list[Key]:
    known = open_keyset(from_base64(settings.get(connection, "keyset")), keys.roots)
    if known.distrusts(root.public):
        raise OfficerFault("root_key_compromised", "this root key is compromised: take the other one")
    changed = change(list(known.keys))
    if len(changed) > MOST_KEYS:
        raise OfficerFault("too_many_keys", f"at most {MOST_KEYS} keys fit into a keyset")
    signed = to_base64(keyset.make(changed, max(now, known.issued + 1), root.private, root.kid))
    settings.put(connection, keyset=signed)
    if _lost(changed) - _lost(known.keys):
        key_renewal.mark(connection)
    changes = FeedChanges()
    changes.put(CITY, "keyset", (1, signed))
    changes.write(connection)
    return changed


def _lost(keys: Iterable[Key]) -> set[bytes]:
    """Central's keys that somebody else has."""
    use, status = KeyUse.CENTRAL, KeyStatus.COMPROMISED
    return {key.kid for key in keys if key.use is use and key.status is status}


def _root(central: Central, path: Path) -> Signer:
    root = key_files.root_signer(path, central.keys)
    if central.ring.keyset.distrusts(root.public):
        raise OfficerFault("root_key_compromised", "this root key is compromised: take the other one")
    return root


def _kid_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise OfficerFault("unknown_key", "a key id is written in hex") from None


def _told(key: Key, *, signs: bool) -> dict[str, Any]:
    return {
        "kid": key.kid.hex(),
        "use": str(key.use),
        "status": str(key.status),
        "since": key.since,
        "from": key.start,
        "until": key.until,
        "signs": signs,
    }
