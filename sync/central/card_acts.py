"""What was done with cards and by whom: one row for each act, signed by an account of central's staff.

An act is written in the transaction that changes the card, so that there is none without the other. What an
account signs is a COSE_Sign1 over a map (see ``accounts``), which anybody with its public key can check.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from kiosk.errors import OfficerFault
from sync.central import accounts
from sync.central.accounts import Signer
from sync.central.models import card_act
from sync.central.state import Central

ISSUED: Final = "issued"
"""An issue number was given and the printed credential made."""
BOUND: Final = "bound"
"""The chip's credential was made for one UID."""
PRINTED: Final = "printed"
WRITTEN: Final = "written"
"""The chip was written, read back and is the same byte for byte."""
VERIFIED: Final = "verified"
"""What was read back holds under the city's keys and is this card."""
STEPS: Final = (ISSUED, PRINTED, BOUND, WRITTEN, VERIFIED)


@dataclass(frozen=True, slots=True)
class Act:
    """One act on one issue of a card; ``what`` is one of STEPS or the status of a card out of use."""

    what: str
    card_no: str
    issue_no: int
    uid: str = ""
    """Of the chip, in hex."""


def record(connection: Connection, acts: Iterable[Act], by: Signer | None, now: int, batch: str = "") -> None:
    """Writes acts, each signed by ``by``. Raises OfficerFault as ``accounts.sign`` does."""
    rows = []
    for act in acts:
        claims = {
            "what": f"card/{act.what}",
            "card": act.card_no,
            "issue": act.issue_no,
            "uid": act.uid,
            "batch": batch,
            "at": now,
        }
        rows.append(
            {
                "id": secrets.token_hex(16),
                "card_no": act.card_no,
                "issue_no": act.issue_no,
                "act": act.what,
                "uid": act.uid,
                "batch": batch,
                "account": by.name if by else "",
                "at": now,
                "signed": accounts.sign(connection, by, claims) if by else b"",
            }
        )
    if rows:
        connection.execute(insert(card_act), rows)


def note(central: Central, acts: Iterable[Act], by: Signer | None, batch: str) -> None:
    """Writes acts of a batch that are not written yet: a batch that goes on may come to one again."""
    central.database.write(partial(_note, list(acts), by, central.now(), batch), quiet=True)


def _note(acts: list[Act], by: Signer | None, now: int, batch: str, connection: Connection) -> None:
    card_nos = sorted({act.card_no for act in acts})
    query = select(card_act.c.card_no, card_act.c.issue_no, card_act.c.act).where(card_act.c.batch == batch)
    known = {tuple(row) for row in connection.execute(query.where(card_act.c.card_no.in_(card_nos)))}
    fresh = [act for act in acts if (act.card_no, act.issue_no, act.what) not in known]
    record(connection, fresh, by, now, batch)


def add(central: Central, acts: Iterable[Act], by: Signer | None) -> None:
    """Writes acts outside any batch, each time anew."""
    listed = list(acts)
    now = central.now()
    central.database.write(lambda connection: record(connection, listed, by, now), quiet=True)


def issued_in(connection: Connection, batch: str, card_no: str) -> int | None:
    """The newest issue number that a batch gave a card number; None if it gave none."""
    query = select(card_act.c.issue_no).where(card_act.c.batch == batch, card_act.c.card_no == card_no)
    query = query.where(card_act.c.act == ISSUED).order_by(card_act.c.issue_no.desc())
    found = connection.execute(query.limit(1)).scalar()
    return None if found is None else int(found)


def history(central: Central, card_no: str, limit: int = 100) -> list[dict[str, Any]]:
    """The acts on a card number, oldest first; ``holds`` is False where a signature does not."""
    query = select(card_act).where(card_act.c.card_no == card_no).order_by(card_act.c.at, card_act.c.issue_no)
    with central.database.read() as connection:
        rows = sorted(connection.execute(query.limit(limit)), key=_order)
        return [
            {
                "act": row.act,
                "card_no": row.card_no,
                "issue_no": row.issue_no,
                "uid": row.uid,
                "batch": row.batch,
                "account": row.account,
                "at": row.at,
                "holds": _holds(connection, row),
            }
            for row in rows
        ]


def _order(row: Any) -> tuple[int, int, int]:
    """Acts of one second in the order in which they are done; the way out of use comes last."""
    return row.at, row.issue_no, STEPS.index(row.act) if row.act in STEPS else len(STEPS)


def _holds(connection: Connection, row: Any) -> bool | None:
    """None for an act that nobody signed."""
    if not row.account:
        return None
    try:
        claims = accounts.opened(connection, row.account, bytes(row.signed))
    except OfficerFault:
        return False
    told = tuple(claims.get(name) for name in ("what", "card", "issue", "uid", "batch", "at"))
    return told == (f"card/{row.act}", row.card_no, row.issue_no, row.uid, row.batch, row.at)
