"""Walking a journal from its first record to its head: listing, checking the chain, exporting."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.clock import from_unix_ms
from kiosk.cose import SignedDataFault
from kiosk.errors import EnvironmentFault
from kiosk.journal import commitment
from kiosk.journal_format import ZERO_HASH, Record, decode, pickup_ref, record_hash, verify_record
from kiosk.ledger import ACKNOWLEDGED, JOURNAL, JOURNAL_PRIVATE, PICKUPS, Ledger

ROWS_AT_ONCE = 500


def public_key_meta(gen: int) -> str:
    """Name of the ledger's value that keeps the public key of a generation."""
    return f"public_key_{gen}"


def list_records(ledger: Ledger, *, last: int = 50, type_: str = "") -> list[dict[str, Any]]:
    """The newest records, newest first, as plain JSON values. Raises EnvironmentFault ``journal_damaged``."""
    rows = ledger.rows(
        f"""SELECT record, gen, seq FROM {JOURNAL} WHERE ? = '' OR type = ?
            ORDER BY gen DESC, seq DESC LIMIT ?""",
        type_,
        type_,
        max(0, last),
    )
    acked = {gen: ledger.acked(gen) for gen in {row[1] for row in rows}}
    return [_as_json(gen, seq, bytes(payload), seq <= acked[gen]) for payload, gen, seq in rows]


def _as_json(gen: int, seq: int, payload: bytes, acknowledged: bool) -> dict[str, Any]:
    try:
        record = decode(payload)
        at = from_unix_ms(record.wall).isoformat(timespec="seconds")
    except (SignedDataFault, ValueError, OverflowError) as fault:
        raise EnvironmentFault("journal_damaged", f"record {gen}:{seq}: {fault}", gen=gen, seq=seq) from None
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in asdict(record).items()}
    return shown | {
        "name": pickup_ref(record.kiosk, record.gen, record.seq),
        "at": at,
        "acknowledged": acknowledged,
    }


def verify_journal(ledger: Ledger) -> dict[str, Any]:
    """Checks every record: signature, chain, sequence, what is kept beside it, and what central acknowledged.

    Answers ``records``, ``intact`` and, of the first record that does not hold, ``first_wrong``: gen, seq,
    code and message.
    """
    count = 0
    heads: dict[int, tuple[int, bytes]] = {}
    keys: dict[int, Ed25519PublicKey] = {}
    acked = _acknowledged(ledger)
    for row in _all_rows(ledger):
        count += 1
        last_seq, prev = heads.get(row.gen, (0, ZERO_HASH))
        try:
            if row.seq != last_seq + 1:
                raise SignedDataFault("gap", f"record {last_seq + 1} is missing")
            if row.gen not in keys:
                keys[row.gen] = _public_key(ledger, row.gen)
            _check(row, keys[row.gen], prev)
            if acked.get(row.gen, (0, b""))[0] == row.seq and acked[row.gen][1] != row.hash:
                raise SignedDataFault("fork", "central acknowledged other bytes here")
        except SignedDataFault as fault:
            return _wrong(count, row.gen, row.seq, fault.code, fault.message)
        heads[row.gen] = (row.seq, row.hash)
    for gen, (seq, _) in sorted(acked.items()):
        if seq > heads.get(gen, (0, b""))[0]:
            return _wrong(count, gen, seq, "cut_off", "central has more records than this ledger")
    return {
        "records": count,
        "intact": True,
        "heads": {str(gen): {"seq": seq, "hash": head.hex()} for gen, (seq, head) in heads.items()},
    }


def export_lines(ledger: Ledger, kiosk: str) -> Iterator[dict[str, Any]]:
    """Every record as it would go over the wire, with its private text, oldest first."""
    for row in _all_rows(ledger):
        line: dict[str, Any] = {
            "kiosk": kiosk,
            "gen": row.gen,
            "seq": row.seq,
            "record": base64.b64encode(row.payload).decode("ascii"),
            "signature": base64.b64encode(row.signature).decode("ascii"),
        }
        if row.text is not None:
            line["private"] = {"salt": base64.b64encode(row.salt).decode("ascii"), "text": row.text}
        yield line


@dataclass(frozen=True, slots=True)
class _Row:
    """A record with all that is kept beside it."""

    gen: int
    seq: int
    payload: bytes
    hash: bytes
    signature: bytes
    beside: tuple[str, str, str]
    """Type, right and reference, by which records are found."""
    salt: bytes
    text: str | None
    pickup: bool
    """A pickup of this record stands in the table of pickups."""
    voided: bool | None
    """Of the pickup that a void names: whether the table says so; None if there is none."""


def _check(row: _Row, key: Ed25519PublicKey, prev: bytes) -> None:
    record = verify_record(row.payload, row.signature, key)
    if (record.gen, record.seq) != (row.gen, row.seq):
        raise SignedDataFault("misplaced", f"the record says {record.gen}:{record.seq}")
    if record.prev != prev:
        raise SignedDataFault("broken_chain", "it does not name the record before it")
    if record_hash(row.payload) != row.hash:
        raise SignedDataFault("wrong_hash", "the stored hash is not that of the record")
    if (record.type, record.right, record.ref) != row.beside:
        raise SignedDataFault("wrong_index", "type, right or reference beside the record differ from it")
    if row.text is not None and commitment(row.salt, row.text) != record.collector_commitment:
        raise SignedDataFault("private_text_changed", "the private text is not what was committed to")
    _check_effect(row, record)


def _check_effect(row: _Row, record: Record) -> None:
    if row.pickup != (record.type == "dispense"):
        raise SignedDataFault("wrong_effect", "the table of pickups does not fit this record")
    if record.type == "void" and row.voided is not True:
        raise SignedDataFault("wrong_effect", "the pickup this voids stands as if it were not")


def _public_key(ledger: Ledger, gen: int) -> Ed25519PublicKey:
    public = ledger.meta(public_key_meta(gen))
    if not public:
        raise SignedDataFault("unknown_key", f"no public key is kept for generation {gen}")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))


def _acknowledged(ledger: Ledger) -> dict[int, tuple[int, bytes]]:
    rows = ledger.rows(f"SELECT gen, acked_seq, head FROM {ACKNOWLEDGED} WHERE acked_seq > 0")
    return {gen: (seq, bytes.fromhex(head)) for gen, seq, head in rows}


def _wrong(count: int, gen: int, seq: int, code: str, message: str) -> dict[str, Any]:
    wrong = {"gen": gen, "seq": seq, "code": code, "message": message}
    return {"records": count, "intact": False, "first_wrong": wrong}


def _all_rows(ledger: Ledger) -> Iterator[_Row]:
    place = (0, 0)
    while True:
        rows = ledger.rows(
            f"""SELECT j.gen, j.seq, j.record, j.hash, j.signature, j.type, j.right, j.ref, n.salt, n.text,
                       EXISTS (SELECT 1 FROM {PICKUPS} p WHERE p.gen = j.gen AND p.seq = j.seq),
                       (SELECT voided FROM {PICKUPS} p WHERE p.ref = j.ref)
                FROM {JOURNAL} j LEFT JOIN {JOURNAL_PRIVATE} n ON n.gen = j.gen AND n.seq = j.seq
                WHERE (j.gen, j.seq) > (?, ?) ORDER BY j.gen, j.seq LIMIT {ROWS_AT_ONCE}""",
            *place,
        )
        for gen, seq, record, hashed, signature, type_, right, ref, salt, text, pickup, voided in rows:
            yield _Row(
                gen,
                seq,
                bytes(record),
                bytes(hashed),
                bytes(signature),
                (type_, right, ref),
                bytes(salt or b""),
                text,
                bool(pickup),
                None if voided is None else bool(voided),
            )
        if len(rows) < ROWS_AT_ONCE:
            return
        place = (rows[-1][0], rows[-1][1])
