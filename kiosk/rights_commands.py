"""Commands for what a supervisor does to the kiosk itself: its date, its stock, taking it out of service."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a reader process is a command too, and loads none of this
    from kiosk.command_line import Command
    from kiosk.counter import Counter

Tell = Callable[[argparse.Namespace, dict[str, Any], str], int]
OpenCounter = Callable[[], AbstractContextManager["Counter"]]


def add_words(add: Any) -> None:
    """Puts the words on the command line; ``add`` as in ``kiosk.command_line``."""
    add.group("clock", "the kiosk's date")
    confirming = add("clock confirm", "confirm today's date while it is in doubt")
    confirming.add_argument("--date", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
    add.group("stock", "what this kiosk may hand out of programs with a stock")
    add("stock list", "what is left of each slice")
    returning = add("stock return", "give back what is left of a program's stock")
    returning.add_argument("program")
    retiring = add("retire", "take this kiosk out of service: give every right and all stock back")
    for parser in (confirming, returning, retiring):
        parser.add_argument("--officer", required=True, help="a supervisor's user name; asks for the PIN")


def commands(open_counter: OpenCounter, tell: Tell) -> Mapping[str, Command]:
    """What runs each command, by its words; the root says how a counter is opened and how to answer."""

    def confirm_clock(arguments: argparse.Namespace) -> int:
        from kiosk.desk_commands import sign_in

        with open_counter() as counter:
            now = counter.assert_clock(arguments.date, sign_in(counter, arguments.officer))
        return tell(arguments, {"now": now}, f"The kiosk's time is {now} until it is started anew.")

    def list_stock(arguments: argparse.Namespace) -> int:
        with open_counter() as counter:
            slices = stock_as_json(counter)
        lines = [
            f"{one['slice']:<40} {one['left']} of {one['quantity']}, {one['returned']} given back"
            for one in slices
        ]
        return tell(arguments, {"slices": slices}, "\n".join(lines) or "No stock.")

    def return_stock(arguments: argparse.Namespace) -> int:
        from kiosk.desk_commands import sign_in
        from kiosk.errors import OfficerFault
        from kiosk.stock_records import give_back

        with open_counter() as counter:
            session = sign_in(counter, arguments.officer)
            journal = counter.journal_of_supervisor(session)
            if all(one.program_id != arguments.program for one in counter.stock()):
                raise OfficerFault("no_stock", f"no stock of {arguments.program} was ever here")
            records = give_back(journal, session.username, arguments.program)
        quantity = sum(record.quantity for record in records)
        answer = {"slices": [record.detail["slice"] for record in records], "quantity": quantity}
        return tell(arguments, answer, f"{quantity} of {arguments.program} given back.")

    def retire_kiosk(arguments: argparse.Namespace) -> int:
        from kiosk.desk_commands import sign_in
        from kiosk.retiring import retire

        with open_counter() as counter:
            session = sign_in(counter, arguments.officer)
            gone = retire(counter.journal_of_supervisor(session), session.username)
            waiting = counter.status().waiting
        answer = {"rights": gone.rights, "slices": gone.slices, "waiting": waiting}
        text = (
            f"Retired: {gone.rights} rights and {gone.slices} stock slices given back. {waiting} records "
            "wait to be sent: they count at central once `kmc-kiosk sync --once` has brought them there."
        )
        return tell(arguments, answer, text)

    return {
        "clock confirm": confirm_clock,
        "stock list": list_stock,
        "stock return": return_stock,
        "retire": retire_kiosk,
    }


def stock_as_json(counter: Counter) -> list[dict[str, Any]]:
    """The slices of a kiosk for a command's answer, oldest first within each program."""
    return [
        {
            "slice": one.id,
            "program": one.program_id,
            "quantity": one.quantity,
            "returned": one.returned,
            "left": one.left,
        }
        for one in counter.stock()
    ]
