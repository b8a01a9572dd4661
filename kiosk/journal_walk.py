"""Walking a journal from its first record to its head: listing, checking the chain, exporting."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.clock import from_unix_ms
from kiosk.cose import SignedDataFault
from kiosk.journal import commitment
from kiosk.journal_format import ZERO_HASH, decode, pickup_ref, record_hash, verify_record
from kiosk.ledger import JOURNAL, JOURNAL_PRIVATE, Ledger


def public_key_meta(gen: int) -> str:
    """Name of the ledger's value that keeps the public key of a generation."""
    return f"public_key_{gen}"


def list_records(ledger: Ledger, *, last: int = 50, type_: str = "") -> list[dict[str, Any]]:
    """The newest records, newest first, as plain JSON values."""
    rows = ledger.db.conn.execute(
        f"""SELECT record, gen, seq FROM {JOURNAL} WHERE ? = '' OR type = ?
            ORDER BY gen DESC, seq DESC LIMIT ?""",
        (type_, type_, last),
    ).fetchall()
    acked = {gen: ledger.acked(gen) for gen in {row[1] for row in rows}}
    return [_as_json(bytes(row[0]), row[2] <= acked[row[1]]) for row in rows]


def _as_json(payload: bytes, acknowledged: bool) -> dict[str, Any]:
    record = decode(payload)
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in asdict(record).items()}
    return shown | {
        "name": pickup_ref(record.kiosk, record.gen, record.seq),
        "at": from_unix_ms(record.wall).isoformat(timespec="seconds"),
        "acknowledged": acknowledged,
    }


def verify_journal(ledger: Ledger) -> dict[str, Any]:
    """Checks every record: signature, chain, sequence, and private text against its commitment.

    Answers ``records``, ``intact`` and, of the first record that does not hold, ``first_wrong``: gen, seq,
    code and message.
    """
    count = 0
    expected: dict[int, tuple[int, bytes]] = {}
    for gen, seq, payload, hashed, signature, salt, text in _all_rows(ledger):
        count += 1
        next_seq, prev = expected.get(gen, (1, ZERO_HASH))
        try:
            if seq != next_seq:
                raise SignedDataFault("gap", f"record {next_seq} is missing")
            public = ledger.meta(public_key_meta(gen))
            if not public:
                raise SignedDataFault("unknown_key", f"no public key is kept for generation {gen}")
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            record = verify_record(payload, signature, key)
            if (record.gen, record.seq) != (gen, seq):
                raise SignedDataFault("misplaced", f"the record says {record.gen}:{record.seq}")
            if record.prev != prev:
                raise SignedDataFault("broken_chain", "it does not name the record before it")
            if record_hash(payload) != hashed:
                raise SignedDataFault("wrong_hash", "the stored hash is not that of the record")
            if text is not None and commitment(salt, text) != record.collector_commitment:
                raise SignedDataFault("private_text_changed", "the private text is not what was committed to")
        except SignedDataFault as fault:
            wrong = {"gen": gen, "seq": seq, "code": fault.code, "message": fault.message}
            return {"records": count, "intact": False, "first_wrong": wrong}
        expected[gen] = (seq + 1, hashed)
    return {
        "records": count,
        "intact": True,
        "heads": {str(gen): {"seq": seq - 1, "hash": head.hex()} for gen, (seq, head) in expected.items()},
    }


def export_lines(ledger: Ledger, kiosk: str) -> Iterator[dict[str, Any]]:
    """Every record as it would go over the wire, with its private text, oldest first."""
    for gen, seq, payload, _, signature, salt, text in _all_rows(ledger):
        line: dict[str, Any] = {
            "kiosk": kiosk,
            "gen": gen,
            "seq": seq,
            "record": base64.b64encode(payload).decode("ascii"),
            "signature": base64.b64encode(signature).decode("ascii"),
        }
        if text is not None:
            line["private"] = {"salt": base64.b64encode(salt).decode("ascii"), "text": text}
        yield line


def _all_rows(ledger: Ledger) -> Iterator[tuple[int, int, bytes, bytes, bytes, bytes, str | None]]:
    rows = ledger.db.conn.execute(
        f"""SELECT j.gen, j.seq, j.record, j.hash, j.signature, p.salt, p.text FROM {JOURNAL} j
            LEFT JOIN {JOURNAL_PRIVATE} p ON p.gen = j.gen AND p.seq = j.seq ORDER BY j.gen, j.seq"""
    )
    for gen, seq, record, hashed, signature, salt, text in rows:
        yield gen, seq, bytes(record), bytes(hashed), bytes(signature), bytes(salt or b""), text
