"""What must hold: after every hand-out (I1), every round with central (I2, I8) and every step (I4, I5, I6).

The rest can only hold once all troubles have ended: I3, I7 and I9 after healing.
"""

from __future__ import annotations

import sqlite3
from collections import Counter as Tally
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.sim.books import Books, feed_rows
from tests.sim.machine import Machine
from tests.sim.oracle import Broken, Oracle

if TYPE_CHECKING:
    from tests.sim.world import World


OVERSPENDS: Final = ("overspend", "overspend_tolerated", "unentitled", "written_off")
"""Codes of cases that say that more was handed out than is due, or may have been."""


def acknowledged_is_present(central_file: Path, machine: Machine) -> None:
    """I2: what a machine counts as acknowledged is at central, byte for byte."""
    acked = dict(machine.ledger.rows("SELECT gen, acked_seq FROM acknowledged"))
    if not any(acked.values()) or acked == machine.seen_acknowledged:
        return
    machine.seen_acknowledged = acked
    with closing(sqlite3.connect(central_file)) as db:
        for gen, seq in acked.items():
            kept = {
                bytes(row[0])
                for table in ("journal", "journal_branch")
                for row in db.execute(
                    f"SELECT hash FROM {table} WHERE kiosk = ? AND gen = ?", (machine.kiosk, gen)
                )
            }
            for own_seq, hashed in machine.ledger.rows(
                "SELECT seq, hash FROM journal WHERE gen = ? AND seq <= ?", gen, seq
            ):
                if bytes(hashed) not in kept:
                    raise Broken("I2", f"{machine} believes {gen}:{own_seq} of {seq} to be at central")


def is_fenced(machine: Machine, known: dict[bytes, int]) -> None:
    """I8: central has had records of this generation that this ledger has not: it may not hand out.

    ``known``: sequence number of each, by hash.
    """
    own = {hashed for _, hashed in machine.records().values()}
    pruned = machine.pruned_upto().get(machine.gen, 0)
    others = [seq for hashed, seq in known.items() if hashed not in own and seq > pruned]
    if others and not machine.frozen():
        raise Broken("I8", f"{machine} met central, which has other records at {sorted(others)}, and goes on")


def epochs(machine: Machine) -> dict[str, tuple[int, int, bool]]:
    """Epoch number, release floor and whether it is held, of each right in a ledger."""
    rows = machine.ledger.rows("SELECT right, epoch_n, floor_n, held FROM rights")
    return {row[0]: (row[1], row[2], bool(row[3])) for row in rows}


def epochs_only_rise(machine: Machine, before: dict[str, tuple[int, int, bool]]) -> None:
    """A grant is taken in at a higher epoch only, and never again once it was released."""
    for right, (n, floor, held) in epochs(machine).items():
        known_n, known_floor, _ = before.get(right, (0, 0, False))
        if n < known_n or floor < known_floor or (held and n <= floor):
            raise Broken("grants", f"{machine} took {right} in at {n}, known {known_n}, floor {floor}")


def books_are_right(books: Books, oracle: Oracle) -> None:
    """I4 and I5 at central: each record once and with one effect; a fork is seen, frozen and kept whole."""
    if books.twice:
        raise Broken("I4", f"the same bytes twice at {books.twice}")
    if books.quarantined:
        raise Broken("I4", f"{books.quarantined} records of honest bytes are quarantined")
    dispensed = sum(one.type == "dispense" for one in books.entries.values())
    if dispensed != len(books.pickups):
        raise Broken("I4", f"{dispensed} dispenses, {len(books.pickups)} pickups at central")
    wanted = books.spent_by_records()
    for right, spent in books.spent.items():
        if spent != wanted.get(right, 0):
            raise Broken("I4", f"{right}: {spent} spent at central, {wanted.get(right, 0)} by the records")
    standing = sum(spends for _, spends, voided in books.pickups.values() if not voided)
    if standing != sum(wanted.values()):
        raise Broken("I4", f"pickups that stand sum up to {standing}, records to {sum(wanted.values())}")
    for kiosk, gen in sorted(books.forked()):
        state, current = books.kiosks[kiosk]
        if books.gens[kiosk, gen][0] != "forked":
            raise Broken("I5", f"{kiosk}.{gen} is forked and counts as {books.gens[kiosk, gen][0]}")
        if current == gen and state == "active":
            raise Broken("I5", f"{kiosk}.{gen} is forked and not frozen")
        if (kiosk, gen) not in oracle.copied:
            raise Broken("I5", f"{kiosk}.{gen} is forked without a copy of its ledger")


def everything_arrived(world: World, books: Books) -> None:
    """I3: central's set is what was handed out, less what was lost with a ledger."""
    lasting: set[bytes] = set()
    for machine in world.usable():
        if machine.ledger.waiting() and not machine.frozen():
            raise Broken("I9", f"{machine} still has {machine.ledger.waiting()} records to send")
        own = {hashed for _, hashed in machine.records().values()}
        if missing := own - set(books.entries):
            raise Broken("I3", f"{len(missing)} records of {machine} are not at central")
        lasting |= own
    destroyed = world.gone - lasting - set(books.entries)
    standing = books.standing()
    voids = books.voids()
    for hashed, made in world.oracle.hand_outs.items():
        if hashed not in books.entries:
            if hashed not in destroyed:
                raise Broken("I3", f"{made.ref} of {made.machine} never reached central")
        elif made.returned and hashed not in voids and not destroyed:
            raise Broken("I3", f"{made.ref} was taken back, and stands at central")
        elif not made.returned and hashed not in standing:
            raise Broken("I3", f"{made.ref} was handed out, and is voided at central")
        elif books.entries[hashed].quantity != made.quantity or books.entries[hashed].right != made.right:
            raise Broken("I3", f"{made.ref} reads otherwise at central")
    ghosts = set(standing) - set(world.oracle.hand_outs)
    if ghosts and not world.gone:
        names = [books.entries[one].name for one in sorted(ghosts)]
        raise Broken("I3", f"{names} stand at central and were never handed out")


def followed(books: Books, oracle: Oracle) -> Tally[str]:
    """How many hand-outs were looked for at central after healing, and how many of them are there."""
    arrived = sum(hashed in books.entries for hashed in oracle.hand_outs)
    lost = len(oracle.hand_outs) - arrived
    return Tally({"followed": len(oracle.hand_outs), "arrived": arrived, "gone_with_their_disk": lost})


def overspends_are_reported(books: Books, oracle: Oracle) -> None:
    """I6: each overspend is one case that names its pickups; without one there is no such case."""
    told = [(code, right, refs) for code, right, refs in books.cases if code in OVERSPENDS]
    by_last = [(right, refs[-1]) for _, right, refs in told]
    if len(by_last) != len(set(by_last)):
        raise Broken("I6", f"an overspend is reported twice: {sorted(by_last)}")
    by_right: dict[str, int] = {}
    for one in books.standing().values():
        by_right[one.right] = by_right.get(one.right, 0) + one.spends
    for right, spent in by_right.items():
        if spent > oracle.most(right) and right not in {one for _, one, _ in told}:
            raise Broken("I6", f"{right}: {spent} of {oracle.most(right)} spent, and no case says so")
    for code, right, refs in told:
        if not (oracle.copied or oracle.excused) and code != "overspend_tolerated":
            raise Broken("I6", f"a case {code} of {right} ({refs}) without any overspend")
        unknown = [ref for ref in refs if ref not in books.pickups]
        alone = code.startswith("overspend") and len(refs) < 2 and not oracle.was_cut(right)
        if unknown or alone:
            raise Broken("I6", f"a case of {right} names {refs}, of which central does not know {unknown}")
    if not (oracle.copied or oracle.excused or oracle.log_lost):
        causeless = {"not_held", "void_unknown", "void_again", "fork"}
        wrong = [case for case in books.cases if case[0] in causeless]
        if wrong:
            raise Broken("I6", f"cases without a cause: {wrong}")


def caches_agree(world: World) -> None:
    """I7: each cache that is in step holds exactly what central's feed does, however its pages came."""
    for machine in world.usable():
        caches = machine.engine.caches
        if machine.frozen() or machine.retired or not caches.is_sound():
            continue
        cache = caches.current()
        points = ("p1", "p2") if world.scope.follows else (f"p{machine.point}",)
        buckets = ["city", *points, f"o{machine.point}"]
        for kind, wanted in feed_rows(world.host.file, buckets).items():
            found = cached_rows(cache, kind)
            if found != wanted:
                raise Broken("I7", f"{machine}: {kind} differs by {sorted(found ^ wanted)}")


def cached_rows(cache: object, kind: str) -> set[str]:
    """A cache's rows of a kind that the feed brought, as canonical JSON."""
    import json

    from kiosk.cache import LOOKED_UP
    from kiosk.feed_rows import COLUMNS

    names = ", ".join(f'"{name}"' for name in COLUMNS[kind])
    rows = cache.rows(f'SELECT {names} FROM "{kind}" WHERE bucket NOT LIKE "{LOOKED_UP}%"')  # type: ignore[attr-defined]
    return {json.dumps(list(row), separators=(",", ":"), ensure_ascii=False) for row in rows}


def holdings_agree(world: World, books: Books) -> None:
    """I9: what central believes a machine holds, it holds, with the same left."""
    for right, (kiosk, gen, n, doubt) in books.held.items():
        if not kiosk or doubt:
            continue
        for machine in world.usable():
            if (machine.kiosk, machine.gen) != (kiosk, gen) or machine.frozen():
                continue
            held = machine.ledger.right(right)
            left = max(0, books.quantity[right] - books.spent[right])
            if held is None or not held.held or held.epoch[1] != n or held.gen != gen:
                raise Broken("I9", f"{right} lies at {machine} by central's books, not by its own: {held}")
            if held.quantity_left != left:
                raise Broken("I9", f"{right}: {held.quantity_left} left at {machine}, {left} at central")
