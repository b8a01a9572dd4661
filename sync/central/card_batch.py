"""Batches of cards: planned, issued, printed, written, verified; interrupted anywhere, they go on.

What changes at central is written with the batch's id in one transaction, and the manifest after it: whatever
is missing in the manifest is found at central and not done twice. A holder never has two cards in use, since
issuing takes the one before out of use in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from kiosk.errors import OfficerFault
from kiosk.period import local_day
from kiosk.values import Grade
from sync.central import card_acts, card_manifest, cards
from sync.central.accounts import Signer
from sync.central.card_acts import BOUND, ISSUED, PRINTED, VERIFIED, WRITTEN, Act
from sync.central.card_issue import ZONE, IssuedCard
from sync.central.card_manifest import GIVEN_UP, PLANNED, SKIPPED, CardState, Line, Manifest
from sync.central.cards import ACTIVE, Wanted
from sync.central.models import card, holder
from sync.central.state import Central
from sync.wire import to_base64

CARDS_PER_WRITE: Final = 100
REPLACED: Final = "replaced"
HAS_CARD: Final = "has_card"
"""Why a holder gets no card: one is in use and nothing was said to become of it."""


def plan(
    central: Central,
    folder: Path,
    holders: Sequence[tuple[int, str]],
    chip: str,
    grade: Grade,
    lock: str,
    replaces: str = "",
) -> None:
    """Makes a batch for these holders (id and card number); nothing is issued by it.

    ``replaces`` says what becomes of cards in use; empty leaves out who has one. Raises as
    ``card_manifest.create``.
    """
    planned: list[Line] = [
        {"step": PLANNED, "card_no": card_no, "holder_id": holder_id, "replaces": replaces}
        for holder_id, card_no in holders
    ]
    batch_id = secrets.token_hex(8)
    card_manifest.create(folder, batch_id, chip, grade.label, lock, planned, central.now())


def issue(central: Central, manifest: Manifest, by: Signer | None) -> None:
    """Issues what is planned and not issued yet."""
    waiting = [one for one in manifest.cards.values() if not one.skipped and not one.is_issued]
    for start in range(0, len(waiting), CARDS_PER_WRITE):
        some = waiting[start : start + CARDS_PER_WRITE]
        lines = central.database.write(partial(_issue_some, central, manifest, some, by))
        manifest.append(lines)


def _issue_some(
    central: Central, manifest: Manifest, some: list[CardState], by: Signer | None, connection: Connection
) -> list[Line]:
    lines: dict[str, Line] = {}
    fresh: list[CardState] = []
    for one in some:
        known = card_acts.issued_in(connection, manifest.id, one.card_no)
        if known is not None and known > one.given_up:
            # Issued before the process was ended, and not in the manifest yet.
            lines[one.card_no] = _issued_line(cards.issued_on(connection, central, one.card_no, known))
        elif why := _refusal(connection, one):
            lines[one.card_no] = {"step": SKIPPED, "card_no": one.card_no, "why": why}
        else:
            fresh.append(one)
    grade = Grade.of(manifest.grade)
    wanted = [
        Wanted(one.holder_id, manifest.chip, grade=grade, replaces=one.replaces or "replaced")
        for one in fresh
    ]
    for made in cards.issue_in(connection, central, wanted, by, manifest.id) if wanted else ():
        lines[made.card_no] = _issued_line(made)
    return [lines[one.card_no] for one in some]


def _refusal(connection: Connection, one: CardState) -> str:
    """Why a holder gets no card now; empty if one is due."""
    found = select(holder.c.status, holder.c.card_no).where(holder.c.id == one.holder_id)
    row = connection.execute(found).first()
    if row is None or row.card_no != one.card_no:
        return "unknown_holder"
    if row.status != ACTIVE:
        return f"holder_{row.status}"
    in_use = cards.active_issue(connection, one.card_no)
    if in_use is not None and not one.replaces and in_use != one.given_up:
        return HAS_CARD
    return ""


def _issued_line(made: IssuedCard) -> Line:
    until = local_day(datetime.fromtimestamp(made.expires_at, UTC), ZONE).isoformat()
    return {
        "step": ISSUED,
        "card_no": made.card_no,
        "issue_no": made.issue_no,
        "qr": made.qr,
        "valid_until": until,
    }


def still_in_use(central: Central, some: Sequence[CardState]) -> set[str]:
    """The card numbers whose issue in the batch is in use: what was revoked meanwhile is not gone on with."""
    found: set[str] = set()
    wanted = {one.card_no: one.issue_no for one in some}
    numbers = sorted(wanted)
    with central.database.read() as connection:
        for start in range(0, len(numbers), 400):
            query = select(card.c.card_no, card.c.issue_no).where(card.c.status == ACTIVE)
            query = query.where(card.c.card_no.in_(numbers[start : start + 400]))
            rows = connection.execute(query)
            found |= {row.card_no for row in rows if wanted[row.card_no] == row.issue_no}
    return found


def note_printed(
    central: Central, manifest: Manifest, some: Sequence[CardState], file: str, by: Signer | None
) -> None:
    """Notes that faces were printed into a file, which lies in the batch's folder by now."""
    acts = [Act(PRINTED, one.card_no, one.issue_no) for one in some]
    card_acts.note(central, acts, by, manifest.id)
    manifest.append(
        {"step": PRINTED, "card_no": one.card_no, "issue_no": one.issue_no, "file": file} for one in some
    )


def bind(central: Central, manifest: Manifest, one: CardState, uid: bytes, by: Signer | None) -> None:
    """Makes the chip's credential for that UID. Raises as ``cards.bind``."""
    made = cards.bind(central, one.card_no, one.issue_no, manifest.chip, uid, by=by, batch=manifest.id)
    line = {"step": BOUND, "card_no": one.card_no, "issue_no": one.issue_no}
    manifest.append([line | {"uid": uid.hex(), "nfc": to_base64(made.nfc)}])


def note_written(manifest: Manifest, one: CardState) -> None:
    """Notes that the chip holds the credential, byte for byte."""
    manifest.append([{"step": WRITTEN, "card_no": one.card_no, "issue_no": one.issue_no, "uid": one.uid}])


def note_verified(central: Central, manifest: Manifest, one: CardState, by: Signer | None) -> None:
    """Notes that what was read back is this card and holds."""
    acts = [Act(what, one.card_no, one.issue_no, one.uid) for what in (WRITTEN, VERIFIED)]
    card_acts.note(central, acts, by, manifest.id)
    manifest.append([{"step": VERIFIED, "card_no": one.card_no, "issue_no": one.issue_no, "uid": one.uid}])


def give_up(central: Central, manifest: Manifest, card_no: str, by: Signer | None) -> CardState:
    """A card whose chip cannot be written gets the next issue number, for another chip.

    Raises OfficerFault ``unknown_card``, ``card_written``.
    """
    one = manifest.cards.get(card_no)
    if one is None or one.skipped or not one.is_issued:
        raise OfficerFault("unknown_card", f"the batch has issued no card {card_no}")
    if one.verified:
        raise OfficerFault("card_written", f"card {card_no} is finished; replace it instead")
    manifest.append([{"step": GIVEN_UP, "card_no": card_no, "issue_no": one.issue_no}])
    issue(central, manifest, by)
    return one


def told(manifest: Manifest) -> dict[str, Any]:
    """A batch for people and other programs."""
    return {
        "batch": str(manifest.folder),
        "id": manifest.id,
        "chip": manifest.chip,
        "grade": manifest.grade,
        "cards": len(manifest.cards),
        "steps": manifest.counts(),
    }
