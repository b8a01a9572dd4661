"""Chips that sign: the city's ISO 7816 profile, of three commands (docs/card-profile.md). Pure.

SELECT by name, READ BINARY of the certificate, INTERNAL AUTHENTICATE over a challenge (ISO/IEC 7816-4,
sections 11.2.2, 11.3.3 and 11.5.2). What they bring is checked by the kiosk, not here.
"""

from __future__ import annotations

from drivers.chips.apdu import OK, Transmit, command, split
from kiosk.errors import CardFault

APPLICATION = bytes.fromhex("F04B4D4301")
"""Name of the application: F0 marks an unregistered one (ISO/IEC 7816-4, 8.2.1.2), then KMC and 01."""
MOST_CERTIFICATE = 1024
MOST_BYTES_PER_READ = 240
"""As for the NDEF file: an answer with its frame stays below the 251 bytes a PN53x takes."""


def select() -> bytes:
    """SELECT the application; the certificate's file is selected with it."""
    return command(0x00, 0xA4, 0x04, 0x00, APPLICATION, 256)


def read(offset: int, size: int) -> bytes:
    """READ BINARY of the certificate's file: two bytes of length, high byte first, and the certificate."""
    return command(0x00, 0xB0, offset >> 8, offset & 0xFF, b"", size)


def sign(challenge: bytes) -> bytes:
    """INTERNAL AUTHENTICATE with the chip's one key and algorithm."""
    return command(0x00, 0x88, 0x00, 0x00, challenge, 256)


def run(transmit: Transmit, challenge: bytes) -> tuple[bytes, bytes] | None:
    """Certificate and signature over ``challenge``; None if the chip has no such application.

    Raises CardFault card_proof_bad (detail ``why`` is ``profile``) for a chip that has one and does not keep
    to it, and what ``transmit`` raises.
    """
    _, status = split(transmit(select()))
    if status != OK:
        return None
    first = _expect(transmit(read(0, MOST_BYTES_PER_READ)), "certificate")
    length = int.from_bytes(first[:2], "big")
    if not 0 < length <= MOST_CERTIFICATE:
        raise CardFault("card_proof_bad", f"a certificate of {length} bytes", why="profile")
    certificate = first[2 : 2 + length]
    while len(certificate) < length:
        wanted = min(MOST_BYTES_PER_READ, length - len(certificate))
        part = _expect(transmit(read(2 + len(certificate), wanted)), "certificate")
        if not part:
            raise CardFault("card_proof_bad", "the chip answers reads with nothing", why="profile")
        certificate += part[:wanted]
    return certificate, _expect(transmit(sign(challenge)), "signature")


def _expect(answer: bytes, what: str) -> bytes:
    data, status = split(answer)
    if status != OK:
        raise CardFault("card_proof_bad", f"no {what}", why="profile", status=f"{status:04x}")
    return data
