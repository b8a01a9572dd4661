"""Giving a chip the keys it proves itself with (P2), at the issuing station: pure, APDUs by ``transmit``.

NTAG 424 DNA as delivered (five keys of zeros), DESFire EV2 and EV3 as delivered (no application). The message
is written first and the master key changed last: what was cut short is done again with the same keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.chips import ev2, type4
from drivers.chips.an10922 import APPLICATION, card_key
from drivers.chips.apdu import OK, Transmit, command, split
from drivers.chips.ev2_messages import SecureChannel, change_key_data, refused
from drivers.chips.sdm import MIRROR_BYTES
from kiosk.errors import CardFault

MASTER_NO, AUTHENTICATION_NO = 0, 1
KEY_VERSION = 1
"""Version of every key of ours; 0 is a key of zeros as delivered."""
_FACTORY = bytes(16)
_NTAG_KEYS, _DESFIRE_KEYS = 5, 2
KEYS_OF = {"NTAG424": _NTAG_KEYS, "DESFire": _DESFIRE_KEYS}
"""How many keys a chip of that kind has here."""
_NDEF_FILE_NO = 2
_CC_FILE_NO = 1
_NDEF_FILE = b"\xe1\x04"
NTAG424_FILE_BYTES = 256
DESFIRE_FILE_BYTES = 1024
_CHANGE_KEY, _CHANGE_FILE_SETTINGS, _KEY_VERSION, _CHANGE_KEY_SETTINGS = 0xC4, 0x5F, 0x64, 0x54
_READ_ONLY = bytes.fromhex("00E0")
"""Access rights, low byte first: read free; write, both and change by key 0 (data sheet, section 8.2.3.3)."""
_MADE_FREE = bytes.fromhex("E0EE")
"""Until the keys are in place: change by key 0, all else free, as NTAG 424 DNA's file is delivered."""
_SETTINGS_FREE, _SETTINGS_CLOSED = 0x0F, 0x0B
"""DESFire's application key settings; bit 2: files are made and deleted without a key."""
_DUPLICATE = 0x91DE
"""Status of making an application or a file that exists."""
_MOST_PER_WRITE = 48


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The keys that every card's own are derived from; the first exists at the issuing station only."""

    application: bytes
    """Changes keys and files: key 0, and of NTAG 424 DNA the keys without use."""
    authentication: bytes
    """Only authenticates (key 1): the one that kiosks hold."""

    def __post_init__(self) -> None:
        if len(self.application) != 16 or len(self.authentication) != 16:
            raise ValueError("a key has 16 bytes")
        if self.application == self.authentication:
            raise ValueError("the key kiosks hold must not change cards")

    def of(self, uid: bytes, number: int) -> bytes:
        """The chip's own key of that number."""
        return card_key(self.authentication if number == AUTHENTICATION_NO else self.application, uid)


def ntag424(
    transmit: Transmit,
    uid: bytes,
    keys: MasterKeys,
    message: bytes,
    random: Callable[[int], bytes],
    *,
    mirrored: bool = False,
) -> None:
    """Writes message, keys and rights of an NTAG 424 DNA, and proves the new key as a reader would.

    ``mirrored``: the last MIRROR_BYTES of the message are filled by the chip at every read. Raises CardFault:
    ``card_too_small``, ``card_refused``, ``card_proof_bad``, ``card_differs``, and what ``transmit`` raises.
    """
    if 2 + len(message) > NTAG424_FILE_BYTES:
        raise CardFault("card_too_small", f"a message of {len(message)} bytes does not fit", size=254)
    _personalise(transmit, uid, keys, message, random, count=_NTAG_KEYS, mirrored=mirrored)


def desfire(
    transmit: Transmit, uid: bytes, keys: MasterKeys, message: bytes, random: Callable[[int], bytes]
) -> None:
    """The same for a DESFire EV2 or EV3, which is formatted first unless it holds the application already."""
    if 2 + len(message) > DESFIRE_FILE_BYTES:
        raise CardFault("card_too_small", f"a message of {len(message)} bytes does not fit", size=1022)
    try:
        type4.read_message(_iso(transmit))
    except CardFault as fault:
        if fault.code != "card_empty":
            format_desfire(transmit)
    _personalise(transmit, uid, keys, message, random, count=_DESFIRE_KEYS, mirrored=False)


def format_desfire(transmit: Transmit) -> None:
    """Makes the NDEF application with AES keys of zeros, its container and its empty file (NXP AN11004, 6.4).

    What is there already stays. Raises CardFault card_refused.
    """
    cc = type4.encode_cc(type4.NdefFile(_NDEF_FILE, DESFIRE_FILE_BYTES, type4.MOST_BYTES_PER_READ, 2))
    # A0: AES keys, and files have ISO ids (DESFire EV2, CreateApplication, KeySett2).
    kind = bytes([_SETTINGS_FREE, 0xA0 | _DESFIRE_KEYS])
    _native(transmit, 0x5A, bytes(3))
    _make(transmit, 0xCA, APPLICATION + kind + bytes.fromhex("10E1") + type4.NDEF_APPLICATION)
    _native(transmit, 0x5A, APPLICATION)
    for number, name, size in (
        (_CC_FILE_NO, type4.CC_FILE, len(cc)),
        (_NDEF_FILE_NO, _NDEF_FILE, DESFIRE_FILE_BYTES),
    ):
        made = bytes([number]) + name[::-1] + b"\x00" + _MADE_FREE + size.to_bytes(3, "little")
        _make(transmit, 0xCD, made)
    _native(transmit, 0x3D, bytes([_CC_FILE_NO]) + bytes(3) + len(cc).to_bytes(3, "little") + cc)


def file_settings(message: bytes, *, mirrored: bool) -> bytes:
    """ChangeFileSettings of the NDEF file: read free, all else by key 0, mirrors at the message's end.

    Mirrors are plain: UID, read counter and code one after the other, the code over nothing but those two
    (data sheet, section 10.7.1; options C1: UID, counter, ASCII).
    """
    if not mirrored:
        return b"\x00" + _READ_ONLY
    at = 2 + len(message) - MIRROR_BYTES
    offsets = b"".join(place.to_bytes(3, "little") for place in (at, at + 14, at + 20, at + 20))
    rights = bytes([0xFF, 0xE0 | AUTHENTICATION_NO])
    return b"\x40" + _READ_ONLY + b"\xc1" + rights + offsets


def _personalise(
    transmit: Transmit,
    uid: bytes,
    keys: MasterKeys,
    message: bytes,
    random: Callable[[int], bytes],
    *,
    count: int,
    mirrored: bool,
) -> None:
    if not _is_ours(transmit, uid, keys, random):
        # Written already, it may be locked already.
        if not _holds(transmit, message, mirrored=mirrored):
            _write_message(transmit, message)
        select(transmit)
        channel = authenticated(transmit, MASTER_NO, _FACTORY, random)
        for number in range(1, count):
            if channel.with_code(_KEY_VERSION, bytes([number]))[:1] != bytes([KEY_VERSION]):
                data = change_key_data(keys.of(uid, number), KEY_VERSION, _FACTORY)
                channel.full(_CHANGE_KEY, bytes([number]), data)
        settings = file_settings(message, mirrored=mirrored)
        channel.full(_CHANGE_FILE_SETTINGS, bytes([_NDEF_FILE_NO]), settings)
        if count == _DESFIRE_KEYS:
            channel.full(_CHANGE_FILE_SETTINGS, bytes([_CC_FILE_NO]), b"\x00" + _READ_ONLY)
            channel.full(_CHANGE_KEY_SETTINGS, b"", bytes([_SETTINGS_CLOSED]))
        master = change_key_data(keys.of(uid, MASTER_NO), KEY_VERSION, None)
        channel.last(_CHANGE_KEY, bytes([MASTER_NO]), master)
    check(transmit, uid, keys.authentication, message, random, mirrored=mirrored)


def check(
    transmit: Transmit,
    uid: bytes,
    authentication: bytes,
    message: bytes,
    random: Callable[[int], bytes],
    *,
    mirrored: bool = False,
) -> None:
    """Reads the message back and proves key 1, as a kiosk's reader does.

    Raises CardFault card_differs or card_proof_bad.
    """
    if not _holds(transmit, message, mirrored=mirrored):
        raise CardFault("card_differs", "read back other than written")
    authenticated(transmit, AUTHENTICATION_NO, card_key(authentication, uid), random)


def _is_ours(transmit: Transmit, uid: bytes, keys: MasterKeys, random: Callable[[int], bytes]) -> bool:
    """True if key 0 is ours already: everything before it was done then. Raises CardFault card_proof_bad."""
    select(transmit)
    try:
        authenticated(transmit, MASTER_NO, _FACTORY, random)
    except CardFault as fault:
        if fault.detail.get("why") != "key":
            raise
        select(transmit)
        authenticated(transmit, MASTER_NO, keys.of(uid, MASTER_NO), random)
        return True
    return False


def _holds(transmit: Transmit, message: bytes, *, mirrored: bool) -> bool:
    """True if the chip holds this message; what it fills itself is not compared."""
    try:
        read = type4.read_message(_iso(transmit))
    except CardFault as fault:
        if fault.code == "card_empty":
            return False
        raise
    fixed = len(message) - MIRROR_BYTES if mirrored else len(message)
    return len(read) == len(message) and read[:fixed] == message[:fixed]


def _write_message(transmit: Transmit, message: bytes) -> None:
    select(transmit)
    _expect(transmit, command(0x00, 0xA4, 0x00, 0x0C, _NDEF_FILE))
    _update(transmit, 0, bytes(2))
    for at in range(0, len(message), _MOST_PER_WRITE):
        _update(transmit, 2 + at, message[at : at + _MOST_PER_WRITE])
    _update(transmit, 0, len(message).to_bytes(2, "big"))


def _update(transmit: Transmit, offset: int, data: bytes) -> None:
    _expect(transmit, command(0x00, 0xD6, offset >> 8, offset & 0xFF, data))


def select(transmit: Transmit) -> None:
    """Selects the NDEF application. Raises CardFault card_refused."""
    _expect(transmit, command(0x00, 0xA4, 0x04, 0x00, type4.NDEF_APPLICATION, 256))


def _expect(transmit: Transmit, apdu: bytes) -> None:
    _, status = split(transmit(apdu))
    if status != OK:
        raise refused(apdu[1], status)


def _make(transmit: Transmit, ins: int, data: bytes) -> None:
    _, status = split(transmit(ev2.wrap(ins, data)))
    if status not in (ev2.SUCCESS, _DUPLICATE):
        raise refused(ins, status)


def _native(transmit: Transmit, ins: int, data: bytes) -> None:
    _, status = split(transmit(ev2.wrap(ins, data)))
    if status != ev2.SUCCESS:
        raise refused(ins, status)


def authenticated(
    transmit: Transmit, number: int, key: bytes, random: Callable[[int], bytes]
) -> SecureChannel:
    """A session with that key. Raises CardFault card_proof_bad; its ``why`` is ``key`` for another key."""
    session = ev2.authenticate(transmit, number, key, random(16))
    if session is None:
        raise CardFault("card_proof_bad", "the chip has no such key", why="key_no")
    return SecureChannel(transmit, session)


def _iso(transmit: Transmit) -> type4.Send:
    def send(apdu: type4.Apdu) -> tuple[bytes, int]:
        instruction, p1, p2, data, expected = apdu
        return split(transmit(command(0x00, instruction, p1, p2, data, expected or None)))

    return send
