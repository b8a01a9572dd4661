"""The worst that a card can hold or answer, for each parser that meets one; many of them well signed."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import base45
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.chips import ndef, originality, type2, type3, type4
from drivers.commands import parse_command
from drivers.lines import parse_event
from kiosk import cose
from kiosk.credential import MAX_INFLATED, MAX_PAYLOAD, issue, verify
from kiosk.errors import CardFault
from kiosk.keyset import Key, KeySet, KeyUse
from kiosk.values import CardRead, Medium

NOW = 1_780_000_000
UID = bytes.fromhex("04a1b2c3d4e580")
_KEY = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)
_KID = b"bench"
KEYSET = KeySet(
    NOW, (Key(_KID, KeyUse.ISSUER, _KEY.public_key().public_bytes_raw(), NOW - 10**7, NOW + 10**7),)
)

Case = Callable[[], object]


class Accepted(AssertionError):
    """A hostile input was taken for a card."""


def cases() -> Mapping[str, Case]:
    """What to run, by name; each ends by itself and raises nothing but Accepted if it is believed."""
    return {name: case for group in (_chips(), _codes(), _areas(), _lines()) for name, case in group}


def good() -> CardRead:
    """A card that holds, to measure the others against."""
    data = issue(_KEY, _KID, "KMC-000123", 1, NOW - 5000, NOW + 10**6, Medium.NFC, UID)
    return CardRead(Medium.NFC, data, UID, "NTAG215")


def _refused(read: CardRead) -> Case:
    def run() -> None:
        try:
            verify(read, KEYSET, NOW)
        except CardFault:
            return
        raise Accepted

    return run


def _tapped(payload: bytes) -> Case:
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("refused for its size alone")
    return _refused(CardRead(Medium.NFC, payload, UID, "NTAG216"))


def _shown(content: bytes, level: int = 9) -> Case:
    """A code of these bytes, cut to the longest that is looked at."""
    text = b"KMC1:" + base45.b45encode(zlib.compress(content, level))
    if len(text) > MAX_PAYLOAD:
        raise ValueError("longer than a code can be")
    return _refused(CardRead(Medium.QR, text))


def _most(payload: Callable[[int], bytes]) -> Case:
    """The code with the largest payload of its kind that can be shown."""
    for count in range(4000, 0, -100):
        try:
            return _shown(_signed(payload(count)))
        except ValueError:
            continue
    raise ValueError("not even a hundred fit")


def _signed(payload: bytes) -> bytes:
    return cose.sign(payload, _KEY, _KID)


def _text(size: int, character: str) -> bytes:
    text = (character * size).encode()[:size]
    return b"\x79" + len(text).to_bytes(2, "big") + text


def _map(count: int, step: int) -> bytes:
    """A map of that many ascending integer keys."""
    return cose.encode({key * step: 0 for key in range(count)})


def _chips() -> Iterator[tuple[str, Case]]:
    room = MAX_PAYLOAD - 100
    yield "chip: 4 KiB of open lists", _tapped(b"\xd2\x84" + b"\x81" * room)
    yield "chip: a header of open lists", _tapped(b"\xd2\x84\x58\x40" + b"\x81" * 64 + b"\xa0")
    yield "chip: a length of 2^64", _tapped(b"\xd2\x84\x43\xa1\x01\x27\xa0\x5b" + b"\xff" * 8)
    yield "chip: nested lists, signed", _tapped(_signed(b"\x81" * room))
    yield "chip: 3,900 empty lists, signed", _tapped(_signed(b"\x99\x0f\x3c" + b"\x80" * 3900))
    yield "chip: 600 keys, signed", _tapped(_signed(_map(600, 1000)))
    yield "chip: keys of 64 bits, signed", _tapped(_signed(_map(390, 1 << 40)))
    yield "chip: long text, signed", _tapped(_signed(_text(room, "\u6c34")))
    yield "chip: zeros", _tapped(bytes(MAX_PAYLOAD))


def _codes() -> Iterator[tuple[str, Case]]:
    room = MAX_INFLATED - 100
    yield "code: a bomb of 2.5 MB", _shown(bytes(2_500_000))
    yield "code: one byte above the limit", _shown(bytes(MAX_INFLATED + 1))
    yield "code: 16,000 open lists", _shown(b"\xd2\x84" + b"\x81" * room)
    yield "code: 16,000 empty lists, signed", _shown(_signed(b"\x99\x3e\x80" + b"\x80" * 16_000))
    yield "code: 16,000 empty maps, signed", _shown(_signed(b"\x99\x3e\x80" + b"\xa0" * 16_000))
    nests = b"\x99\x07\xc0" + (b"\x81" * 6 + b"\x80") * 1984
    yield "code: 1,984 nests, signed", _shown(_signed(nests))
    yield "code: as many keys as fit, signed", _most(lambda count: _map(count, 1))
    yield (
        "code: text keys, signed",
        _most(lambda count: cose.encode({f"{key:04}": 0 for key in range(count)})),
    )
    yield "code: long text, signed", _shown(_signed(_text(room, "\u6c34")))
    yield "code: bad UTF-8, signed", _shown(_signed(b"\x79\x3e\x80" + b"\xed" * 16_000))
    yield "code: Base45 above the range", _refused(CardRead(Medium.QR, b"KMC1:" + b":" * 4089))
    yield "code: Base45 of nothing", _refused(CardRead(Medium.QR, b"KMC1:" + b"0" * 4089))
    streams = zlib.compress(bytes(60), 9) * 40
    yield (
        "code: streams one after another",
        _refused(CardRead(Medium.QR, b"KMC1:" + base45.b45encode(streams))),
    )


def _areas() -> Iterator[tuple[str, Case]]:
    size = 255 * 8
    walks = {
        "null blocks": bytes(size),
        "empty blocks": b"\xfd\x00" * (size // 2),
        "control blocks": b"\x02\x03\xf0\x00\x04" * (size // 5),
        "control blocks over a message": b"\x02\x03\xa0\x00\x02" * 100 + b"\x03\xff\x04\x00" + bytes(size),
        "a message to the end": b"\x03\xff" + (size - 4).to_bytes(2, "big") + bytes(size),
    }
    for name, area in walks.items():
        yield f"Type 2: {name}", _walk(area[:size], size)
    records = b"\x94\x01\x00T" + b"\x14\x01\x00T" * 14 + b"\x54\x01\x00T"
    yield "NDEF: as many records as may be", _faults(lambda: ndef.credential_payload(records))
    yield "NDEF: 4 KiB of records", _faults(lambda: ndef.credential_payload(b"\x94\x01\x00T" * 1024))
    whole = ndef.encode_record(bytes(4000), "x" * 80)
    yield "NDEF: a long record", _faults(lambda: ndef.credential_payload(whole))
    head = bytes([0x10, 1, 1]) + b"\x01\x00" + bytes(6) + (4096).to_bytes(3, "big")
    block = head + sum(head).to_bytes(2, "big")
    yield "FeliCa: block after block", lambda: type3.parse_attributes(block).block_ranges()
    yield "Type 4: a byte at a time", _faults(_type4_bytewise)
    yield "originality: every key", lambda: originality.is_original(UID, b"\x11" * 56)


def _faults(run: Case) -> Case:
    def refused() -> None:
        try:
            run()
        except CardFault:
            pass

    return refused


def _walk(area: bytes, size: int) -> Case:
    """As the reader walks a chip that answers sixteen bytes at a time."""

    def run() -> None:
        known = 16
        place = type2.find_ndef(area[:known], size)
        while place is None:
            known += 16
            place = type2.find_ndef(area[:known], size)
        place.cut(area)

    return _faults(run)


def _type4_bytewise() -> bytes:
    content = (4096).to_bytes(2, "big") + bytes(4096)

    def send(apdu: type4.Apdu) -> tuple[bytes, int]:
        instruction, p1, p2, _, _ = apdu
        if instruction == 0xA4:
            return b"", 0x9000
        at = p1 << 8 | p2
        if send.first:  # type: ignore[attr-defined]
            send.first = False  # type: ignore[attr-defined]
            return type4.encode_cc(type4.NdefFile(b"\xe1\x04", 8192, 1, 2)), 0x9000
        return content[at : at + 2] if at == 0 else content[at : at + 1], 0x9000

    send.first = True  # type: ignore[attr-defined]
    return type4.read_message(send)


def _lines() -> Iterator[tuple[str, Case]]:
    room = 16_000
    read = {"event": "read", "medium": "nfc", "uid": UID.hex(), "chip": "NTAG215", "read_ms": 1.0}
    whole = json.dumps(read | {"payload": base64.b64encode(bytes(11_000)).decode()})
    proof = json.dumps(read | {"payload": "", "proof": {"grade": "p3", "signature": "A" * 8000}})
    for name, line in {
        "open lists": "[" * room,
        "open objects": '{"a":' * (room // 5),
        "a number without end": '{"event":"read","read_ms":' + "9" * room + "}",
        "a fraction without end": '{"event":"read","read_ms":0.' + "9" * room + "}",
        "many keys": json.dumps({"event": "fault"} | {f"k{key}": key for key in range(1200)}),
        "escapes": '{"event":"fault","code":"' + "\\ud800" * 2500 + '"}',
        "a read as long as may be": whole,
        "a proof too long": proof,
        "blanks": " " * room,
        "a fault in a fault": json.dumps({"event": "fault", "family": "card", "code": "c" * room}),
    }.items():
        yield f"line: {name}", partial(_both_ways, line)


def _both_ways(line: str) -> None:
    parse_event(line)
    parse_command(line)
