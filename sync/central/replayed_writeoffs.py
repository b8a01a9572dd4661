"""Write-offs and the accounts that sign them, told again from the log outside the database.

A restored central that had forgotten a write-off would wait for ever for a kiosk that is gone. It believes
the log no more than it believes anybody: the signatures have to hold.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from kiosk.errors import OfficerFault
from sync.central import accounts, kiosk_rows, rights, writeoff
from sync.central.feed import FeedChanges
from sync.central.models import account, approval, kiosk
from sync.central.models import writeoff as writeoffs
from sync.central.right_rows import ACTIVE
from sync.wire import from_base64

WRITTEN_OFF = "written_off"
"""Why a kiosk is frozen that the backup knows as active and that two people gave up since."""


class ReplayedWriteOffs:
    """Takes the log's entries in their order, inside the caller's transaction."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._now = now
        self._added: set[str] = set()
        self._told: set[str] = set()

    def take_account(self, said: dict[str, Any]) -> bool:
        """An account that the backup does not know; of two by one name the first was never finished."""
        row = {"name": said["name"], "public": bytes.fromhex(said["public"]), "role": said["role"]}
        if row["role"] not in accounts.ROLES or len(row["public"]) != 32:
            raise ValueError("not an account")
        known = self._connection.execute(select(account.c.name).where(account.c.name == row["name"])).first()
        if known is None:
            values = row | {"state": accounts.ACTIVE, "added_at": said["at"]}
            self._connection.execute(insert(account).values(**values))
            self._added.add(row["name"])
        elif row["name"] in self._added:
            self._connection.execute(update(account).where(account.c.name == row["name"]).values(**row))
        return known is None

    def take_closing(self, said: dict[str, Any]) -> None:
        """An account that was closed."""
        closing = update(account).where(account.c.name == said["name"])
        self._connection.execute(closing.values(state=accounts.CLOSED))

    def take_writeoff(self, said: dict[str, Any]) -> bool:
        """A write-off: asked for, or carried out where two signatures hold; True the first time it is news.

        Raises ValueError for a signature that does not hold.
        """
        place = writeoffs.c.id == said["id"]
        state = self._connection.execute(select(writeoffs.c.state).where(place)).scalar()
        if state == writeoff.DONE or (state == writeoff.ASKED and len(said["signed"]) < 2):
            return False
        if state is None:
            row = {name: value for name, value in said.items() if name != "signed"}
            self._connection.execute(insert(writeoffs).values(**row, state=writeoff.ASKED))
        roles = [self._sign(said, *one) for one in said["signed"]]
        if len(roles) >= 2 and accounts.STAFF in roles:
            self._connection.execute(update(writeoffs).where(place).values(state=writeoff.APPROVED))
            self._fence(said["kiosk"], said["gen"])
            writeoff.carry_out_on(self._connection, said["id"], self._now)
        first = said["id"] not in self._told
        self._told.add(said["id"])
        return first

    def _sign(self, said: dict[str, Any], name: str, at: int, signed: str) -> str:
        """Keeps a signature that holds; answers the role of who signed."""
        data = from_base64(signed)
        try:
            claims = accounts.opened(self._connection, name, data)
        except OfficerFault as fault:
            raise ValueError(fault.message) from None
        if claims != {"v": 1, "by": name} | writeoff.claims_of(said, at):
            raise ValueError("signed for something else")
        place = (approval.c.subject == said["id"]) & (approval.c.account == name)
        if not self._connection.execute(select(approval.c.account).where(place)).first():
            values = {"subject": said["id"], "account": name, "signed": data, "at": at}
            self._connection.execute(insert(approval).values(**values))
        found = select(account.c.role).where(account.c.name == name)
        return str(self._connection.execute(found).scalar_one())

    def _fence(self, kiosk_id: str, gen: int) -> None:
        """It was lost when it was written off: what made it so may be a record that has not come again."""
        current = (kiosk.c.id == kiosk_id) & (kiosk.c.gen == gen) & (kiosk.c.state == ACTIVE)
        if self._connection.execute(select(kiosk.c.id).where(current)).first():
            changes = FeedChanges()
            kiosk_rows.freeze(self._connection, changes, kiosk_id, WRITTEN_OFF)
            changes.write(self._connection)
        rights.put_in_doubt(self._connection, kiosk_id, gen)
