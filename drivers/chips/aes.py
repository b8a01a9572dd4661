"""AES-128 as NXP's chips use it: CBC without padding, CMAC, and the CMAC cut to eight bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK = 16
KEY_BYTES = 16


def encrypt(key: bytes, data: bytes, iv: bytes = bytes(BLOCK)) -> bytes:
    """CBC; ``data`` is whole blocks (NIST SP 800-38A, section 6.2). Raises ValueError otherwise."""
    encryptor = Cipher(AES128(key), CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def decrypt(key: bytes, data: bytes, iv: bytes = bytes(BLOCK)) -> bytes:
    """The inverse of ``encrypt``. Raises ValueError if ``data`` is not whole blocks."""
    decryptor = Cipher(AES128(key), CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def cmac(key: bytes, data: bytes) -> bytes:
    """The CMAC of 16 bytes (NIST SP 800-38B)."""
    made = CMAC(AES128(key))
    made.update(data)
    return made.finalize()


def short_cmac(key: bytes, data: bytes) -> bytes:
    """The CMAC cut to bytes 1, 3, … 15, counted from 0 (NT4H2421Gx data sheet, section 9.1.3)."""
    return cmac(key, data)[1::2]


def pad(data: bytes) -> bytes:
    """80h and zeros up to whole blocks, always at least one byte (ISO/IEC 9797-1, padding method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def unpad(data: bytes) -> bytes:
    """What ``pad`` was given. Raises ValueError if that padding is not there."""
    content = data.rstrip(b"\x00")
    if not content.endswith(b"\x80") or len(data) - len(content) >= BLOCK:
        raise ValueError("no padding")
    return content[:-1]
