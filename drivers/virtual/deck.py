"""The virtual cards of a demonstration: one per line of a JSON lines file, read again when it changed."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.chips.ndef import encode_record
from drivers.virtual.cards import VirtualCard, desfire, felica, ntag215
from drivers.virtual.signer import Signer
from kiosk.errors import EnvironmentFault

_UID_BYTES = {"NTAG215": (7,), "FeliCa": (8,), "DESFire": (4, 7)}


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

        Raises CardFault card_oversized if the credential does not fit.
        """
        message = self.ndef or encode_record(self.nfc)
        if self.chip == "NTAG215":
            tag = ntag215(self.uid, message)
            tag.signature = signer.type2(self.uid) if signer else b""
            return tag
        if self.chip == "FeliCa":
            return felica(self.uid, message)
        card = desfire(self.uid, message)
        card.signature = signer.type4(self.uid) if signer and len(self.uid) == 7 else b""
        return card


class Deck:
    """The cards of one file. Raises EnvironmentFault cards_file if it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._cards: dict[str, DeckCard] = {}

    @property
    def known(self) -> dict[str, DeckCard]:
        """The cards as last read, without a look at the file."""
        return self._cards

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
