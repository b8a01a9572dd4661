"""Rolling the device's key: a record under the old key names the new one, which signs from the next on.

Safe to stop anywhere. The new key is durable before the record that names it; a key that no record names yet
is taken up by the next attempt. Which key signs is read from the ledger inside each append, so that every
process changes over with the same record. Central learns of it with the journal, and takes requests signed by
either key until the first one under the new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiosk import enrolment, keystore
from kiosk.errors import OfficerFault
from kiosk.generations import public_key_meta
from kiosk.journal import GENERATION_META, Draft, Journal
from kiosk.journal_format import KEY_ROLL, Record
from kiosk.keystore import DeviceKeys, public_of
from kiosk.ledger import SIGNING_KEYS, Ledger, meta_of, signing_key


def roll(home: Path, journal: Journal, officer: str) -> Record:
    """Makes a new device key and records it; durable when this returns.

    Raises OfficerFault ``key_roll_waiting`` while central has not acknowledged the last one; EnvironmentFault
    where keys or ledger refuse.
    """
    gen = journal.identity.gen
    refuse_if_waiting(journal.ledger, gen)
    public = _next_key(home, journal.ledger)

    def decide(connection: Any) -> Draft:
        if public in _named(connection):
            raise OfficerFault("key_roll_waiting", "somebody else has just rolled the key")
        return Draft(type=KEY_ROLL, officer=officer, detail={"public": public})

    return journal.append(decide)


def refuse_if_waiting(ledger: Ledger, gen: int) -> None:
    """Raises OfficerFault ``key_roll_waiting`` while central has not acknowledged the last roll."""
    from_seq, _ = signing_key(ledger.db.conn, gen)
    if from_seq - 1 > ledger.acked(gen):
        raise OfficerFault("key_roll_waiting", "central has not got the last roll yet: sync first")


def spare_key(home: Path, ledger: Ledger | None) -> DeviceKeys:
    """The device's keys, of which the newest has signed nothing yet: made now unless one was left over.

    ``ledger`` is None where there is none yet. Raises EnvironmentFault.
    """
    keys = keystore.load(home)
    return keys if _newest_is_spare(home, keys, ledger) else keystore.add_device_key(home, keys)


def has_spare_key(home: Path, ledger: Ledger | None) -> bool:
    """True if the newest device key has signed nothing yet."""
    return _newest_is_spare(home, keystore.load(home), ledger)


def _newest_is_spare(home: Path, keys: DeviceKeys, ledger: Ledger | None) -> bool:
    used = _named(ledger.db.conn) if ledger is not None else set()
    enrolled = enrolment.load(home)
    if enrolled is not None:
        used.add(enrolled.enrolment.public)
    return bool(keys.ring) and public_of(keys.signers()[0]) not in used


def _next_key(home: Path, ledger: Ledger) -> bytes:
    return public_of(spare_key(home, ledger).signers()[0])


def _named(connection: Any) -> set[bytes]:
    """Public keys that some record or enrolment names: of this generation or an older one."""
    rolled = {bytes(row[0]) for row in connection.execute(f"SELECT public FROM {SIGNING_KEYS}")}
    newest = int(meta_of(connection, GENERATION_META) or 1)
    first = (meta_of(connection, public_key_meta(gen)) for gen in range(1, newest + 1))
    return rolled | {bytes.fromhex(one) for one in first}


def key_in_force(ledger: Ledger, gen: int) -> bytes:
    """The raw public key that signs this generation's next record; empty for the one it was enrolled with."""
    return signing_key(ledger.db.conn, gen)[1]


def is_acknowledged(ledger: Ledger, gen: int) -> bool:
    """True if the key was rolled in this generation and central has the record of it."""
    from_seq, public = signing_key(ledger.db.conn, gen)
    return bool(public) and ledger.acked(gen) >= from_seq - 1
