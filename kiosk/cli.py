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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from config.load import Loaded, home_folder
from kiosk import (
    adopt_commands,
    config_commands,
    counter_commands,
    demonstration_commands,
    enrol_commands,
    journal_commands,
    rights_commands,
    technician_commands,
)
from kiosk.command_line import Command, make_parser
from kiosk.commands import open_counter, open_home, say, settings_or_fault, tell
from kiosk.errors import EnvironmentFault, KioskError
from kiosk.technician_commands import say_to_person

if TYPE_CHECKING:
    from kiosk.clock import Clock
    from kiosk.counter import Counter
    from kiosk.home import Home
    from sync.kiosk_end import CentralAddress
    from sync.rights_source import CentralRights


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
    from drivers.nfc_process import run

    loaded = settings_or_fault()
    wanted = arguments.device or loaded.settings.readers.nfc.devices[0]
    device = device_to_read(loaded, "nfc", wanted)
    if not wanted and not device.startswith("udp:"):
        device = ""  # of whatever make, also one that is plugged in later
    return run(
        device,
        once=arguments.once,
        timeout_s=arguments.timeout,
        out=sys.stdout,
        commands=_commands(arguments),
        card_key_file=_card_key_file(loaded, device, arguments.card_key_file),
        **_nfc_options(loaded, device, arguments.reset),
    )


def _card_key_file(loaded: Loaded, device: str, given: str) -> Path | None:
    """The file of the key by which chips prove themselves to this reader; None if it only reads them."""
    from drivers.chip_prover import find_key_file
    from kiosk.virtual_readers import running_card_key_file

    found = find_key_file(given or loaded.settings.cards.key_file)
    return found or (running_card_key_file(loaded.home) if device.startswith("udp:") else None)


def _nfc_options(loaded: Loaded, device: str, reset: bool) -> dict[str, Any]:
    """What a reader of that make is told beside its path."""
    if device.partition(":")[0] in ("", "usb") and reset:
        return {"reset": True}
    if not device.startswith("udp:"):
        return {}
    # Virtual chips are signed in NXP's place by their station; no kiosk in production reads them.
    from drivers.chips.originality import NXP_KEYS, PublicKey
    from kiosk.virtual_readers import running_originality_keys

    stations = (PublicKey.of(key, "virtual") for key in running_originality_keys(loaded.home))
    return {"originality_keys": (*NXP_KEYS, *stations)}


def run_read_qr(arguments: argparse.Namespace) -> int:
    """``read qr``, by a camera or a hand-held scanner: JSON lines whatever ``--json`` says."""
    from drivers.makes import is_scanner

    loaded = settings_or_fault()
    device = device_to_read(loaded, "qr", arguments.device)
    if is_scanner(device):
        from drivers.scanner_reader import run as run_scanner

        run: Callable[..., int] = run_scanner
    else:
        from drivers.qr_reader import run as run_camera

        run = run_camera
    return run(
        device,
        once=arguments.once,
        timeout_s=arguments.timeout,
        out=sys.stdout,
        commands=_commands(arguments),
        **options_of_qr(loaded, device),
    )


def run_write(arguments: argparse.Namespace) -> int:
    """``write``: JSON lines whatever ``--json`` says."""
    from drivers.write_process import run_with_files

    return run_with_files(
        device_to_read(settings_or_fault(), "nfc", arguments.device),
        out=sys.stdout,
        orders=arguments.order or sys.stdin,
        timeout_s=arguments.timeout,
        master_key_file=arguments.master_key_file,
        card_key_file=arguments.card_key_file,
        old_master_key_file=arguments.old_master_key_file,
        old_card_key_file=arguments.old_card_key_file,
    )


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


def run_devices(arguments: argparse.Namespace) -> int:
    """``devices``; of a demonstration its virtual readers too."""
    from drivers.doctor.listing import Listed, as_text, list_devices
    from drivers.doctor.machine import Machine, account
    from kiosk.virtual_readers import running_device

    found = list_devices(Machine(), account())
    for kind, what in (("nfc", "nfc"), ("qr", "camera")):
        path = running_device(home_folder(), kind)
        if path:
            found.append(Listed(what, path, "virtual", path, {"readers.virtual": "auto"}))
    return tell(arguments, {"devices": [one.as_json() for one in found]}, as_text(found))


def run_doctor(arguments: argparse.Namespace) -> int:
    """``doctor``: exit 1 if something fails."""
    from drivers.doctor import hardware, report
    from drivers.doctor.chosen import Chosen
    from drivers.doctor.machine import Machine, account
    from drivers.doctor.system_setup import set_up
    from kiosk import examination, reader_scores
    from kiosk.clock import SystemClock
    from sync.examination import examine as examine_central

    machine, user, clock = Machine(), account(arguments.user), SystemClock()
    if arguments.fix:
        try:
            for line in set_up(arguments.user, say_to_person):
                say_to_person(f"done: {line}")
        except EnvironmentFault as fault:  # what could not be mended is among the findings
            say_to_person(f"{fault.code}: {fault.message}")
    findings = [
        *examination.examine_settings(),
        *hardware.examine(
            machine,
            user,
            look=not arguments.no_picture,
            settings=Chosen(**technician_commands.readers_in_use()),
        ),
        *reader_scores.examine(home_folder()),
        *examination.examine(home_folder(), clock),
        examination.examine_sound(),
        examination.examine_printer(),
        *examine_central(_way_to_central(), clock),
    ]
    answer = report.as_json(findings)
    say(arguments, answer, report.as_text(findings))
    return 1 if "code" in answer else 0


def run_setup(arguments: argparse.Namespace) -> int:
    """``setup`` and ``setup --system``."""
    from drivers.doctor.listing import as_toml, list_devices
    from drivers.doctor.machine import Machine, account
    from drivers.doctor.system_setup import set_up

    if arguments.system:
        done = set_up(arguments.user, say_to_person)
        return tell(arguments, {"done": done}, "\n".join(done) or "Nothing was missing.")
    loaded = settings_or_fault()

    def attempt(kind: str, device: str) -> str:
        try:
            return str(measure_and_keep(loaded, kind, device).get("message", ""))
        except EnvironmentFault as fault:
            return f"{fault.code}: {fault.message}"

    found = [one.as_json() for one in list_devices(Machine(), account(arguments.user))]
    return technician_commands.set_up_readers(arguments, loaded.file, found, attempt, as_toml)


def run_test(arguments: argparse.Namespace) -> int:
    """``test nfc``, ``test qr`` and ``test scanner``: exit 1 for any verdict but ``good`` and ``slow``."""
    if arguments.page is not None:
        from drivers.doctor.printed_page import draw

        return technician_commands.write_page(arguments, draw())
    loaded = settings_or_fault()
    device = device_to_test(loaded, arguments.kind, arguments.device)
    try:
        answer = measure_and_keep(
            loaded, arguments.kind, device, arguments.taps, arguments.timeout, arguments.two_cards
        )
    except EnvironmentFault as fault:
        say_to_person(str(fault.detail.get("fix", "kmc-kiosk doctor looks closer")))
        raise
    say(arguments, {key: value for key, value in answer.items() if key != "text"}, answer["text"])
    return 1 if "code" in answer else 0


def measure_and_keep(
    loaded: Loaded, kind: str, device: str, taps: int = 10, timeout_s: float = 60.0, two_cards: bool = False
) -> dict[str, Any]:
    """Takes taps on a reader and keeps the score for the doctor; the answer of ``test``, with its ``text``.

    Raises EnvironmentFault as opening the reader does, ``tap_timeout``.
    """
    from drivers.doctor.opening import kind_of, take_taps
    from drivers.doctor.taps import WORDS

    options = {} if kind == "nfc" else options_of_qr(loaded, device)
    what = kind_of("nfc" if kind == "nfc" else "scanner" if kind == "scanner" else "qr", device)
    path, score = take_taps(
        what,
        device,
        say_to_person,
        taps=taps,
        timeout_s=timeout_s,
        two_cards=two_cards,
        **options,
    )
    answer = {"device": path} | score.as_json()
    if score.verdict in ("unsure", "bad"):
        answer |= {"code": f"reader_{score.verdict}", "message": score.message}
    technician_commands.keep_score(loaded.home, kind, answer)
    return answer | {"text": score.as_text(WORDS[what])}


def run_virtual(arguments: argparse.Namespace) -> int:
    """``virtual``."""
    from drivers.virtual.station import run
    from kiosk.virtual_readers import cards_file, prepare_socket, state_file

    home = home_folder()
    demonstration_commands.refuse_in_production(home)
    return run(prepare_socket(home), cards_file(home), 0, 0, state_file(home))


# -- what they share --


def device_to_read(loaded: Loaded, kind: str, given: str) -> str:
    """What to read with: given, set or found, else in demonstration the virtual reader; else empty."""
    from kiosk.app import device_for

    return device_for(loaded, kind, given)


def device_to_test(loaded: Loaded, kind: str, given: str) -> str:
    """What ``test`` is for: as ``device_to_read``, and for a scanner what is given or set.

    Raises EnvironmentFault ``reader_missing`` where no scanner is set, and for a camera given as a scanner.
    """
    if kind != "scanner":
        return device_to_read(loaded, kind, given)
    from drivers.makes import is_scanner

    device = given or loaded.settings.readers.scanner.device
    if not is_scanner(device):
        found = f"{device} is no hand-held scanner" if device else "readers.scanner.device is not set"
        fix = (
            "--device serial:PORT, evdev:FILE (kmc-kiosk devices lists both), or keyboard: for this terminal"
        )
        raise EnvironmentFault("reader_missing", f"{found}: {fix}", device=device, fix=fix)
    return device


def options_of_qr(loaded: Loaded, device: str) -> dict[str, Any]:
    """How the settings want that camera or scanner to be used."""
    from drivers.makes import is_scanner

    camera, scanner = loaded.settings.readers.qr, loaded.settings.readers.scanner
    if is_scanner(device):
        from drivers.scanner_lines import LineForm

        form = LineForm(scanner.prefix.encode(), scanner.suffix.encode())
        return {"form": form, "baud": scanner.baud}
    from drivers.camera_controls import CameraControls

    return {"controls": CameraControls(camera.exposure_ms, camera.focus)}


def _way_to_central() -> CentralAddress:
    """Central's address as a running kiosk would use it; none while settings or enrolment are wrong."""
    from dataclasses import replace

    from kiosk import enrolment
    from kiosk.app import central_address
    from sync.kiosk_end import CentralAddress

    try:
        address = central_address(settings_or_fault())
        bundle = None if address.url else enrolment.load(home_folder())
    except KioskError as fault:  # the doctor has told of it by its own check
        say_to_person(f"{fault.code}: settings or enrolment cannot be used")
        return CentralAddress("")
    return replace(address, url=bundle.central_url) if bundle else address


@contextmanager
def open_asking_counter() -> Iterator[Counter]:
    """The counter of this home with central behind it, as the screen has it; closed at the end."""

    def rights(loaded: Loaded, home: Home, clock: Clock) -> AbstractContextManager[CentralRights]:
        from kiosk.app import central_address
        from sync.kiosk_end import make_rights

        # The sync process looks for what is to be sent by itself, too.
        return closing(make_rights(home, central_address(loaded), clock, lambda: None))

    with open_counter(rights) as counter:
        yield counter


def _commands(arguments: argparse.Namespace) -> TextIO | None:
    return None if arguments.once else sys.stdin


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
    "write": run_write,
    "sync": run_sync,
    "journal list": journal_commands.run_list,
    "journal verify": run_journal_verify,
    "journal export": run_journal_export,
    "journal acknowledge": run_journal_acknowledge,
    "journal salvage": journal_commands.run_salvage,
    "journal unshown": journal_commands.run_unshown,
    "config check": config_commands.run_check,
    "config show": config_commands.run_show,
    "devices": run_devices,
    "doctor": run_doctor,
    "setup": run_setup,
    **{f"test {kind}": run_test for kind in technician_commands.KINDS},
    "demo": run_demo,
    "tap": demonstration_commands.run_tap,
    "show-qr": demonstration_commands.run_show_qr,
    "cards": demonstration_commands.run_cards,
    "virtual": run_virtual,
    **counter_commands.commands(open_counter, open_asking_counter, tell, say),
    **rights_commands.commands(open_counter, tell),
    **enrol_commands.commands(open_counter, tell),
    **adopt_commands.commands(open_counter, tell),
}

if __name__ == "__main__":
    sys.exit(main())
