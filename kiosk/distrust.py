"""Grants that can no longer be believed, because the key of central that signed them is compromised.

Whoever has the key may have made them up, epoch and all. They are put down, not released: what central has
granted comes again, signed by another key, and is taken in at its own epoch.
"""

from __future__ import annotations

from kiosk import cose
from kiosk.keyset import KeySet, KeyStatus, KeyUse
from kiosk.ledger import RIGHTS, Ledger


def drop_grants(ledger: Ledger, keyset: KeySet) -> int:
    """Puts down every grant held that a compromised key signed; answers how many.

    The epoch goes back to the release floor, which only this kiosk's own releases have raised.
    """
    use, bad = KeyUse.CENTRAL, KeyStatus.COMPROMISED
    compromised = {key.kid for key in keyset.keys if key.use is use and key.status is bad}
    if not compromised:
        return 0
    with ledger.writing() as connection:
        held = connection.execute(f"SELECT right, grant_bytes FROM {RIGHTS} WHERE held = 1").fetchall()
        distrusted = [(right,) for right, grant in held if _kid(bytes(grant or b"")) in compromised]
        connection.executemany(
            f"""UPDATE {RIGHTS} SET held = 0, acquired_ms = 0,
                    epoch_incarnation = floor_incarnation, epoch_n = floor_n WHERE right = ?""",
            distrusted,
        )
    return len(distrusted)


def _kid(grant: bytes) -> bytes:
    """Of the key that signed a grant; empty for bytes that are none."""
    try:
        return cose.parse(grant).kid
    except cose.SignedDataFault:
        return b""
