"""A key of its own for every card: NXP AN10922, AES-128 key diversification (section 2.2)."""

from __future__ import annotations

from drivers.chips.aes import BLOCK, KEY_BYTES, encrypt

_AES_128 = b"\x01"
"""Diversification constant of the AES-128 variant (section 2.2)."""
MOST_INPUT = 31
"""Longest diversification input, in bytes: with the constant it fills two blocks."""

SYSTEM = b"KMC"
"""System identifier of this city's cards."""
APPLICATION = bytes.fromhex("010000")
"""The NDEF application 000001h as it is sent, low byte first: the keys of P2 live in it."""


def diversify(master: bytes, diversifier: bytes) -> bytes:
    """The key derived from ``master`` for an input of 1 to MOST_INPUT bytes.

    The CMAC of ``01 ‖ diversifier`` over always two blocks: an input that fits into one is padded to two,
    where CMAC as a library computes it would stop after one. Raises ValueError.
    """
    if len(master) != KEY_BYTES or not 1 <= len(diversifier) <= MOST_INPUT:
        raise ValueError("a master key of 16 bytes and an input of 1 to 31")
    message = _AES_128 + diversifier
    k1 = _doubled(encrypt(master, bytes(BLOCK)))
    padding = 2 * BLOCK - len(message)
    if padding:
        message += b"\x80" + bytes(padding - 1)
        subkey = _doubled(k1)
    else:
        subkey = k1
    last = bytes(a ^ b for a, b in zip(message[BLOCK:], subkey, strict=True))
    return encrypt(master, message[:BLOCK] + last)[BLOCK:]


def card_key(master: bytes, uid: bytes) -> bytes:
    """The key of the chip with this UID: diversified by UID, APPLICATION and SYSTEM, in that order (2.2)."""
    return diversify(master, uid + APPLICATION + SYSTEM)


def _doubled(block: bytes) -> bytes:
    """Multiplied by x in the field of CMAC's subkeys (NIST SP 800-38B, section 6.1)."""
    value = int.from_bytes(block, "big") << 1
    if value >> 128:
        value = (value & (1 << 128) - 1) ^ 0x87
    return value.to_bytes(BLOCK, "big")
