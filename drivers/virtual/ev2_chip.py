"""A chip with AES keys in software: NTAG 424 DNA, or a DESFire EV2 that is formatted by its own commands.

It answers whole APDUs, whatever brings them, as NXP's data sheet says (NT4H2421Gx, section 10): SELECT, READ
BINARY, UPDATE BINARY, and wrapped native commands in plain, with a code, and enciphered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.chips import aes, ev2, sdm
from drivers.chips.ev2_messages import crc32
from drivers.chips.type4 import NDEF_APPLICATION

FREE, NEVER = 0xE, 0xF
_OK = bytes.fromhex("9100")
_NTAG_CC = bytes.fromhex("001720010000FF0406E104010000000506E10500808283").ljust(32, b"\x00")
_PLAIN_ACCESS, _COMM_FULL = 0x00, 0x03


class Refused(Exception):
    """The chip does not do it; ``status`` is its second status byte."""

    def __init__(self, status: int) -> None:
        super().__init__(f"91{status:02X}")
        self.status = status


@dataclass(slots=True)
class File:
    """A standard data file. Access rights are key numbers, FREE or NEVER."""

    content: bytearray
    read: int = FREE
    write: int = FREE
    read_write: int = FREE
    change: int = 0
    comm: int = _PLAIN_ACCESS
    mirror_at: int | None = None
    """SDM: where UID, counter and code are mirrored, one after the other."""
    file_read: int = NEVER
    """SDM: number of the key that makes the code."""

    def rights(self) -> bytes:
        """The two bytes as they are sent, low byte first (section 8.2.3.3)."""
        return bytes([self.read_write << 4 | self.change, self.read << 4 | self.write])

    def set_rights(self, rights: bytes) -> None:
        """The inverse of ``rights``."""
        self.read_write, self.change = rights[0] >> 4, rights[0] & 15
        self.read, self.write = rights[1] >> 4, rights[1] & 15


@dataclass(slots=True)
class Ev2Chip:
    """One chip. ``hardware`` is its type in GetVersion: 04 NTAG 424 DNA, 01 DESFire."""

    uid: bytes
    hardware: int = 0x04
    keys: list[bytes] = field(default_factory=lambda: [bytes(16)] * 5)
    versions: list[int] = field(default_factory=lambda: [0] * 5)
    files: dict[int, File] = field(default_factory=dict)
    names: dict[bytes, int] = field(default_factory=dict)
    """ISO file id to file number."""
    random: Callable[[int], bytes] = secrets.token_bytes
    reads: int = 0
    """SDMReadCtr."""
    settings: int = 0x0F
    """DESFire's application key settings; bit 2: files are made without a key."""
    has_application: bool = True
    signature: bytes = b""
    """What Read_Sig gives; empty for a chip that does not know it."""
    _inside: bool = False
    _file: int | None = None
    _counted: bool = False
    _waiting: tuple[int, bytes] | None = None
    """Key number and challenge of a half-done authentication."""
    _version_part: int = 0
    _key_no: int | None = None
    _session: ev2.Session | None = None
    _counter: int = 0

    def reset(self) -> None:
        """The field went off: nothing is selected, nobody authenticated."""
        self._inside, self._file, self._counted = False, None, False
        self._forget()

    def _forget(self) -> None:
        self._waiting = self._key_no = self._session = None
        self._counter = self._version_part = 0

    def respond(self, apdu: bytes) -> bytes:
        """The answer to a command APDU, with its status."""
        try:
            if apdu[:1] == b"\x90":
                return self._native(apdu[1], apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b"")
            return self._iso(apdu)
        except Refused as refusal:
            self._forget()
            return bytes([0x91, refusal.status])
        except IndexError:
            return bytes.fromhex("6700")

    # -- ISO 7816-4 --

    def _iso(self, apdu: bytes) -> bytes:
        head, data = apdu[:4], apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        if head[:3] == bytes.fromhex("00A404"):
            self._forget()
            self._inside = self.has_application and data == NDEF_APPLICATION
            self._file, self._counted = None, False
            return bytes.fromhex("9000" if self._inside else "6A82")
        if head[:3] == bytes.fromhex("00A400") and self._inside:
            self._file, self._counted = self.names.get(data), False
            return bytes.fromhex("6A82" if self._file is None else "9000")
        file = self.files.get(self._file) if self._file is not None else None
        if file is None:
            return bytes.fromhex("6A82" if head[1:2] == b"\xa4" else "6986")
        offset = int.from_bytes(head[2:4], "big")
        if head[:2] == bytes.fromhex("00B0"):
            if not self._may(file.read, file.read_write):
                return bytes.fromhex("6982")
            if offset >= len(file.content):
                return bytes.fromhex("6B00")
            return self._mirrored(file)[offset : offset + (apdu[4] or 256)] + bytes.fromhex("9000")
        if head[:2] == bytes.fromhex("00D6"):
            if FREE not in (file.write, file.read_write) or offset + len(data) > len(file.content):
                return bytes.fromhex("6982")
            file.content[offset : offset + len(data)] = data
            return bytes.fromhex("9000")
        return bytes.fromhex("6D00")

    def _may(self, *rights: int) -> bool:
        return FREE in rights or (self._key_no is not None and self._key_no in rights)

    def _mirrored(self, file: File) -> bytes:
        """The content as it is read without authentication: with the mirrors of this read (section 9.3)."""
        if file.mirror_at is None or self._key_no is not None:
            return bytes(file.content)
        if not self._counted:
            self.reads, self._counted = self.reads + 1, True
        code = sdm.code(self.keys[file.file_read], sdm.PiccData(self.uid, self.reads))
        text = (self.uid + self.reads.to_bytes(3, "big") + code).hex().upper().encode("ascii")
        at = file.mirror_at
        return bytes(file.content[:at]) + text + bytes(file.content[at + len(text) :])

    # -- native commands --

    def _native(self, code: int, data: bytes) -> bytes:
        match code:
            case 0x60:
                self._version_part = 1
                return self._version()
            case 0xAF if self._waiting is not None:
                return self._prove(data)
            case 0xAF if self._version_part:
                self._version_part += 1
                return self._version()
            case 0x71:
                return self._challenge(data[0])
            case 0x5A:
                self._forget()
                self._inside = data == bytes.fromhex("010000")
                if data != bytes(3) and not (self._inside and self.has_application):
                    raise Refused(0xA0)
                return _OK
            case 0xCA:
                return self._create_application(data)
            case 0x3C if self.signature:
                return self.signature + bytes.fromhex("9190")
        if not self._inside:
            raise Refused(0x9D)
        match code:
            case 0xCD:
                return self._create_file(data)
            case 0x3D | 0x8D:
                return self._write(code, data)
            case 0xF5:
                return self._settings_of(data)
            case 0x5F:
                return self._change_settings(data)
            case 0x64:
                number = self._opened(code, data, 1)[0] if self._session else data[0]
                return self._closed(bytes([self.versions[number]]))
            case 0xC4:
                return self._change_key(data)
            case 0x54:
                self.settings = self._enciphered(0x54, b"", data)[0]
                return self._closed(b"")
            case 0x51:
                self._opened(code, data, 0)
                return self._closed(self.uid, enciphered=True)
        raise Refused(0x1C)

    def _version(self) -> bytes:
        if self._version_part < 3:
            return bytes([0x04, self.hardware, 0x02, 0x30, 0x00, 0x11, 0x05]) + bytes.fromhex("91AF")
        self._version_part = 0
        return self.uid + bytes(7) + _OK

    def _challenge(self, number: int) -> bytes:
        self._forget()
        if not self._inside or number >= len(self.keys):
            raise Refused(0x40)
        challenge = self.random(16)
        self._waiting = number, challenge
        return aes.encrypt(self.keys[number], challenge) + bytes.fromhex("91AF")

    def _prove(self, data: bytes) -> bytes:
        number, rnd_b = self._waiting or (0, b"")
        self._waiting = None
        if len(data) != 32:
            raise Refused(0x7E)
        plain = aes.decrypt(self.keys[number], data)
        if plain[16:] != ev2.rotated(rnd_b):
            raise Refused(0xAE)
        rnd_a, ti = plain[:16], self.random(4)
        self._session = ev2.session_of(self.keys[number], rnd_a, rnd_b, ti)
        self._key_no = number
        return aes.encrypt(self.keys[number], ti + ev2.rotated(rnd_a) + bytes(12)) + _OK

    # -- secure messaging, seen from the chip --

    def _place(self) -> bytes:
        assert self._session is not None  # noqa: S101 - narrowed by every caller
        return self._counter.to_bytes(2, "little") + self._session.ti

    def _opened(self, code: int, data: bytes, header: int) -> bytes:
        """The command without its code, which must hold; ``header`` bytes are the least it has."""
        if self._session is None or len(data) < header + 8:
            raise Refused(0xAE)
        content, given = data[:-8], data[-8:]
        if aes.short_cmac(self._session.mac_key, bytes([code]) + self._place() + content) != given:
            raise Refused(0x1E)
        return content

    def _enciphered(self, code: int, header: bytes, data: bytes) -> bytes:
        """The plain data of a command in CommMode.Full."""
        content = self._opened(code, data, len(header))
        assert self._session is not None  # noqa: S101 - checked by _opened
        block = bytes.fromhex("A55A") + self._session.ti + self._counter.to_bytes(2, "little") + bytes(8)
        sealed = content[len(header) :]
        if not sealed or len(sealed) % 16:
            raise Refused(0x7E)
        try:
            return aes.unpad(
                aes.decrypt(self._session.enc_key, sealed, aes.encrypt(self._session.enc_key, block))
            )
        except ValueError:
            raise Refused(0x1E) from None

    def _closed(self, data: bytes, *, enciphered: bool = False) -> bytes:
        """The answer: plain without a session, else with its code."""
        if self._session is None:
            return data + _OK
        self._counter += 1
        if enciphered:
            block = bytes.fromhex("5AA5") + self._session.ti + self._counter.to_bytes(2, "little") + bytes(8)
            key = self._session.enc_key
            data = aes.encrypt(key, aes.pad(data), aes.encrypt(key, block))
        return data + aes.short_cmac(self._session.mac_key, b"\x00" + self._place() + data) + _OK

    # -- what the commands do --

    def _create_application(self, data: bytes) -> bytes:
        if self.hardware != 0x01 or self.has_application:
            raise Refused(0xDE if self.hardware == 0x01 else 0x1C)
        if data[:3] != bytes.fromhex("010000") or data[7:] != NDEF_APPLICATION or not data[4] & 0x80:
            raise Refused(0x9E)
        count = data[4] & 0x0F
        self.settings, self.keys, self.versions = data[3], [bytes(16)] * count, [0] * count
        self.has_application = True
        return _OK

    def _create_file(self, data: bytes) -> bytes:
        if self.hardware != 0x01 or not self.settings & 0x04:
            raise Refused(0x9D)
        if data[0] in self.files:
            raise Refused(0xDE)
        file = File(bytearray(int.from_bytes(data[6:9], "little")), comm=data[3])
        file.set_rights(data[4:6])
        self.files[data[0]] = file
        self.names[bytes(reversed(data[1:3]))] = data[0]
        return _OK

    def _numbered(self, number: int) -> File:
        if number not in self.files:
            raise Refused(0xF0)
        return self.files[number]

    def _write(self, code: int, data: bytes) -> bytes:
        file = self._numbered(data[0])
        if not self._may(file.write, file.read_write):
            raise Refused(0x9D)
        offset, size = int.from_bytes(data[1:4], "little"), int.from_bytes(data[4:7], "little")
        content = data[7:] if file.comm != _COMM_FULL else self._enciphered(code, data[:7], data)
        if len(content) != size or offset + size > len(file.content):
            raise Refused(0xBE)
        file.content[offset : offset + size] = content
        if self._session is not None and file.comm != _COMM_FULL:
            self._counter += 1
            return _OK
        return self._closed(b"")

    def _settings_of(self, data: bytes) -> bytes:
        number = self._opened(0xF5, data, 1)[0] if self._session else data[0]
        file = self._numbered(number)
        told = bytes([0x00, file.comm | (0x40 if file.mirror_at is not None else 0)]) + file.rights()
        told += len(file.content).to_bytes(3, "little")
        if file.mirror_at is not None:
            told += _sdm_settings(file)
        return self._closed(told)

    def _change_settings(self, data: bytes) -> bytes:
        file = self._numbered(data[0])
        if self._key_no is None or self._key_no != file.change:
            raise Refused(0x9D if file.change == NEVER else 0xAE)
        new = self._enciphered(0x5F, data[:1], data)
        mirror_at, file_read = None, NEVER
        if new[0] & 0x40:
            mirror_at, file_read = _read_sdm(new[3:], len(file.content))
        elif len(new) != 3:
            raise Refused(0x7E)
        file.comm = new[0] & 0x03
        file.set_rights(new[1:3])
        file.mirror_at, file.file_read, self.reads = mirror_at, file_read, 0
        return self._closed(b"")

    def _change_key(self, data: bytes) -> bytes:
        number = data[0]
        if self._key_no != 0 or number >= len(self.keys):
            raise Refused(0xAE)
        plain = self._enciphered(0xC4, data[:1], data)
        if number == 0:
            if len(plain) != 17:
                raise Refused(0x7E)
            self.keys[0], self.versions[0] = plain[:16], plain[16]
            self._forget()
            return _OK
        new = bytes(a ^ b for a, b in zip(plain[:16], self.keys[number], strict=True))
        if len(plain) != 21 or crc32(new) != plain[17:]:
            raise Refused(0x1E)
        self.keys[number], self.versions[number] = new, plain[16]
        return self._closed(b"")


def _sdm_settings(file: File) -> bytes:
    """Options, access rights and offsets of plain mirrors (section 10.7.1)."""
    at = file.mirror_at or 0
    uid_at, counter_at, code_at = at, at + 14, at + 20
    offsets = b"".join(place.to_bytes(3, "little") for place in (uid_at, counter_at, code_at, code_at))
    return bytes([0xC1, 0xF0 | NEVER, FREE << 4 | file.file_read]) + offsets


def _read_sdm(settings: bytes, size: int) -> tuple[int, int]:
    """Where the mirrors begin and the key of the code; known are plain mirrors one after the other."""
    if len(settings) != 15 or settings[0] != 0xC1 or settings[2] >> 4 != FREE:
        raise Refused(0x9E)
    offsets = [int.from_bytes(settings[place : place + 3], "little") for place in (3, 6, 9, 12)]
    at = offsets[0]
    if offsets != [at, at + 14, at + 20, at + 20] or at + sdm.MIRROR_BYTES > size:
        raise Refused(0x9E)
    return at, settings[2] & 15


def blank_ntag424(uid: bytes) -> Ev2Chip:
    """An NTAG 424 DNA as delivered: five keys of zeros, three files (data sheet, section 8.2.3)."""
    ndef, own = File(bytearray(256)), File(bytearray(128), 2, 3, 3, 0, _COMM_FULL)
    files = {1: File(bytearray(_NTAG_CC), FREE, 0, 0, 0), 2: ndef, 3: own}
    names = {b"\xe1\x03": 1, b"\xe1\x04": 2, b"\xe1\x05": 3}
    return Ev2Chip(uid, files=files, names=names)


def blank_desfire_ev2(uid: bytes) -> Ev2Chip:
    """A DESFire EV2 as delivered: no application."""
    return Ev2Chip(uid, hardware=0x01, keys=[], versions=[], has_application=False)
