"""Writing a chip, whatever brings its commands: what it is, a message onto it, a lock behind it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from drivers.chip_prover import Prover
from drivers.chips import card_profile, ev2, personalise, type2, type2_write, type4_write
from drivers.chips.apdu import OK, Transmit, command, split
from drivers.chips.identify import Chip
from drivers.chips.ndef import sun_mirror
from drivers.chips.personalise import MasterKeys
from drivers.chips.rekey import rekey
from drivers.chips.type4 import Apdu
from kiosk.errors import CardFault
from kiosk.values import Grade

SMART_CARD = "SmartCard"
"""A chip that signs (docs/card-profile.md)."""
_TYPE4_KINDS = {0x01: "DESFire", 0x04: "NTAG424"}
"""Hardware type in the answer to DESFire's GetVersion (NT4H2421Gx data sheet, table 21; AN12196)."""
_MORE_FRAMES = 0x91AF
Frames: TypeAlias = Callable[[bytes], bytes]
"""Sends a frame of ISO 14443-3 to a Type 2 chip; its answer, a NAK as one byte."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a chip is and can take, before anything is written."""

    chip: str
    uid: bytes
    capacity: int
    """Longest NDEF message in bytes."""
    locked: bool = False
    """Nothing can be written where the message goes."""
    blank: bool = False
    """Never formatted, or a write was never finished: nothing on it can be read."""


class WritableTag(Protocol):
    """A chip in the field. Every method raises CardFault by name, or whatever nfcpy's tag layer raises."""

    def survey(self) -> Survey:
        """What it is; writes nothing. CardFault ``card_wrong_kind``, ``card_foreign``."""
        ...

    def write(self, message: bytes) -> None:
        """Puts an NDEF message onto it, formatted first if it was blank.

        CardFault ``card_too_small``, ``card_locked``, ``card_write_refused``.
        """
        ...

    def lock(self) -> None:
        """Makes what lies on it read-only for good. CardFault ``card_write_refused``."""
        ...


class Type2Writer:
    """NTAG213, 215 and 216."""

    def __init__(self, send: Frames, chip: Chip) -> None:
        self._send = send
        self._uid = chip.uid
        self._layout: type2_write.Layout | None = None
        self._blank = False

    def survey(self) -> Survey:
        """As WritableTag."""
        layout = self._layout = type2_write.layout_of(type2.parse_version(self._send(type2.GET_VERSION)))
        head = self._read(0)
        cc = head[12:16]
        self._blank = cc == bytes(4)
        if not self._blank and (cc[0] != 0xE1 or cc[1] >> 4 != 1 or cc[2] < layout.cc_size):
            raise CardFault("card_foreign", "the chip is formatted for another use", cc=cc.hex())
        first_data = type2.FIRST_DATA_PAGE
        locked = cc[3] & 0x0F != 0 or self._locked(layout, first_data, first_data) is not None
        return Survey(layout.chip, self._uid, layout.capacity, locked, self._blank)

    def write(self, message: bytes) -> None:
        """As WritableTag."""
        layout = self._known()
        if len(message) > layout.capacity:
            raise CardFault("card_too_small", f"{len(message)} bytes do not fit on {layout.chip}")
        first = type2.CC_PAGE if self._blank else type2.FIRST_DATA_PAGE
        page = self._locked(layout, first, type2_write.last_page(message))
        if page is not None:
            raise CardFault("card_locked", f"page {page} of the chip cannot be written", page=page)
        if self._blank:
            self._write_page(type2.CC_PAGE, type2_write.capability_container(layout))
        for place, data in type2_write.message_writes(message):
            self._write_page(place, data)

    def lock(self) -> None:
        """As WritableTag."""
        layout = self._known()
        config = self._read(layout.config_page)[:8]
        for place, data in type2_write.lock_writes(layout, self._read(type2_write.LOCK_PAGE)[:4], config):
            self._write_page(place, data)

    def _known(self) -> type2_write.Layout:
        if self._layout is None:
            self.survey()
        assert self._layout is not None  # noqa: S101 - the survey found it or raised
        return self._layout

    def _locked(self, layout: type2_write.Layout, first: int, last: int) -> int | None:
        lock_page = self._read(type2_write.LOCK_PAGE)[:4]
        tail = self._read(layout.dynamic_lock_page)
        return type2_write.first_locked(layout, lock_page, tail[:4], tail[4:8], first, last)

    def _read(self, page: int) -> bytes:
        answer = self._send(type2.read_command(page))
        if len(answer) != 16:
            raise CardFault("card_locked", f"page {page} cannot be read without a password", page=page)
        return answer

    def _write_page(self, page: int, data: bytes) -> None:
        answer = self._send(type2_write.write_command(page, data))
        if answer != bytes([type2.ACK]):
            raise CardFault("card_write_refused", f"the chip refuses to write page {page}", page=page)


class Type4Writer:
    """DESFire, formatted here where it is empty, NTAG 424 DNA as it is delivered, and chips that sign."""

    def __init__(self, transmit: Transmit, chip: Chip) -> None:
        self._transmit = transmit
        self._uid = chip.uid
        self._place: type4_write.Place | None = None

    def survey(self) -> Survey:
        """As WritableTag."""
        kind = self._kind()
        self._place = place = type4_write.open_file(self._send)
        if place is not None:
            return Survey(kind, self._uid, place.size - 2, place.write_access != 0x00)
        if kind != "DESFire":
            raise CardFault("card_foreign", "the chip has no NDEF application", chip=kind)
        return Survey(kind, self._uid, type4_write.NDEF_FILE_BYTES - 2, blank=True)

    def write(self, message: bytes) -> None:
        """As WritableTag."""
        if self.survey().blank:
            self._native(type4_write.format_commands())
            self._place = type4_write.open_file(self._send)
        place = self._place
        if place is None:
            raise CardFault("card_write_refused", "the chip was formatted and still has no NDEF application")
        if len(message) > place.size - 2:
            raise CardFault("card_too_small", f"{len(message)} bytes do not fit into the chip's NDEF file")
        if place.write_access != 0x00:
            raise CardFault("card_locked", "the chip's NDEF file is read-only", access=place.write_access)
        for apdu in type4_write.message_writes(message, place.bytes_per_write):
            _, status = self._send(apdu)
            if status != 0x9000:
                code = "card_locked" if status in (0x6982, 0x6985) else "card_write_refused"
                raise CardFault(code, "the chip refuses to write its NDEF file", status=f"{status:04x}")

    def personalise(self, keys: MasterKeys, message: bytes) -> None:
        """Writes the message and the chip's own keys (P2); done already, it is only proved again.

        Raises CardFault as ``drivers.chips.personalise`` does; ``card_wrong_kind`` for a chip without keys.
        """
        kind = self._kind()
        transmit = self._transmit
        if kind == "NTAG424":
            personalise.ntag424(transmit, self._uid, keys, message, secrets.token_bytes)
        elif kind == "DESFire":
            personalise.desfire(transmit, self._uid, keys, message, secrets.token_bytes)
        else:
            raise CardFault("card_wrong_kind", "the chip has no AES keys to prove itself with", chip=kind)

    def rekey(self, old: MasterKeys, new: MasterKeys, message: bytes) -> None:
        """Gives the chip, which holds ``message``, new keys in place of old ones (P2); done, it is proved.

        Raises CardFault as ``drivers.chips.rekey``; ``card_wrong_kind`` for a chip without keys.
        """
        kind = self._kind()
        count = personalise.KEYS_OF.get(kind)
        if count is None:
            raise CardFault("card_wrong_kind", "the chip has no AES keys to prove itself with", chip=kind)
        mirrored = bool(sun_mirror(message))
        rekey(self._transmit, self._uid, old, new, count, message, secrets.token_bytes, mirrored=mirrored)

    def sign(self, challenge: bytes) -> tuple[bytes, bytes] | None:
        """Certificate and signature of a chip that signs; None from any other.

        Raises CardFault as ``drivers.chips.card_profile.run``.
        """
        return card_profile.run(self._transmit, challenge)

    def proves(self, authentication: tuple[bytes, ...], message: bytes) -> bool:
        """True if the chip answers a challenge with its own key of one that kiosks hold (P2)."""
        proof = Prover(*authentication).prove(self._transmit, self._uid, message)
        return proof is not None and proof.grade is Grade.P2

    def lock(self) -> None:
        """As WritableTag; NTAG 424 DNA is locked when it is personalised."""
        if self._kind() != "DESFire":
            raise CardFault("card_write_refused", "only a DESFire is locked this way")
        self._native(type4_write.lock_commands())

    def _kind(self) -> str:
        """By GetVersion, all of its parts; by the city's own application for a chip without that command."""
        data, status = self._send_native(0x60, b"")
        hardware = data[1] if len(data) > 1 else -1
        while status == _MORE_FRAMES:
            _, status = self._send_native(0xAF, b"")
        known = _TYPE4_KINDS.get(hardware)
        if known is not None:
            return known
        _, status = split(self._transmit(card_profile.select()))
        return SMART_CARD if status == OK else "Type 4"

    def _native(self, commands: Iterable[tuple[int, bytes, str]]) -> None:
        for code, data, what in commands:
            _, status = self._send_native(code, data)
            type4_write.expect_native(status, what)

    def _send_native(self, code: int, data: bytes) -> tuple[bytes, int]:
        return split(self._transmit(ev2.wrap(code, data)))

    def _send(self, apdu: Apdu) -> tuple[bytes, int]:
        instruction, p1, p2, data, length = apdu
        return split(self._transmit(command(0x00, instruction, p1, p2, data, length or None)))
