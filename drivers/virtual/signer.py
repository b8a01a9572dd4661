"""What makes virtual chips genuine: keys made anew with each station, in NXP's place and in the city's."""

from __future__ import annotations

import secrets

from drivers.chips.originality import SECP128R1, SECP224R1, Curve
from drivers.chips.personalise import MasterKeys


class Signer:
    """Two fresh key pairs, for chips like NTAG21x and chips like DESFire, and the keys of those with AES."""

    def __init__(self) -> None:
        self.card_keys = MasterKeys(secrets.token_bytes(16), secrets.token_bytes(16))
        self._secrets = {curve: secrets.randbelow(curve.order - 1) + 1 for curve in (SECP128R1, SECP224R1)}

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """Uncompressed points, as ``originality.PublicKey.of`` takes them."""
        found = []
        for curve, secret in self._secrets.items():
            x, y = _times(curve, secret)
            found.append(b"\x04" + x.to_bytes(curve.width, "big") + y.to_bytes(curve.width, "big"))
        return tuple(found)

    def type2(self, uid: bytes) -> bytes:
        """What READ_SIG of an NTAG21x gives, 32 bytes."""
        return self._sign(SECP128R1, uid)

    def type4(self, uid: bytes) -> bytes:
        """What Read_Sig of a DESFire gives, 56 bytes."""
        return self._sign(SECP224R1, uid)

    def _sign(self, curve: Curve, uid: bytes) -> bytes:
        """ECDSA over the UID in place of the hash (SEC 1, section 4.1.3)."""
        while True:
            nonce = secrets.randbelow(curve.order - 1) + 1
            r = _times(curve, nonce)[0] % curve.order
            s = pow(nonce, -1, curve.order) * (int.from_bytes(uid, "big") + r * self._secrets[curve])
            s %= curve.order
            if r and s:
                return r.to_bytes(curve.width, "big") + s.to_bytes(curve.width, "big")


def _times(curve: Curve, factor: int) -> tuple[int, int]:
    """The base point so many times; never infinity for a factor below the order."""
    point = curve.sum_of(factor, 0, curve.base)
    if point is None:
        raise ValueError("a factor of 0 or of the order")
    return point
