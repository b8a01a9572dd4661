"""What the targets are fed by hypothesis: bytes shaped as a card would shape them, and then spoilt."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import base45
import cbor2
from hypothesis import strategies as st

from drivers.chips import ndef, type2, type3, type4
from drivers.write_orders import Write, encode_order
from kiosk import cose
from tests.fuzz.targets import CHIP, NOW, PRINTED, UID

BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """These bytes with a few changed, taken out, put in or doubled."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(changed)))
        drop = draw(st.integers(0, 6))
        changed[at : at + drop] = draw(st.binary(max_size=6))
    return bytes(changed)


def either(shaped: st.SearchStrategy[bytes], *genuine: bytes, most: int = 300) -> st.SearchStrategy[bytes]:
    """Anything, what is shaped, or something genuine that was spoilt."""
    return st.one_of(st.binary(max_size=most), shaped, *map(spoilt, genuine))


RECORDS = st.lists(
    st.builds(
        lambda header, kind, payload, size, name: (
            bytes([header, len(kind), size if size is not None else len(payload)])
            + (bytes([len(name)]) if header & 0x08 else b"")
            + kind
            + (name if header & 0x08 else b"")
            + payload
        ),
        st.integers(0, 255),
        st.sampled_from([b"metrokota.go.id:kmc", b"metrokota.go.id:sun", b"U", b"T", b""])
        | st.binary(max_size=8),
        st.binary(max_size=40),
        st.none() | st.integers(0, 255),
        st.binary(max_size=5),
    ),
    max_size=5,
).map(b"".join)

ITEMS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.binary(max_size=16)
    | st.text(max_size=16)
    | st.sampled_from(
        [cbor2.undefined, cbor2.CBORSimpleValue(99), cbor2.CBORTag(61, 0), NOW, UID, "nfc", "qr", "p1"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-70000, 10) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=12,
)
CBOR = ITEMS.map(cbor2.dumps)
CLAIMS = cose.parse(CHIP).payload
CHANGED_CLAIMS = st.builds(
    lambda claim, value: cbor2.dumps({**cbor2.loads(CLAIMS), claim: value}, canonical=True),
    st.sampled_from([1, 2, 4, 6, -65537, -65538, -65539, -65540, 5, "exp"]),
    ITEMS,
)
MESSAGES = st.builds(
    lambda tag, parts: tag + cbor2.dumps(parts),
    st.sampled_from([b"\xd2", b"\xd8\x3d\xd2", b"", b"\xd1"]),
    st.lists(CBOR | ITEMS, min_size=2, max_size=5),
)
BLOCKS = st.lists(
    st.builds(
        lambda tag, value, long: (
            bytes([tag]) + (b"\xff" + len(value).to_bytes(2, "big") if long else bytes([len(value)])) + value
        ),
        st.sampled_from([0x00, 0x01, 0x02, 0x03, 0xFD, 0xFE, 0x55]),
        st.binary(max_size=40),
        st.booleans(),
    ),
    max_size=10,
).map(b"".join)
AREAS = st.builds(lambda size, blocks: bytes([0xE1, 0x10, size, 0x00]) + blocks, st.integers(0, 255), BLOCKS)
ANSWERS = st.lists(
    st.builds(
        lambda data, status: bytes([len(data) + 2]) + data + status,
        st.binary(max_size=70),
        st.sampled_from([b"\x90\x00", b"\x91\x00", b"\x91\xaf", b"\x6a\x82"]),
    ),
    max_size=8,
).map(b"".join)
_CC = type4.encode_cc(type4.NdefFile(b"\xe1\x04", 2048, 59, 2)) + b"\x90\x00"
TYPE4 = ANSWERS.map(
    lambda rest: b"\x02\x90\x00\x02\x90\x00" + bytes([len(_CC)]) + _CC + b"\x02\x90\x00" + rest
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(UID.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    *("kind", "device", "name", "medium", "payload", "uid", "chip", "read_ms", "proof", "family", "code"),
    *("message", "detail", "polls", "reads", "faults", "stages", "region", "value", "what"),
]
LINES = st.builds(
    lambda event, fields: json.dumps({"event": event, "command": event, **fields}).encode(),
    st.sampled_from(
        ["ready", "read", "reading", "lifted", "fault", "gone", "health", "hint", "challenge", "x"]
    ),
    st.dictionaries(
        st.sampled_from(FIELDS),
        JSON | st.sampled_from(["nfc", "qr", "card", "environment", "ok", "QUJD", {"grade": "p3"}, 1.5, 3]),
        max_size=8,
    ),
)
_READ = (
    b'{"event":"read","medium":"nfc","payload":"QUJD","uid":"04a1b2c3d4e580","chip":"NTAG215","read_ms":1.5}'
)

_ORDER = encode_order(Write(b"\x04" * 7, "NTAG215", CHIP, lock="permanent")).encode()
_EXCHANGED = bytes.fromhex("C00300900092010096020000970800040402010011039000")
_EXCHANGE = bytes([len(_EXCHANGED)]) + _EXCHANGED
STRATEGIES: Mapping[str, st.SearchStrategy[bytes]] = {
    "ndef": either(RECORDS, ndef.encode_record(CHIP), ndef.encode_with_mirror(CHIP, b"0" * 36)),
    "chip": either(MESSAGES, CHIP),
    "claims": either(CBOR | CHANGED_CLAIMS, CLAIMS),
    "code": either(
        st.text(BASE45, max_size=300).map(str.encode), base45.b45encode(zlib.compress(PRINTED, 9))
    ),
    "stream": either(
        st.builds(zlib.compress, st.binary(max_size=200), st.integers(0, 9)), zlib.compress(PRINTED, 9)
    ),
    "inflated": either(MESSAGES, PRINTED),
    "type2": either(AREAS, type2.format_area(ndef.encode_record(CHIP), 135)[:260]),
    "type3": either(st.binary(min_size=16, max_size=16), type3.encode_attributes(194, 13, 12)),
    "type4": either(ANSWERS | TYPE4),
    "proof": either(ANSWERS),
    "certificate": either(
        MESSAGES.map(lambda message: len(message).to_bytes(2, "big") + message + bytes(70))
    ),
    "signature": either(st.binary(min_size=32, max_size=32) | st.binary(min_size=56, max_size=56)),
    "station": either(ANSWERS | TYPE4, _ORDER, _EXCHANGE),
    "line": either(LINES | JSON.map(lambda value: json.dumps(value).encode()), _READ),
}
"""For each target what it is fed."""
