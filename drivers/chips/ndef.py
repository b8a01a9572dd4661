"""NDEF messages, strictly: one external record with a credential in it (NFC Forum NDEF 1.0, RTD 1.0)."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.errors import CardFault
from kiosk.values import NDEF_TYPE

MAX_MESSAGE_BYTES = 4096
"""Longest NDEF message that is read from a card at all."""

MAX_RECORDS = 16

SUN_TYPE = "metrokota.go.id:s"
"""External type of the record that NTAG 424 DNA fills anew at every read (``sdm``), behind the credential."""

TNF_EMPTY = 0x00
TNF_WELL_KNOWN = 0x01
TNF_EXTERNAL = 0x04
"""Type name formats (NDEF 1.0, section 3.2.6)."""

_MB, _ME, _CF, _SR, _IL = 0x80, 0x40, 0x20, 0x10, 0x08


@dataclass(frozen=True, slots=True)
class Record:
    """One NDEF record as it lies in a message."""

    tnf: int
    type: bytes
    payload: bytes


def check_length(length: int) -> None:
    """Raise CardFault card_empty for 0 and card_oversized above MAX_MESSAGE_BYTES."""
    if length <= 0:
        raise CardFault("card_empty", "the card holds no NDEF message")
    if length > MAX_MESSAGE_BYTES:
        raise CardFault(
            "card_oversized", f"NDEF message of {length} bytes, above {MAX_MESSAGE_BYTES}", length=length
        )


def parse_message(message: bytes) -> tuple[Record, ...]:
    """The records of a message. Raises CardFault card_malformed, card_empty or card_oversized only."""
    check_length(len(message))
    records: list[Record] = []
    at = 0
    while True:
        if len(records) == MAX_RECORDS:
            raise CardFault("card_malformed", f"more than {MAX_RECORDS} NDEF records")
        header, record, at = _record(message, at)
        if bool(header & _MB) != (not records):
            raise CardFault("card_malformed", "NDEF message begin flag is wrong")
        records.append(record)
        if header & _ME:
            break
    if at != len(message):
        raise CardFault("card_malformed", "bytes after the last NDEF record")
    return tuple(records)


def _record(message: bytes, at: int) -> tuple[int, Record, int]:
    header = _take(message, at, 1)[0]
    tnf = header & 0x07
    if header & _CF or tnf == 0x06:
        raise CardFault("card_malformed", "chunked NDEF records are not accepted")
    if tnf == 0x07:
        raise CardFault("card_malformed", "reserved NDEF type name format")
    type_length = _take(message, at + 1, 1)[0]
    size = 1 if header & _SR else 4
    payload_length = int.from_bytes(_take(message, at + 2, size), "big")
    at += 2 + size
    id_length = 0
    if header & _IL:
        id_length = _take(message, at, 1)[0]
        at += 1
    if tnf == TNF_EMPTY and (type_length or payload_length or id_length):
        raise CardFault("card_malformed", "empty NDEF record with content")
    kind = _take(message, at, type_length)
    at += type_length + id_length
    payload = _take(message, at, payload_length)
    return header, Record(tnf, kind, payload), at + payload_length


def _take(message: bytes, at: int, size: int) -> bytes:
    if at + size > len(message):
        raise CardFault("card_malformed", "NDEF record runs past its message")
    return message[at : at + size]


def credential_payload(message: bytes) -> bytes:
    """The payload of the record of type NDEF_TYPE; beside it the message may hold one of SUN_TYPE alone.

    Raises CardFault: card_empty (nothing or one empty record), card_foreign (well-formed, not ours),
    card_malformed, card_oversized.
    """
    records = parse_message(message)
    if all(record.tnf == TNF_EMPTY for record in records):
        raise CardFault("card_empty", "the card holds an empty NDEF record")
    # External type names compare case-insensitively (RTD 1.0, section 3.3).
    ours = [record for record in records if _is(record, NDEF_TYPE)]
    if not ours:
        raise CardFault("card_foreign", "the card holds NDEF data of another use", records=len(records))
    if len(records) - len([record for record in records[1:2] if _is(record, SUN_TYPE)]) != 1:
        raise CardFault("card_malformed", "the credential record is not alone", records=len(records))
    if not ours[0].payload:
        raise CardFault("card_empty", "the credential record is empty")
    return ours[0].payload


def sun_mirror(message: bytes) -> bytes:
    """The payload of the record of SUN_TYPE behind the credential; empty if none. Raises CardFault."""
    records = parse_message(message)
    return records[1].payload if len(records) == 2 and _is(records[1], SUN_TYPE) else b""


def _is(record: Record, kind: str) -> bool:
    return record.tnf == TNF_EXTERNAL and record.type.lower() == kind.encode("ascii")


def encode_with_mirror(payload: bytes, mirror: bytes) -> bytes:
    """A message of the credential and, at its very end, a record of SUN_TYPE."""
    first, second = encode_record(payload), encode_record(mirror, SUN_TYPE)
    return bytes([first[0] & ~_ME]) + first[1:] + bytes([second[0] & ~_MB]) + second[1:]


def encode_record(payload: bytes, kind: str = NDEF_TYPE, tnf: int = TNF_EXTERNAL) -> bytes:
    """A message of one record, short form when it fits (NDEF 1.0, section 3.2.4)."""
    short = len(payload) < 256
    header = _MB | _ME | (_SR if short else 0) | tnf
    name = kind.encode("ascii")
    return bytes([header, len(name)]) + len(payload).to_bytes(1 if short else 4, "big") + name + payload
