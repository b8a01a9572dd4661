"""A chip that signs (docs/card-profile.md), in software: the NDEF application and the city's own."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.chips import card_profile, type4

_OK = bytes.fromhex("9000")
_NOT_FOUND = bytes.fromhex("6A82")
_FILE = b"\xe1\x04"
_SIZE = 2048
_FREE_TO_WRITE = b"\x00"
SIGNED_PREFIX = b"kmc/chip/1"
"""Goes before the challenge in what is signed (docs/card-profile.md)."""


@dataclass(slots=True)
class SigningChip:
    """One chip; its key never leaves it."""

    message: bytes
    """The NDEF message with the credential."""
    certificate: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    _ndef: bytes = b""
    _application: bytes = b""
    _file: bytes = b""

    @property
    def public(self) -> bytes:
        """The public key: an uncompressed point of P-256, 65 bytes."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def reset(self) -> None:
        """Nothing is selected any more."""
        self._application = self._file = b""

    def respond(self, apdu: bytes) -> bytes:
        """SELECT, READ BINARY, UPDATE BINARY of the message, and INTERNAL AUTHENTICATE."""
        if len(apdu) < 5:
            return bytes.fromhex("6700")
        head, data = apdu[:4], apdu[5 : 5 + apdu[4]]
        if head == bytes.fromhex("00A40400"):
            return self._select(data)
        if head == bytes.fromhex("00A4000C") and self._application == type4.NDEF_APPLICATION:
            self._file = data
            return _OK if data in (type4.CC_FILE, _FILE) else _NOT_FOUND
        if head[:2] == bytes.fromhex("00B0"):
            content, offset = self._content(), int.from_bytes(head[2:], "big")
            if offset >= len(content):
                return bytes.fromhex("6B00")
            return content[offset : offset + (apdu[4] or 256)] + _OK
        if head[:2] == bytes.fromhex("00D6"):
            return self._update(int.from_bytes(head[2:], "big"), data)
        if head == bytes.fromhex("00880000") and self._application == card_profile.APPLICATION:
            if len(data) != 16:
                return bytes.fromhex("6700")
            return self.key.sign(SIGNED_PREFIX + data, ec.ECDSA(SHA256())) + _OK
        return bytes.fromhex("6D00")

    def _select(self, name: bytes) -> bytes:
        known = [type4.NDEF_APPLICATION, *([card_profile.APPLICATION] if self.certificate else [])]
        self._application, self._file = (name, b"") if name in known else (b"", b"")
        return _OK if self._application else _NOT_FOUND

    def _update(self, offset: int, data: bytes) -> bytes:
        if self._application != type4.NDEF_APPLICATION or self._file != _FILE:
            return bytes.fromhex("6982")
        if offset + len(data) > _SIZE:
            return bytes.fromhex("6A84")
        content = bytearray(self._content())
        content[offset : offset + len(data)] = data
        self._ndef = bytes(content)
        length = int.from_bytes(content[:2], "big")
        self.message = bytes(content[2 : 2 + length])
        return _OK

    def _content(self) -> bytes:
        if self._application == card_profile.APPLICATION:
            return len(self.certificate).to_bytes(2, "big") + self.certificate
        if self._file == type4.CC_FILE:
            return type4.encode_cc(type4.NdefFile(_FILE, _SIZE, 240, 2))[:-1] + _FREE_TO_WRITE
        if self._file == _FILE:
            # While a message is written its length is 0, and what came already stays.
            begins = len(self.message).to_bytes(2, "big") + self.message
            return begins + self._ndef[len(begins) :].ljust(_SIZE - len(begins), b"\x00")
        return b""
