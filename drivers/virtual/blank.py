"""Virtual chips as they come from the factory, which can be written, locked and spoilt as real ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from drivers.chips import type2, type4
from drivers.chips.type2_write import LAYOUTS, Layout
from drivers.chips.type3_write import MC_BLOCK
from drivers.virtual.cards import Script, Type2Card, Type3Card, Type4Card

_VERSIONS = {"NTAG213": 0x0F, "NTAG215": 0x11, "NTAG216": 0x13}
_NAK = b"\x00"
_ACK = b"\x0a"
_BLOCKS = 13
"""User blocks of FeliCa Lite-S beside block 0."""


@dataclass(slots=True)
class BlankType2(Type2Card):
    """An NTAG21x with its lock bytes and password page (data sheet, sections 8.5 and 10.4)."""

    layout: Layout = LAYOUTS["NTAG215"]

    def command(self, frame: bytes) -> bytes | None:
        """WRITE as well; the rest as any NTAG."""
        if len(frame) == 6 and frame[0] == 0xA2:
            if self._write(frame[1], frame[2:]):
                return _ACK
            self.sleep()
            return _NAK
        return Type2Card.command(self, frame)

    def _page(self, page: int) -> bytes:
        return self.memory[page * 4 : page * 4 + 4]

    def _write(self, page: int, data: bytes) -> bool:
        layout = self.layout
        if not 2 <= page < layout.pages or page >= self._page(layout.config_page)[3]:
            return False
        held = self._page(page)
        if page == 2:
            # Lock bits are only ever set; the bytes before them belong to the UID.
            data = held[:2] + bytes(a | b for a, b in zip(held[2:], data[2:], strict=True))
        elif page in (type2.CC_PAGE, layout.dynamic_lock_page):
            if page == type2.CC_PAGE and self._is_locked(page):
                return False
            data = bytes(a | b for a, b in zip(held, data, strict=True))
        elif page >= layout.config_page:
            if page < layout.config_page + 2 and self._page(layout.config_page + 1)[0] & 0x40:
                return False
        elif self._is_locked(page):
            return False
        self.memory = self.memory[: page * 4] + data + self.memory[page * 4 + 4 :]
        return True

    def _is_locked(self, page: int) -> bool:
        if page < 16:
            return bool(int.from_bytes(self._page(2)[2:], "little") >> page & 1)
        bits = int.from_bytes(self._page(self.layout.dynamic_lock_page)[:2], "little")
        return bool(bits >> ((page - 16) // self.layout.pages_per_bit) & 1)


@dataclass(slots=True)
class BlankType3(Type3Card):
    """A FeliCa Lite-S with the NDEF system switched on and an attribute block that says: empty."""

    blocks: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        head = bytes([0x10, 4, 1]) + _BLOCKS.to_bytes(2, "big") + bytes(5) + b"\x01" + bytes(3)
        self.blocks[0] = head + sum(head).to_bytes(2, "big")
        self.blocks |= {number: bytes(16) for number in range(1, _BLOCKS + 1)}
        self.blocks[MC_BLOCK] = bytes.fromhex("FFFFFF01070000000000000000000000")

    def answer(self, technology: str, frame: bytes) -> bytes | None:
        """Write Without Encryption as well (Type 3 Tag 1.0, section 5.7)."""
        if technology == "212F" and len(frame) > 12 and frame[1] == 0x08 and frame[2:10] == self.uid:
            answer = b"\x09" + self.uid + self._write(frame[10:])
            return bytes([len(answer) + 1]) + answer
        return Type3Card.answer(self, technology, frame)

    def _write(self, rest: bytes) -> bytes:
        if rest[:3] != b"\x01\x09\x00" or rest[3] != 1 or rest[4] != 0x80:
            return b"\x01\xa6"
        number, data = rest[5], rest[6:]
        mc = self.blocks[MC_BLOCK]
        allowed = mc[2] == 0xFF if number == MC_BLOCK else int.from_bytes(mc[:2], "little") >> number & 1
        if number not in self.blocks or len(data) != 16 or not allowed:
            return b"\x01\xa8"
        self.blocks[number] = data
        return b"\x00\x00"

    def _read(self, rest: bytes) -> bytes:
        if rest[:3] != b"\x01\x0b\x00" or rest[3] > 4:
            return b"\x01\xa6"
        codes = rest[4:]
        numbers = [codes[place + 1] for place in range(0, len(codes), 2)]
        if len(codes) != 2 * rest[3] or any(number not in self.blocks for number in numbers):
            return b"\x01\xa8"
        return b"\x00\x00" + rest[3:4] + b"".join(self.blocks[number] for number in numbers)


@dataclass(slots=True)
class BlankType4(Type4Card):
    """A DESFire without any application: formatted by its own commands, then a Type 4 tag."""

    files: dict[bytes, bytearray] = field(default_factory=dict)
    """By ISO file id."""
    _rights: dict[bytes, bytes] = field(default_factory=dict)
    _numbers: dict[int, bytes] = field(default_factory=dict)
    _application: bool = False
    _inside: bool = False
    _version: int = 0
    hardware: int = 0x01
    """Type in GetVersion: 01 DESFire, 04 NTAG 424 DNA."""

    def _respond(self, apdu: bytes) -> bytes:
        if apdu[:1] == b"\x90":
            data = apdu[5:-1] if len(apdu) > 5 else b""
            return self._native(apdu[1], data)
        if apdu[:2] == b"\x00\xd6":
            return bytes.fromhex("9000" if self._update(apdu) else "6982")
        if not self._application and apdu[:4] == bytes.fromhex("00A40400"):
            return bytes.fromhex("6A82")
        return super(BlankType4, self)._respond(apdu)

    def _content(self) -> bytes:
        return bytes(self.files.get(self._file, b""))

    def _update(self, apdu: bytes) -> bool:
        offset, data = int.from_bytes(apdu[2:4], "big"), apdu[5 : 5 + apdu[4]]
        return self._put(self._file, offset, data)

    def _put(self, identifier: bytes, offset: int, data: bytes) -> bool:
        file = self.files.get(identifier)
        # Byte 1 of the access rights: read and write; byte 0: both and change (E free, F never).
        if file is None or offset + len(data) > len(file):
            return False
        rights = self._rights[identifier]
        if rights[1] & 0x0F != 0x0E and rights[0] >> 4 != 0x0E:
            return False
        file[offset : offset + len(data)] = data
        return True

    def _native(self, code: int, data: bytes) -> bytes:
        if code in (0x60, 0xAF):
            self._version = 1 if code == 0x60 else self._version + 1
            if self._version < 3:
                return bytes([0x04, self.hardware, 0x01, 0x33, 0x00, 0x18, 0x05]) + bytes.fromhex("91AF")
            return self.uid + bytes(7) + bytes.fromhex("9100")
        return bytes.fromhex("91") + bytes([self._do(code, data)])

    def _do(self, code: int, data: bytes) -> int:
        if code == 0x5A:
            self._inside = data == bytes.fromhex("010000")
            return 0x00 if data == bytes(3) or (self._inside and self._application) else 0xA0
        if code == 0xCA:
            if self._application:
                return 0xDE
            self._application = data[7:] == type4.NDEF_APPLICATION
            return 0x00 if self._application else 0x9E
        if not self._inside:
            return 0x9D
        if code == 0xCD and data[0] in self._numbers:
            return 0xDE
        if code == 0xCD:
            self._numbers[data[0]] = identifier = bytes(reversed(data[1:3]))
            self._rights[identifier] = data[4:6]
            self.files[identifier] = bytearray(int.from_bytes(data[6:9], "little"))
            return 0x00
        identifier = self._numbers.get(data[0], b"")
        if code == 0x3D:
            written = self._put(identifier, int.from_bytes(data[1:4], "little"), data[7:])
            return 0x00 if written else 0x9D
        if code == 0x5F and identifier:
            if self._rights[identifier][0] & 0x0F != 0x0E:
                return 0x9D
            self._rights[identifier] = data[2:4]
            return 0x00
        return 0x1C


def blank_ntag(uid: bytes, chip: str = "NTAG215", script: Script | None = None) -> BlankType2:
    """An NTAG21x as delivered: formatted, with an empty message; ``uid`` is 7 bytes."""
    layout = LAYOUTS[chip]
    head = uid[:3] + bytes([0x88 ^ reduce(xor, uid[:3])]) + uid[3:7]
    head += (
        bytes([reduce(xor, uid[3:7]), 0x48, 0, 0]) + bytes([0xE1, 0x10, layout.cc_size, 0]) + b"\x03\x00\xfe"
    )
    config = bytes.fromhex("040000FF00050000") + bytes(8)
    memory = head.ljust(layout.dynamic_lock_page * 4, b"\x00") + bytes.fromhex("000000BD") + config
    version = bytes([0x00, 0x04, 0x04, 0x02, 0x01, 0x00, _VERSIONS[chip], 0x03])
    return BlankType2(uid, script=script or Script(), memory=memory, version=version, layout=layout)


def blank_felica(uid: bytes, script: Script | None = None) -> BlankType3:
    """A FeliCa Lite-S, formatted and empty; ``uid`` is its IDm of 8 bytes."""
    return BlankType3(uid, b"", script=script or Script())


def blank_desfire(uid: bytes, script: Script | None = None) -> BlankType4:
    """A DESFire EV3 as delivered: no application; ``uid`` is 7 bytes, or 4 for a random one."""
    return BlankType4(uid, bytes.fromhex("4403"), 0x20, script or Script())
