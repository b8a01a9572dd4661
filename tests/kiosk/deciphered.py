"""A ledger's pages seen through the cipher, without any database: AES-256-CBC under the raw key."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.kiosk.ledger_bench import KEY

PAGE, RESERVED = 4096, 80
"""Of SQLCipher 4: a page ends with a 16-byte IV and a 64-byte HMAC."""


def plain_pages(path: Path) -> list[bytes]:
    """The pages of a database file in order."""
    data = path.read_bytes()
    pages = []
    for start in range(0, len(data), PAGE):
        page = data[start : start + PAGE]
        body = page[16 if start == 0 else 0 : PAGE - RESERVED]  # the first page begins with the salt
        iv = page[PAGE - RESERVED : PAGE - RESERVED + 16]
        decryptor = Cipher(algorithms.AES(KEY), modes.CBC(iv)).decryptor()
        pages.append(decryptor.update(body) + decryptor.finalize())
    return pages


def flip(path: Path, page: int, place: int = 100) -> None:
    """Changes one bit of a page."""
    with path.open("r+b") as file:
        file.seek(page * PAGE + place)
        byte = file.read(1)[0]
        file.seek(page * PAGE + place)
        file.write(bytes([byte ^ 4]))
