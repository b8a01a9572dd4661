"""What well-kept libraries accept and the standards, or this product, do not: the verifier refuses it.

Each row holds a card that is signed by the city's own key wherever the oddity lies under the signature, and
says what the library makes of it, so that a library that grows stricter is noticed too.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import base45
import cbor2
import cwt
import pytest

from kiosk import cose, credential
from kiosk.errors import CardFault
from kiosk.values import CardRead
from tests.kiosk.city import CITY, NOW, UID, YEAR, shown, tapped

HEADER = cose.protected_header(b"i-now")
CLAIMS: dict[Any, Any] = {
    1: "metrokota.go.id",
    2: "KMC-000123",
    4: NOW + YEAR,
    6: NOW - 5000,
    -65537: 2,
    -65538: "nfc",
    -65539: UID,
    -65540: "p1",
}
PLAIN = cose.encode(CLAIMS)
PRINTED = CITY.printed()
PAIRS = [cbor2.dumps(key) + cbor2.dumps(value) for key, value in CLAIMS.items()]


def code_of(read: CardRead) -> str:
    with pytest.raises(CardFault) as raised:
        credential.verify(read, CITY.keyset, NOW)
    return raised.value.code


def message(
    header: bytes = HEADER, unprotected: Any = None, payload: Any = PLAIN, tag: bytes = b"\xd2"
) -> bytes:
    """A COSE_Sign1 whose signature holds over the header and payload it has."""
    body = payload if isinstance(payload, bytes) else b""
    signature = CITY.issuer.sign(cose.to_be_signed(header, body, b""))
    return tag + cbor2.dumps([header, unprotected or {}, payload, signature], canonical=True)


def claims_with(claim: Any, value: Any) -> bytes:
    """The claims with one set, as the library writes it."""
    return cbor2.dumps({**CLAIMS, claim: value})


def in_claims(claim: int, encoded: str) -> bytes:
    """The claims with one value in these very bytes."""
    parts = [cbor2.dumps(key) + cbor2.dumps(value) for key, value in CLAIMS.items() if key != claim]
    return bytes([0xA0 | len(CLAIMS)]) + b"".join(parts) + cbor2.dumps(claim) + bytes.fromhex(encoded)


CBOR_READ_BY_THE_LIBRARY = {
    "a key twice": bytes([0xA9]) + b"".join([*PAIRS, PAIRS[1]]),
    "a key twice with another value": bytes([0xA9]) + b"".join(PAIRS) + cbor2.dumps(2) + cbor2.dumps("KMC-9"),
    "bytes after the end": PLAIN + b"\x00",
    "a second map after the end": PLAIN + PLAIN,
    "a map of indefinite length": b"\xbf" + PLAIN[1:] + b"\xff",
    "text of indefinite length": in_claims(-65538, "7f636e6663ff"),
    "bytes of indefinite length": in_claims(-65539, "5f4704a1b2c3d4e580ff"),
    "a count in a long form": b"\xb8\x08" + PLAIN[1:],
    "an integer in a long form": in_claims(-65537, "1802"),
    "an integer of eight bytes": in_claims(4, f"1b{NOW + YEAR:016x}"),
    "text in a long form": in_claims(-65538, "78036e6663"),
    "keys out of order": bytes([0xA8]) + b"".join(reversed(PAIRS)),
    "a half float": in_claims(-65537, "f94000"),
    "a double float": in_claims(4, "fb41da87b8c0000000"),
    "not a number": in_claims(4, "f97e00"),
    "infinity": in_claims(4, "f97c00"),
    "a tag for seconds": in_claims(4, f"c11a{NOW + YEAR:08x}"),
    "a tag for a date": in_claims(4, "c074323033312d30332d32315432303a30343a30305a"),
    "a large integer": in_claims(4, "c249010000000000000000"),
    "a small integer as a large one": in_claims(-65537, "c24102"),
    "a tag for a CWT about the claims": b"\xd8\x3d" + PLAIN,
    "undefined": in_claims(-65537, "f7"),
    "a simple value": in_claims(-65537, "f8ff"),
    "true for one": in_claims(-65537, "f5"),
    "bytes for text": in_claims(-65538, "436e6663"),
    "text for bytes": in_claims(-65539, "67" + b"0123456".hex()),
    "a list for text": in_claims(-65538, "81636e6663"),
    "null": in_claims(4, "f6"),
    "the greatest integer": in_claims(4, "1bffffffffffffffff"),
    "the least integer": in_claims(4, "3bffffffffffffffff"),
    "a key of text": claims_with("2", "KMC-9"),
    "a key of bytes": claims_with(b"\x02", "KMC-9"),
    "a key that is a float": claims_with(2.5, "KMC-9"),
    "a key that is a list": bytes([0xA9]) + b"".join(PAIRS) + b"\x81\x01\x01",
    "no expiry": cbor2.dumps({key: value for key, value in CLAIMS.items() if key != 4}, canonical=True),
    "claims unknown here": claims_with(7, b"id"),
    "a start of its own": claims_with(5, NOW + 5000),
}


@pytest.mark.parametrize("name", CBOR_READ_BY_THE_LIBRARY)
def test_cbor_that_the_library_reads_is_refused_though_well_signed(name: str) -> None:
    payload = CBOR_READ_BY_THE_LIBRARY[name]
    assert cbor2.loads(payload) is not None
    assert code_of(tapped(message(payload=payload))) == "card_malformed"
    assert code_of(shown(credential.to_qr(message(payload=payload)))) == "card_malformed"


def test_text_that_is_no_text_is_refused() -> None:
    assert code_of(tapped(message(payload=in_claims(2, "63ffffff")))) == "card_malformed"
    assert code_of(tapped(message(payload=in_claims(2, "63eda080")))) == "card_malformed"


def test_the_same_claims_in_the_one_form_hold() -> None:
    assert credential.verify(tapped(message()), CITY.keyset, NOW).issue_no == 2


KEY = cwt.COSEKey.from_jwk(
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "i-now",
        "alg": "EdDSA",
        "use": "sig",
        "x": base64.urlsafe_b64encode(CITY.issuer.public_key().public_bytes_raw()).rstrip(b"=").decode(),
    }
)

COSE_READ_BY_THE_LIBRARY: dict[str, tuple[bytes, str]] = {
    "the algorithm in the unprotected header": (
        message(cose.encode({4: b"i-now"}), {1: -8}),
        "card_malformed",
    ),
    "algorithm and key id in the unprotected header": (
        message(b"", {1: -8, 4: b"i-now"}),
        "card_malformed",
    ),
    "the key id in the unprotected header": (message(cose.encode({1: -8}), {4: b"i-now"}), "card_malformed"),
    "a content type": (message(cose.encode({1: -8, 3: 60, 4: b"i-now"})), "card_malformed"),
    "something else in the unprotected header": (message(unprotected={99: 1}), "card_malformed"),
    "a header out of order": (message(b"\xa2\x04\x45i-now\x01\x27"), "card_malformed"),
    "a header of indefinite length": (message(b"\xbf\x01\x27\x04\x45i-now\xff"), "card_malformed"),
    "the algorithm twice": (message(b"\xa3\x01\x26\x01\x27\x04\x45i-now"), "card_malformed"),
    "no tag": (message(tag=b""), "card_malformed"),
    "tagged as a CWT besides": (message(tag=b"\xd8\x3d\xd2"), "card_malformed"),
    "a byte after the end": (message() + b"\x00", "card_malformed"),
    "no expiry": (
        message(payload=cbor2.dumps({k: v for k, v in CLAIMS.items() if k != 4}, canonical=True)),
        "card_malformed",
    ),
}
UNREAD_BY_THE_LIBRARY = {"no tag"}


@pytest.mark.parametrize("name", COSE_READ_BY_THE_LIBRARY)
def test_a_message_that_the_library_believes_is_refused(name: str) -> None:
    data, code = COSE_READ_BY_THE_LIBRARY[name]
    if name not in UNREAD_BY_THE_LIBRARY:
        plain = data.removeprefix(b"\xd8\x3d")
        assert cwt.COSE.new(kid_auto_inclusion=False, alg_auto_inclusion=False).decode(plain, KEY)
    assert code_of(tapped(data)) == code


@pytest.mark.parametrize(
    "algorithm",
    [-7, -35, -36, -37, -19, -50, 1, 4, 5, -6, None, 0, 8, 2**64 - 1, -(2**64), "EdDSA", b"\x27", [], True],
)
def test_any_other_algorithm_is_refused_before_the_key_is_looked_at(algorithm: Any) -> None:
    assert code_of(tapped(message(cose.encode({1: algorithm, 4: b"nobody"})))) == "card_bad_algorithm"


def as_code(stream: bytes) -> CardRead:
    return shown(b"KMC1:" + base45.b45encode(stream))


def _with_dictionary() -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, 15, zdict=b"metrokota.go.id")
    return made.compress(PRINTED) + made.flush()


STREAM = zlib.compress(PRINTED, 9)
STREAMS: dict[str, tuple[bytes, str]] = {
    "bytes after the stream": (STREAM + b"\x00", "card_malformed"),
    "a stream after the stream": (STREAM + STREAM, "card_malformed"),
    "an empty stream before it": (zlib.compress(b"") + STREAM, "card_malformed"),
    "a preset dictionary": (_with_dictionary(), "card_malformed"),
    "a wrong checksum": (STREAM[:-1] + bytes([STREAM[-1] ^ 1]), "card_malformed"),
    "cut before the checksum": (STREAM[:-4], "card_malformed"),
    "no header": (STREAM[2:-4], "card_malformed"),
    "a bomb": (zlib.compress(bytes(2_500_000), 9), "card_oversized"),
    "the credential and a bomb behind it": (zlib.compress(PRINTED + bytes(100_000), 9), "card_oversized"),
    "the credential and a byte behind it": (zlib.compress(PRINTED + b"\x00", 9), "card_malformed"),
    "compressed twice": (zlib.compress(STREAM, 9), "card_malformed"),
    "not compressed": (PRINTED, "card_malformed"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_in_another_form_is_refused(name: str) -> None:
    stream, code = STREAMS[name]
    assert code_of(as_code(stream)) == code


@pytest.mark.parametrize("name", ["bytes after the stream", "a stream after the stream"])
def test_the_library_inflates_what_is_refused_here(name: str) -> None:
    assert zlib.decompress(STREAMS[name][0]) == PRINTED


TEXT = credential.to_qr(PRINTED)
TEXTS: dict[str, Callable[[str], str]] = {
    "small letters": str.lower,
    "one small letter": lambda text: text[:9] + text[9:].replace("A", "a", 1).replace("B", "b", 1),
    "a line's end behind it": lambda text: text + "\n",
    "a line's end before it": lambda text: "\n" + text,
    "a blank behind it": lambda text: text + " ",
    "a tab in it": lambda text: text[:9] + "\t" + text[9:],
    "a value above FFFF": lambda text: text[:5] + "GGW" + text[8:],
    "a value far above": lambda text: text[:5] + ":::" + text[8:],
    "a last pair above FF": lambda text: text[: 5 + (len(text) - 5) // 3 * 3] + "::",
    "one character too many": lambda text: text + "00"[: 1 + (len(text) - 5) % 3 // 2],
    "padding": lambda text: text + "=",
    "a wide digit": lambda text: text[:9] + "\u00b2" + text[10:],
    "nothing": lambda text: text[:5],
    "the prefix twice": lambda text: "KMC1:" + text,
}


@pytest.mark.parametrize("name", TEXTS)
def test_base45_in_another_form_is_refused(name: str) -> None:
    changed = TEXTS[name](TEXT)
    assert changed != TEXT
    foreign = not changed.startswith("KMC1:")
    assert code_of(shown(changed)) == ("card_foreign" if foreign else "card_malformed")


def test_the_library_forgives_a_line_s_end_in_text() -> None:
    assert base45.b45decode(TEXT[5:] + "\n") == STREAM
