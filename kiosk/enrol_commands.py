"""``enrol`` and ``key roll``: what a technician and a supervisor do with this machine's identity."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from kiosk.errors import OfficerFault

if TYPE_CHECKING:  # a reader process is a command too, and loads none of this
    from kiosk.command_line import Command
    from kiosk.counter import Counter

CODE_TIMEOUT_S = 60.0

Tell = Callable[[argparse.Namespace, dict[str, Any], str], int]
OpenCounter = Callable[[], AbstractContextManager["Counter"]]


def add_words(add: Any) -> None:
    """Puts the words on the command line; ``add`` as in ``kiosk.command_line``."""
    enrolling = add("enrol", "enrol this machine with a one-time ticket")
    enrolling.add_argument("ticket", nargs="?", default="", help="the one-time code; or --qr")
    enrolling.add_argument("--central", required=True, metavar="URL", help="central's address")
    enrolling.add_argument("--qr", action="store_true", help="read the code's QR with the camera")
    enrolling.add_argument("--device", default="", help="camera for --qr; empty: what is set, else found")
    enrolling.add_argument(
        "--timeout", type=float, default=CODE_TIMEOUT_S, metavar="S", help="seconds for --qr"
    )
    add.group("key", "this device's key")
    rolling = add("key roll", "sign by a new key from now on")
    rolling.add_argument("--officer", required=True, help="a supervisor's user name; asks for the PIN")


def commands(open_counter: OpenCounter, tell: Tell) -> Mapping[str, Command]:
    """What runs each command but ``enrol``, which the root composes."""

    def roll_key(arguments: argparse.Namespace) -> int:
        from kiosk import key_roll
        from kiosk.desk_commands import sign_in
        from kiosk.journal_format import rolled_to

        with open_counter() as counter:
            session = sign_in(counter, arguments.officer)
            journal = counter.journal_of_supervisor(session)
            record = key_roll.roll(counter.home, journal, session.username)
        answer = {"gen": record.gen, "seq": record.seq, "public": rolled_to(record).hex()}
        return tell(arguments, answer, f"A new key signs after record {record.gen}:{record.seq}.")

    return {"key roll": roll_key}


def ticket_of(arguments: argparse.Namespace, read_code: Callable[[str], str]) -> str:
    """The ticket that was typed, or that ``read_code`` reads with the camera (it gets the code's prefix).

    Raises OfficerFault ``ticket_malformed``, ``ticket_missing`` for neither or both; what ``read_code`` does.
    """
    from kiosk.enrolment import TICKET_PREFIX, ticket_of_code

    if bool(arguments.ticket) == bool(arguments.qr):
        raise OfficerFault("ticket_missing", "give either the ticket or --qr")
    if not arguments.qr:
        return str(arguments.ticket)
    try:
        return ticket_of_code(read_code(TICKET_PREFIX))
    except ValueError:
        raise OfficerFault("ticket_malformed", "the code holds no enrolment ticket") from None
