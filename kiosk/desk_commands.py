"""The counter as commands: the same domain calls, officer session, lockout and audit as the screen."""

from __future__ import annotations

import base64
import binascii
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kiosk.counter import Counter
from kiosk.errors import CardFault, OfficerFault
from kiosk.names import public_name
from kiosk.values import (
    QR_PREFIX,
    CardRead,
    Checks,
    Collector,
    Medium,
    Mode,
    OfficerSession,
    Pickup,
    StateCode,
    Visit,
)
from kiosk.virtual_readers import TRAY_FILE

PIN_VARIABLE = "KMC_OFFICER_PIN"


def card_read_of(payload: str, uid: str = "") -> CardRead:
    """What a reader would have seen: a QR code's text, or a chip's credential in Base64 or hex with its UID.

    Raises CardFault ``card_foreign`` for anything else.
    """
    if payload.startswith(QR_PREFIX) or not uid:
        return CardRead(Medium.QR, payload.encode(), reader="command")
    try:
        raw = bytes.fromhex(payload)
    except ValueError:
        try:
            raw = base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError):
            raise CardFault("card_foreign", "neither hex nor Base64") from None
    try:
        return CardRead(Medium.NFC, raw, bytes.fromhex(uid), reader="command")
    except ValueError:
        raise CardFault("card_unreadable", "the UID is not hex") from None


def card_in_tray(home: Path, card_no: str) -> CardRead | None:
    """The chip of a demonstration card that lies in the card tray; None if there is none."""
    tray = home / TRAY_FILE
    if not tray.exists():
        return None
    with tray.open(encoding="utf-8") as lines:
        for line in lines:
            card = json.loads(line)
            if card.get("card_no") == card_no and not str(card.get("label", "")).startswith("bad"):
                return CardRead(
                    Medium.NFC,
                    base64.b64decode(card["nfc"]),
                    bytes.fromhex(card["uid"]),
                    str(card["chip"]),
                    "tray",
                )
    return None


def sign_in(counter: Counter, username: str) -> OfficerSession:
    """Signs an officer in with the PIN from a prompt; in demonstration also from the environment.

    Raises OfficerFault: ``not_in_production`` for a PIN in a production kiosk's environment, ``no_pin``
    where there is neither, and what signing in raises.
    """
    pin = os.environ.get(PIN_VARIABLE, "")
    if pin and counter.enrolment.mode is Mode.PRODUCTION:
        raise OfficerFault("not_in_production", f"{PIN_VARIABLE} is for demonstrations; type the PIN")
    if not pin:
        if not sys.stdin.isatty():
            raise OfficerFault("no_pin", "there is no terminal to type the PIN on")
        pin = getpass.getpass(f"PIN of {username}: ")
    return counter.sign_in(username, pin)


@contextmanager
def open_visit(
    counter: Counter, payload: str, uid: str, card_no: str, session: OfficerSession | None, reason: str
) -> Iterator[Visit]:
    """The visit of a payload, or of a card number: a card of the tray in demonstration, else typed.

    With all that central has to say of it, asked for and waited for as the screen does. At the end it is
    left: rights that came for it and were not used go back. Raises what ``Counter.read`` and
    ``Counter.refresh`` do.
    """
    visit = _begin_visit(counter, payload, uid, card_no, session, reason)
    try:
        if wait(counter.look_up(visit)).done:
            visit = counter.refresh(visit, session)
        if session is not None and wait(counter.acquire(visit, session)).done:
            visit = counter.refresh(visit, session)
        yield visit
    finally:
        counter.leave(visit)


def _begin_visit(
    counter: Counter, payload: str, uid: str, card_no: str, session: OfficerSession | None, reason: str
) -> Visit:
    if payload:
        return counter.read(card_read_of(payload, uid), session)
    if counter.enrolment.mode is Mode.DEMONSTRATION:
        read = card_in_tray(counter.home, card_no)
        if read is not None:
            return counter.read(read, session)
    if session is None:
        raise OfficerFault("not_signed_in", "a card number is typed by an officer: --officer NAME")
    return counter.read_typed(card_no, session, reason)


def show(counter: Counter, payload: str, uid: str, card_no: str, officer: str, reason: str) -> dict[str, Any]:
    """The holder's programs and their states; masked and only for an officer in production."""
    production = counter.enrolment.mode is Mode.PRODUCTION
    if production and not officer:
        raise OfficerFault("not_signed_in", "a signed-in officer is needed: --officer NAME")
    session = sign_in(counter, officer) if officer else None
    with open_visit(counter, payload, uid, card_no, session, reason) as visit:
        return visit_as_json(visit, masked=production)


def visit_as_json(visit: Visit, *, masked: bool) -> dict[str, Any]:
    """A visit for a command's answer; ``masked`` leaves out what a public screen would."""
    rows = [
        {
            "program": row.program_id,
            "version": row.program_version,
            "name": asdict(row.name),
            "agency": row.agency,
            "state": str(row.state.code),
            "date": row.state.date,
            "place": row.state.place,
            "documents": list(row.state.documents),
            "ref": row.state.by,
            "right": row.right,
            "quantity": row.quantity,
            "quantity_text": asdict(row.quantity_text),
            "sensitive": row.sensitive,
        }
        for row in visit.rows
        if not (masked and row.sensitive)
    ]
    return {
        "card_no": visit.card_no,
        "issue_no": visit.issue_no,
        "grade": visit.grade.label,
        "medium": str(visit.medium),
        "name": visit.public_name if masked else visit.full_name,
        "nik_last4": "" if masked else visit.nik_last4,
        "guardians": [
            {
                "holder_id": p.holder_id,
                "name": public_name(p.name) if masked else p.name,
                "relation": p.relation,
            }
            for p in visit.guardians
        ],
        "programs": rows,
        "data_as_of": visit.data_as_of,
        "ready": [row["program"] for row in rows if row["state"] == StateCode.READY],
    }


def confirm(
    counter: Counter,
    visit: Visit,
    session: OfficerSession,
    program_id: str,
    quantity: int | None,
    collector: Collector,
    checks: Checks,
    reason: str,
    say: Callable[[dict[str, Any]], None],
) -> None:
    """Records a pickup and says so; it counts as shown once the answer is out."""
    row = next((row for row in visit.rows if row.program_id == program_id), None)
    if row is None:
        raise OfficerFault("unknown_program", "this holder has no such program", program=program_id)
    amount = row.quantity if quantity is None else quantity
    pickup = counter.confirm(visit, program_id, amount, collector, checks, session, reason)
    say(pickup_as_json(pickup))
    counter.mark_shown(pickup.ref)


def pickup_as_json(pickup: Pickup) -> dict[str, Any]:
    """A pickup for a command's answer."""
    return asdict(pickup)


def status_as_json(counter: Counter) -> dict[str, Any]:
    """The kiosk's status, with its pickups nobody has seen recorded."""
    status = counter.status()
    return asdict(status) | {
        "mode": str(status.mode),
        "generation": counter.enrolment.gen,
        "warnings": list(status.warnings),
        "unshown": [pickup.ref for pickup in counter.unshown()],
    }
