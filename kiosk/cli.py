"""``kmc-kiosk``: every part of the kiosk as a command. A composition root: nobody imports it.

With ``--json`` a command answers with one JSON document. Exit 0 is good, 1 a fault (``code`` and
``message``), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from config.load import Loaded, home_folder
from kiosk import enrol_commands, journal_commands, rights_commands
from kiosk.command_line import Command, make_parser
from kiosk.commands import open_counter, open_home, say, settings_or_fault, tell
from kiosk.errors import KioskError, OfficerFault
from kiosk.values import Checks, Collector


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit code."""
    arguments = make_parser(COMMANDS).parse_args(argv)
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    command: Command = arguments.run
    try:
        return command(arguments)
    except KioskError as fault:
        return _tell_fault(fault, arguments.json)
    except BrokenPipeError:
        # Whoever read the answer went away. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("kmc-kiosk: nobody reads the answer", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130


# -- what the commands do --


def run_enrol(arguments: argparse.Namespace) -> int:
    """``enrol``."""
    from kiosk.app import central_address
    from kiosk.clock import SystemClock
    from sync.enrolling import enrol

    def read_code(prefix: str) -> str:
        from drivers.qr_text import read_code as read

        return read(device_to_read(loaded, "qr", arguments.device), prefix, arguments.timeout)

    loaded = settings_or_fault()
    address = central_address(loaded)
    bundle = enrol(
        loaded.home,
        enrol_commands.ticket_of(arguments, read_code),
        arguments.central,
        SystemClock(),
        ca_file=address.ca_file,
        proxy=address.proxy,
    )
    enrolled = bundle.enrolment
    return tell(
        arguments,
        {
            "kiosk": enrolled.kiosk,
            "generation": enrolled.gen,
            "mode": str(enrolled.mode),
            "point": enrolled.point,
        },
        f"Enrolled as {enrolled.kiosk} (generation {enrolled.gen}, {enrolled.mode}).",
    )


def run_window(arguments: argparse.Namespace) -> int:
    """``run``."""
    from kiosk.app import run

    return run(settings_or_fault())


def run_demo(arguments: argparse.Namespace) -> int:
    """``demo``."""
    from kiosk import demonstration, tour

    def play(running: demonstration.Demonstration, url: str) -> int:
        from kiosk.app import run
        from ui.guide import Guide
        from ui.tour import play as story

        return tour.play_tour(running, url, run, Guide, story)

    return demonstration.run(arguments.folder.absolute(), play, tour=arguments.tour)


def run_read_nfc(arguments: argparse.Namespace) -> int:
    """``read nfc``: JSON lines whatever ``--json`` says."""
    from drivers.nfc_reader import run

    loaded = settings_or_fault()
    return run(
        device_to_read(loaded, "nfc", arguments.device),
        once=arguments.once,
        timeout_s=arguments.timeout,
        out=sys.stdout,
        commands=_commands(arguments),
    )


def run_read_qr(arguments: argparse.Namespace) -> int:
    """``read qr``: JSON lines whatever ``--json`` says."""
    from drivers.qr_reader import run

    loaded = settings_or_fault()
    return run(
        device_to_read(loaded, "qr", arguments.device),
        once=arguments.once,
        timeout_s=arguments.timeout,
        out=sys.stdout,
        commands=_commands(arguments),
    )


def run_show(arguments: argparse.Namespace) -> int:
    """``show``."""
    from kiosk import desk_commands

    _need_card(arguments)
    with open_counter() as counter:
        answer = desk_commands.show(
            counter, arguments.payload, arguments.uid, arguments.card, arguments.officer, arguments.reason
        )
    lines = [f"{answer['name'] or '(no name)'} · {answer['card_no']} · {answer['grade']}"]
    for row in answer["programs"]:
        what = f"  {row['state']:<15} {row['program']:<28} {row['quantity_text']['id']:<14}"
        lines.append(f"{what} {row['date']} {row['place']}".rstrip())
    return tell(arguments, answer, "\n".join(lines))


def run_confirm(arguments: argparse.Namespace) -> int:
    """``confirm``."""
    from kiosk import desk_commands

    _need_card(arguments)
    with open_counter() as counter:
        session = desk_commands.sign_in(counter, arguments.officer)
        visit = desk_commands.open_visit(
            counter, arguments.payload, arguments.uid, arguments.card, session, arguments.reason
        )
        desk_commands.confirm(
            counter,
            visit,
            session,
            arguments.program,
            arguments.quantity,
            Collector(arguments.collector, arguments.guardian, arguments.collector_name, arguments.letter),
            Checks(tuple(filter(None, arguments.documents.split(","))), arguments.photo_checked),
            arguments.reason,
            lambda answer: say(arguments, answer, f"Recorded. No. {answer['ref']}"),
        )
    return 0


def run_void(arguments: argparse.Namespace) -> int:
    """``void``."""
    from kiosk import desk_commands

    with open_counter() as counter:
        session = desk_commands.sign_in(counter, arguments.officer)
        pickup = counter.void(arguments.ref, arguments.goods, arguments.reason, session)
    return tell(arguments, desk_commands.pickup_as_json(pickup), f"{pickup.ref} is voided.")


def run_sync(arguments: argparse.Namespace) -> int:
    """``sync --once`` and ``sync --watch``."""
    from kiosk.app import central_address
    from kiosk.clock import SystemClock
    from kiosk.home import Home
    from kiosk.upkeep import UpkeepLimits
    from sync.kiosk_end import make_engine
    from sync.watch import Watch, report_line

    loaded = settings_or_fault()
    home, address, clock = Home(loaded.home), central_address(loaded), SystemClock()
    stays = loaded.settings.journal
    limits = UpkeepLimits(stays.backup_horizon_days, stays.private_text_days)
    if arguments.watch:
        os.nice(10)  # a large download may busy this process, never the screen
        wait_s = loaded.settings.central.poll_wait_s
        return Watch(
            lambda: make_engine(home, address, clock, limits), sys.stdout, sys.stdin, poll_wait_s=wait_s
        ).run()
    answer = report_line(make_engine(home, address, clock, limits).sync_now())
    return tell(arguments, answer, ", ".join(f"{value} {key}" for key, value in answer.items()))


def run_status(arguments: argparse.Namespace) -> int:
    """``status``."""
    from kiosk import desk_commands

    with open_counter() as counter:
        answer = desk_commands.status_as_json(counter)
    return tell(arguments, answer, "\n".join(f"{key}: {value}" for key, value in answer.items()))


def run_journal_export(arguments: argparse.Namespace) -> int:
    """``journal export``: what central has not got, as an exchange file; without a file, lines to read."""
    from kiosk.journal_commands import run_print
    from sync.usb_commands import run_export

    return run_print(arguments) if arguments.file is None else run_export(arguments, open_home())


def run_journal_acknowledge(arguments: argparse.Namespace) -> int:
    """``journal acknowledge``."""
    from sync.usb_commands import run_acknowledge

    return run_acknowledge(arguments, open_home())


def run_journal_verify(arguments: argparse.Namespace) -> int:
    """``journal verify``, of the ledger or of an exchange file."""
    from kiosk.journal_commands import run_verify, tell_verified
    from sync.usb_commands import verify_file

    if arguments.file is None:
        return run_verify(arguments)
    return tell_verified(arguments, verify_file(arguments.file, open_home()))


def run_config_check(arguments: argparse.Namespace) -> int:
    """``config check``."""
    loaded = settings_or_fault()
    return tell(arguments, {"home": str(loaded.home), "file": str(loaded.file)}, "The settings are good.")


def run_config_show(arguments: argparse.Namespace) -> int:
    """``config show``."""
    from config.show import as_json, as_toml

    loaded = settings_or_fault()
    return tell(arguments, as_json(loaded), as_toml(loaded).rstrip())


def run_tap(arguments: argparse.Namespace) -> int:
    """``tap``."""
    return _at_station(arguments, {"do": "tap", "card_no": arguments.card_no, "hold_s": arguments.hold})


def run_show_qr(arguments: argparse.Namespace) -> int:
    """``show-qr``."""
    return _at_station(arguments, {"do": "show_qr", "card_no": arguments.card_no, "hold_s": arguments.hold})


def run_cards(arguments: argparse.Namespace) -> int:
    """``cards``."""
    return _at_station(arguments, {"do": "list"})


def run_virtual(arguments: argparse.Namespace) -> int:
    """``virtual``."""
    from drivers.virtual.station import run
    from kiosk.virtual_readers import cards_file, prepare_socket, state_file

    home = home_folder()
    refuse_in_production(home)
    return run(prepare_socket(home), cards_file(home), 0, 0, state_file(home))


# -- what they share --


def refuse_in_production(home: Path) -> None:
    """Raises OfficerFault ``not_in_production`` on a kiosk that was enrolled for production."""
    from kiosk import enrolment
    from kiosk.values import Mode

    bundle = enrolment.load(home)
    if bundle is not None and bundle.enrolment.mode is Mode.PRODUCTION:
        raise OfficerFault("not_in_production", "this belongs to demonstrations; this kiosk is in production")


def device_to_read(loaded: Loaded, kind: str, given: str) -> str:
    """What to read with: given, set or found, else in demonstration the virtual reader; else empty."""
    from kiosk.app import device_for

    return device_for(loaded, kind, given)


def _need_card(arguments: argparse.Namespace) -> None:
    if bool(arguments.payload) == bool(arguments.card):
        print("kmc-kiosk: give either a payload or --card CARD_NO", file=sys.stderr)
        raise SystemExit(2)


def _commands(arguments: argparse.Namespace) -> TextIO | None:
    return None if arguments.once else sys.stdin


def _at_station(arguments: argparse.Namespace, order: dict[str, Any]) -> int:
    from kiosk.virtual_readers import ask_station

    home = home_folder()
    refuse_in_production(home)
    answer = ask_station(home, order)
    if "cards" in answer:
        text = "\n".join(f"{c['card_no']:<12} {c['chip']:<8} {c['label']}" for c in answer["cards"])
    else:
        text = "Done."
    return tell(arguments, answer, text)


def _tell_fault(fault: KioskError, as_json: bool) -> int:
    if as_json:
        print(json.dumps(fault.as_json(), ensure_ascii=False, default=str), flush=True)
    else:
        print(f"{fault.code}: {fault.message}", file=sys.stderr, flush=True)
    return 1


COMMANDS: Mapping[str, Command] = {
    "enrol": run_enrol,
    "run": run_window,
    "read nfc": run_read_nfc,
    "read qr": run_read_qr,
    "sync": run_sync,
    "status": run_status,
    "show": run_show,
    "confirm": run_confirm,
    "void": run_void,
    "journal list": journal_commands.run_list,
    "journal verify": run_journal_verify,
    "journal export": run_journal_export,
    "journal acknowledge": run_journal_acknowledge,
    "journal salvage": journal_commands.run_salvage,
    "journal unshown": journal_commands.run_unshown,
    "config check": run_config_check,
    "config show": run_config_show,
    "demo": run_demo,
    "tap": run_tap,
    "show-qr": run_show_qr,
    "cards": run_cards,
    "virtual": run_virtual,
    **rights_commands.commands(open_counter, tell),
    **enrol_commands.commands(open_counter, tell),
}

if __name__ == "__main__":
    sys.exit(main())
