"""Walking a ledger's journal to its head, from its first record or the anchor: listing and checking."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from kiosk import anchor
from kiosk.clock import from_unix_ms
from kiosk.cose import SignedDataFault
from kiosk.errors import EnvironmentFault
from kiosk.generations import first_key, public_key_meta, read_anchor, salvaged_generations
from kiosk.journal_check import MAX_FINDINGS, Chain, Finding
from kiosk.journal_format import Record, commitment, decode, pickup_ref, record_hash
from kiosk.ledger import ACKNOWLEDGED, ANCHOR, JOURNAL, JOURNAL_PRIVATE, PICKUPS, RIGHTS, Ledger

__all__ = ["export_lines", "list_records", "public_key_meta", "verify_journal"]

ROWS_AT_ONCE = 500


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
    shown["detail"] = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in record.detail.items()
    }
    return shown | {
        "name": pickup_ref(record.kiosk, record.gen, record.seq),
        "at": at,
        "acknowledged": acknowledged,
    }


def verify_journal(ledger: Ledger, kiosk: str = "") -> dict[str, Any]:
    """Checks every record: signature, chain, sequence, what is kept beside it, and what central acknowledged.

    Each generation is walked from its first record, or from the signed anchor of what was pruned. Answers
    ``records``, ``intact``, ``heads``, and of what does not hold ``findings`` (gen, seq, code, message; at
    most MAX_FINDINGS) with the first of them as ``first_wrong``; where there are any, ``anchors`` and
    ``salvaged`` by generation. Codes: those of ``Chain.take``, ``wrong_hash``, ``wrong_index``,
    ``wrong_effect``, ``private_text_changed``, ``fork`` where central acknowledged other bytes, ``cut_off``,
    ``bad_anchor``, ``overspend`` and ``wrong_balance`` of a right.
    """
    walk = _Walk(ledger, kiosk or ledger.meta("kiosk"))
    for row in _all_rows(ledger):
        walk.take(row)
    walk.end()
    answer: dict[str, Any] = {
        "records": walk.records,
        "intact": not walk.findings,
        "heads": {
            str(gen): {"seq": one.seq, "hash": one.head.hex()} for gen, one in sorted(walk.chains.items())
        },
    }
    for name, places in (("anchors", walk.anchors), ("salvaged", walk.salvaged)):
        if places:
            answer[name] = {str(gen): seq for gen, seq in sorted(places.items())}
    if walk.findings:
        answer["findings"] = [finding.as_json() for finding in walk.findings[:MAX_FINDINGS]]
        answer["first_wrong"] = answer["findings"][0]
    return answer


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


@dataclass(slots=True)
class _Walk:
    ledger: Ledger
    kiosk: str
    records: int = 0
    chains: dict[int, Chain] = field(default_factory=dict)
    anchors: dict[int, int] = field(default_factory=dict)
    salvaged: dict[int, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _acked: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = self.ledger.rows(f"SELECT gen, acked_seq, head FROM {ACKNOWLEDGED} WHERE acked_seq > 0")
        self._acked = {gen: (seq, bytes.fromhex(head)) for gen, seq, head in rows}
        for (gen,) in self.ledger.rows(f"SELECT gen FROM {ANCHOR} ORDER BY gen"):
            self._begin(gen)
        self.salvaged = salvaged_generations(self.ledger)

    def take(self, row: _Row) -> None:
        """One record of the ledger."""
        self.records += 1
        chain = self.chains.get(row.gen) or self._begin(row.gen)
        try:
            record = chain.take(row.seq, row.payload, row.signature)
            _check_beside(row, record)
            if self._acked.get(row.gen, (0, b""))[0] == row.seq and self._acked[row.gen][1] != row.hash:
                raise SignedDataFault("fork", "central acknowledged other bytes here")
        except SignedDataFault as fault:
            self._find(row.gen, row.seq, fault)

    def end(self) -> None:
        """What only the whole journal tells."""
        for gen, (seq, _) in sorted(self._acked.items()):
            head = self.chains[gen].seq if gen in self.chains else 0
            if seq > head:
                self._find(gen, seq, SignedDataFault("cut_off", "central has more records than this ledger"))
        for gen in list(self.anchors):
            self._check_anchor(gen)
        self._check_rights()

    def _begin(self, gen: int) -> Chain:
        chain = self.chains[gen] = Chain(self.kiosk, gen, first_key(self.ledger, gen))
        try:
            found = read_anchor(self.ledger, gen)
        except SignedDataFault as fault:
            self._find(gen, 0, SignedDataFault("bad_anchor", fault.message))
            return chain
        if found is not None:
            start = found[0]
            self.anchors[gen] = start.seq
            chain.seq, chain.head, chain.public = start.seq, start.head, start.public
            chain.keys.append(start.public)
        return chain

    def _check_anchor(self, gen: int) -> None:
        """By a key of any generation that the walk met: an older one is pruned under the newest key."""
        row = self.ledger.row(f"SELECT signature FROM {ANCHOR} WHERE gen = ?", gen)
        keys = [key for chain in self.chains.values() for key in chain.keys]
        try:
            found, message = anchor.read(bytes(row[0]))
            anchor.check(message, keys)
            if self.kiosk and found.kiosk != self.kiosk:
                raise SignedDataFault("bad_anchor", "another kiosk's anchor")
        except SignedDataFault as fault:
            self._find(gen, self.anchors[gen], SignedDataFault("bad_anchor", fault.message))

    def _check_rights(self) -> None:
        """Nobody spent more of a right than its grant left, and what is left is what the pickups say."""
        for right, gen, granted, left, upto, spent, tolerated, refs in self.ledger.rows(_BALANCES):
            named = {"right": right, "refs": sorted((refs or "").split(",")), "granted": granted}
            named["spent"] = spent - tolerated
            if spent - tolerated > granted:
                message = f"{spent - tolerated} of {granted} spent of {right}"
                self.findings.append(Finding(gen, upto, "overspend", message, named))
            else:
                message = f"{left} kept as left of {right}, {granted - spent} by its pickups"
                self.findings.append(Finding(gen, upto, "wrong_balance", message, named | {"left": left}))

    def _find(self, gen: int, seq: int, fault: SignedDataFault) -> None:
        self.findings.append(Finding(gen, seq, fault.code, fault.message))


_SPENT = "p.right = r.right AND p.gen = r.gen AND p.seq > r.upto_seq AND p.voided = 0"
_RETURNED = """p.right = r.right AND p.gen = r.gen AND p.seq <= r.upto_seq AND p.voided = 1
    AND p.void_gen = r.gen AND p.void_seq > r.upto_seq"""
_BALANCES = f"""
    SELECT right, gen, granted, quantity_left, upto_seq, spent, tolerated, refs FROM (
        SELECT r.right, r.gen, r.granted, r.quantity_left, r.held, r.upto_seq,
               (SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p WHERE {_SPENT})
               - (SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p WHERE {_RETURNED}) AS spent,
               (SELECT coalesce(sum(p.spends), 0) FROM {PICKUPS} p WHERE {_SPENT} AND p.epoch_n = 0)
                   AS tolerated,
               (SELECT group_concat(p.ref) FROM {PICKUPS} p WHERE {_SPENT}) AS refs
        FROM {RIGHTS} r)
    WHERE spent - tolerated > granted
       OR (held = 1 AND granted > 0 AND quantity_left <> max(0, granted - spent))
    ORDER BY right"""


def _check_beside(row: _Row, record: Record) -> None:
    if record_hash(row.payload) != row.hash:
        raise SignedDataFault("wrong_hash", "the stored hash is not that of the record")
    if (record.type, record.right, record.ref) != row.beside:
        raise SignedDataFault("wrong_index", "type, right or reference beside the record differ from it")
    if row.text is not None and commitment(row.salt, row.text) != record.collector_commitment:
        raise SignedDataFault("private_text_changed", "the private text is not what was committed to")
    if row.pickup != (record.type == "dispense"):
        raise SignedDataFault("wrong_effect", "the table of pickups does not fit this record")
    if record.type == "void" and row.voided is not True:
        raise SignedDataFault("wrong_effect", "the pickup this voids stands as if it were not")


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
