"""The virtual cards of a demonstration: one per line of a JSON lines file, read again when it changed."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.chips import personalise
from drivers.chips.ndef import encode_record
from drivers.virtual.applet import desfire_like
from drivers.virtual.blank import blank_ntag
from drivers.virtual.cards import VirtualCard, desfire, felica, ntag215
from drivers.virtual.ev2_chip import blank_desfire_ev2
from drivers.virtual.signer import Signer
from kiosk.errors import EnvironmentFault

_UID_BYTES = {"NTAG215": (7,), "FeliCa": (8,), "DESFire": (4, 7)}
_FIXED_UID_BYTES = 7


@dataclass(frozen=True, slots=True)
class DeckCard:
    """One virtual card: what is written on its chip and printed as its code."""

    card_no: str
    label: str
    holder: str
    chip: str
    uid: bytes
    nfc: bytes
    qr: str
    ndef: bytes = b""
    """A whole NDEF message that lies on the chip instead of the credential; on foreign tags only."""

    def chip_card(self, signer: Signer | None = None) -> VirtualCard:
        """A fresh virtual chip with the credential, signed as original where chips of its kind are.

        A DESFire gets keys of its own, so that it proves itself. Raises CardFault card_oversized or
        card_too_small if the credential does not fit.
        """
        message = self.ndef or encode_record(self.nfc)
        if self.chip == "NTAG215":
            tag = ntag215(self.uid, message)
            tag.signature = signer.type2(self.uid) if signer else b""
            return tag
        if self.chip == "FeliCa":
            return felica(self.uid, message)
        if signer is None or len(self.uid) != _FIXED_UID_BYTES:
            return desfire(self.uid, message)
        chip = blank_desfire_ev2(self.uid)
        personalise.desfire(chip.respond, self.uid, signer.card_keys, message, secrets.token_bytes)
        chip.signature = signer.type4(self.uid)
        return desfire_like(self.uid, chip)


class Deck:
    """The cards of one file. Raises EnvironmentFault cards_file if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._cards: dict[str, DeckCard] = {}
        self._blank: dict[bytes, VirtualCard] = {}

    @property
    def known(self) -> dict[str, DeckCard]:
        """The cards as last read, without a look at the file."""
        return self._cards

    def chip(self, card: DeckCard, signer: Signer | None = None) -> VirtualCard:
        """The card's chip as ``chip_card``; a blank NTAG215 can be written and keeps it while this lives."""
        if card.nfc or card.ndef or card.chip != "NTAG215":
            return card.chip_card(signer)
        if card.uid not in self._blank:
            blank = blank_ntag(card.uid)
            blank.signature = signer.type2(card.uid) if signer else b""
            self._blank[card.uid] = blank
        return self._blank[card.uid]

    def cards(self) -> dict[str, DeckCard]:
        """All cards by card number, as the file is now."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                lines = self._path.read_text("utf-8").splitlines()
                parsed = [_card(line, number) for number, line in enumerate(lines, 1) if line.strip()]
                self._cards = {card.card_no: card for card in parsed}
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentFault("cards_file", f"virtual cards cannot be read: {error}") from error
        return self._cards


def _card(line: str, number: int) -> DeckCard:
    try:
        document: dict[str, Any] = json.loads(line)
        card = DeckCard(
            card_no=str(document["card_no"]),
            label=str(document.get("label", "")),
            holder=str(document.get("holder", "")),
            chip=document["chip"],
            uid=bytes.fromhex(document["uid"]),
            nfc=base64.b64decode(document["nfc"], validate=True),
            qr=str(document.get("qr", "")),
            ndef=base64.b64decode(document.get("ndef", ""), validate=True),
        )
        known = len(card.uid) in _UID_BYTES[card.chip]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise EnvironmentFault(
            "cards_file", f"virtual card on line {number}: {error!r}", line=number
        ) from error
    if not known:
        raise EnvironmentFault(
            "cards_file", f"virtual card on line {number}: UID has the wrong size", line=number
        )
    return card
