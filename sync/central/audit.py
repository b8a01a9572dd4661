"""The audit: every chain at central walked again, and what it says counted against central's tables.

Read in one moment of the database and as a stream, so that memory stays flat. A fork or a quarantined record
that central has told of already is named again; what makes the audit fail is in ``WRONG``.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.sql import Select

from kiosk.journal_format import KEY_ROLL, VOID, ZERO_HASH, pickup_ref, rolled_to
from sync.central import merging, writeoff
from sync.central.audit_books import Books, Finding
from sync.central.flags import EXPOSURE, OVERSPEND, OVERSPEND_TOLERATED, UNENTITLED, WRITTEN_OFF
from sync.central.key_rows import DeviceKey, in_force
from sync.central.lines import Lines, branch_mark
from sync.central.models import (
    case,
    grant_log,
    journal,
    journal_branch,
    kiosk_gen,
    pickup,
    right_merge,
    rights,
    stock_slice,
)
from sync.central.models import writeoff as writeoffs
from sync.central.record_check import BAD_SIGNATURE, Checked, check_all
from sync.central.state import Central
from sync.wire import SignedRecord

BATCH: Final = 500
MOST_NAMED: Final = 100
"""Findings told in full; all are counted."""
WRONG: Final = (
    "bad_hash", "bad_signature", "chain_broken", "gap", "tail_missing", "head_differs", "row_differs", "fork",
    "pickup_missing", "pickup_invented", "pickup_differs", "right_missing", "spent_differs", "slice_differs",
    "overspend", "overspend_untold", "writeoff_unsigned",
)  # fmt: skip
"""What makes the audit fail, the worst first. Besides there are ``quarantined`` and ``explained``."""
_EXPLAINED: Final = (OVERSPEND_TOLERATED, WRITTEN_OFF, EXPOSURE)
"""Cases that say why more was handed out; an overspend after a write-off names it."""
_TOLD: Final = (*_EXPLAINED, OVERSPEND, UNENTITLED)


@dataclass(slots=True)
class Report:
    """What an audit found."""

    chains: int = 0
    records: int = 0
    beside: int = 0
    """Records kept beside a chain."""
    rights: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    first: Finding | None = None
    """The first wrong record, in the order of kiosks, generations and sequence numbers."""

    @property
    def code(self) -> str:
        """The worst thing found; empty if nothing is wrong."""
        return next((code for code in WRONG if self.counts[code]), "")

    def note(self, code: str, **named: Any) -> None:
        """Adds a finding."""
        self.counts[code] += 1
        found = {"code": code} | named
        if code in WRONG and "seq" in named and self.first is None:
            self.first = found
        if len(self.findings) < MOST_NAMED:
            self.findings.append(found)

    def as_json(self) -> dict[str, Any]:
        """The report as people and programs read it."""
        return {
            "code": self.code,
            "chains": self.chains,
            "records": self.records,
            "beside": self.beside,
            "rights": self.rights,
            "first": self.first,
            "counts": dict(sorted(self.counts.items())),
            "findings": self.findings,
        }


def audit(central: Central) -> Report:
    """Walks and counts everything. Raises nothing for what it finds."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="audit-", dir=central.home) as folder:
        books = Books(Path(folder) / "books.db")
        try:
            with central.database.read() as connection:
                _walk_all(central, connection, books, report)
                _tell_books(connection, books, report)
                for found in books.findings():
                    report.note(found.pop("code"), **found)
                _overspends(connection, books, report)
                _writeoffs(connection, report)
        finally:
            books.close()
    return report


def _walk_all(central: Central, connection: Connection, books: Books, report: Report) -> None:
    chains = select(kiosk_gen).order_by(kiosk_gen.c.kiosk, kiosk_gen.c.gen)
    for row in connection.execute(chains).all():
        report.chains += 1
        keys = _walk(central, connection, row, books, report)
        _walk_beside(central, connection, row, keys, books, report)


def _walk(
    central: Central, connection: Connection, row: Any, books: Books, report: Report
) -> list[DeviceKey]:
    """One chain from its first record to the last that central acknowledged; answers the keys it names."""
    place = {"kiosk": row.kiosk, "gen": row.gen}
    keys = [DeviceKey(1, bytes(row.public))]
    last, head, doubtful = 0, ZERO_HASH, False
    query = select(journal).where(journal.c.kiosk == row.kiosk, journal.c.gen == row.gen)
    for stored in _batches(connection, query.order_by(journal.c.seq)):
        checked = _check(central, stored, row, keys)
        for item, found in zip(stored, checked, strict=True):
            report.records += 1
            at = place | {"seq": item.seq}
            if item.seq != last + 1:
                report.note("gap", **at, after=last)
                doubtful = True
            bad = found.quarantine == BAD_SIGNATURE or found.signed_by != in_force(keys, item.seq)
            if found.hash != bytes(item.hash):
                report.note("bad_hash", **at)
            elif bad:
                report.note("bad_signature", **at, told=item.quarantine == BAD_SIGNATURE)
            elif found.prev is not None and found.prev != head and not doubtful:
                report.note("chain_broken", **at)
            if item.quarantine and not bad:
                report.note("quarantined", **at, why=item.quarantine)
            last, head, doubtful = item.seq, bytes(item.hash), bad
            if found.record is not None and not item.quarantine:
                if (item.type, item.right) != (found.type, found.right):
                    report.note("row_differs", **at)
                if found.record.type == KEY_ROLL and (public := rolled_to(found.record)):
                    keys.append(DeviceKey(item.seq + 1, public))
                called = pickup_ref(row.kiosk, row.gen, item.seq)
                books.count(found.record, called, found.record.ref)
    if last < row.acked_seq:
        report.note("tail_missing", **place, seq=last + 1, acked=row.acked_seq)
    elif last > row.acked_seq or head != bytes(row.head):
        report.note("head_differs", **place, seq=row.acked_seq)
    return keys


def _walk_beside(
    central: Central, connection: Connection, row: Any, keys: list[DeviceKey], books: Books, report: Report
) -> None:
    """Records kept beside a chain: each stands for itself, and a sound one shows a fork."""
    lines = Lines(connection, row.kiosk, row.gen)
    query = select(journal_branch).where(journal_branch.c.kiosk == row.kiosk, journal_branch.c.gen == row.gen)
    known = list(keys)
    for stored in _batches(connection, query.order_by(journal_branch.c.seq, journal_branch.c.hash)):
        for item in stored:
            (found,) = _check(central, [item], row, known)
            report.beside += 1
            at = {"kiosk": row.kiosk, "gen": row.gen, "seq": item.seq}
            if found.hash != bytes(item.hash):
                report.note("bad_hash", **at, beside=True)
            elif found.quarantine == BAD_SIGNATURE:
                # The damaged copy of a record, which proves nothing.
                report.note("quarantined", **at, why=BAD_SIGNATURE, beside=True)
            else:
                report.note("fork", **at, hash=found.hash.hex()[:16])
            if found.record is not None and not item.quarantine:
                if found.record.type == KEY_ROLL and (public := rolled_to(found.record)):
                    known.append(DeviceKey(item.seq + 1, public, beside=True))
                called = pickup_ref(row.kiosk, row.gen, item.seq) + branch_mark(found.hash)
                void_of = lines.pickup_of(found.record) if found.record.type == VOID else ""
                books.count(found.record, called, void_of)


def _check(central: Central, stored: Sequence[Any], row: Any, keys: list[DeviceKey]) -> list[Checked]:
    """Each stored record judged as if it had just come; runs without gaps are judged together."""
    found: list[Checked] = []
    start = 0
    for at in range(1, len(stored) + 1):
        if at < len(stored) and stored[at].seq == stored[at - 1].seq + 1:
            continue
        run = stored[start:at]
        records = [
            SignedRecord.model_construct(record=bytes(one.record), signature=bytes(one.signature))
            for one in run
        ]
        found += check_all(records, run[0].seq, row.kiosk, row.gen, keys, central.verify)
        start = at
    return found


def _batches(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """Rows in lists of BATCH, without holding the whole answer."""
    streamed = connection.execute(query, execution_options={"yield_per": BATCH})
    yield from streamed.partitions(BATCH)


def _tell_books(connection: Connection, books: Books, report: Report) -> None:
    names = ("ref", "right", "quantity", "spends", "voided", "counted_in", "era")
    for some in _batches(connection, select(*(pickup.c[name] for name in names))):
        books.tell("told_pickup", ((*one[:4], int(one.voided), *one[5:]) for one in some))
    for some in _batches(
        connection,
        select(rights.c.right, rights.c.quantity, rights.c.spent, rights.c.merges, rights.c.merged_into),
    ):
        report.rights += len(some)
        books.tell("told_right", (tuple(one) for one in some))
    slices = select(
        stock_slice.c.id,
        stock_slice.c.kiosk,
        stock_slice.c.quantity,
        stock_slice.c.spent,
        stock_slice.c.returned,
    )
    for some in _batches(connection, slices):
        books.tell("told_slice", (tuple(one) for one in some))
    for some in _batches(connection, select(right_merge.c.keep, right_merge.c.n, right_merge.c.gone)):
        books.tell("merge", (tuple(one) for one in some))
    for some in _batches(connection, select(case.c.id).where(case.c.code == "void_unknown")):
        books.tell("ineffective", ((one.id.partition(":")[2],) for one in some))


def _overspends(connection: Connection, books: Books, report: Report) -> None:
    """More handed out than entitled: told of or not, and if a tolerated or written-off one explains it."""
    for right, spent, quantity in books.overspent():
        granted = select(grant_log.c.quantity_left + grant_log.c.spent_before)
        most = connection.execute(granted.where(grant_log.c.right == right)).scalars()
        entitled = max(quantity, *most, 0)
        if spent <= entitled:
            continue
        parts = [right, *merging.parts_of(connection, right)]
        cases = connection.execute(select(case).where(case.c.right.in_(parts), case.c.code.in_(_TOLD))).all()
        named = {
            "right": right,
            "spent": spent,
            "entitled": entitled,
            "cases": sorted(one.id for one in cases),
        }
        if any(one.code not in _EXPLAINED and "writeoff" not in json.loads(one.detail) for one in cases):
            report.note("overspend", **named)
        else:
            report.note("explained" if cases else "overspend_untold", **named)


def _writeoffs(connection: Connection, report: Report) -> None:
    """Each write-off that was carried out stands on two people's signatures."""
    done = select(writeoffs.c.id).where(writeoffs.c.state != writeoff.ASKED).order_by(writeoffs.c.id)
    for one in connection.execute(done).scalars().all():
        signed = {found["account"] for found in writeoff.signatures(connection, one) if found["holds"]}
        if len(signed) < 2:
            report.note("writeoff_unsigned", writeoff=one, signed=sorted(signed))


def summary(report: Report) -> str:
    """One line on what is wrong, the first wrong record named."""
    counted = ", ".join(f"{report.counts[code]} {code}" for code in WRONG if report.counts[code])
    if report.first is None:
        return counted
    at = report.first
    return f"{counted}; the first wrong record is {at['kiosk']}.{at['gen']}-{at['seq']} ({at['code']})"


def as_text(report: Report) -> str:
    """What an audit that found nothing wrong looked at, and what it names all the same."""
    counted = ", ".join(f"{number} {code}" for code, number in sorted(report.counts.items()))
    walked = (
        f"{report.chains} chains, {report.records} records, {report.beside} beside, {report.rights} rights."
    )
    verdict = f"All hold; named besides: {counted}." if counted else "All hold."
    return "\n".join(
        [walked, verdict, *(f"  {json.dumps(found, ensure_ascii=False)}" for found in report.findings)]
    )
