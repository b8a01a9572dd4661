"""What keeps a kiosk from dispensing. Kept in the ledger; pushing the journal stays allowed."""

from __future__ import annotations

from typing import Any

from kiosk.errors import OfficerFault
from kiosk.ledger import Ledger, meta_of, put_meta

REVOKED = "kiosk_revoked"
"""Central said so, signed: the cache is wiped, a new enrolment is needed."""
FORKED = "journal_fork"
"""Central has other bytes in this kiosk's journal: a copy of it runs elsewhere, or an old disk came back."""
ROLLED_BACK = "ledger_rolled_back"
"""Central has more of this journal than the kiosk: an old disk came back."""
STALE_GENERATION = "stale_generation"
"""This kiosk was enrolled again elsewhere."""
FROZEN_BY_CENTRAL = "kiosk_frozen"
"""Central keeps it from dispensing for now; over as soon as central speaks to it as usual."""
STOPPED = "kiosk_stopped"
"""Central's staff stopped it; over when they take the order back."""
KEY_ROLLED = "device_key_rolled"
"""Central knows this kiosk by a newer key than it has: it is a copy, or an old disk came back."""

SALVAGED = "ledger_salvaged"
"""The ledger was damaged: what could be read of it is sent, and nothing more is recorded."""

RETIRED = "retired"
"""A supervisor retired this kiosk: it gave all its rights back for good."""
RETIRED_GEN = "retired_gen"
"""Name of the ledger's value that keeps which generation retired."""

_RANK = (
    FROZEN_BY_CENTRAL, STOPPED, RETIRED, STALE_GENERATION, ROLLED_BACK, KEY_ROLLED, FORKED, SALVAGED, REVOKED,
)  # fmt: skip


def freeze(connection: Any, why: str) -> None:
    """Stops dispensing, inside the caller's transaction; a weaker reason never replaces a stronger one."""
    known = meta_of(connection, "frozen")
    if known not in _RANK or _RANK.index(why) > _RANK.index(known):
        put_meta(connection, frozen=why)


def freeze_ledger(ledger: Ledger, why: str) -> None:
    """The same in a transaction of its own, if anything changes."""
    if ledger.meta("frozen") != why:
        with ledger.writing() as connection:
            freeze(connection, why)


def retire(connection: Any, gen: int) -> None:
    """Ends dispensing of that generation for good, inside the caller's transaction."""
    put_meta(connection, **{RETIRED_GEN: str(gen)})
    freeze(connection, RETIRED)


def is_retired(connection: Any, gen: int) -> bool:
    """True if that generation retired; inside the caller's transaction, or by itself for a look."""
    return meta_of(connection, RETIRED_GEN) == str(gen)


def thaw(ledger: Ledger, why: str = FROZEN_BY_CENTRAL) -> None:
    """Lets the kiosk dispense again if nothing but central's own word ``why`` kept it from that."""
    if ledger.meta("frozen") == why:
        with ledger.writing() as connection:
            if meta_of(connection, "frozen") == why:
                put_meta(connection, frozen="")


def refuse_if_frozen(connection: Any) -> None:
    """Raises OfficerFault ``frozen`` (detail ``why``) when central or this kiosk stopped dispensing here."""
    why = meta_of(connection, "frozen")
    if why:
        raise OfficerFault("frozen", "this kiosk may not hand out now", why=why)
