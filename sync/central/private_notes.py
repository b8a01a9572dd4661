"""Personal text of records at central: taken only where the record's commitment binds it, erased on request.

What does not fit its record is not kept, since nothing says whose it is; a case names the record, once.
The salt is erased with the text: a name could be guessed from the commitment and its salt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection, insert, select, update

from kiosk import cose
from kiosk.errors import OfficerFault
from kiosk.journal_format import VOID, commitment, decode, parse_ref, pickup_ref
from sync.central.models import journal, journal_branch, journal_private
from sync.central.record_check import BAD_SIGNATURE, Checked
from sync.central.state import Central
from sync.wire import PrivateNote

REFUSED: Final = "private_text_refused"


def store(
    connection: Connection,
    kiosk: str,
    gen: int,
    notes: Sequence[PrivateNote],
    arriving: Iterable[Checked],
    open_case: Callable[..., None],
) -> None:
    """Keeps the text of records that are here, inside the caller's transaction.

    Text of a record that has not come yet is left for the push that brings it. What was stored, or erased,
    stays as it is.
    """
    wanted = {note.seq: note for note in notes}
    if not wanted:
        return
    bound = _commitments(connection, kiosk, gen, set(wanted), arriving)
    for seq, note in list(wanted.items()):
        if seq not in bound:
            del wanted[seq]
        elif commitment(note.salt, note.text) not in bound[seq]:
            del wanted[seq]
            ref = pickup_ref(kiosk, gen, seq)
            open_case(f"private:{kiosk}.{gen}-{seq}", REFUSED, "", [ref], seq=seq, gen=gen)
    known = connection.execute(
        select(journal_private.c.seq)
        .where(journal_private.c.kiosk == kiosk, journal_private.c.gen == gen)
        .where(journal_private.c.seq.in_(sorted(wanted)))
    ).scalars()
    for seq in known:
        del wanted[seq]
    if wanted:
        connection.execute(insert(journal_private), [_row(kiosk, gen, note) for note in wanted.values()])


def _row(kiosk: str, gen: int, note: PrivateNote) -> dict[str, object]:
    # PostgreSQL's text cannot hold NUL.
    text = note.text.replace("\x00", "\ufffd")
    return {"kiosk": kiosk, "gen": gen, "seq": note.seq, "salt": note.salt, "text": text}


def _commitments(
    connection: Connection, kiosk: str, gen: int, seqs: set[int], arriving: Iterable[Checked]
) -> dict[int, set[bytes]]:
    """What each record, and a fork's other one at the same place, binds; empty for one that binds nothing."""
    found: dict[int, set[bytes]] = {}
    for item in arriving:
        if item.seq in seqs and item.quarantine != BAD_SIGNATURE:
            found.setdefault(item.seq, set()).add(_bound_by(item.payload))
    missing = sorted(seqs - set(found))
    for table in (journal, journal_branch) if missing else ():
        rows = connection.execute(
            select(table.c.seq, table.c.record)
            .where(table.c.kiosk == kiosk, table.c.gen == gen, table.c.seq.in_(missing))
            .where(table.c.quarantine != BAD_SIGNATURE)
        )
        for seq, record in rows:
            found.setdefault(seq, set()).add(_bound_by(bytes(record)))
    return found


def _bound_by(payload: bytes) -> bytes:
    try:
        return decode(payload).collector_commitment
    except cose.SignedDataFault:
        return b""


def erase(central: Central, ref: str) -> int:
    """Erases the personal text of a record and of what voids it; answers how many texts went.

    Text that has not come yet is refused a place. Raises OfficerFault ``unknown_ref``.
    """
    try:
        kiosk, gen, seq = parse_ref(ref)
    except ValueError:
        raise OfficerFault("unknown_ref", "not a record's reference, such as IRM1-0421") from None
    return central.database.write(partial(_erase, ref, kiosk, gen, seq))


def _erase(ref: str, kiosk: str, gen: int, seq: int, connection: Connection) -> int:
    record = connection.execute(
        select(journal.c.right).where(journal.c.kiosk == kiosk, journal.c.gen == gen, journal.c.seq == seq)
    ).first()
    if record is None:
        raise OfficerFault("unknown_ref", f"no record {ref} is here")
    places = [(gen, seq)]
    if record.right:
        voids = connection.execute(
            select(journal.c.gen, journal.c.seq, journal.c.record).where(
                journal.c.kiosk == kiosk, journal.c.type == VOID, journal.c.right == record.right
            )
        )
        places += [(row.gen, row.seq) for row in voids if decode(bytes(row.record)).ref == ref]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    return sum(_erase_one(connection, kiosk, *place) for place in places)


def _erase_one(connection: Connection, kiosk: str, gen: int, seq: int) -> int:
    here = (
        (journal_private.c.kiosk == kiosk) & (journal_private.c.gen == gen) & (journal_private.c.seq == seq)
    )
    known = connection.execute(select(journal_private.c.text).where(here)).first()
    if known is None:
        erased = {"kiosk": kiosk, "gen": gen, "seq": seq, "salt": b"", "text": None}
        connection.execute(insert(journal_private).values(erased))
        return 0
    connection.execute(update(journal_private).where(here).values(text=None, salt=b""))
    return int(known.text is not None)
