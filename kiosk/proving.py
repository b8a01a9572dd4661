"""A card read and what its chip proved, taken together: credential, grade, the counter of its messages.

The highest counter of each card's messages (SDM) is kept in the ledger: a copy of the memory carries one that
was used before.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.chip_proof import Challenges, grade_of
from kiosk.credential import VerifiedCard, verify
from kiosk.errors import CardFault
from kiosk.keyset import KeySet
from kiosk.ledger import CARD_COUNTERS, Ledger
from kiosk.values import CardRead

BADGE_S = 180
"""How long a badge that was laid down stays good for the PIN that follows; longer than a form stays open."""


class Proving:
    """Trusts cards for one counter, in its thread; readers answer the ``challenges`` from theirs."""

    def __init__(self, ledger: Ledger, keyset: Callable[[], KeySet], challenges: Challenges) -> None:
        self._ledger = ledger
        self._keyset = keyset
        self._challenges = challenges
        self._badge: tuple[CardRead, VerifiedCard, int] | None = None

    def badge(self, read: CardRead, now: int) -> VerifiedCard:
        """As ``verified``, and remembered for ``badge_again``: what it proved is used up before its PIN."""
        self._badge = None
        card = self.verified(read, now)
        self._badge = (read, card, now)
        return card

    def badge_again(self, read: CardRead, now: int) -> VerifiedCard:
        """The card of the very read that ``badge`` took last, for BADGE_S; as ``verified`` for any other."""
        if self._badge is not None:
            known, card, then = self._badge
            if known == read and 0 <= now - then <= BADGE_S:
                return card
        return self.verified(read, now)

    def forget_badge(self) -> None:
        """It has done its part."""
        self._badge = None

    def verified(self, read: CardRead, now: int) -> VerifiedCard:
        """The card in ``read`` at ``now`` (Unix seconds), with the grade that was proved.

        Each read is asked about once: what it answers is used up. Raises CardFault as ``grade_of`` and
        ``credential.verify`` do, and ``card_replayed`` for a message of the chip that was read before.
        """
        keyset = self._keyset()
        card = verify(read, keyset, now, grade_of(read, keyset, self._challenges, now))
        counter = read.proof.counter if read.proof is not None else None
        if counter is not None:
            self._count(card, counter)
        return card

    def _count(self, card: VerifiedCard, counter: int) -> None:
        key = (card.card_no, card.issue_no)
        row = self._ledger.row(
            f"SELECT counter FROM {CARD_COUNTERS} WHERE card_no = ? AND issue_no = ?", *key
        )
        if row is not None and counter <= int(row[0]):
            raise CardFault("card_replayed", "a message of the chip that was read before", counter=counter)
        with self._ledger.writing() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO {CARD_COUNTERS} (card_no, issue_no, counter) VALUES (?, ?, ?)",
                (*key, counter),
            )
