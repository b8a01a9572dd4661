"""What accepted records do to rights and pickups. What left a counter is a fact: flagged, never refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, insert, select, update

from kiosk.journal_format import DISPENSE, NOTE, RELEASE, VOID, Record, pickup_ref
from kiosk.legacy_cards import ADOPTED
from sync.central import adoptions, flags, kiosk_rows, merging, orders, placement, right_rows, rights, stock
from sync.central.acquire import WANTED_S
from sync.central.bulk import insert_rows, rows_with
from sync.central.earlier_grants import EarlierGrants
from sync.central.feed import FeedChanges
from sync.central.flags import EXPOSURE, HandOut
from sync.central.lines import Lines
from sync.central.models import case, grant_log, pickup
from sync.central.models import rights as rights_table
from sync.central.recalls import MISLED, Recalls
from sync.central.record_check import EVERY_RIGHT, PAPER, STOCK, Checked, right_named
from sync.central.right_rows import Kiosks, Right
from sync.wire import Conflict

ZONE: Final = ZoneInfo("Asia/Jakarta")
RETIRED: Final = "retired"
_SPENDING: Final = (
    "spent", "recall", "wanted_by", "wanted_until", "last_at", "last_point_id", "last_ref",
)  # fmt: skip
"""Columns of a right that a push may change, unless it brings the right back."""
_MAX_WALL_MS: Final = 253_402_300_799_000
_KEYS_PER_QUERY: Final = 400


class Effects:
    """Applies the records of one push in order, inside the caller's transaction; ``write`` ends it."""

    def __init__(
        self,
        connection: Connection,
        kiosk: str,
        gen: int,
        now: int,
        arriving: Iterable[Checked],
        *,
        may_release: bool,
    ) -> None:
        """``may_release``: False for a forked generation, whose other side may still hand out."""
        records = [item.record for item in arriving if item.record is not None]
        self.changes = FeedChanges()
        self.conflicts: list[Conflict] = []
        self._connection = connection
        self._kiosk, self._gen, self._now = kiosk, gen, now
        self._may_release = may_release
        self.kiosks = Kiosks(connection, acked=False)
        self._rights = right_rows.load(connection, (one.right for one in records if one.right))
        self._fresh: set[str] = set()
        self._touched: set[str] = set()
        self.lines = Lines(connection, kiosk, gen)
        self._pickups = self._stored_pickups([one.ref for one in records if one.type == VOID])
        self._new_pickups: dict[str, dict[str, Any]] = {}
        self._voided: dict[str, str] = {}
        self._recalls = Recalls(now)
        self._earlier = EarlierGrants(connection)
        self._came_back: list[Right] = []
        self.taken_back: set[str] = set()
        """Pickups that come with this push and whose void came before: they overspend nothing."""
        self._slices = stock.Slices(connection, kiosk, now)
        self._slices.load(stock.slice_of(one) for one in records)

    def apply(self, record: Record, branch: str = "") -> None:
        """Makes the effect of one record. ``branch`` marks a fork's other side: ``~`` and 8 hex digits."""
        if record.type in (DISPENSE, PAPER):
            self._dispense(record, branch)
        elif record.type == VOID:
            self._void(record, branch)
        elif record.type == RELEASE and not branch and self._may_release:
            self._release(record)
        elif record.type == STOCK and not branch:
            called = pickup_ref(record.kiosk, record.gen, record.seq)
            self._slices.apply(record, called, self.open_case)
        elif record.type == NOTE and not branch and record.detail.get("what") == ADOPTED:
            adoptions.take(self._connection, self.changes, record, self._now, self.open_case)

    def tell_unread(self, item: Checked, branch: str) -> None:
        """Opens a case for a record that names a right and cannot be interpreted: it may be a hand-out."""
        right = right_named(item.payload)
        if right:
            called = pickup_ref(self._kiosk, self._gen, item.seq) + branch
            self.open_case(f"unread:{called}", "unread", right, [called], why=item.quarantine)

    def open_case(
        self, case_id: str, code: str, right: str = "", refs: Iterable[str] = (), **detail: Any
    ) -> None:
        """Opens a case for people to settle, once; answered to the kiosk unless it is only exposure."""
        if self._connection.execute(select(case.c.id).where(case.c.id == case_id)).first():
            return
        named = list(refs)
        self._connection.execute(
            insert(case).values(
                id=case_id,
                code=code,
                right=right,
                refs=json.dumps(named),
                detail=json.dumps(detail),
                kiosk=self._kiosk,
                opened_at=self._now,
            )
        )
        if code != EXPOSURE:
            self.conflicts.append(Conflict(code=code, right=right, refs=named, detail=detail))

    def write(self) -> None:
        """Writes rights, pickups and the feed."""
        touched = [self._rights[key] for key in sorted(self._touched)]
        self._recall_misled(touched)
        for row in touched:
            right_rows.tell(self.changes, row, self.kiosks)
        right_rows.add(self._connection, [row for row in touched if row.right in self._fresh])
        known = [row for row in touched if row.right not in self._fresh]
        freed = {row.right for row in self._came_back}
        right_rows.save(self._connection, [row for row in known if row.right in freed])
        right_rows.save(self._connection, [row for row in known if row.right not in freed], _SPENDING)
        insert_rows(self._connection, pickup, list(self._new_pickups.values()))
        if self._voided:
            self._connection.execute(
                update(pickup).where(pickup.c.ref == bindparam("voided_ref")).values(voided=True),
                [{"voided_ref": ref} for ref in sorted(self._voided)],
            )
            orders.mark_done(self._connection, self._voided, self._now)
        if any(row.merged_into for row in self._came_back):
            merging.end_waiting(self._connection, self._came_back)
        self._slices.write()
        self._recalls.write(self._connection)
        self.changes.write(self._connection)

    def _dispense(self, record: Record, branch: str) -> None:
        row = self._right(record.right)
        ref = pickup_ref(record.kiosk, record.gen, record.seq) + branch
        spends = int(record.detail["spends"])
        epoch = record.epoch or (0, 0)
        point_id = self.kiosks.point_of(self._kiosk)
        counted = merging.root_of(row, self._right)
        counted.spent += spends
        for one in {row.right: row, counted.right: counted}.values():
            one.last_at, one.last_point_id, one.last_ref = self._local(record.wall), point_id, ref
        self._new_pickups[ref] = {
            "ref": ref,
            "kiosk": record.kiosk,
            "gen": record.gen,
            "seq": record.seq,
            "right": record.right,
            "program_version": record.program_version,
            "card": record.card,
            "quantity": record.quantity,
            "spends": spends,
            "epoch_incarnation": epoch[0],
            "epoch_n": epoch[1],
            "officer": record.officer,
            "wall": record.wall,
            "point_id": point_id,
            "voided": False,
            "kind": flags.kind_of(record),
            "slice": stock.slice_of(record) or None,
            "counted_in": None if counted is row else counted.right,
            "era": counted.merges,
        }
        self._pickups[ref] = self._new_pickups[ref]
        if stock.slice_of(record):
            self._slices.spend(stock.slice_of(record), record.quantity, ref, self.open_case)
        mine = row.held_by == self._kiosk and row.gen == self._gen
        holds = mine and not branch and row.floor < epoch <= row.epoch
        found = HandOut(record, ref, flags.kind_of(record), row, counted, holds)
        if ref not in self.taken_back:
            flags.judge(
                self._connection,
                found,
                lambda: self._of_right(counted, ref),
                lambda: not branch and self._may_release and self._earlier.cover(record, row),
                self.open_case,
            )
        if counted.left == 0:
            # Who was asked because others took of it too still believes in what they took.
            counted.recall = counted.recall and (
                counted.merges > 0 or self._recalls.is_misled(self._connection, counted)
            )
            counted.wanted_by, counted.wanted_until = "", 0
        if not holds or counted is not row:
            # Its holder believes in more than is left now.
            self._recalls.ask(counted, MISLED)

    def _void(self, record: Record, branch: str) -> None:
        ref = self.lines.pickup_of(record) if branch else record.ref
        if ref not in self._pickups:
            self._pickups |= self._stored_pickups([ref])
        found = self._pickups.get(ref)
        mine = pickup_ref(record.kiosk, record.gen, record.seq) + branch
        if found is None or found["kiosk"] != self._kiosk:
            self.open_case(f"void_unknown:{mine}", "void_unknown", "", [record.ref, mine])
            return
        if found["voided"]:
            self.open_case(f"void_again:{mine}", "void_again", found["right"], [found["ref"], mine])
            return
        found["voided"] = True
        # One that came in this push is stored as voided; the order for it, if any, is done either way.
        self._voided[found["ref"]] = mine
        if found["slice"]:
            self._slices.spend(found["slice"], -found["quantity"], mine, self.open_case)
        counted = self._right(found["counted_in"] or found["right"])
        if counted.merges > found["era"] or counted.merged_into is not None:
            counted = merging.take_back(self._connection, counted, found["era"], found["spends"], self._right)
        else:
            counted.spent -= found["spends"]
        knows = (counted.held_by, counted.gen) == (self._kiosk, self._gen) and not branch
        if not knows or counted.right != found["right"]:
            # Released by the one who takes back: its holder does not hear of what came back.
            self._recalls.ask(counted, MISLED)

    def _recall_misled(self, rows: Iterable[Right]) -> None:
        """Asks rights back of which the grant outstanding leaves another rest than there is by now.

        Terms that changed since the grant stand until its recall is answered: a recall that lapsed because
        nothing was left is made anew when something came back, or more was granted than is due now.
        """
        held = {row.right: row for row in rows if row.held_by and not row.in_doubt}
        names = ("right", "epoch_incarnation", "epoch_n", "quantity_left", "spent_before")
        for right, incarnation, n, left, spent in rows_with(
            self._connection, grant_log, names, "right", list(held)
        ):
            row = held[right]
            if (incarnation, n) == row.epoch and max(0, left + spent - row.spent) != row.left:
                self._recalls.ask(row, MISLED)

    def _release(self, record: Record) -> None:
        self._earlier.note_release(record)
        upto = (int(record.detail["upto"][0]), int(record.detail["upto"][1]))
        if record.right != EVERY_RIGHT:
            rows = [self._right(record.right)]
            self._free([row for row in rows if upto >= row.epoch])
            return
        # The kiosk retires: it hands nothing out any more, also of what is on its way to it.
        if self.kiosks.by_id[self._kiosk].gen == self._gen:
            kiosk_rows.freeze(self._connection, self.changes, self._kiosk, RETIRED)
            self.kiosks = Kiosks(self._connection, acked=False)
        held = select(rights_table).where(rights_table.c.held_by == self._kiosk)
        for found in self._connection.execute(held.where(rights_table.c.gen == self._gen)).mappings():
            self._rights.setdefault(found["right"], right_rows.of_row(found))
        self._free(list(self._rights.values()))

    def _free(self, rows: Iterable[Right]) -> None:
        for row in rows:
            if row.held_by == self._kiosk and row.gen == self._gen:
                rights.free(row, self.changes, self.kiosks)
                self._came_back.append(row)
                row.wanted_until = self._now + WANTED_S if row.wanted_by else 0
                self._touched.add(row.right)

    def _right(self, key: str) -> Right:
        """The row of a right; one that central never knew gets a row without quantity."""
        self._touched.add(key)
        row = self._rights.get(key)
        if row is None:
            row = right_rows.load(self._connection, [key]).get(key)
        if row is None:
            subject = key.split("/", maxsplit=1)[0]
            homes = placement.home_points(self._connection, [subject])
            point_id = homes.get(subject, self.kiosks.point_of(self._kiosk))
            row = Right(key, subject, point_id, 0, "[]", 0, 0, "strict")
            self._fresh.add(key)
        self._rights[key] = row
        return row

    def _stored_pickups(self, refs: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(refs), _KEYS_PER_QUERY):
            query = select(pickup).where(pickup.c.ref.in_(refs[start : start + _KEYS_PER_QUERY]))
            found |= {row["ref"]: dict(row) for row in self._connection.execute(query).mappings()}
        return found

    def _of_right(self, counted: Right, but: str) -> list[tuple[str, str]]:
        """Pickups that stand and count in a right, with their kinds, oldest first as their clocks say."""
        query = select(pickup.c.ref, pickup.c.wall, pickup.c.kind).where(pickup.c.voided.is_(False))
        keys = [counted.right]
        if counted.merges:
            keys += merging.parts_of(self._connection, counted.right)
        query = query.where(pickup.c.right.in_(keys))
        stored = {row.ref: (row.wall, row.ref, row.kind) for row in self._connection.execute(query)}
        arriving = {
            ref: (one["wall"], ref, one["kind"])
            for ref, one in self._new_pickups.items()
            if one["right"] in keys and not one["voided"]
        }
        standing = sorted((stored | arriving).values())
        return [(ref, kind) for _, ref, kind in standing if ref != but and ref not in self._voided]

    def _local(self, wall_ms: int) -> str:
        """ISO local time of a record's wall clock; central's own where that is no date."""
        seconds = wall_ms / 1000 if wall_ms < _MAX_WALL_MS else self._now
        return datetime.fromtimestamp(seconds, ZONE).isoformat(timespec="seconds")
