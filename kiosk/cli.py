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

from config.load import Loaded, home_folder, load
from config.mistakes import SettingsFault
from kiosk import rights_commands
from kiosk.command_line import Command, make_parser
from kiosk.errors import EnvironmentFault, KioskError, OfficerFault
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

    loaded = settings_or_fault()
    address = central_address(loaded)
    bundle = enrol(
        loaded.home,
        arguments.ticket,
        arguments.central,
        SystemClock(),
        ca_file=address.ca_file,
        proxy=address.proxy,
    )
    enrolled = bundle.enrolment
    return _tell(
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
    return _tell(arguments, answer, "\n".join(lines))


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
            lambda answer: _say(arguments, answer, f"Recorded. No. {answer['ref']}"),
        )
    return 0


def run_void(arguments: argparse.Namespace) -> int:
    """``void``."""
    from kiosk import desk_commands

    with open_counter() as counter:
        session = desk_commands.sign_in(counter, arguments.officer)
        pickup = counter.void(arguments.ref, arguments.goods, arguments.reason, session)
    return _tell(arguments, desk_commands.pickup_as_json(pickup), f"{pickup.ref} is voided.")


def run_sync(arguments: argparse.Namespace) -> int:
    """``sync --once`` and ``sync --watch``."""
    from kiosk.app import central_address
    from kiosk.clock import SystemClock
    from kiosk.home import Home
    from sync.kiosk_end import make_engine
    from sync.watch import Watch, report_line

    loaded = settings_or_fault()
    home, address, clock = Home(loaded.home), central_address(loaded), SystemClock()
    if arguments.watch:
        os.nice(10)  # a large download may busy this process, never the screen
        wait_s = loaded.settings.central.poll_wait_s
        return Watch(
            lambda: make_engine(home, address, clock), sys.stdout, sys.stdin, poll_wait_s=wait_s
        ).run()
    answer = report_line(make_engine(home, address, clock).sync_now())
    return _tell(arguments, answer, ", ".join(f"{value} {key}" for key, value in answer.items()))


def run_status(arguments: argparse.Namespace) -> int:
    """``status``."""
    from kiosk import desk_commands

    with open_counter() as counter:
        answer = desk_commands.status_as_json(counter)
    return _tell(arguments, answer, "\n".join(f"{key}: {value}" for key, value in answer.items()))


def run_journal_list(arguments: argparse.Namespace) -> int:
    """``journal list``."""
    from kiosk.journal_walk import list_records

    with open_ledger() as (ledger, _):
        records = list_records(ledger, last=arguments.last, type_=arguments.type)
    lines = [f"{r['name']:<14} {r['at']} {r['type']:<10} {r['right']} {r['quantity'] or ''}" for r in records]
    return _tell(arguments, {"records": records}, "\n".join(lines) or "No records.")


def run_journal_verify(arguments: argparse.Namespace) -> int:
    """``journal verify``: exit 1 when a record does not hold."""
    from kiosk.journal_walk import verify_journal

    with open_ledger() as (ledger, _):
        answer = verify_journal(ledger)
    if not answer["intact"]:
        wrong = answer["first_wrong"]
        raise EnvironmentFault(
            "journal_damaged", f"record {wrong['gen']}:{wrong['seq']}: {wrong['message']}", **answer
        )
    return _tell(arguments, answer, f"{answer['records']} records, all hold.")


def run_journal_export(arguments: argparse.Namespace) -> int:
    """``journal export``: JSON lines to a file or standard output."""
    from kiosk.journal_walk import export_lines

    with open_ledger() as (ledger, kiosk):
        if arguments.file is None:
            _write_lines(sys.stdout, export_lines(ledger, kiosk))
            return 0
        try:
            with arguments.file.open("x", encoding="utf-8") as file:
                count = _write_lines(file, export_lines(ledger, kiosk))
        except OSError as error:
            raise EnvironmentFault("export_failed", f"{arguments.file}: {error.strerror}") from error
    return _tell(
        arguments, {"file": str(arguments.file), "records": count}, f"{count} records in {arguments.file}."
    )


def run_config_check(arguments: argparse.Namespace) -> int:
    """``config check``."""
    loaded = settings_or_fault()
    return _tell(arguments, {"home": str(loaded.home), "file": str(loaded.file)}, "The settings are good.")


def run_config_show(arguments: argparse.Namespace) -> int:
    """``config show``."""
    from config.show import as_json, as_toml

    loaded = settings_or_fault()
    return _tell(arguments, as_json(loaded), as_toml(loaded).rstrip())


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


def settings_or_fault() -> Loaded:
    """The settings. Raises EnvironmentFault ``settings_wrong`` with every mistake."""
    try:
        loaded = load()
        logging.getLogger().setLevel(loaded.settings.log.level.upper())
        return loaded
    except SettingsFault as fault:
        mistakes = [mistake.as_json() for mistake in fault.mistakes]
        raise EnvironmentFault("settings_wrong", str(fault), mistakes=mistakes) from fault


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


class open_counter:  # noqa: N801  used like a function: with open_counter() as counter
    """The counter of this home, closed at the end."""

    def __enter__(self) -> Any:
        from kiosk.clock import SystemClock
        from kiosk.home import Home

        loaded = settings_or_fault()
        limits = loaded.settings.limits
        self._counter = Home(loaded.home).counter(
            SystemClock(),
            zone=loaded.settings.zone,
            void_minutes=limits.void_minutes,
            officer_cache_days=limits.officer_cache_days,
        )
        return self._counter

    def __exit__(self, *_: object) -> None:
        self._counter.close()


class open_ledger:  # noqa: N801
    """The ledger of this home and the kiosk's name; closed at the end."""

    def __enter__(self) -> tuple[Any, str]:
        from kiosk.home import Home

        home = Home(settings_or_fault().home)
        self._ledger = home.ledger()
        return self._ledger, home.bundle.enrolment.kiosk

    def __exit__(self, *_: object) -> None:
        self._ledger.close()


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
    return _tell(arguments, answer, text)


def _write_lines(file: TextIO, lines: Any) -> int:
    count = 0
    for line in lines:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


def _tell(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
    _say(arguments, answer, text)
    return 0


def _say(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else text, flush=True)


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
    "journal list": run_journal_list,
    "journal verify": run_journal_verify,
    "journal export": run_journal_export,
    "config check": run_config_check,
    "config show": run_config_show,
    "demo": run_demo,
    "tap": run_tap,
    "show-qr": run_show_qr,
    "cards": run_cards,
    "virtual": run_virtual,
    **rights_commands.commands(open_counter, _tell),
}

if __name__ == "__main__":
    sys.exit(main())
