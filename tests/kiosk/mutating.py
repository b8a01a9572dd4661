"""Good credentials, and changes of them: byte by byte, or CBOR written anew with one thing changed.

Every change is a function of the seed and its number, so that one that gets through can be made again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import base45
import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import cose, credential
from kiosk.values import CardRead, Grade, Medium
from tests.kiosk.city import CITY, NOW, UID, YEAR, key_pair

BASE45 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
PER_SEED = 1000
"""Changes from one random stream; the next thousand begin a stream of their own."""

_ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of Ed25519's group (RFC 8032 section 5.1)."""


@dataclass(frozen=True)
class Good:
    """A credential that holds, taken apart."""

    data: bytes
    medium: Medium
    uid: bytes
    key: Ed25519PrivateKey
    kid: bytes
    header: dict[Any, Any]
    claims: dict[Any, Any]

    @property
    def signature(self) -> bytes:
        return self.data[-64:]


@dataclass(frozen=True)
class Change:
    """A read that must be refused, and how it came about."""

    how: str
    read: CardRead


def _good(key: Ed25519PrivateKey, kid: bytes, medium: Medium, uid: bytes, least: Grade, number: int) -> Good:
    data = credential.issue(
        key, kid, f"KMC-{number:06}", 1 + number % 3, NOW - 5000, NOW + YEAR, medium, uid, least
    )
    return Good(data, medium, uid, key, kid, {1: -8, 4: kid}, cose.decode(cose.parse(data).payload))


GOODS = tuple(
    _good(key, kid, medium, uid, least, number)
    for number, (key, kid, medium, uid, least) in enumerate(
        [
            (CITY.issuer, b"i-now", Medium.NFC, UID, Grade.P1),
            (CITY.issuer, b"i-now", Medium.NFC, bytes.fromhex("0114b34d2a6f7788"), Grade.P1),
            (CITY.issuer, b"i-now", Medium.NFC, bytes.fromhex("a1b2c3d4"), Grade.P2),
            (CITY.retired_issuer, b"i-old", Medium.NFC, bytes(range(10)), Grade.P3),
            (CITY.issuer, b"i-now", Medium.QR, b"", Grade.P1),
            (CITY.retired_issuer, b"i-old", Medium.QR, b"", Grade.P1),
        ]
    )
)

WRONG_KEYS = (CITY.stranger, CITY.central, CITY.root1, CITY.stolen_issuer, *map(key_pair, range(20, 28)))
KIDS = (b"i-now", b"i-old", b"i-bad", b"c-now", b"root-1", b"i", b"", b"i-now\x00", bytes(16))

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    NOW,
    NOW + 2 * YEAR,
    2**31,
    2**32,
    2**64 - 1,
    -(2**64),
    2**64,
    -(2**70),
    0.0,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "nfc",
    "qr",
    "p1",
    "p3",
    "KMC-000999",
    "metrokota.go.id",
    b"",
    UID,
    bytes(10),
    [],
    [1],
    {},
    {1: 2},
    cbor2.undefined,
    cbor2.CBORSimpleValue(99),
    cbor2.CBORTag(1, NOW),
    cbor2.CBORTag(61, b"x"),
    cbor2.CBORTag(2, b"\x01\x00"),
)


def good_read(good: Good, data: bytes | None = None) -> CardRead:
    """How a reader would give this credential, or ``data`` in its place."""
    data = good.data if data is None else data
    if good.medium is Medium.NFC:
        return CardRead(Medium.NFC, data, good.uid, "NTAG215")
    return CardRead(Medium.QR, credential.to_qr(data).encode("ascii"))


def changes(seed: int) -> Iterator[Change]:
    """Changes without end: in turn one of bytes, and one of CBOR written anew or signed by a wrong key.

    A few of bytes leave the credential as it is: two edits that undo each other, bits that deflate ignores.
    """
    number = 0
    while True:
        random = Random(f"{seed}/{number // PER_SEED}")
        for _ in range(PER_SEED):
            good = random.choice(GOODS)
            ways = _REWRITTEN if number % 2 else _BYTES
            name = random.choice(list(ways))
            read = ways[name](random, good)
            yield Change(f"{name}, seed {seed}, number {number}", read)
            number += 1


def same_credential(read: CardRead) -> bool:
    """True if what is read carries a good credential to the byte: spare bits of deflate mean nothing."""
    for good in GOODS:
        if read.medium is not good.medium or read.uid != good.uid:
            continue
        if good.medium is Medium.NFC:
            if read.payload == good.data:
                return True
        elif read.payload.startswith(b"KMC1:"):
            try:
                if zlib.decompress(base45.b45decode(read.payload[5:])) == good.data:
                    return True
            except (ValueError, zlib.error):
                continue
    return False


def _altered(random: Random, data: bytes, alphabet: bytes | None = None) -> bytes:
    """One to four edits: a byte changed, bits flipped, bytes taken out, put in, moved or doubled."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(changed) + 1) if changed else 0
        put = bytes(
            random.choice(alphabet) if alphabet else random.getrandbits(8)
            for _ in range(random.randint(0, 4))
        )
        match random.randrange(6):
            case 0:
                changed[at : at + len(put)] = put
            case 1:
                changed[at : at + random.randint(0, 4)] = put
            case 2 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 3:
                other = random.randrange(len(changed) + 1)
                changed[at:at] = changed[other : other + random.randint(1, 16)]
            case 4:
                del changed[at : at + random.randint(1, 16)]
            case _ if at < len(changed):
                changed[at] = random.choice((0x00, 0xFF, 0x7F, 0x80, 0x5F, 0x9F, 0xBF, 0xF6, 0xFB, 0x1B))
    return bytes(changed)


def _card_bytes(random: Random, good: Good) -> CardRead:
    return _as_read(good, _altered(random, good.data))


def _stream(random: Random, good: Good) -> CardRead:
    stream = _altered(random, zlib.compress(good.data, 9))
    return CardRead(Medium.QR, b"KMC1:" + base45.b45encode(stream))


def _characters(random: Random, good: Good) -> CardRead:
    text = credential.to_qr(good.data).encode("ascii")
    alphabet = BASE45 if random.random() < 0.7 else None
    return CardRead(Medium.QR, text[:5] + _altered(random, text[5:], alphabet))


def _spliced(random: Random, good: Good) -> CardRead:
    """The beginning of one and the end of another."""
    other = random.choice(GOODS)
    return _as_read(good, good.data[: random.randrange(len(good.data))] + other.data[random.randrange(80) :])


def _as_read(good: Good, data: bytes) -> CardRead:
    return good_read(good, data)


def _message(
    good: Good,
    header: Any = None,
    unprotected: Any = None,
    payload: Any = None,
    signature: Any = None,
) -> bytes:
    """A COSE_Sign1 of these parts; what is not given is the good credential's."""
    parts = [
        cose.encode(good.header) if header is None else header,
        {} if unprotected is None else unprotected,
        cose.encode(good.claims) if payload is None else payload,
        good.signature if signature is None else signature,
    ]
    return b"\xd2" + cbor2.dumps(parts, canonical=True)


def _changed_claims(random: Random, good: Good) -> dict[Any, Any]:
    claims = dict(good.claims)
    claim = random.choice(list(claims))
    match random.randrange(5):
        case 0:
            del claims[claim]
        case 1:
            claims[random.choice((0, 3, 5, 7, 8, -65541, 65536, "exp", "2", 4.0, b"x"))] = random.choice(ODD)
        case 2:
            claims[random.choice((3, 5, 99, -1, str(claim)))] = claims.pop(claim)
        case 3 if isinstance(claims[claim], int):
            claims[claim] += random.choice((-1, 1, 60, 86_400, YEAR, -YEAR, 2**32))
        case _:
            claims[claim] = random.choice(ODD)
    return claims


def _claim(random: Random, good: Good) -> CardRead:
    """One claim changed, taken out, put in or renamed, under the old signature."""
    payload = cbor2.dumps(_changed_claims(random, good), canonical=True)
    return _as_read(good, _message(good, payload=payload))


def _header(random: Random, good: Good) -> CardRead:
    """Another algorithm, key id or header parameter, in either place, under the old signature."""
    header: dict[Any, Any] = dict(good.header)
    unprotected: dict[Any, Any] = {}
    match random.randrange(5):
        case 0:
            header[1] = random.choice((-7, -35, -36, -37, -50, 5, 4, -6, -9, None, "EdDSA", 8, True))
        case 1:
            header[4] = random.choice([kid for kid in KIDS if kid != good.kid])
        case 2:
            header[random.choice((2, 3, 5, 6, 7, 15, 33, "alg", -8))] = random.choice(ODD)
        case 3:
            moved = random.choice((1, 4))
            unprotected[moved] = header.pop(moved)
        case _:
            unprotected[random.choice((1, 4, 7, 11, 99, "x"))] = random.choice(ODD)
    return _as_read(good, _message(good, cbor2.dumps(header, canonical=True), unprotected))


def _signature(random: Random, good: Good) -> CardRead:
    """Another signature: a stranger's, another card's, one of another form of the same number."""
    scalar = int.from_bytes(good.signature[32:], "little")
    signature = random.choice(
        [
            bytes(64),
            b"\xff" * 64,
            random.choice([other.signature for other in GOODS if other is not good]),
            good.signature[32:] + good.signature[:32],
            good.signature[:32] + (scalar + _ORDER).to_bytes(32, "little"),
            good.signature[:32] + (_ORDER - scalar).to_bytes(32, "little"),
            good.signature[:31] + bytes([good.signature[31] ^ 0x80]) + good.signature[32:],
            good.signature[:-1],
            good.signature + b"\x00",
            good.signature.hex(),
            None,
            b"\x01" + bytes(63),
            b"\x01" + bytes(31) + _ORDER.to_bytes(32, "little"),
            random.randbytes(64),
        ]
    )
    parts: list[Any] = [cose.encode(good.header), {}, cose.encode(good.claims), signature]
    return _as_read(good, b"\xd2" + cbor2.dumps(parts, canonical=True))


def _form(random: Random, good: Good) -> CardRead:
    """The same values in other CBOR: long forms, indefinite lengths, another order, tags, a key twice."""
    payload, header, data = cose.encode(good.claims), cose.encode(good.header), good.data
    count = len(good.claims)
    items = [cbor2.dumps(key) + cbor2.dumps(value) for key, value in good.claims.items()]
    random.shuffle(items)
    double = random.choice(items)
    ways: list[Callable[[], bytes]] = [
        lambda: _message(good, payload=b"\xb8" + bytes([count]) + payload[1:]),
        lambda: _message(good, payload=b"\xbf" + payload[1:] + b"\xff"),
        lambda: _message(good, payload=bytes([0xA0 | count + 1]) + payload[1:] + double),
        lambda: _message(good, payload=bytes([0xA0 | count + 1]) + double + payload[1:]),
        lambda: _message(good, payload=b"\xd8\x3d" + payload),
        lambda: _message(good, payload=payload + b"\x00"),
        lambda: _message(good, payload=payload + payload),
        lambda: _message(good, payload=payload.hex()),
        lambda: _message(good, payload=good.claims),
        lambda: _message(good, payload=cbor2.dumps(payload)),
        lambda: _message(good, header=b"\xb8\x02" + header[1:]),
        lambda: _message(good, header=b"\xbf" + header[1:] + b"\xff"),
        lambda: _message(good, header=b"\xa3" + header[1:] + b"\x01\x27"),
        lambda: _message(good, header=b""),
        lambda: _message(good, header=good.header),
        lambda: data[1:],
        lambda: b"\xd2" + data,
        lambda: b"\xd8\x3d" + data,
        lambda: b"\xd8\x12" + data[1:],
        lambda: bytes([random.choice((0xD0, 0xD1, 0xD3, 0xC2, 0x81))]) + data[1:],
        lambda: b"\xd2\x9f" + data[2:] + b"\xff",
        lambda: b"\xd2\x98\x04" + data[2:],
        lambda: b"\xd2\x85" + data[2:] + b"\xf6",
        lambda: data + random.randbytes(random.randint(1, 9)),
        lambda: cbor2.dumps(data),
    ]
    read = _as_read(good, random.choice(ways)())
    # A shuffle may come out in the one order that is right; then the medium is what is wrong.
    return read if read.payload != good_read(good).payload else _elsewhere(random, good)


def _elsewhere(random: Random, good: Good) -> CardRead:
    """The very bytes, on another medium or another chip."""
    if good.medium is Medium.QR:
        return CardRead(Medium.NFC, good.data, UID, "NTAG215")
    uid = random.choice(
        [bytes(7), good.uid[:-1], good.uid + b"\x00", b"", b"\x08" + random.randbytes(3), random.randbytes(7)]
    )
    if random.random() < 0.5:
        return CardRead(Medium.QR, credential.to_qr(good.data).encode("ascii"))
    return CardRead(Medium.NFC, good.data, uid, "NTAG215")


def _resigned(random: Random, good: Good) -> CardRead:
    """Whole and well made, changed or not, but signed by a key that may not, or for something else."""
    claims = good.claims if random.random() < 0.5 else _changed_claims(random, good)
    payload = cbor2.dumps(claims, canonical=True)
    key, context = random.choice(WRONG_KEYS), b""
    kid = random.choice(KIDS[:6])
    if random.random() < 0.2:
        key, kid = good.key, good.kid
        context = random.choice((b"kmc/grant/1", b"kmc/keyset/1", b"kmc/answer/1", b"kmc/journal/1", b"\x00"))
    elif random.random() < 0.1:
        key, kid = good.key, random.choice([kid for kid in KIDS[:6] if kid != good.kid])
    header = cbor2.dumps({1: -8, 4: kid}, canonical=True)
    signature = key.sign(cose.to_be_signed(header, payload, context))
    return _as_read(good, _message(good, header, payload=payload, signature=signature))


_Way = Callable[[Random, Good], CardRead]
_BYTES: dict[str, _Way] = {
    "bytes": _card_bytes,
    "stream": _stream,
    "characters": _characters,
    "spliced": _spliced,
}
_REWRITTEN: dict[str, _Way] = {
    "claim": _claim,
    "header": _header,
    "signature": _signature,
    "form": _form,
    "elsewhere": _elsewhere,
    "resigned": _resigned,
}
