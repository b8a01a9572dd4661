"""Reading the NDEF message of an activated card through nfcpy's tag layer, in few commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nfc.clf
import nfc.tag
import nfc.tag.tt2
import nfc.tag.tt3
import nfc.tag.tt4

from drivers.chips import originality, type2, type3, type4
from drivers.chips.apdu import Transmit
from drivers.chips.identify import (
    Chip,
    Family,
    foreign_kind,
    identify_type_a,
    identify_type_b,
    identify_type_f,
)
from drivers.nfc_budget import BudgetedFrontend
from kiosk.errors import CardFault

FAST_READ_BYTES = 224
"""One FAST_READ holds the credential; the answer with checksum fits into a PN53x host frame (251 bytes)."""

_NXP = 0x04
"""First UID byte of NXP chips (ISO 7816-6): only those are asked for their version."""


@dataclass(frozen=True, slots=True)
class TagContent:
    """What a card held: the chip by its full name, the UID that binds, the NDEF message."""

    chip: str
    uid: bytes
    message: bytes
    signature: bytes | None = None
    """What the chip gave as NXP's originality signature (``drivers.chips.originality``); None if nothing."""
    transmit: Transmit | None = None
    """Sends APDUs to a Type 4 chip, whose NDEF application is selected; None for other chips."""


def identify(target: Any) -> Chip:
    """The chip of a target that nfcpy's ``sense`` returned."""
    if target.brty.endswith("F"):
        return identify_type_f(bytes(target.sensf_res))
    if target.brty.endswith("B"):
        return identify_type_b(bytes(target.sensb_res or b""))
    return identify_type_a(
        bytes(target.sens_res or b""), bytes(target.sel_res or b""), bytes(target.sdd_res or b"")
    )


def read_content(frontend: BudgetedFrontend, target: Any) -> TagContent:
    """Read the NDEF message of a sensed card.

    Raises CardFault for what the card holds; nfc.clf.CommunicationError, nfc.tag.TagCommandError,
    BudgetSpent or anything else from the tag layer when it could not be read; OSError from the device.
    """
    chip = identify(target)
    if chip.family is Family.TYPE2:
        return _read_type2(frontend, target, chip)
    if chip.family is Family.TYPE3:
        return _read_type3(frontend, target, chip)
    if chip.family is Family.TYPE4:
        return _read_type4(frontend, target, chip)
    raise foreign_kind(chip)


class _Type2Memory:
    """The memory from page 3 on, read as far as asked for: by FAST_READ where the chip has it."""

    def __init__(self, frontend: BudgetedFrontend, target: Any, chip: Chip) -> None:
        # A Type 2 chip goes mute after a refusal; sel_req makes sure that the same one is woken.
        target.sel_req = target.sdd_res[:]
        self._frontend = frontend
        self._tag = nfc.tag.tt2.Type2Tag(frontend, target)
        self._target = target
        self.version = self._ask_version() if chip.uid[:1] == bytes([_NXP]) else None
        self._fast = self.version is not None and self.version.pages > 0
        self.data = b""

    def _ask_version(self) -> type2.Version | None:
        answer = self._send(type2.GET_VERSION)
        version = type2.parse_version(answer) if answer else None
        if answer is None or type2.is_nak(answer):
            self._wake()
        return version

    def _send(self, command: bytes) -> bytes | None:
        """The answer, or None if the chip kept silent."""
        try:
            return bytes(self._tag.transceive(bytearray(command), timeout=0.03, retries=1))
        except nfc.tag.TagCommandError as error:
            if error.errno == nfc.tag.TIMEOUT_ERROR:
                return None
            raise

    def _wake(self) -> None:
        if self._frontend.sense(self._target) is None:
            raise nfc.clf.TimeoutError("the card does not answer any more")

    def signature(self) -> bytes | None:
        """The originality signature; None from a chip that has none or gives none."""
        if self.version is None or not self.version.signs:
            return None
        answer = self._send(originality.READ_SIG)
        if answer is not None and not type2.is_nak(answer):
            return answer
        # What was read stands; the chip is woken for whoever looks next, if it still lies there.
        self._frontend.sense(self._target)
        return None

    def read(self, length: int) -> bytes:
        """At least the first ``length`` bytes from page 3."""
        while len(self.data) < length:
            self.data += self._next()
        return self.data

    def _next(self) -> bytes:
        first = type2.CC_PAGE + len(self.data) // type2.PAGE_BYTES
        if first > 0xFF:
            raise CardFault("card_malformed", "the message lies past the first sector")
        if self._fast and self.version is not None:
            most = min(FAST_READ_BYTES, self._frontend.max_recv_data_size - 4) // type2.PAGE_BYTES
            last = min(first + most, self.version.pages) - 1
            if last >= first:
                answer = self._send(type2.fast_read_command(first, last))
                if answer is not None and len(answer) == (last - first + 1) * type2.PAGE_BYTES:
                    return answer
                self._fast = False
                self._wake()
        answer = self._send(type2.read_command(first))
        if answer is None:
            raise nfc.clf.TimeoutError("the card does not answer a read")
        if type2.is_nak(answer):
            raise CardFault("card_malformed", "the card refuses to read a page", page=first)
        if len(answer) != 16:
            raise nfc.clf.TransmissionError("a read is not 16 bytes")
        return answer


def _read_type2(frontend: BudgetedFrontend, target: Any, chip: Chip) -> TagContent:
    memory = _Type2Memory(frontend, target, chip)
    name = memory.version.chip if memory.version else chip.name
    if memory.version is not None and not memory.version.holds_credential:
        raise CardFault("card_too_small", f"{name} holds no credential", chip=name)
    start = type2.PAGE_BYTES
    size = type2.data_area_bytes(memory.read(start)[:start])
    place = type2.find_ndef(memory.data[start:], size)
    while place is None:
        memory.read(len(memory.data) + 1)
        place = type2.find_ndef(memory.data[start:], size)
    message = place.cut(memory.read(start + place.end)[start:])
    label = f"{name} random UID" if chip.random_uid else name
    return TagContent(label, chip.uid, message, memory.signature())


def _read_type3(frontend: BudgetedFrontend, target: Any, chip: Chip) -> TagContent:
    tag = nfc.tag.tt3.Type3Tag(frontend, target)
    if tag.sys != type3.NDEF_SYSTEM:
        try:
            tag.idm, tag.pmm = tag.polling(type3.NDEF_SYSTEM)
        except nfc.tag.TagCommandError:
            if frontend.sense(target) is None:
                raise
            raise CardFault("card_foreign", "the card has no NDEF system", chip=chip.label) from None
        tag.sys = type3.NDEF_SYSTEM
    try:
        attributes = type3.parse_attributes(bytes(tag.read_from_ndef_service(0)))
    except nfc.tag.tt3.Type3TagCommandError as error:
        if error.errno <= 0xFF:
            raise
        raise CardFault("card_foreign", "the card's NDEF cannot be read freely", chip=chip.label) from None
    message = b"".join(bytes(tag.read_from_ndef_service(*blocks)) for blocks in attributes.block_ranges())
    return TagContent(chip.label, bytes(tag.idm), message[: attributes.length])


def _read_type4(frontend: BudgetedFrontend, target: Any, chip: Chip) -> TagContent:
    tag = nfc.tag.tt4.Type4ATag(frontend, target)

    def send(apdu: type4.Apdu) -> tuple[bytes, int]:
        instruction, p1, p2, data, length = apdu
        answer = bytes(tag.send_apdu(0, instruction, p1, p2, data, length, check_status=False))
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    # Before an application is selected: the signature is the chip's own.
    signature = _type4_signature(tag) if chip.signs else None
    return TagContent(
        chip.label,
        chip.uid,
        type4.read_message(send),
        signature,
        lambda apdu: bytes(tag.transceive(bytearray(apdu))),
    )


def _type4_signature(tag: Any) -> bytes | None:
    return originality.signature_in(bytes(tag.transceive(bytearray(originality.READ_SIG_APDU))))
