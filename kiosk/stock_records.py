"""What comes to this kiosk's stock and goes back: each a record through the one door to the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from kiosk import stock
from kiosk.errors import CentralFault
from kiosk.freezing import is_retired
from kiosk.grant import CentralKeys
from kiosk.journal import Draft, Journal
from kiosk.journal_format import Record
from kiosk.stock_slice import open_slice

log = logging.getLogger(__name__)


class _NothingToRecord(Exception):
    """Ends a transaction that has nothing to append."""


def receive(journal: Journal, slices: Iterable[bytes], keyset: CentralKeys) -> int:
    """Records the stock slices that central allotted to this generation; answers how many were new.

    One that came before changes nothing; one that cannot be believed, or is another's, holds up no other.
    """
    return sum(_receive_one(journal, data, keyset) is not None for data in slices)


def _receive_one(journal: Journal, data: bytes, keyset: CentralKeys) -> Record | None:
    try:
        one = open_slice(data, keyset)
    except CentralFault as fault:
        log.warning("a stock slice is refused: %s", fault.message)
        return None
    identity = journal.identity
    if (one.kiosk, one.gen) != (identity.kiosk, identity.gen):
        log.warning("stock slice %s is not for this kiosk's generation", one.id)
        return None

    def decide(connection: Any) -> Draft:
        if stock.is_known(connection, one.id) or is_retired(connection, identity.gen):
            raise _NothingToRecord
        return _draft(stock.RECEIVED, one.id, one.quantity)

    try:
        return journal.append(decide)
    except _NothingToRecord:
        return None


def give_back(journal: Journal, officer: str, program_id: str = "") -> list[Record]:
    """Gives back what is left of the stock of one program, or of all; one record for each slice."""
    records = []
    gen = journal.identity.gen
    for one in stock.slices(journal.ledger.db.conn, gen, program_id):
        record = _give_back_one(journal, officer, one.id)
        if record is not None:
            records.append(record)
    return records


def _give_back_one(journal: Journal, officer: str, slice_id: str) -> Record | None:
    def decide(connection: Any) -> Draft:
        here = stock.slices(connection, journal.identity.gen)
        left = next(one.left for one in here if one.id == slice_id)
        if left <= 0:
            raise _NothingToRecord
        return _draft(stock.RETURNED, slice_id, left, officer)

    try:
        return journal.append(decide)
    except _NothingToRecord:
        return None


def _draft(what: str, slice_id: str, quantity: int, officer: str = "") -> Draft:
    detail = {"what": what, "slice": slice_id, "quantity": quantity}
    return Draft(type="stock", officer=officer, quantity=quantity, detail=detail)
