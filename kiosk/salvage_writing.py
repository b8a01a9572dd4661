"""Making a ledger of what was read from a damaged one: only records whose chain and signatures hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from kiosk import anchor
from kiosk.central_time import HIGHEST_WALL
from kiosk.cose import SignedDataFault
from kiosk.effects import put_pickup
from kiosk.enrolment import Enrolment
from kiosk.generations import public_key_meta, salvaged_meta
from kiosk.journal_check import Chain
from kiosk.journal_format import (
    DISPENSE,
    VOID,
    Record,
    commitment,
    decode,
    pickup_ref,
    record_hash,
    rolled_to,
)
from kiosk.ledger import (
    ACKNOWLEDGED,
    ANCHOR,
    CARD_COUNTERS,
    CARD_ISSUES,
    JOURNAL,
    JOURNAL_PRIVATE,
    OFFICER_DELAYS,
    PICKUPS,
    SIGNING_KEYS,
    put_meta,
)
from kiosk.salvage_reading import Found

_KEPT_META: Final = (HIGHEST_WALL, "incarnation", "rollback_counter")


@dataclass(slots=True)
class Kept:
    """What was saved of one generation."""

    gen: int
    records: int = 0
    upto: int = 0
    """The last record that holds; everything before it, back to the first or the anchor, is here."""
    beyond: list[str] = field(default_factory=list)
    """Records behind the first one lost, as people call them: readable in the file set aside, not sent."""


def keep(connection: Any, enrolled: Enrolment, publics: list[bytes], found: Found) -> list[Kept]:
    """Fills a new ledger inside the caller's transaction; answers what was saved, oldest generation first."""
    kept_meta = {name: found.meta[name] for name in _KEPT_META if name in found.meta}
    put_meta(connection, kiosk=enrolled.kiosk, gen=str(enrolled.gen), grant_rev="0", **kept_meta)
    saved = [
        _keep_generation(connection, enrolled, publics, found, gen)
        for gen in sorted({*found.records, *found.anchors, enrolled.gen})
    ]
    connection.executemany(
        f"INSERT INTO {CARD_ISSUES} (card_no, issue_no) VALUES (?, ?)", found.card_issues.items()
    )
    connection.executemany(
        f"INSERT INTO {CARD_COUNTERS} (card_no, issue_no, counter) VALUES (?, ?, ?)", found.card_counters
    )
    connection.executemany(
        f"""INSERT INTO {OFFICER_DELAYS} (username, failures, wall_ms, mono_ms, boot_id)
            VALUES (?, ?, ?, ?, ?)""",
        found.delays,
    )
    return saved


def _keep_generation(
    connection: Any, enrolled: Enrolment, publics: list[bytes], found: Found, gen: int
) -> Kept:
    records = found.records.get(gen, {})
    first = _first_key(enrolled, publics, found, gen)
    chain = Chain(enrolled.kiosk, gen, first)
    _begin_at_anchor(connection, chain, found, publics)
    kept = Kept(gen, upto=chain.seq)
    while chain.seq + 1 in records:
        payload, signature = records[chain.seq + 1]
        try:
            record = chain.take(chain.seq + 1, payload, signature)
        except SignedDataFault:
            break
        kept.records, kept.upto = kept.records + 1, record.seq
        _put_record(connection, record, payload, signature, found)
    kept.beyond = [
        _name_of(enrolled.kiosk, gen, seq, records[seq][0]) for seq in sorted(records) if seq > kept.upto
    ]
    put_meta(connection, **{salvaged_meta(gen): str(kept.upto), public_key_meta(gen): first.hex()})
    if gen in found.acknowledged:
        _put_acknowledged(connection, gen, kept.upto, *found.acknowledged[gen])
    return kept


def _first_key(enrolled: Enrolment, publics: list[bytes], found: Found, gen: int) -> bytes:
    """The key a generation began with: as enrolled, as kept, or whichever its first record holds under."""
    if gen == enrolled.gen:
        return enrolled.public
    known = found.meta.get(public_key_meta(gen), "")
    if len(known) == 64:
        return bytes.fromhex(known)
    payload, signature = found.records.get(gen, {}).get(1, (b"", b""))
    return next(
        (public for public in publics if _holds(enrolled.kiosk, gen, public, payload, signature)), b""
    )


def _holds(kiosk: str, gen: int, public: bytes, payload: bytes, signature: bytes) -> bool:
    try:
        Chain(kiosk, gen, public).take(1, payload, signature)
    except SignedDataFault:
        return False
    return True


def _begin_at_anchor(connection: Any, chain: Chain, found: Found, publics: list[bytes]) -> None:
    """Where records were pruned the chain begins at the anchor, if that was signed by this device."""
    data = found.anchors.get(chain.gen)
    if data is None:
        return
    try:
        start, message = anchor.read(data)
        anchor.check(message, publics)
    except SignedDataFault:
        return
    if (start.kiosk, start.gen) != (chain.kiosk, chain.gen):
        return
    chain.seq, chain.head = start.seq, start.head
    if start.public != chain.public:
        chain.public = start.public
        _put_signing_key(connection, chain.gen, start.seq + 1, start.public)
    connection.execute(
        f"INSERT INTO {ANCHOR} (gen, seq, hash, signature, at) VALUES (?, ?, ?, ?, ?)",
        (start.gen, start.seq, start.head, data, start.pruned_at),
    )


def _put_record(connection: Any, record: Record, payload: bytes, signature: bytes, found: Found) -> None:
    connection.execute(
        f"""INSERT INTO {JOURNAL} (gen, seq, type, right, ref, record, hash, signature)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            record.gen,
            record.seq,
            record.type,
            record.right,
            record.ref,
            payload,
            record_hash(payload),
            signature,
        ),
    )
    salt, text = found.private.get((record.gen, record.seq), (b"", None))
    if text is not None and commitment(salt, text) == record.collector_commitment:
        connection.execute(
            f"INSERT INTO {JOURNAL_PRIVATE} (gen, seq, salt, text) VALUES (?, ?, ?, ?)",
            (record.gen, record.seq, salt, text),
        )
    if record.type == DISPENSE:
        put_pickup(connection, record)
        ref = pickup_ref(record.kiosk, record.gen, record.seq)
        if found.shown.get(ref, True):
            connection.execute(f"UPDATE {PICKUPS} SET shown = 1 WHERE ref = ?", (ref,))
    elif record.type == VOID:
        connection.execute(
            f"UPDATE {PICKUPS} SET voided = 1, shown = 1, void_gen = ?, void_seq = ? WHERE ref = ?",
            (record.gen, record.seq, record.ref),
        )
    elif public := rolled_to(record):
        _put_signing_key(connection, record.gen, record.seq + 1, public)


def _put_signing_key(connection: Any, gen: int, from_seq: int, public: bytes) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO {SIGNING_KEYS} (gen, from_seq, public) VALUES (?, ?, ?)",
        (gen, from_seq, public),
    )


def _put_acknowledged(
    connection: Any, gen: int, upto: int, acked_seq: int, durable_seq: int, head: str
) -> None:
    """Central has what was cut off too, perhaps; of what is here it then has everything."""
    at = min(acked_seq, upto)
    row = connection.execute(f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", (gen, at)).fetchone()
    here = bytes(row[0]).hex() if row else ""
    if row is None or (at == acked_seq and here != head):
        return
    connection.execute(
        f"INSERT INTO {ACKNOWLEDGED} (gen, acked_seq, durable_seq, head) VALUES (?, ?, ?, ?)",
        (gen, at, min(durable_seq, at), here),
    )


def _name_of(kiosk: str, gen: int, seq: int, payload: bytes) -> str:
    try:
        type_ = decode(payload).type
    except SignedDataFault:
        type_ = "unreadable"
    return f"{pickup_ref(kiosk, gen, seq)} {type_}"
