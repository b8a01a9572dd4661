"""Renewing grants outstanding after central's key was compromised: kiosks spend none that it signed.

Marked in the transaction that publishes the keyset, done in small steps, and safe to stop in between: a mark
says up to which grant of a kiosk is still to be renewed, and goes when there is none left.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from sync.central import right_rows, rights, settings
from sync.central.feed import FeedChanges
from sync.central.models import kiosk
from sync.central.models import rights as rights_table
from sync.central.right_rows import Kiosks
from sync.central.state import Central

RIGHTS_PER_WRITE: Final = 500
_PREFIX: Final = "renew:"


def mark(connection: Connection) -> None:
    """Has every grant outstanding renewed."""
    for row in connection.execute(select(kiosk.c.id, kiosk.c.gen, kiosk.c.grant_rev).where(kiosk.c.gen > 0)):
        settings.put(connection, **{f"{_PREFIX}{row.id}.{row.gen}": str(row.grant_rev)})


def renew(central: Central) -> int:
    """Renews what is marked, as far as its holders may be granted anything now; answers how many grants."""
    with central.database.read() as connection:
        marks = settings.with_prefix(connection, _PREFIX)
    total = 0
    for name in marks:
        while made := central.database.write(partial(_renew_some, central, name)):
            total += made
    return total


def _renew_some(central: Central, name: str, connection: Connection) -> int:
    upto = settings.get(connection, name)
    if not upto:
        return 0
    holder_id, _, gen = name.removeprefix(_PREFIX).rpartition(".")
    kiosks = Kiosks(connection)
    holder = kiosks.by_id[holder_id]
    if holder.gen != int(gen):
        # Another generation: what the old one holds is in doubt.
        settings.drop(connection, name)
        return 0
    if not holder.may_hold:
        return 0
    query = (
        select(rights_table)
        .where(rights_table.c.held_by == holder_id, rights_table.c.gen == holder.gen)
        .where(rights_table.c.in_doubt.is_(False), rights_table.c.grant_rev <= int(upto))
        .order_by(rights_table.c.grant_rev)
        .limit(RIGHTS_PER_WRITE)
    )
    rows = [right_rows.of_row(row) for row in connection.execute(query).mappings()]
    if not rows:
        settings.drop(connection, name)
        return 0
    wanted = {row.right: (row.wanted_by, row.wanted_until) for row in rows if row.recall}
    changes = FeedChanges()
    rights.hand_over(connection, central.incarnation, holder, rows, central.now(), changes, kiosks)
    recalled = [row for row in rows if row.right in wanted]
    for row in recalled:
        # Asked back all the same: the kiosk can only release what it holds by a grant that it believes.
        row.recall = True
        row.wanted_by, row.wanted_until = wanted[row.right]
    right_rows.save(connection, recalled)
    changes.write(connection)
    # Not those that are withheld while central recovers: their turn comes with a later call.
    return sum(row.grant_rev > int(upto) for row in rows)
