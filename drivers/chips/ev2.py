"""AuthenticateEV2First: a chip and a reader prove to each other that they hold the same AES key. Pure.

NTAG 424 DNA (NT4H2421Gx data sheet, section 9.1.5), DESFire EV2 and EV3. Every command is wrapped in an
ISO 7816-4 APDU of class 90h. The reader's random number is given, so that published examples can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.chips.aes import BLOCK, cmac, decrypt, encrypt
from drivers.chips.apdu import Transmit, split
from kiosk.errors import CardFault

SUCCESS, MORE = 0x9100, 0x91AF
AUTHENTICATION_ERROR = 0x91AE
"""Status of part 2 where the keys differ (data sheet, table 23)."""

_FIRST, _ADDITIONAL = 0x71, 0xAF
_SV1 = bytes.fromhex("A55A00010080")
_SV2 = bytes.fromhex("5AA500010080")
"""Labels, counter and length of the session vectors (data sheet, section 9.1.7)."""


@dataclass(frozen=True, slots=True)
class Session:
    """What both ends share after they proved the key to each other."""

    ti: bytes
    """Transaction identifier, 4 bytes, chosen by the chip."""
    enc_key: bytes
    mac_key: bytes


def wrap(ins: int, data: bytes = b"") -> bytes:
    """A native command as an APDU: class 90h, always with Le (data sheet, section 8.4)."""
    return bytes([0x90, ins, 0, 0]) + (bytes([len(data)]) + data if data else b"") + b"\x00"


def first_part(key_no: int) -> bytes:
    """The command that asks for the chip's challenge; no capabilities are sent (LenCap 0)."""
    return wrap(_FIRST, bytes([key_no, 0]))


def second_part(key: bytes, rnd_a: bytes, rnd_b: bytes) -> bytes:
    """The command that answers the challenge ``rnd_b`` and brings the reader's own, ``rnd_a``."""
    return wrap(_ADDITIONAL, encrypt(key, rnd_a + rotated(rnd_b)))


def session_of(key: bytes, rnd_a: bytes, rnd_b: bytes, ti: bytes) -> Session:
    """The session keys: CMACs of SV1 and SV2, made of parts of both random numbers (section 9.1.7)."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
    context = rnd_a[:2] + mixed + rnd_b[6:] + rnd_a[8:]
    return Session(ti, cmac(key, _SV1 + context), cmac(key, _SV2 + context))


def finish(key: bytes, answer: bytes, rnd_a: bytes, rnd_b: bytes) -> Session:
    """The session, if the chip's last answer returns ``rnd_a``. Raises CardFault card_proof_bad."""
    if len(answer) != 2 * BLOCK:
        raise CardFault("card_proof_bad", "the chip's proof has another size", why="answer")
    plain = decrypt(key, answer)
    if plain[4:20] != rotated(rnd_a):
        raise CardFault("card_proof_bad", "the chip does not hold the key", why="answer")
    return session_of(key, rnd_a, rnd_b, plain[:4])


def authenticate(transmit: Transmit, key_no: int, key: bytes, rnd_a: bytes) -> Session | None:
    """Runs both parts in the selected application; None if the chip knows no such command or key number.

    ``rnd_a`` is 16 random bytes, new for each call. Raises CardFault card_proof_bad (detail ``why``: ``key``
    if the chip refuses ours, ``answer`` if it cannot prove it holds it) and what ``transmit`` raises.
    """
    data, status = split(transmit(first_part(key_no)))
    if status != MORE:
        return None
    if len(data) != BLOCK:
        # 17 bytes would be a chip in LRP mode (data sheet, section 9.2.5), which no card of ours is.
        raise CardFault("card_proof_bad", "the chip's challenge has another size", why="answer")
    rnd_b = decrypt(key, data)
    data, status = split(transmit(second_part(key, rnd_a, rnd_b)))
    if status != SUCCESS:
        raise CardFault("card_proof_bad", "the chip refuses the key", why="key", status=f"{status:04x}")
    return finish(key, data, rnd_a, rnd_b)


def rotated(block: bytes) -> bytes:
    """One byte to the left."""
    return block[1:] + block[:1]
