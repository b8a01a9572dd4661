"""Asking central whose card this is, and keeping what it says in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiosk import lookups
from kiosk.cache_folder import CacheFolder
from kiosk.errors import CentralFault
from kiosk.feed_columns import PackedFault, unpack
from kiosk.feed_rows import COLUMNS, row_fault
from kiosk.ports import LookupWord
from kiosk.values import CardRead

if TYPE_CHECKING:  # the screen is up before the wire's libraries are loaded
    from sync.client import CentralClient
    from sync.wire import LookupAnswer


def look_up(
    client: CentralClient, caches: CacheFolder, read: CardRead, card_no: str, now_ms: int, timeout_s: float
) -> LookupWord:
    """Central's word on a card; the holder is in the cache when it is ``found``.

    Raises CentralFault, EnvironmentFault.
    """
    from sync.wire import LookupRequest

    request = LookupRequest(medium=_medium(read), credential=read.payload, uid=read.uid)
    answer = client.look_up(request, timeout_s=timeout_s)
    if answer.status == "found" and answer.card_no != card_no:
        raise CentralFault("answer_not_understood", "central speaks of another card")
    rows = _rows(answer) if answer.status == "found" else {}
    with caches.current().writing() as connection:
        if answer.status == "found":
            lookups.put(connection, answer.holder_id, card_no, rows, now_ms)
        else:
            lookups.forget_card(connection, card_no)
    return LookupWord(answer.status, answer.code)


def _medium(read: CardRead) -> Any:
    return str(read.medium)


def _rows(answer: LookupAnswer) -> dict[str, list[list[Any]]]:
    """The rows of an answer by kind; kinds of a newer central, and values that are none, are left out.

    Raises CentralFault ``answer_not_understood`` for columns that are none, or without the holder.
    """
    found: dict[str, list[list[Any]]] = {}
    for kind, table in answer.tables.items():
        known = COLUMNS.get(kind)
        if known is None or not set(known) <= set(table.columns) or len(table.data) != len(table.columns):
            continue
        try:
            columns = dict(
                zip(table.columns, (unpack(packed, table.count) for packed in table.data), strict=True)
            )
        except PackedFault as fault:
            raise CentralFault("answer_not_understood", f"columns of {kind}: {fault}") from None
        rows = [list(row) for row in zip(*(columns[name] for name in known), strict=True)]
        found[kind] = [row for row in rows if not row_fault(kind, row)]
    if not any(row[0] == answer.holder_id for row in found.get("holder", ())):
        raise CentralFault("answer_not_understood", "the holder is not among the rows")
    return found
