"""Virtual cards that answer frames as real chips do: NTAG215, FeliCa and a DESFire-like Type 4 card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Protocol

from drivers.chips import originality, type2, type3, type4

SENS_REQ, ALL_REQ = b"\x26", b"\x52"
HALT = b"\x50\x00"
"""After this only ALL_REQ or the field going off wakes the card (ISO 14443-3, section 6.4.3)."""
_CASCADE = (0x93, 0x95, 0x97)
"""Select codes of the cascade levels (ISO 14443-3, section 6.5.3)."""


@dataclass(slots=True)
class Script:
    """Faults that a card plays; none by default."""

    lift_after: int | None = None
    """The card leaves the field after it has answered this many frames."""
    endless_wtx: bool = False
    """Type 4: asks for more time, for ever."""
    empty_reads: bool = False
    """Type 4: READ BINARY answers success and no data."""
    short_ats: bool = False
    """Type 4: the answer to RATS is one byte long."""
    wrong_lengths: bool = False
    """Every answer after selection is one byte short."""
    garbage: bool = False
    """Every answer after selection is a byte 55h."""
    silent: bool = False
    """Selected, and then no answer at all."""
    on_frame: Callable[[str, bytes], None] | None = None
    """Told of every frame that the card hears."""


class VirtualCard(Protocol):
    """What lies in a virtual field."""

    script: Script

    def reset(self) -> None:
        """The field went off."""
        ...

    def answer(self, technology: str, frame: bytes) -> bytes | None:
        """The answer to a frame such as ``("106A", b"\\x26")``; None for silence."""
        ...


def scripted(script: Script, answer: bytes | None) -> bytes | None:
    """An answer after selection, as the script spoils it."""
    if answer is None or script.silent:
        return None
    if script.garbage:
        return b"\x55"
    if script.wrong_lengths:
        return answer[:-1] or None
    return answer


@dataclass(slots=True)
class TypeACard:
    """Anticollision of type A; what comes after selection is the subclass's."""

    uid: bytes
    sens_res: bytes = bytes.fromhex("4400")
    sak: int = 0x00
    script: Script = field(default_factory=Script)
    new_uid: Callable[[], bytes] | None = None
    """A random-UID card: the next UID, each time that the field comes on."""
    _level: int = field(default=-1, init=False)
    _selected: bool = field(default=False, init=False)
    _halted: bool = field(default=False, init=False)

    def reset(self) -> None:
        """The field went off: idle, and a random UID changes."""
        self._level, self._selected, self._halted = -1, False, False
        if self.new_uid is not None:
            self.uid = self.new_uid()

    def sleep(self) -> None:
        """Back to idle, as a Type 2 chip does after a refusal."""
        self._level, self._selected = -1, False

    def answer(self, technology: str, frame: bytes) -> bytes | None:
        """Anticollision and selection, then ``command`` of the chip."""
        if technology != "106A":
            return None
        if frame in (SENS_REQ, ALL_REQ):
            if self._halted and frame == SENS_REQ:
                return None
            self.sleep()
            self._halted = False
            self._level = 0
            return self.sens_res
        if self._selected:
            return scripted(self.script, self.command(frame))
        if self._level < 0 or self._level >= len(_CASCADE) or frame[:1] != bytes([_CASCADE[self._level]]):
            return None
        return self._collide(frame)

    def _collide(self, frame: bytes) -> bytes | None:
        levels = self._levels()
        part = levels[self._level]
        if frame[1:] == b"\x20":
            return part
        if frame[1:] != b"\x70" + part:
            return None
        if self._level + 1 < len(levels):
            self._level += 1
            return b"\x04"
        self._selected = True
        return bytes([self.sak])

    def _levels(self) -> list[bytes]:
        uid = self.uid
        parts = {4: [uid], 7: [b"\x88" + uid[:3], uid[3:]]}.get(len(uid)) or [
            b"\x88" + uid[:3],
            b"\x88" + uid[3:6],
            uid[6:],
        ]
        return [part + bytes([reduce(xor, part)]) for part in parts]

    def command(self, frame: bytes) -> bytes | None:
        """A chip that was selected and talks a protocol nobody here knows keeps silent."""
        return None


@dataclass(slots=True)
class Type2Card(TypeACard):
    """A Type 2 chip: NTAG215 unless told otherwise; refuses what it does not know and goes to sleep."""

    memory: bytes = b""
    """All pages from 0 on."""
    version: bytes = bytes.fromhex("0004040201001103")
    """The answer to GET_VERSION; empty for a chip without it (NTAG215 data sheet, table 28)."""
    signature: bytes = b""
    """The answer to READ_SIG; empty for a chip that refuses it."""

    def command(self, frame: bytes) -> bytes | None:
        """READ, FAST_READ, GET_VERSION; HALT and everything else put the chip to sleep."""
        pages = len(self.memory) // type2.PAGE_BYTES
        if len(frame) == 2 and frame[0] == 0x30 and frame[1] < pages:
            start = frame[1] * type2.PAGE_BYTES
            return (self.memory + self.memory[:16])[start : start + 16]
        if len(frame) == 3 and frame[0] == 0x3A and self.version and frame[1] <= frame[2] < pages:
            return self.memory[frame[1] * type2.PAGE_BYTES : (frame[2] + 1) * type2.PAGE_BYTES]
        if frame == type2.GET_VERSION and self.version:
            return self.version
        if frame == originality.READ_SIG and self.signature:
            return self.signature
        self.sleep()
        self._halted = frame == HALT
        return None if self._halted else b"\x00"


def ntag215(uid: bytes, message: bytes, script: Script | None = None) -> Type2Card:
    """An NTAG215 (135 pages) that holds this NDEF message; ``uid`` is 7 bytes."""
    head = (
        uid[:3] + bytes([0x88 ^ reduce(xor, uid[:3])]) + uid[3:7] + bytes([reduce(xor, uid[3:7])]) + bytes(3)
    )
    memory = head + type2.format_area(message, 135)
    return Type2Card(uid, script=script or Script(), memory=memory + bytes(135 * 4 - len(memory)))


@dataclass(slots=True)
class Type3Card:
    """A FeliCa card with the NDEF system; ``uid`` is its IDm of 8 bytes."""

    uid: bytes
    message: bytes
    systems: tuple[int, ...] = (type3.NDEF_SYSTEM,)
    script: Script = field(default_factory=Script)
    blocks_per_read: int = 12
    length: int | None = None
    """Announced instead of the true length."""

    pmm = bytes.fromhex("0120220427674EFF")

    def reset(self) -> None:
        """The field went off; a FeliCa card keeps nothing."""

    def answer(self, technology: str, frame: bytes) -> bytes | None:
        """Polling and Read Without Encryption (Type 3 Tag 1.0, sections 5.4 and 5.6)."""
        if technology not in ("212F", "424F") or not frame or frame[0] != len(frame):
            return None
        if len(frame) == 6 and frame[1] == 0x00:
            return self._poll(frame)
        if len(frame) > 12 and frame[1] == 0x06 and frame[2:10] == self.uid:
            answer = b"\x07" + self.uid + self._read(frame[10:])
            return scripted(self.script, bytes([len(answer) + 1]) + answer)
        return None

    def _poll(self, frame: bytes) -> bytes | None:
        wanted = int.from_bytes(frame[2:4], "big")
        system = next((s for s in self.systems if wanted in (s, 0xFFFF)), None)
        if system is None:
            return None
        answer = b"\x01" + self.uid + self.pmm + (system.to_bytes(2, "big") if frame[4] == 1 else b"")
        return bytes([len(answer) + 1]) + answer

    def _read(self, rest: bytes) -> bytes:
        if rest[:3] != b"\x01\x0b\x00":
            return b"\x01\xa6"
        count, codes = rest[3], rest[4:]
        memory = self._memory()
        data = b""
        for index in range(count):
            if codes[: 1 + (codes[0] < 0x80)] == b"":
                return b"\x01\xa8"
            wide = codes[0] < 0x80
            number = int.from_bytes(codes[1:3], "little") if wide else codes[1]
            codes = codes[3 if wide else 2 :]
            block = memory[number * 16 : number * 16 + 16]
            if not block or index >= self.blocks_per_read:
                return b"\x01\xa8"
            data += block
        return b"\x00\x00" + bytes([count]) + data

    def _memory(self) -> bytes:
        blocks = max(13, (len(self.message) + 15) // 16)
        length = len(self.message) if self.length is None else self.length
        head = type3.encode_attributes(length, blocks, self.blocks_per_read)
        return head + self.message + bytes(blocks * 16 - len(self.message))


@dataclass(slots=True)
class Type4Card(TypeACard):
    """A DESFire-like card: ISO-DEP in frames of 64 bytes, the NDEF application, two files."""

    message: bytes = b""
    bytes_per_read: int = 240
    frame_bytes: int = 64
    has_ndef: bool = True
    length: int | None = None
    """Announced instead of the true length."""
    signature: bytes = b""
    """What Read_Sig gives; empty for a chip that does not know it."""
    _active: bool = field(default=False, init=False)
    _block: int = field(default=1, init=False)
    _file: bytes = field(default=b"", init=False)
    _rest: bytes = field(default=b"", init=False)
    _last: bytes = field(default=b"", init=False)
    _apdu: bytes = field(default=b"", init=False)

    def sleep(self) -> None:
        """Deselected: RATS is needed again."""
        TypeACard.sleep(self)
        self._active, self._block = False, 1
        self._file = self._rest = self._last = self._apdu = b""

    def reset(self) -> None:
        """The field went off."""
        TypeACard.reset(self)
        self.sleep()

    def command(self, frame: bytes) -> bytes | None:
        """RATS, then blocks of ISO 14443-4."""
        if not self._active:
            if frame[:1] != b"\xe0":
                return None
            self._active = True
            # FSCI 5 (64 bytes), TA none, TB FWI 8, TC no NAD or CID, one historical byte.
            return b"\x01" if self.script.short_ats else bytes.fromhex("067500810280")
        pcb = frame[0]
        if self.script.endless_wtx:
            self._last = b"\xf2\x01"
        elif pcb & 0xE2 == 0x02:
            self._last = self._information(pcb, frame[1:])
        elif pcb & 0xF6 == 0xA2:
            if pcb & 0x01 != self._block & 0x01:
                self._last = self._send()
        elif pcb & 0xF6 == 0xB2:
            if pcb & 0x01 != self._block & 0x01:
                self._last = bytes([0xA2 | self._block & 0x01])
        elif pcb & 0xF7 == 0xC2:
            self.sleep()
            self._halted = True
            return frame[:1]
        else:
            return None
        return self._last

    def _information(self, pcb: int, data: bytes) -> bytes:
        self._apdu += data
        if pcb & 0x10:
            self._block ^= 1
            return bytes([0xA2 | self._block])
        apdu, self._apdu = self._apdu, b""
        self._rest = self._respond(apdu)
        return self._send()

    def _send(self) -> bytes:
        most = self.frame_bytes - 3
        part, self._rest = self._rest[:most], self._rest[most:]
        self._block ^= 1
        return bytes([0x02 | (0x10 if self._rest else 0) | self._block]) + part

    def _respond(self, apdu: bytes) -> bytes:
        if apdu == originality.READ_SIG_APDU:
            return self.signature + bytes.fromhex("9190") if self.signature else bytes.fromhex("911C")
        head, data = apdu[:4], apdu[5:]
        if head == bytes.fromhex("00A40400"):
            found = self.has_ndef and data[:7] == type4.NDEF_APPLICATION
            return bytes.fromhex("9000" if found else "6A82")
        if head == bytes.fromhex("00A4000C") and data[:2] in (type4.CC_FILE, b"\xe1\x04"):
            self._file = data[:2]
            return bytes.fromhex("9000")
        if head[:2] == bytes.fromhex("00B0") and self._file and len(apdu) == 5:
            offset, wanted = int.from_bytes(head[2:], "big"), apdu[4] or 256
            content = self._content()
            if self.script.empty_reads and self._file != type4.CC_FILE:
                return content[:2] + bytes.fromhex("9000") if offset == 0 else bytes.fromhex("9000")
            if offset >= len(content):
                return bytes.fromhex("6B00")
            return content[offset : offset + min(wanted, self.bytes_per_read)] + bytes.fromhex("9000")
        return bytes.fromhex("6A82")

    def _content(self) -> bytes:
        if self._file == type4.CC_FILE:
            return type4.encode_cc(type4.NdefFile(b"\xe1\x04", 2048, self.bytes_per_read, 2))
        length = len(self.message) if self.length is None else self.length
        return (length.to_bytes(2, "big") + self.message).ljust(2048, b"\x00")


def desfire(uid: bytes, message: bytes, script: Script | None = None) -> Type4Card:
    """A DESFire-like card that holds this NDEF message; ``uid`` is 7 bytes, or 4 for a random one."""
    return Type4Card(uid, bytes.fromhex("4403"), 0x20, script or Script(), message=message)


def felica(uid: bytes, message: bytes, script: Script | None = None) -> Type3Card:
    """A FeliCa card that holds this NDEF message; ``uid`` is its IDm of 8 bytes."""
    return Type3Card(uid, message, script=script or Script())


def mifare_classic(uid: bytes, script: Script | None = None) -> TypeACard:
    """A MIFARE Classic 1K: selected, and silent to everything without its keys."""
    return TypeACard(uid, bytes.fromhex("0400"), 0x08, script or Script())
