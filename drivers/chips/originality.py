"""NXP's originality signature: ECDSA over the UID itself, without a hash, by a key of NXP's for that chip.

It tells a chip of NXP's from a copy whose UID was set by hand. It is the same bytes at every tap, so it says
nothing of a chip that repeats both. NTAG21x signs on secp128r1 (AN11350), DESFire EV2 and EV3 and NTAG 424
DNA on secp224r1 (AN12196).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

READ_SIG = bytes([0x3C, 0x00])
"""NTAG21x: READ_SIG (NTAG213/215/216 data sheet, section 10.7); answers 32 bytes."""
READ_SIG_BYTES = 32

READ_SIG_APDU = bytes.fromhex("903C0000010000")
"""DESFire and NTAG 424 DNA: Read_Sig wrapped in an APDU (AN12196, section 7.2); answers 56 bytes."""

READ_SIG_STATUS = (b"\x91\x90", b"\x91\x00")
"""Statuses with which Read_Sig succeeds: NTAG 424 DNA answers 9190h (AN12196, section 7.2)."""

_Point = tuple[int, int, int]
"""Jacobian coordinates; z is 0 at infinity."""

_INFINITY: _Point = (1, 1, 0)


@dataclass(frozen=True)
class Curve:
    """A prime curve y² = x³ - 3x + b, as SEC 2 version 1.0 gives it."""

    name: str
    prime: int
    b: int
    order: int
    base: tuple[int, int]

    @cached_property
    def width(self) -> int:
        """Bytes of a coordinate, and of each half of a signature."""
        return (self.prime.bit_length() + 7) // 8

    def holds(self, x: int, y: int) -> bool:
        """True for a point of the curve."""
        return (
            0 <= x < self.prime and 0 <= y < self.prime and (y * y - x**3 + 3 * x - self.b) % self.prime == 0
        )

    def double(self, point: _Point) -> _Point:
        """Twice a point, for a = -3 (IEEE P1363, section A.10.4)."""
        x, y, z = point
        if z == 0 or y == 0:
            return _INFINITY
        p = self.prime
        z2 = z * z % p
        slope = 3 * (x - z2) * (x + z2) % p
        y2 = y * y % p
        s = 4 * x * y2 % p
        across = (slope * slope - 2 * s) % p
        return across, (slope * (s - across) - 8 * y2 * y2) % p, 2 * y * z % p

    def add(self, left: _Point, right: _Point) -> _Point:
        """The sum of two points (IEEE P1363, section A.10.5)."""
        if left[2] == 0:
            return right
        if right[2] == 0:
            return left
        p = self.prime
        (x1, y1, z1), (x2, y2, z2) = left, right
        z1z1, z2z2 = z1 * z1 % p, z2 * z2 % p
        u1, u2 = x1 * z2z2 % p, x2 * z1z1 % p
        s1, s2 = y1 * z2z2 * z2 % p, y2 * z1z1 * z1 % p
        across, up = (u2 - u1) % p, (s2 - s1) % p
        if across == 0:
            return self.double(left) if up == 0 else _INFINITY
        square = across * across % p
        cube = square * across % p
        v = u1 * square % p
        x = (up * up - cube - 2 * v) % p
        return x, (up * (v - x) - s1 * cube) % p, across * z1 * z2 % p

    def sum_of(self, u1: int, u2: int, other: tuple[int, int]) -> tuple[int, int] | None:
        """``u1`` times the base point and ``u2`` times ``other``; None at infinity."""
        base, point = (*self.base, 1), (*other, 1)
        terms: tuple[_Point, ...] = (_INFINITY, base, point, self.add(base, point))
        result = _INFINITY
        for bit in range(max(u1.bit_length(), u2.bit_length()) - 1, -1, -1):
            result = self.double(result)
            term = terms[(u1 >> bit & 1) | (u2 >> bit & 1) << 1]
            if term[2]:
                result = self.add(result, term)
        x, y, z = result
        if z == 0:
            return None
        inverse = pow(z, -1, self.prime)
        square = inverse * inverse % self.prime
        return x * square % self.prime, y * square * inverse % self.prime


SECP128R1 = Curve(
    "secp128r1",  # SEC 2 version 1.0, section 2.3.1
    0xFFFFFFFDFFFFFFFFFFFFFFFFFFFFFFFF,
    0xE87579C11079F43DD824993C2CEE5ED3,
    0xFFFFFFFE0000000075A30D1B9038A115,
    (0x161FF7528B899B2D0C28607CA52C5B86, 0xCF5AC8395BAFEB13C02DA292DDED7A83),
)
SECP224R1 = Curve(
    "secp224r1",  # SEC 2 version 1.0, section 2.6.2; P-224 of FIPS 186-4
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000000000000000000000001,
    0xB4050A850C04B3ABF54132565044B0B7D7BFD8BA270B39432355FFB4,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    (
        0xB70E0CBD6BB4BF7F321390B94A03C1D356C21122343280D6115C1D21,
        0xBD376388B5F723FB4C22DFE6CD4375A05A07476444D5819985007E34,
    ),
)
_CURVES = {1 + 2 * curve.width: curve for curve in (SECP128R1, SECP224R1)}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signs UIDs, and the chips it signs for."""

    chips: str
    curve: Curve
    point: tuple[int, int]

    @classmethod
    def of(cls, data: bytes, chips: str = "") -> PublicKey:
        """The key in an uncompressed point (SEC 1, section 2.3.3): 33 bytes on secp128r1, 57 on secp224r1.

        Raises ValueError for anything else.
        """
        curve = _CURVES.get(len(data))
        if curve is None or data[0] != 0x04:
            raise ValueError("not an uncompressed point of secp128r1 or secp224r1")
        x, y = (
            int.from_bytes(data[1 : 1 + curve.width], "big"),
            int.from_bytes(data[1 + curve.width :], "big"),
        )
        if not curve.holds(x, y):
            raise ValueError("the point is not on the curve")
        return cls(chips, curve, (x, y))

    def verifies(self, uid: bytes, signature: bytes) -> bool:
        """True if this key signed the UID (SEC 1, section 4.1.4, with the UID in place of the hash)."""
        curve = self.curve
        if not uid or len(uid) >= curve.width or len(signature) != 2 * curve.width:
            return False
        r = int.from_bytes(signature[: curve.width], "big")
        s = int.from_bytes(signature[curve.width :], "big")
        if not 0 < r < curve.order or not 0 < s < curve.order:
            return False
        w = pow(s, -1, curve.order)
        digest = int.from_bytes(uid, "big")
        point = curve.sum_of(digest * w % curve.order, r * w % curve.order, self.point)
        return point is not None and point[0] % curve.order == r


def _nxp(chips: str, *point: str) -> PublicKey:
    return PublicKey.of(bytes.fromhex("".join(point)), chips)


NXP_KEYS = (
    # AN11350, NTAG21x originality signature validation.
    _nxp("NTAG21x", "04", "494E1A386D3D3CFE3DC10E5DE68A499B", "1C202DB5B132393E89ED19FE5BE8BC61"),
    # AN12196, section 7.2.
    _nxp(
        "NTAG 424 DNA",
        "04",
        "8A9B380AF2EE1B98DC417FECC263F8449C7625CECE82D9B916C992DA",
        "209D68422B81EC20B65A66B5102A61596AF3379200599316A00A1410",
    ),
    # NXP gives the others to who asks. They are those of Proxmark3, tools/recover_pk.py, which finds each
    # again from what genuine chips answered (tests/vectors/nxp_originality.json).
    _nxp(
        "DESFire EV2",
        "04",
        "B304DC4C615F5326FE9383DDEC9AA892DF3A57FA7FFB3276192BC0EA",
        "A252ED45A865E3B093A3D0DCE5BE29E92F1392CE7DE321E3E5C52B3A",
    ),
    _nxp(
        "DESFire EV2 XL",
        "04",
        "CD5D45E50B1502F0BA4656FF37669597E7E183251150F9574CC8DA56",
        "BF01C7ABE019E29FEA48F9CE22C3EA4029A765E1BC95A89543BAD1BC",
    ),
    _nxp(
        "DESFire EV3",
        "04",
        "1DB46C145D0A36539C6544BD6D9B0AA62FF91EC48CBC6ABAE36E0089",
        "A46F0D08C8A715EA40A63313B92E90DDC1730230E0458A33276FB743",
    ),
    _nxp(
        "DESFire Light",
        "04",
        "0E98E117AAA36457F43173DC920A8757267F44CE4EC5ADD3C5407557",
        "1AEBBF7B942A9774A1D94AD02572427E5AE0A2DD36591B1FB34FCF3D",
    ),
    _nxp(
        "NTAG 413 DNA",
        "04",
        "BB5D514F7050025C7D0F397310360EEC91EAF792E96FC7E0F496CB4E",
        "669D414F877B7B27901FE67C2E3B33CD39D1C797715189AC951C2ADD",
    ),
)
"""What a kiosk in production believes."""


def signature_in(answer: bytes) -> bytes | None:
    """The signature in an answer to READ_SIG_APDU; None from a chip that does not know it."""
    return answer[:-2] if answer[-2:] in READ_SIG_STATUS else None


def is_original(uid: bytes, signature: bytes | None, keys: Iterable[PublicKey] = NXP_KEYS) -> bool | None:
    """Whether one of the keys signed this UID; None if the chip gave no signature. Never raises."""
    if signature is None:
        return None
    return any(key.verifies(uid, signature) for key in keys)
