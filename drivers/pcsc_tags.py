"""Reading the NDEF message of a card through PC/SC: by the reader's own commands, or by APDUs to the card."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.chips import pcsc_atr, type2, type3, type4
from drivers.chips.apdu import OK, Transmit, command, split
from drivers.chips.identify import Chip, Family, foreign_kind
from kiosk.errors import CardFault


@dataclass(frozen=True, slots=True)
class Content:
    """What a card held: its chip, and the NDEF message."""

    chip: Chip
    message: bytes


def identify(transmit: Transmit, atr: bytes) -> Chip:
    """The chip in the field; one that tells no UID, such as a card in a contact slot, has none."""
    uid, status = split(transmit(pcsc_atr.GET_UID))
    return pcsc_atr.identify(atr, uid if status == OK and len(uid) <= 10 else b"")


def read_message(transmit: Transmit, chip: Chip) -> bytes:
    """The NDEF message. Raises CardFault for what the card holds, and what ``transmit`` raises."""
    if chip.family is Family.TYPE2:
        return _read_type2(transmit)
    if chip.family is Family.TYPE3:
        return _read_type3(transmit)
    if chip.family is Family.TYPE4:
        return type4.read_message(_iso(transmit))
    raise foreign_kind(chip)


def _read_type2(transmit: Transmit) -> bytes:
    data = b""

    def at_least(length: int) -> bytes:
        nonlocal data
        while len(data) < length:
            page = type2.CC_PAGE + len(data) // type2.PAGE_BYTES
            if page > 0xFF:
                raise CardFault("card_malformed", "the message lies past the first sector")
            data += _block(transmit, page)
        return data

    start = type2.PAGE_BYTES
    size = type2.data_area_bytes(at_least(start)[:start])
    place = type2.find_ndef(data[start:], size)
    while place is None:
        at_least(len(data) + 1)
        place = type2.find_ndef(data[start:], size)
    return place.cut(at_least(start + place.end)[start:])


def _read_type3(transmit: Transmit) -> bytes:
    _, status = split(transmit(pcsc_atr.select_service(type3.NDEF_SERVICE)))
    if status != OK:
        raise CardFault(
            "card_unreadable", "this reader does not read FeliCa through PC/SC", status=f"{status:04x}"
        )
    attributes = type3.parse_attributes(_block(transmit, 0))
    blocks = [block for numbers in attributes.block_ranges() for block in numbers]
    return b"".join(_block(transmit, number) for number in blocks)[: attributes.length]


def _block(transmit: Transmit, number: int) -> bytes:
    data, status = split(transmit(pcsc_atr.read_binary(number)))
    if status != OK:
        raise CardFault("card_malformed", "the card refuses to be read", place=number, status=f"{status:04x}")
    if len(data) != 16:
        raise CardFault("card_malformed", "a read is not 16 bytes", place=number)
    return data


def _iso(transmit: Transmit) -> type4.Send:
    def send(apdu: type4.Apdu) -> tuple[bytes, int]:
        instruction, p1, p2, data, expected = apdu
        return split(transmit(command(0x00, instruction, p1, p2, data, expected or None)))

    return send
