"""A request whose signature holds: by whom, and that it is answered once only.

Its nonce is kept before anything else is done, and on disk before it is answered. A push keeps it in its own
transaction, since one more for each request costs as much as some hundred records.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from kiosk.errors import CentralFault
from sync.central import key_rows
from sync.central.database import is_duplicate
from sync.central.models import nonce
from sync.signature import ENROL_KEYID, SignedBy


@dataclass(frozen=True, slots=True)
class Caller:
    """The kiosk that signed a request; ``kiosk`` is empty at enrolment."""

    kiosk: str
    gen: int


@dataclass(slots=True)
class Admission:
    """One request on its way in."""

    signed: SignedBy
    now: int
    """Unix seconds by central's clock."""
    first_by: bytes
    """The device key whose first request this is; empty if it is not."""
    kept: bool = False
    """Its nonce is on disk."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return caller_of(self.signed.keyid)

    def keep(self, connection: Connection) -> None:
        """Keeps the nonce, inside the caller's transaction. Raises CentralFault ``replayed``."""
        row = {"keyid": self.signed.keyid, "nonce": self.signed.nonce, "seen_at": self.now}
        try:
            connection.execute(insert(nonce).values(row))
        except IntegrityError as fault:
            if not is_duplicate(fault):
                raise
            raise CentralFault("replayed", "this request was made before") from None
        if self.first_by:
            caller = self.caller
            key_rows.mark_used(connection, caller.kiosk, caller.gen, self.first_by, self.now)


def caller_of(keyid: str) -> Caller:
    """Whom a key id names. Raises CentralFault ``unknown_key``."""
    if keyid == ENROL_KEYID:
        return Caller("", 0)
    kiosk_id, _, gen = keyid.rpartition(".")
    if not kiosk_id or len(kiosk_id) > 8 or not gen.isdecimal() or len(gen) > 9 or not kiosk_id.isalnum():
        raise CentralFault("unknown_key", "a key id is <kiosk>.<generation>")
    return Caller(kiosk_id, int(gen))
