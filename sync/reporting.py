"""What the kiosk tells central of the rights it holds, when central went back to a backup and asks.

The journal goes first: without it central could not tell a right that was spent or released from a lost one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kiosk.ledger import Ledger
from kiosk.rights import held_epochs
from sync.wire import MAX_HELD, HoldingsAnswer, HoldingsRequest

log = logging.getLogger(__name__)


def report_holdings(
    ledger: Ledger,
    gen: int,
    push_all: Callable[[], int],
    send: Callable[[HoldingsRequest], HoldingsAnswer],
) -> bool:
    """Sends the journal, then everything held; True if central has it all. Raises CentralFault as both do.

    A right that is released while this runs is still in the list: its release follows and frees it.
    """
    push_all()
    head_seq = ledger.head_seq(gen)
    held = [(right, *epoch) for right, epoch in held_epochs(ledger, gen)]
    for start in range(0, max(1, len(held)), MAX_HELD):
        answer = send(
            HoldingsRequest(
                gen=gen,
                head_seq=head_seq,
                held=held[start : start + MAX_HELD],
                first=start == 0,
                more=start + MAX_HELD < len(held),
            )
        )
        if answer.status != "taken":
            log.warning("central did not take the list of rights held: %s", answer.status)
            return False
    log.warning("central went back to a backup: %d rights held were reported", len(held))
    return True
