"""Writing NFC Forum Type 4 tags: UPDATE BINARY, and DESFire's own commands that format and lock.

Formatting follows NXP AN11004 (MIFARE DESFire as Type 4 Tag, section 6.4): one application with ISO names,
a capability container file E103 and an NDEF file E104, all free to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.chips.type4 import CC_FILE, NDEF_APPLICATION, Apdu, Send, parse_cc, read_binary, select_file
from drivers.chips.type4 import select_application as select_ndef
from kiosk.errors import CardFault

NDEF_FILE = bytes.fromhex("E104")
NDEF_FILE_BYTES = 1024
"""Size of the NDEF file that is made: the credential five times over, on the smallest chip (2 KiB) too."""
CC_BYTES = 15
MOST_BYTES_PER_WRITE = 52
"""Data of one UPDATE BINARY; with its header it fits one frame of 64 bytes, which every chip takes."""
WRITE_ACCESS_AT = 14
"""Place of the write access byte in the capability container (Type 4 Tag 2.0, section 5.1)."""
_DESFIRE_CLASS = 0x90
_AID = bytes.fromhex("010000")
_OK, _DESFIRE_OK, _DUPLICATE = 0x9000, 0x9100, 0x91DE
_KEY_NEEDED = (0x91AE, 0x919D)
"""Authentication error and permission denied (DESFire's status codes)."""


@dataclass(frozen=True, slots=True)
class Place:
    """The NDEF file of a formatted chip."""

    size: int
    bytes_per_write: int
    write_access: int
    """00: free; anything else cannot be written (Type 4 Tag 2.0, section 5.1)."""


def update_binary(offset: int, data: bytes) -> Apdu:
    """UPDATE BINARY of the selected file."""
    return (0xD6, offset >> 8, offset & 0xFF, data, 0)


def message_writes(message: bytes, step: int) -> Iterator[Apdu]:
    """The NDEF file's writes in order: length 0, the message, its length; never half a message to read."""
    yield update_binary(0, bytes(2))
    for at in range(0, len(message), step):
        yield update_binary(2 + at, message[at : at + step])
    yield update_binary(0, len(message).to_bytes(2, "big"))


def container(write_access: int = 0x00) -> bytes:
    """A capability container: mapping 2.0, the NDEF file free to read (Type 4 Tag 2.0, section 5.1)."""
    head = CC_BYTES.to_bytes(2, "big") + bytes.fromhex("20003B") + MOST_BYTES_PER_WRITE.to_bytes(2, "big")
    return head + b"\x04\x06" + NDEF_FILE + NDEF_FILE_BYTES.to_bytes(2, "big") + bytes([0, write_access])


def open_file(send: Send) -> Place | None:
    """Selects the NDEF file; None if there is none: no NDEF application, or one that was never finished.

    Raises CardFault ``card_malformed``, ``card_foreign`` for an application of another kind.
    """
    if send(select_ndef())[1] != _OK or send(select_file(CC_FILE))[1] != _OK:
        return None
    cc, status = send(read_binary(0, CC_BYTES))
    if status != _OK or not any(cc):
        return None
    file = parse_cc(cc)
    if file.length_bytes != 2:
        raise CardFault("card_foreign", "the chip's NDEF file is of the extended kind")
    if send(select_file(file.identifier))[1] != _OK:
        return None
    most = max(1, min(int.from_bytes(cc[5:7], "big"), MOST_BYTES_PER_WRITE))
    return Place(file.size, most, cc[WRITE_ACCESS_AT])


def format_commands() -> Iterator[tuple[int, bytes, str]]:
    """DESFire's commands (code, data, what for) that make an empty chip a Type 4 tag (AN11004, 6.4).

    Sent again after they were cut short, what was made already answers as duplicate, which is as good.
    """
    name = CC_FILE[::-1]
    ndef = NDEF_FILE[::-1]
    free = bytes.fromhex("EEEE")
    yield 0x5A, bytes(3), "select the chip"
    # Key settings 0F: no key needed to make files; one key, ISO file ids (21); ISO id E110 and name.
    yield 0xCA, _AID + bytes.fromhex("0F2110E1") + NDEF_APPLICATION, "create the application"
    yield 0x5A, _AID, "select the application"
    size = CC_BYTES.to_bytes(3, "little")
    yield 0xCD, b"\x01" + name + b"\x00" + free + size, "create the capability container"
    yield 0x3D, b"\x01" + bytes(3) + size + container(), "write the capability container"
    size = NDEF_FILE_BYTES.to_bytes(3, "little")
    yield 0xCD, b"\x02" + ndef + b"\x00" + free + size, "create the NDEF file"
    yield 0x3D, b"\x02" + bytes(3) + (2).to_bytes(3, "little") + bytes(2), "empty the NDEF file"


def lock_commands() -> Iterator[tuple[int, bytes, str]]:
    """DESFire's commands that make container and message read-only for good.

    Access rights FFEF: read free, everything else never. Whoever has the chip's master key, which nobody set,
    can still delete the whole application: a card is spoilt by that, not forged.
    """
    yield 0x5A, _AID, "select the application"
    yield 0x3D, b"\x01" + bytes(3) + CC_BYTES.to_bytes(3, "little") + container(0xFF), "write the container"
    for file in (b"\x01", b"\x02"):
        yield 0x5F, file + b"\x00" + bytes.fromhex("FFEF"), "lock a file"


def expect_native(status: int, what: str) -> None:
    """Raises CardFault for a refusal: ``card_locked`` if a key is asked for, else ``card_write_refused``."""
    if status in (_DESFIRE_OK, _OK, _DUPLICATE):
        return
    code = "card_locked" if status in _KEY_NEEDED else "card_write_refused"
    raise CardFault(code, f"the chip refuses to {what}", status=f"{status:04x}")
