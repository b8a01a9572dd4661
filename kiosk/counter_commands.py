"""Commands for what happens at the counter: a card's programs, a pickup, taking one back, the status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from kiosk.values import Checks, Collector

if TYPE_CHECKING:  # a reader process is a command too, and loads none of this
    from kiosk.command_line import Command
    from kiosk.counter import Counter

Tell = Callable[[argparse.Namespace, dict[str, Any], str], int]
Say = Callable[[argparse.Namespace, dict[str, Any], str], None]
OpenCounter = Callable[[], AbstractContextManager["Counter"]]


def commands(
    open_counter: OpenCounter, open_asking: OpenCounter, tell: Tell, say: Say
) -> Mapping[str, Command]:
    """What runs each command, by its words; the root says how a counter is opened and how to answer.

    ``open_asking`` opens one that asks central as the screen does.
    """

    def show(arguments: argparse.Namespace) -> int:
        from kiosk import desk_commands

        _need_card(arguments)
        with open_asking() as counter:
            answer = desk_commands.show(
                counter, arguments.payload, arguments.uid, arguments.card, arguments.officer, arguments.reason
            )
        lines = [f"{answer['name'] or '(no name)'} · {answer['card_no']} · {answer['grade']}"]
        for row in answer["programs"]:
            what = f"  {row['state']:<15} {row['program']:<28} {row['quantity_text']['id']:<14}"
            lines.append(f"{what} {row['date']} {row['place']}".rstrip())
        return tell(arguments, answer, "\n".join(lines))

    def confirm(arguments: argparse.Namespace) -> int:
        from kiosk import desk_commands

        _need_card(arguments)
        with open_asking() as counter:
            session = desk_commands.sign_in(counter, arguments.officer)
            with desk_commands.open_visit(
                counter, arguments.payload, arguments.uid, arguments.card, session, arguments.reason
            ) as visit:
                desk_commands.confirm(
                    counter,
                    visit,
                    session,
                    arguments.program,
                    arguments.quantity,
                    Collector(
                        arguments.collector, arguments.guardian, arguments.collector_name, arguments.letter
                    ),
                    Checks(tuple(filter(None, arguments.documents.split(","))), arguments.photo_checked),
                    arguments.reason,
                    lambda answer: say(arguments, answer, f"Recorded. No. {answer['ref']}"),
                )
        return 0

    def void(arguments: argparse.Namespace) -> int:
        from kiosk import desk_commands

        with open_counter() as counter:
            session = desk_commands.sign_in(counter, arguments.officer)
            pickup = counter.void(arguments.ref, arguments.goods, arguments.reason, session)
        return tell(arguments, desk_commands.pickup_as_json(pickup), f"{pickup.ref} is voided.")

    def status(arguments: argparse.Namespace) -> int:
        from kiosk import desk_commands

        with open_counter() as counter:
            answer = desk_commands.status_as_json(counter)
        return tell(arguments, answer, "\n".join(f"{key}: {_plain(answer[key])}".rstrip() for key in answer))

    return {"show": show, "confirm": confirm, "void": void, "status": status}


def _plain(value: Any) -> str:
    """A value of the status as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _need_card(arguments: argparse.Namespace) -> None:
    if bool(arguments.payload) == bool(arguments.card):
        print("kmc-kiosk: give either a payload or --card CARD_NO", file=sys.stderr)
        raise SystemExit(2)
