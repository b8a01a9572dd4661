"""The whole story of one right, in order: why it exists, where it lay, what was handed out, who signed.

Order is central's: when it heard of something, then the right's epochs. Wall times of kiosks are shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, select

from kiosk import cose, journal_format
from kiosk.journal_format import RELEASE, VOID, parse_ref, pickup_ref
from sync.central import doubt, orders, overview, writeoff
from sync.central.models import (
    entitlement,
    entitlement_past,
    journal,
    program,
    recall_log,
    right_merge,
    writeoff_right,
)
from sync.central.models import writeoff as writeoffs
from sync.central.record_check import EVERY_RIGHT
from sync.central.state import Central
from sync.central.telling import time_text, words

_RANK: Final = {
    name: rank
    for rank, name in enumerate(
        ("entitlement", "merge", "grant", "pickup", "void_request", "void", "case", "recall", "release",
         "doubt", "writeoff", "approval", "freed")
    )
}  # fmt: skip
_LAST: Final = (2**62, 2**62)
Event = dict[str, Any]


def tell(central: Central, key: str) -> dict[str, Any]:
    """What ``overview.right`` tells, with ``lies`` (where it is now) and ``story`` (events in order).

    An event has ``at`` (Unix seconds), ``what`` and what belongs to it.

    Raises OfficerFault ``unknown_right``.
    """
    told = overview.right(central, key)
    with central.database.read() as connection:
        records = _records(connection, told)
        events = [
            *_entitlements(connection, told),
            *_grants(told),
            *_recalls(connection, key),
            *records,
            *_doubts(connection, told, records),
            *_void_requests(connection, told),
            *_writeoffs(connection, key),
            *_merges(connection, key),
            *_cases(told),
        ]
    events.sort(key=lambda one: (one["at"], one.pop("order"), _RANK[one["what"]], one.pop("place", ())))
    told["lies"] = lies(told, central.now())
    told["story"] = events
    return told


def lies(told: dict[str, Any], now: int) -> dict[str, Any]:
    """Where a right lies now: ``{"with", "state", …}``."""
    if told["merged_into"]:
        return {"with": "central", "state": "merged", "into": told["merged_into"]}
    over = now >= told["not_after"] and bool(told["not_after"])
    left = max(0, told["quantity"] - told["spent"])
    if not told["held_by"]:
        state = "over" if over else "waits" if told["waits"] else "free" if left else "spent"
        return {"with": "central", "state": state, "left": left}
    state = "in_doubt" if told["in_doubt"] else "recalled" if told["recall"] else "held"
    return {
        "with": told["held_by"],
        "gen": told["gen"],
        "epoch": [told["epoch_incarnation"], told["epoch_n"]],
        "state": "over" if over else state if left else "spent",
        "left": left,
    }


def as_text(told: dict[str, Any]) -> str:
    """The story as people read it, a line for each event."""
    lines = [
        f"{told['right']}  {told['quantity']} entitled, {told['spent']} spent",
        f"open {time_text(told['not_before'])} to {time_text(told['not_after'])}, mode {told['mode']}",
        "",
        *(
            f"{time_text(one['at'])}  {one['what']:<12} {words(one, but=('at', 'what'))}"
            for one in told["story"]
        ),
        "",
        f"lies with {told['lies']['with']}: {words(told['lies'], but=('with',))}",
    ]
    return "\n".join(lines)


def _entitlements(connection: Connection, told: dict[str, Any]) -> list[Event]:
    """Each version from when it came in the place of another; the first's coming was not noted."""
    ids = {term[2] for term in told["terms"]}
    subject, group, _ = told["right"].split("/")
    past = select(entitlement_past).where(
        (entitlement_past.c.subject == subject) | entitlement_past.c.id.in_(ids)
    )
    now_in_force = select(entitlement).where((entitlement.c.subject == subject) | entitlement.c.id.in_(ids))
    versions: dict[int, list[dict[str, Any]]] = {}
    for old in connection.execute(past.order_by(entitlement_past.c.replaced_at)).mappings():
        versions.setdefault(old["id"], []).append(dict(old))
    for now in connection.execute(now_in_force.order_by(entitlement.c.id)).mappings():
        versions.setdefault(now["id"], []).append(dict(now) | {"replaced_at": None})
    of_group = set(connection.execute(select(program.c.id).where(program.c.right_group == group)).scalars())
    events: list[Event] = []
    for rows in versions.values():
        came = 0
        for row in rows:
            if row["program_id"] in of_group:
                named = {name: row[name] for name in row if name != "replaced_at"}
                events.append(_event(came, "entitlement", (0, 0), **named, replaced_at=row["replaced_at"]))
            came = row["replaced_at"] or came
    return events


def _grants(told: dict[str, Any]) -> list[Event]:
    return [
        _event(
            row["issued_at"],
            "grant",
            (row["epoch_incarnation"], row["epoch_n"]),
            epoch=[row["epoch_incarnation"], row["epoch_n"]],
            kiosk=row["kiosk"],
            gen=row["gen"],
            quantity_left=row["quantity_left"],
        )
        for row in told["grants"]
    ]


def _recalls(connection: Connection, key: str) -> list[Event]:
    rows = connection.execute(select(recall_log).where(recall_log.c.right == key)).mappings()
    return [
        _event(
            row["at"],
            "recall",
            (row["epoch_incarnation"], row["epoch_n"]),
            place=(row["id"],),
            kiosk=row["kiosk"],
            why=row["why"],
            wanted_by=row["wanted_by"],
        )
        for row in rows
    ]


def _doubts(connection: Connection, told: dict[str, Any], records: list[Event]) -> list[Event]:
    """When what a kiosk held went in doubt, and why."""
    releases = [
        (one["at"], one["by"], _LAST if one.get("every") else (one["upto"][0], one["upto"][1]))
        for one in records
        if one["what"] == "release"
    ]
    return [
        _event(one.at, "doubt", one.epoch, kiosk=one.kiosk, gen=one.gen, why=one.why, epoch=list(one.epoch))
        for one in doubt.doubts(connection, told["grants"], releases)
    ]


def _records(connection: Connection, told: dict[str, Any]) -> list[Event]:
    """Pickups, voids and releases, from the kiosks' own records."""
    events = [_pickup(connection, row) for row in told["pickups"]]
    epochs = _epochs(told)
    named = select(journal).where(journal.c.right == told["right"], journal.c.type.in_((VOID, RELEASE)))
    rows = {_place(row): row for row in connection.execute(named).mappings()}
    voided = {row["ref"].partition("~")[0] for row in told["pickups"] if row["voided"]}
    for kiosk_id, gen, seq in sorted(parse_ref(ref) for ref in voided):
        # A void need not name the right; it comes after its pickup, in any generation of the same kiosk.
        voids = select(journal).where(journal.c.kiosk == kiosk_id, journal.c.type == VOID)
        voids = voids.where((journal.c.gen > gen) | ((journal.c.gen == gen) & (journal.c.seq > seq)))
        rows |= {_place(row): row for row in connection.execute(voids).mappings()}
    for kiosk_id, gen in sorted({(row["kiosk"], row["gen"]) for row in told["grants"]}):
        whole = select(journal).where(journal.c.kiosk == kiosk_id, journal.c.gen == gen)
        whole = whole.where(journal.c.type == RELEASE, journal.c.right == "")
        rows |= {_place(row): row for row in connection.execute(whole).mappings()}
    for _, row in sorted(rows.items()):
        event = _of_record(row, epochs, told["right"])
        if event is not None:
            events.append(event)
    return events


def _pickup(connection: Connection, row: dict[str, Any]) -> Event:
    epoch = (row["epoch_incarnation"], row["epoch_n"])
    came = select(journal.c.received_at).where(journal.c.kiosk == row["kiosk"], journal.c.gen == row["gen"])
    at = connection.execute(came.where(journal.c.seq == row["seq"])).scalar() or row["wall"] // 1000
    names = ("ref", "quantity", "spends", "program_version", "officer", "kind", "slice", "voided", "wall")
    named = {name: row[name] for name in names if row[name] not in (None, "")}
    return _event(
        at, "pickup", _order(epoch), place=_place(row), epoch=list(epoch), kiosk=row["kiosk"], **named
    )


def _of_record(row: Any, epochs: dict[str, tuple[int, int]], key: str) -> Event | None:
    try:
        record = journal_format.decode(bytes(row["record"]))
    except cose.SignedDataFault:
        return None
    called = pickup_ref(record.kiosk, record.gen, record.seq)
    if record.type == VOID and record.ref in epochs:
        named = {
            "goods": record.detail.get("goods", ""),
            "requested_by": record.detail.get("requested_by", ""),
        }
        named = {name: value for name, value in named.items() if value} | {"officer": record.officer}
        return _event(
            row["received_at"],
            "void",
            epochs[record.ref],
            place=_place(row),
            ref=record.ref,
            by=called,
            **named,
        )
    if record.type == RELEASE and record.right in (key, EVERY_RIGHT):
        upto = record.detail.get("upto", [0, 0])
        every = {"every": True} if record.right == EVERY_RIGHT else {}
        order = _LAST if every else tuple(upto)
        return _event(row["received_at"], "release", order, place=_place(row), upto=upto, by=called, **every)
    return None


def _void_requests(connection: Connection, told: dict[str, Any]) -> list[Event]:
    epochs = _epochs(told)
    names = ("id", "ref", "reason", "by", "done_at", "done_by")
    return [
        _event(
            row["asked_at"],
            "void_request",
            epochs[row["ref"]],
            place=(row["id"],),
            **{name: row[name] for name in names},
        )
        for row in orders.of_pickups(connection, epochs)
    ]


def _writeoffs(connection: Connection, key: str) -> list[Event]:
    """The asking, each signature, and the right's coming free."""
    freed = list(connection.execute(select(writeoff_right).where(writeoff_right.c.right == key)).mappings())
    asked = select(writeoffs).where(
        (writeoffs.c.right == key) | writeoffs.c.id.in_([row["writeoff"] for row in freed])
    )
    epochs = {row["writeoff"]: (row["epoch_incarnation"], row["epoch_n"]) for row in freed}
    events: list[Event] = []
    for row in connection.execute(asked).mappings():
        named = {name: row[name] for name in ("id", "kiosk", "gen", "reason", "state")}
        order = epochs.get(row["id"], _LAST)
        events.append(_event(row["asked_at"], "writeoff", order, place=(row["id"],), **named))
        for signed in writeoff.signatures(connection, row["id"]):
            at = signed.pop("at")
            events.append(
                _event(at, "approval", order, place=(signed["account"],), writeoff=row["id"], **signed)
            )
    for row in freed:
        epoch = [row["epoch_incarnation"], row["epoch_n"]]
        events.append(
            _event(
                row["at"],
                "freed",
                epoch,
                place=(row["writeoff"],),
                writeoff=row["writeoff"],
                from_kiosk=row["kiosk"],
                gen=row["gen"],
                epoch=epoch,
                quantity_left=row["quantity_left"],
            )
        )
    return events


def _merges(connection: Connection, key: str) -> list[Event]:
    rows = connection.execute(
        select(right_merge).where((right_merge.c.keep == key) | (right_merge.c.gone == key))
    ).mappings()
    names = ("keep", "gone", "keep_spent", "gone_spent", "move_id")
    return [_event(row["at"], "merge", _LAST, **{name: row[name] for name in names}) for row in rows]


def _cases(told: dict[str, Any]) -> list[Event]:
    epochs = _epochs(told)
    events: list[Event] = []
    for row in told["cases"]:
        refs = json.loads(row["refs"])
        order = epochs.get(refs[-1], _LAST) if refs else _LAST
        named = {"code": row["code"], "refs": refs, "detail": json.loads(row["detail"])}
        events.append(_event(row["opened_at"], "case", order, place=(row["id"],), **named))
    return events


def _epochs(told: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The epoch that each pickup was made under, for order."""
    return {row["ref"]: _order((row["epoch_incarnation"], row["epoch_n"])) for row in told["pickups"]}


def _order(epoch: tuple[int, int]) -> tuple[int, int]:
    """A hand-out without a right comes after everything of the same moment."""
    return epoch if epoch[1] > 0 else _LAST


def _event(at: int, what: str, order: Iterable[int], *, place: tuple[Any, ...] = (), **named: Any) -> Event:
    return {"at": at, "what": what, "order": tuple(order), "place": place} | named


def _place(row: Any) -> tuple[str, int, int]:
    return row["kiosk"], row["gen"], row["seq"]
