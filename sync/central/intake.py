"""Takes journals in: signature, chain, gaps, forks, and each record's effect exactly once.

Journals of every generation ever registered are taken, under that generation's key, also from a kiosk that
is revoked or frozen. Other bytes at a known place are a fork: both are kept, what was handed out on either
side counts, and the kiosk is frozen. A record that cannot be interpreted is kept, acknowledged and reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from kiosk.errors import CentralFault
from kiosk.journal_format import rolled_to
from sync.central import key_rows, kiosk_rows, late_voids, private_notes, rights
from sync.central.bulk import insert_rows
from sync.central.effects import Effects
from sync.central.key_rows import DeviceKey
from sync.central.lines import branch_mark
from sync.central.models import journal, journal_branch, kiosk_gen
from sync.central.record_check import BAD_SIGNATURE, Checked, check_all
from sync.central.state import Central
from sync.wire import JournalAnswer, JournalRequest

FORKED: Final = "forked"
Admit = Callable[[Connection], None]


@dataclass(slots=True)
class _Chain:
    """One generation's journal at central, as this push changes it."""

    acked: int
    head: bytes
    head_doubtful: bool
    """The head's own bytes cannot be trusted, so the next record's ``prev`` proves nothing."""
    main: dict[int, tuple[bytes, str]]
    """Hash and quarantine of the stored records that the push overlaps."""
    branch: set[tuple[int, bytes]]
    """Sequence number and hash of records kept beside the chain."""
    keys: list[DeviceKey]
    """The generation's, with those that this push names."""
    named: list[DeviceKey]
    """The latter alone."""


@dataclass(slots=True)
class _Outcome:
    added: list[tuple[Checked, str]]
    """New records, with the branch mark of those beside the chain."""
    replaced: list[Checked]
    quarantined: list[int]
    forked: bool
    gap: bool
    last: Checked | None


def push(
    central: Central, kiosk_id: str, request: JournalRequest, admit: Admit = lambda _: None
) -> JournalAnswer:
    """Takes records of one generation in; durable when this returns.

    ``admit`` is called inside the same transaction, before anything else.

    Raises CentralFault ``unknown_gen`` for a generation that was never registered, and what ``admit`` raises.
    """
    with central.database.read() as connection:
        keys = key_rows.of_generation(connection, kiosk_id, request.gen)
    if not keys:
        raise CentralFault("unknown_gen", f"{kiosk_id} has no generation {request.gen}")
    checked = _check(central, kiosk_id, request, keys)

    def take(connection: Connection) -> JournalAnswer:
        admit(connection)
        return _take(central, kiosk_id, request, (keys, checked), connection)

    answer = central.database.write(take, in_turn=True)
    for item in checked:
        if item.record is not None and (public := rolled_to(item.record)):
            central.outside.keep_key(kiosk_id, request.gen, item.seq + 1, public)
    return answer


def _check(central: Central, kiosk_id: str, request: JournalRequest, keys: list[DeviceKey]) -> list[Checked]:
    return check_all(request.records, request.from_seq, kiosk_id, request.gen, keys, central.verify)


def _take(
    central: Central,
    kiosk_id: str,
    request: JournalRequest,
    known: tuple[list[DeviceKey], list[Checked]],
    connection: Connection,
) -> JournalAnswer:
    now = central.now()
    gen, from_seq = request.gen, request.from_seq
    # Changed first, though by nothing: of two pushes at once the second waits here, or starts over.
    held = update(kiosk_gen).where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.gen == gen)
    row = connection.execute(held.values(gen=gen).returning(kiosk_gen)).one()
    keys = key_rows.of_generation(connection, kiosk_id, gen)
    checked = known[1] if _same(keys, known[0]) else _check(central, kiosk_id, request, keys)
    chain = _load(connection, kiosk_id, gen, from_seq, len(checked), row.acked_seq, row.head, keys)
    outcome = _sort(chain, checked)
    sound = row.state != FORKED and not outcome.forked
    effects = Effects(connection, kiosk_id, gen, now, checked, may_release=sound)
    if from_seq > chain.acked + 1 and not checked:
        outcome.gap = True
    for item, branch in outcome.added:
        if branch:
            effects.lines.add(item)
        if item.record is not None:
            effects.apply(item.record, branch)
        elif item.quarantine != BAD_SIGNATURE:
            effects.tell_unread(item, branch)
    for item in outcome.replaced:
        if item.record is not None:
            late_voids.apply(connection, effects, item.record)
    _store(connection, kiosk_id, gen, now, outcome)
    here = [item for item, _ in outcome.added] + outcome.replaced
    private_notes.store(connection, kiosk_id, gen, request.private, here, effects.open_case)
    key_rows.add(connection, kiosk_id, gen, chain.named)
    state = row.state
    if outcome.forked and state != FORKED:
        state = FORKED
        current = effects.kiosks.by_id[kiosk_id].gen == gen
        effects.open_case(f"fork:{kiosk_id}.{gen}", "fork", "", [], kiosk=kiosk_id, gen=gen)
        if current:
            kiosk_rows.freeze(connection, effects.changes, kiosk_id, "fork")
    effects.write()
    if state == FORKED and row.state != FORKED:
        rights.put_in_doubt(connection, kiosk_id, gen)
    connection.execute(
        update(kiosk_gen)
        .where(kiosk_gen.c.kiosk == kiosk_id, kiosk_gen.c.gen == gen)
        .values(acked_seq=chain.acked, head=chain.head, state=state)
    )
    acked, head = chain.acked, chain.head
    if outcome.forked and outcome.last is not None:
        # What was kept beside the chain is acknowledged to the side that sent it.
        acked, head = outcome.last.seq, outcome.last.hash
    stale = effects.kiosks.by_id[kiosk_id].gen != gen
    return JournalAnswer(
        status="fork" if state == FORKED else "gap" if outcome.gap else "stale_gen" if stale else "ok",
        gap_from=chain.acked + 1 if outcome.gap else None,
        acked_seq=acked,
        durable_seq=min(acked, row.durable_seq),
        head=head.hex(),
        conflicts=effects.conflicts,
        quarantined=outcome.quarantined,
    )


def _load(
    connection: Connection,
    kiosk_id: str,
    gen: int,
    from_seq: int,
    count: int,
    acked: int,
    head: bytes,
    keys: list[DeviceKey],
) -> _Chain:
    main = connection.execute(
        select(journal.c.seq, journal.c.hash, journal.c.quarantine)
        .where(journal.c.kiosk == kiosk_id, journal.c.gen == gen)
        .where(journal.c.seq.between(min(from_seq, acked), from_seq + count))
    )
    branch = connection.execute(
        select(journal_branch.c.seq, journal_branch.c.hash)
        .where(journal_branch.c.kiosk == kiosk_id, journal_branch.c.gen == gen)
        .where(journal_branch.c.seq.between(from_seq - 1, from_seq + count))
    )
    stored = {row.seq: (bytes(row.hash), row.quarantine) for row in main}
    doubtful = stored.get(acked, (b"", ""))[1] == BAD_SIGNATURE
    beside = {(row.seq, bytes(row.hash)) for row in branch}
    return _Chain(acked, bytes(head), doubtful, stored, beside, list(keys), [])


def _same(keys: list[DeviceKey], others: list[DeviceKey]) -> bool:
    """True unless another push has brought a new key in the meantime."""
    return [one.public for one in keys] == [one.public for one in others]


def _sort(chain: _Chain, checked: list[Checked]) -> _Outcome:
    """Says of each record whether it is known, next, beside the chain, or behind a gap."""
    outcome = _Outcome([], [], [], False, False, None)
    for item in checked:
        known = chain.main.get(item.seq)
        beside = (item.seq, item.hash) in chain.branch
        bad = item.quarantine == BAD_SIGNATURE
        if known is not None and known[0] == item.hash:
            pass
        elif beside:
            outcome.forked = outcome.forked or not bad
        elif known is not None and known[1] == BAD_SIGNATURE and not bad:
            # The true record in the place of a damaged copy.
            outcome.replaced.append(item)
            _set(chain, item)
        elif known is None and item.seq == chain.acked + 1 and (bad or _follows(chain, item)):
            outcome.added.append((item, ""))
            chain.acked = item.seq
            _set(chain, item)
        elif known is None and item.seq > chain.acked and not _has_parent(chain, item):
            outcome.gap = True
            break
        else:
            outcome.added.append((item, branch_mark(item.hash)))
            outcome.forked = outcome.forked or not bad
            chain.branch.add((item.seq, item.hash))
            _roll(chain, item, beside=True)
        outcome.last = item
        if item.quarantine and not (known is not None and known[0] == item.hash) and not beside:
            outcome.quarantined.append(item.seq)
    return outcome


def _follows(chain: _Chain, item: Checked) -> bool:
    """True if the record continues the chain: after the head, under the key in force there."""
    if item.signed_by != key_rows.in_force(chain.keys, item.seq):
        return False
    return item.prev is None or item.prev == chain.head or chain.head_doubtful


def _roll(chain: _Chain, item: Checked, *, beside: bool = False) -> None:
    public = rolled_to(item.record) if item.record is not None else b""
    if public:
        chain.named.append(DeviceKey(item.seq + 1, public, beside=beside, used=False))
        chain.keys.append(chain.named[-1])
        chain.keys.sort(key=lambda key: key.from_seq)


def _has_parent(chain: _Chain, item: Checked) -> bool:
    """True if the record continues one kept beside the chain, or stands next in line with another past."""
    return item.seq == chain.acked + 1 or (
        item.prev is not None and (item.seq - 1, item.prev) in chain.branch
    )


def _set(chain: _Chain, item: Checked) -> None:
    chain.main[item.seq] = (item.hash, item.quarantine)
    _roll(chain, item)
    if item.seq == chain.acked:
        chain.head, chain.head_doubtful = item.hash, item.quarantine == BAD_SIGNATURE


def _store(connection: Connection, kiosk_id: str, gen: int, now: int, outcome: _Outcome) -> None:
    rows: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for item, branch in outcome.added:
        rows[bool(branch)].append(_row(kiosk_id, gen, now, item))
    insert_rows(connection, journal, rows[False])
    insert_rows(connection, journal_branch, rows[True])
    for item in outcome.replaced:
        place = (journal.c.kiosk == kiosk_id) & (journal.c.gen == gen) & (journal.c.seq == item.seq)
        damaged = connection.execute(select(journal).where(place)).mappings().one()
        connection.execute(insert(journal_branch).values(**damaged))
        connection.execute(update(journal).where(place).values(**_row(kiosk_id, gen, now, item)))


def _row(kiosk_id: str, gen: int, now: int, item: Checked) -> dict[str, Any]:
    return {
        "kiosk": kiosk_id,
        "gen": gen,
        "seq": item.seq,
        "hash": item.hash,
        "record": item.payload,
        "signature": item.signature,
        "type": item.type,
        "right": item.right,
        "quarantine": item.quarantine,
        "received_at": now,
    }
