"""Writing a batch's chips one after another: look, bind to the UID, write, read back, verify.

A chip is bound only once it was seen to be of the right kind, empty and large enough: binding is for good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kiosk.credential import verify
from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.values import CardRead, Grade, Medium
from sync.central import card_acts, card_batch, cards
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_manifest import CardState, Manifest
from sync.central.card_station import Seen, Station
from sync.central.state import Central
from sync.wire import from_base64

LEAST_CAPACITY: Final = 204
"""Bytes of an NDEF message with the longest credential that is issued; FeliCa Lite-S takes 208."""
WAITED_OUT: Final = "reader_timeout"
Tell = Callable[[str, CardState | None, str], None]
"""Told of each step: its word, the card, and the message of a fault."""


@dataclass(slots=True)
class Outcome:
    """What a run of writing came to."""

    verified: list[str] = field(default_factory=list)
    """Card numbers."""
    faults: dict[str, int] = field(default_factory=dict)
    """How often each fault came."""


def write_batch(
    central: Central,
    manifest: Manifest,
    station: Station,
    by: Signer | None,
    tell: Tell,
    *,
    card_no: str = "",
    overwrite: bool = False,
    limit: int | None = None,
) -> Outcome:
    """Writes chips until every card has one, ``limit`` were written, no chip came in time, or Ctrl+C.

    Each chip gets the card it is bound to already, else ``card_no``, else the next in order. Faults of cards
    are told and the next chip is waited for; EnvironmentFault other than ``reader_timeout`` is raised.
    """
    outcome = Outcome()
    while waiting := _waiting(central, manifest, card_no):
        tell("lay", _next_free(waiting) or waiting[0], "")
        try:
            try:
                done = _write_one(central, manifest, station, waiting, by, tell, overwrite)
                outcome.verified.append(done.card_no)
            except (CardFault, OfficerFault) as fault:
                outcome.faults[fault.code] = outcome.faults.get(fault.code, 0) + 1
                tell(fault.code, None, fault.message)
            if limit is not None and len(outcome.verified) >= limit:
                break
            station.wait_lifted()
        except KeyboardInterrupt:
            # The usual way to stop for today: what is done is done, and told.
            break
        except EnvironmentFault as fault:
            if fault.code != WAITED_OUT:
                raise
            break
    return outcome


def write_card(
    central: Central, card_no: str, station: Station, by: Signer | None, *, overwrite: bool, lock: str
) -> CardState:
    """Writes the chip of a card's issue in use, bound to it first if it is bound to none yet.

    Raises OfficerFault ``unknown_card`` and as ``cards.bind``; CardFault as ``write_batch`` tells them.
    """
    row = next((one for one in cards.listed(central, card_no) if one["status"] == cards.ACTIVE), None)
    if row is None:
        raise OfficerFault("unknown_card", "no card in use has that number")
    seen = station.look()
    one = CardState(card_no, row["holder_id"], "", row["issue_no"], uid=seen.uid.hex())
    held = seen.payload if row["uid"] == one.uid else b""
    if held != cards.issued(central, card_no, one.issue_no).nfc or not held:
        suited(seen, row["chip"], overwrite)
    made = cards.bind(central, card_no, one.issue_no, row["chip"], seen.uid, by=by)
    personalise = Grade.of(row["least_grade"]) is Grade.P2
    back = station.write(
        seen.uid, row["chip"], made.nfc, overwrite=overwrite, lock=lock, personalise=personalise
    )
    check(central, one, seen.uid, back)
    acts = [Act(what, card_no, one.issue_no, one.uid) for what in (card_acts.WRITTEN, card_acts.VERIFIED)]
    card_acts.add(central, acts, by)
    return one


def _waiting(central: Central, manifest: Manifest, card_no: str) -> list[CardState]:
    some = [one for one in manifest.open_cards() if one.is_issued and card_no in ("", one.card_no)]
    in_use = card_batch.still_in_use(central, some)
    return [one for one in some if one.card_no in in_use]


def _next_free(waiting: list[CardState]) -> CardState | None:
    return next((one for one in waiting if not one.uid), None)


def _write_one(
    central: Central,
    manifest: Manifest,
    station: Station,
    waiting: list[CardState],
    by: Signer | None,
    tell: Tell,
    overwrite: bool,
) -> CardState:
    seen = station.look()
    one = next((card for card in waiting if card.uid == seen.uid.hex()), None)
    if one is None:
        one = _for_new_chip(manifest, seen, waiting, overwrite)
        card_batch.bind(central, manifest, one, seen.uid, by)
        tell("bound", one, "")
    payload = from_base64(one.nfc)
    personalise = Grade.of(manifest.grade) is Grade.P2
    back = station.write(
        seen.uid,
        manifest.chip,
        payload,
        overwrite=overwrite,
        lock=manifest.lock,
        personalise=personalise,
    )
    if not one.written:
        card_batch.note_written(manifest, one)
        tell("written", one, "")
    check(central, one, seen.uid, back)
    card_batch.note_verified(central, manifest, one, by)
    tell("verified", one, "")
    return one


def _for_new_chip(manifest: Manifest, seen: Seen, waiting: list[CardState], overwrite: bool) -> CardState:
    """The card that this chip becomes. Raises CardFault for a chip that is not to be bound."""
    if any(one.uid == seen.uid.hex() for one in manifest.cards.values()):
        raise CardFault("card_written", "this chip is a card of the batch already")
    suited(seen, manifest.chip, overwrite)
    one = _next_free(waiting)
    if one is None:
        bound = ", ".join(card.card_no for card in waiting)
        raise CardFault("card_wrong_chip", f"what is open is bound to other chips: {bound}")
    return one


def suited(seen: Seen, chip: str, overwrite: bool) -> None:
    """Raises CardFault for a chip that is not to be bound: by its kind, or by what lies on it."""
    if seen.chip != chip:
        raise CardFault("card_wrong_kind", f"a {seen.chip}, not the {chip} that was issued")
    if seen.locked:
        raise CardFault("card_locked", "the chip is read-only")
    if seen.capacity < LEAST_CAPACITY:
        raise CardFault("card_too_small", f"the chip takes {seen.capacity} bytes")
    if seen.holds != "empty" and not overwrite:
        code = "card_written" if seen.holds == "credential" else "card_foreign"
        raise CardFault(code, "the chip holds something; --overwrite writes over it")


def check(central: Central, one: CardState, uid: bytes, payload: bytes) -> None:
    """Checks what was read back as a kiosk does. Raises CardFault as ``verify``, and ``card_differs``."""
    read = CardRead(Medium.NFC, payload, uid)
    verified = verify(read, central.ring.keyset, central.now(), Grade.P3)
    if (verified.card_no, verified.issue_no) != (one.card_no, one.issue_no):
        raise CardFault("card_differs", "another card's credential was read back")
