"""Chips in the field of an nfcpy reader, as they are written; FeliCa through nfcpy's own tag layer."""

from __future__ import annotations

from typing import Any

import nfc.clf
import nfc.tag
import nfc.tag.tt2
import nfc.tag.tt3
import nfc.tag.tt4

from drivers.chips import type3, type3_write
from drivers.chips.identify import Chip, Family
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_tags import identify
from drivers.write_tags import Survey, Type2Writer, Type4Writer, WritableTag
from kiosk.errors import CardFault


def writable(frontend: BudgetedFrontend, target: Any) -> WritableTag:
    """The chip that was sensed. Raises CardFault ``card_wrong_kind``, ``card_random_uid``."""
    chip = identify(target)
    if chip.random_uid:
        raise CardFault("card_random_uid", f"the {chip.name} shows a random UID", chip=chip.label)
    if chip.family is Family.TYPE2:
        return _type2(frontend, target, chip)
    if chip.family is Family.TYPE3:
        return Type3Writer(frontend, target)
    if chip.family is Family.TYPE4:
        return _type4(frontend, target, chip)
    raise CardFault("card_wrong_kind", f"{chip.label} takes no credential", chip=chip.label)


def _type2(frontend: BudgetedFrontend, target: Any, chip: Chip) -> WritableTag:
    # A Type 2 chip goes mute after a refusal; sel_req makes sure that the same one is woken.
    target.sel_req = target.sdd_res[:]
    tag = nfc.tag.tt2.Type2Tag(frontend, target)
    return Type2Writer(lambda frame: bytes(tag.transceive(bytearray(frame))), chip)


def _type4(frontend: BudgetedFrontend, target: Any, chip: Chip) -> WritableTag:
    tag = nfc.tag.tt4.Type4ATag(frontend, target)
    return Type4Writer(lambda apdu: bytes(tag.transceive(bytearray(apdu))), chip)


class Type3Writer:
    """FeliCa with an NDEF system; FeliCa Lite and Lite-S can be locked."""

    def __init__(self, frontend: BudgetedFrontend, target: Any) -> None:
        self._frontend = frontend
        self._target = target
        self._tag = nfc.tag.tt3.Type3Tag(frontend, target)
        self._attributes: type3_write.WriteAttributes | None = None

    def survey(self) -> Survey:
        """As WritableTag."""
        tag = self._tag
        if tag.sys != type3.NDEF_SYSTEM:
            try:
                tag.idm, tag.pmm = tag.polling(type3.NDEF_SYSTEM)
            except nfc.tag.TagCommandError:
                if self._frontend.sense(self._target) is None:
                    raise
                raise CardFault("card_foreign", "the card has no NDEF system", chip="FeliCa") from None
            tag.sys = type3.NDEF_SYSTEM
        self._attributes = found = type3_write.parse_write_attributes(bytes(tag.read_from_ndef_service(0)))
        blank = not found.finished or not found.length
        return Survey("FeliCa", bytes(tag.idm), found.capacity, not found.writable, blank)

    def write(self, message: bytes) -> None:
        """As WritableTag."""
        found = self._known()
        if len(message) > found.capacity:
            raise CardFault("card_too_small", f"{len(message)} bytes do not fit on this FeliCa card")
        if not found.writable:
            raise CardFault("card_locked", "the card says that it is read-only")
        for first, data in found.writes(message):
            self._write_blocks(first, data)

    def lock(self) -> None:
        """As WritableTag."""
        found = type3_write.parse_write_attributes(bytes(self._tag.read_from_ndef_service(0)))
        self._write_blocks(0, found.block(found.length, writable=False))
        mc = bytes(self._tag.read_from_ndef_service(type3_write.MC_BLOCK))
        self._write_blocks(type3_write.MC_BLOCK, type3_write.locked_configuration(mc))

    def _known(self) -> type3_write.WriteAttributes:
        if self._attributes is None:
            self.survey()
        assert self._attributes is not None  # noqa: S101 - the survey found them or raised
        return self._attributes

    def _write_blocks(self, first: int, data: bytes) -> None:
        blocks = range(first, first + len(data) // type3.BLOCK_BYTES)
        try:
            self._tag.write_to_ndef_service(bytearray(data), *blocks)
        except nfc.tag.tt3.Type3TagCommandError as error:
            if error.errno <= 0xFF:
                raise
            raise CardFault(
                "card_write_refused", f"the card refuses to write block {first}", block=first
            ) from None
