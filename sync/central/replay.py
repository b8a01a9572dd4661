"""What the log outside the database says, told again to a database that went back to a backup.

Entries that the backup knows already change nothing: grants by their epochs, generations by their keys.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from kiosk import enrolment, stock_slice
from kiosk.enrolment import Enrolment
from kiosk.errors import CentralFault
from kiosk.grant import Grant, open_grant, terms_text
from kiosk.journal_format import ZERO_HASH
from kiosk.keyset import open_keyset
from sync.central import key_rows, kiosk_rows, recovery, right_rows, rights, settings
from sync.central.bulk import insert_rows
from sync.central.feed import FeedChanges
from sync.central.key_rows import DeviceKey
from sync.central.models import grant_log, kiosk, kiosk_gen
from sync.central.models import stock_slice as slices
from sync.central.models import ticket as tickets
from sync.central.replayed_writeoffs import ReplayedWriteOffs
from sync.central.right_rows import ACTIVE, REVOKED, Kiosks, Right
from sync.wire import CITY, from_base64

_AT_ONCE: Final = 500
_KEYS_PER_QUERY: Final = 400


class Replay:
    """Takes entries in the order of the log; ``write`` ends it. Inside the caller's transaction."""

    def __init__(self, connection: Connection, roots: tuple[bytes, bytes], now: int) -> None:
        """``roots``: the raw public keys that sign keysets."""
        self._connection = connection
        self._roots, self._now = roots, now
        self._keys = open_keyset(from_base64(settings.get(connection, "keyset")), roots)
        self._grants: list[Grant] = []
        self._writeoffs = ReplayedWriteOffs(connection, now)
        kinds = ("grants", "slices", "enrolments", "keys", "keysets", "revocations", "accounts", "writeoffs")
        self.counts = dict.fromkeys((*kinds, "not_understood"), 0)

    def take(self, entry: dict[str, Any]) -> None:
        """One entry; what is not understood is counted and passed over."""
        try:
            if "grant" in entry:
                self._take_grant(open_grant(from_base64(entry["grant"]), self._keys))
            elif "slice" in entry:
                self._take_slice(from_base64(entry["slice"]))
            elif "enrolment" in entry:
                self._write_grants()
                document = enrolment.open_enrolment(from_base64(entry["enrolment"]), self._keys)
                self._enrol(document, bytes.fromhex(entry["ticket"]))
            elif "key" in entry:
                self._take_key(**entry["key"])
            elif "keyset" in entry:
                self._take_keyset(entry["keyset"])
            elif "revoked" in entry:
                self._write_grants()
                self._revoke(entry["revoked"]["kiosk"], entry["revoked"]["gen"])
            elif "account" in entry:
                self.counts["accounts"] += self._writeoffs.take_account(entry["account"])
            elif "account_closed" in entry:
                self._writeoffs.take_closing(entry["account_closed"])
            elif "writeoff" in entry:
                self._write_grants()
                self.counts["writeoffs"] += self._writeoffs.take_writeoff(entry["writeoff"])
            elif "incarnation" not in entry:
                self.counts["not_understood"] += 1
        except (CentralFault, ValueError, KeyError, TypeError):
            self.counts["not_understood"] += 1

    def write(self) -> None:
        """Writes what is still in memory."""
        self._write_grants()

    def _take_grant(self, one: Grant) -> None:
        self._grants.append(one)
        if len(self._grants) == _AT_ONCE:
            self._write_grants()

    def _write_grants(self) -> None:
        if not self._grants:
            return
        newest: dict[str, Grant] = {}
        for one in self._grants:
            if one.right not in newest or newest[one.right].epoch < one.epoch:
                newest[one.right] = one
        kiosks, changes = Kiosks(self._connection), FeedChanges()
        known = right_rows.load(self._connection, newest)
        revs = {one.id: one.grant_rev for one in kiosks.by_id.values()}
        fresh: list[Right] = []
        changed: list[Right] = []
        for key, one in sorted(newest.items()):
            row, holder = known.get(key), kiosks.by_id.get(one.kiosk)
            if holder is None or (row is not None and row.epoch >= one.epoch):
                continue
            if row is None:
                row = _right_of(one, holder.point_id)
                fresh.append(row)
            else:
                changed.append(row)
            revs[holder.id] += 1
            recovery.hold(row, one.kiosk, one.gen, one.epoch, revs[holder.id])
            row.granted_left, row.granted = one.quantity_left, _said(one)
            row.in_doubt = one.gen != holder.gen or not holder.may_hold
            right_rows.tell(changes, row, kiosks)
        right_rows.add(self._connection, fresh)
        right_rows.save(self._connection, changed)
        self._write_log([recovery.log_row(row, self._now) for row in (*fresh, *changed)], kiosks)
        for name, rev in revs.items():
            if rev != kiosks.by_id[name].grant_rev:
                self._connection.execute(update(kiosk).where(kiosk.c.id == name).values(grant_rev=rev))
        changes.write(self._connection)
        self.counts["grants"] += len(fresh) + len(changed)
        self._grants.clear()

    def _write_log(self, outstanding: list[dict[str, Any]], kiosks: Kiosks) -> None:
        """Every grant told, also those that a later one followed: hand-outs under them are still to come."""
        rows = {_place(row): row for row in outstanding}
        for one in self._grants:
            if one.kiosk in kiosks.by_id:
                row = _log_row(one, self._now)
                rows.setdefault(_place(row), row)
        keys = sorted({one.right for one in self._grants})
        places = (grant_log.c.right, grant_log.c.epoch_incarnation, grant_log.c.epoch_n)
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            some = select(*places).where(grant_log.c.right.in_(keys[start : start + _KEYS_PER_QUERY]))
            for place in self._connection.execute(some):
                rows.pop(tuple(place), None)
        insert_rows(self._connection, grant_log, list(rows.values()))

    def _take_slice(self, data: bytes) -> None:
        one = stock_slice.open_slice(data, self._keys)
        if self._connection.execute(select(slices.c.id).where(slices.c.id == one.id)).first():
            return
        self._connection.execute(
            insert(slices).values(
                id=one.id,
                program_id=one.program_id,
                kiosk=one.kiosk,
                gen=one.gen,
                n=int(one.id.rpartition("/")[2]),
                quantity=one.quantity,
                returned=0,
                spent=0,
                issued_at=one.issued,
                closed=False,
            )
        )
        self.counts["slices"] += 1

    def _enrol(self, one: Enrolment, ticket: bytes) -> None:
        place = (kiosk_gen.c.kiosk == one.kiosk) & (kiosk_gen.c.gen == one.gen)
        if self._connection.execute(select(kiosk_gen.c.gen).where(place)).first():
            return
        if not self._connection.execute(select(kiosk.c.id).where(kiosk.c.id == one.kiosk)).first():
            kiosk_rows.insert_kiosk(self._connection, one.kiosk, one.point, "", False)
        older = (kiosk_gen.c.kiosk == one.kiosk) & (kiosk_gen.c.state == "active")
        self._connection.execute(update(kiosk_gen).where(older).values(state="retired"))
        rights.put_in_doubt(self._connection, one.kiosk)
        self._connection.execute(
            insert(kiosk_gen).values(
                kiosk=one.kiosk,
                gen=one.gen,
                public=one.public,
                enrolled_at=one.issued,
                state="active",
                acked_seq=0,
                head=ZERO_HASH,
                ticket_hash=ticket,
            )
        )
        newer = (kiosk.c.id == one.kiosk) & (kiosk.c.gen < one.gen)
        self._connection.execute(update(kiosk).where(newer).values(gen=one.gen, state=ACTIVE, frozen_why=""))
        self._connection.execute(update(tickets).where(tickets.c.hash == ticket).values(used_gen=one.gen))
        self._tell(one.kiosk)
        self.counts["enrolments"] += 1

    def _take_key(self, kiosk: str, gen: int, from_seq: int, public: str) -> None:
        if not key_rows.of_generation(self._connection, kiosk, gen):
            raise ValueError(f"{kiosk} has no generation {gen}")
        # Its journal names it again; until that has come, requests by it have to be understood.
        key_rows.add(self._connection, kiosk, gen, [DeviceKey(from_seq, bytes.fromhex(public))])
        self.counts["keys"] += 1

    def _take_keyset(self, text: str) -> None:
        found = open_keyset(from_base64(text), self._roots)
        if not found.replaces(self._keys):
            return
        self._keys = found
        settings.put(self._connection, keyset=text)
        changes = FeedChanges()
        changes.put(CITY, "keyset", (1, text))
        changes.write(self._connection)
        self.counts["keysets"] += 1

    def _revoke(self, kiosk_id: str, gen: int) -> None:
        place = (kiosk.c.id == kiosk_id) & (kiosk.c.gen == gen) & (kiosk.c.state != REVOKED)
        if not self._connection.execute(select(kiosk.c.id).where(place)).first():
            return
        kiosk_rows.revoke_on(kiosk_id, self._now, self._connection)
        self.counts["revocations"] += 1

    def _tell(self, kiosk_id: str) -> None:
        changes = FeedChanges()
        kiosk_rows.tell(self._connection, changes, kiosk_id)
        changes.write(self._connection)


def _right_of(one: Grant, point_id: int) -> Right:
    """A right that came up since the backup: what its grant says of it."""
    return Right(
        right=one.right,
        subject=one.right.split("/", maxsplit=1)[0],
        point_id=point_id,
        quantity=max(term.quantity for term in one.terms),
        terms=terms_text(one.terms),
        not_before=one.not_before,
        not_after=one.not_after,
        mode=one.mode,
    )


def _log_row(one: Grant, now: int) -> dict[str, Any]:
    """What the log of grants says of a grant by its own words."""
    return {
        "right": one.right,
        "epoch_incarnation": one.epoch[0],
        "epoch_n": one.epoch[1],
        "kiosk": one.kiosk,
        "gen": one.gen,
        "quantity_left": one.quantity_left,
        "spent_before": max(0, max(term.quantity for term in one.terms) - one.quantity_left),
        "issued_at": now,
    }


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["right"], row["epoch_incarnation"], row["epoch_n"]


def _said(one: Grant) -> str:
    return json.dumps(
        {
            "terms": json.loads(terms_text(one.terms)),
            "not_before": one.not_before,
            "not_after": one.not_after,
            "mode": one.mode,
            "upto_seq": one.upto_seq,
        },
        separators=(",", ":"),
    )
