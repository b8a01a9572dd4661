"""``adopt``: an officer binds a card from before this system to its holder."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a reader process is a command too, and loads none of this
    from kiosk.command_line import Command
    from kiosk.counter import Counter

Tell = Callable[[argparse.Namespace, dict[str, Any], str], int]
OpenCounter = Callable[[], AbstractContextManager["Counter"]]


def add_words(add: Any) -> None:
    """Puts the words on the command line; ``add`` as in ``kiosk.command_line``."""
    adopting = add("adopt", "bind a card from before this system to its holder")
    adopting.add_argument("--card", required=True, metavar="CARD_NO", help="the holder's card number")
    which = adopting.add_mutually_exclusive_group(required=True)
    which.add_argument("--uid", default="", help="the old card's UID in hex, as `read nfc` tells it")
    which.add_argument("--number", default="", help="the number printed on the old card")
    adopting.add_argument("--officer", required=True, help="user name; asks for the PIN")
    adopting.add_argument("--identity-checked", action="store_true", help="person and KTP were compared")


def commands(open_counter: OpenCounter, tell: Tell) -> Mapping[str, Command]:
    """What runs the command."""

    def adopt(arguments: argparse.Namespace) -> int:
        from kiosk.adopting import OldCard
        from kiosk.desk_commands import sign_in

        card = OldCard("uid", arguments.uid) if arguments.uid else OldCard("number", arguments.number)
        with open_counter() as counter:
            session = sign_in(counter, arguments.officer)
            checked = arguments.identity_checked
            holder_id = counter.adopt(card, arguments.card, session, identity_checked=checked)
        answer = {"id": card.id, "kind": card.kind, "card_no": arguments.card, "holder_id": holder_id}
        return tell(arguments, answer, f"Bound to the holder of {arguments.card}, as grade legacy.")

    return {"adopt": adopt}
