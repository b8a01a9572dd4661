"""Hand-outs under a grant of before a restore, heard of once more when a later grant is known already.

A restore tells central every grant of the log at once, and the journals follow. A hand-out that was in order
then finds its right with whoever was granted it next. It stays in order if the log of grants has its grant,
and the kiosk's own journal did not give the right back before it.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from kiosk.journal_format import RELEASE, Record, decode
from sync.central import settings
from sync.central.models import grant_log, journal
from sync.central.record_check import EVERY_RIGHT
from sync.central.right_rows import Right


class EarlierGrants:
    """Of one push of one kiosk's generation. Asks the database only of hand-outs that are in question."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._incarnation: int | None = None
        self._released: list[Record] = []
        self._retired: list[tuple[int, bytes]] | None = None

    def note_release(self, release: Record) -> None:
        """A release of this push; the stored ones are looked up."""
        self._released.append(release)

    def cover(self, record: Record, row: Right) -> bool:
        """True if ``record`` was made under a grant of an earlier incarnation, before its kiosk gave it back.

        Within one incarnation records come in the order in which grants follow from them: whoever does not
        hold the right by then did not hold it.
        """
        epoch = record.epoch or (0, 0)
        if not (0, 0) < epoch < row.epoch or epoch == row.floor or epoch[0] >= self._now_at():
            return False
        return self._is_granted(record, epoch) and not self._is_released(record, epoch)

    def _now_at(self) -> int:
        if self._incarnation is None:
            self._incarnation = int(settings.get(self._connection, "incarnation"))
        return self._incarnation

    def _is_granted(self, record: Record, epoch: tuple[int, int]) -> bool:
        query = select(grant_log.c.right).where(
            grant_log.c.right == record.right,
            grant_log.c.epoch_incarnation == epoch[0],
            grant_log.c.epoch_n == epoch[1],
            grant_log.c.kiosk == record.kiosk,
            grant_log.c.gen == record.gen,
        )
        return self._connection.execute(query).first() is not None

    def _is_released(self, record: Record, epoch: tuple[int, int]) -> bool:
        if any(
            one.seq < record.seq and one.right in (record.right, EVERY_RIGHT) and _upto(one) >= epoch
            for one in self._released
        ):
            return True
        # By the right alone: of one right there are few, of one kiosk very many.
        query = select(journal.c.kiosk, journal.c.gen, journal.c.seq, journal.c.record)
        query = query.where(journal.c.right == record.right, journal.c.type == RELEASE)
        stored = [
            (one.seq, bytes(one.record))
            for one in self._connection.execute(query)
            if (one.kiosk, one.gen) == (record.kiosk, record.gen)
        ]
        return any(
            seq < record.seq and _upto(decode(payload)) >= epoch
            for seq, payload in (*stored, *self._of_every_right(record.kiosk, record.gen))
        )

    def _of_every_right(self, kiosk: str, gen: int) -> list[tuple[int, bytes]]:
        """The stored releases of a kiosk that retired."""
        if self._retired is None:
            # Stored without a right; an index of those would find every note.
            query = select(journal.c.seq, journal.c.record).where(
                journal.c.kiosk == kiosk,
                journal.c.gen == gen,
                journal.c.type == RELEASE,
                journal.c.right == "",
            )
            self._retired = [(one.seq, bytes(one.record)) for one in self._connection.execute(query)]
        return self._retired


def _upto(release: Record) -> tuple[int, int]:
    return int(release.detail["upto"][0]), int(release.detail["upto"][1])
