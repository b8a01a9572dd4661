"""``devices``, ``doctor``, ``setup`` and ``test``: a technician's, composed by the root."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kiosk import reader_scores, setup_dialogue
from kiosk.clock import SystemClock
from kiosk.commands import settings_or_fault, tell
from kiosk.errors import EnvironmentFault, KioskError, OfficerFault
from kiosk.one_at_a_time import is_running
from kiosk.virtual_readers import running_device, virtual_allowed

KINDS: Final = ("nfc", "qr", "scanner")


def add_words(add: Any) -> None:
    """Puts the words on the command line; ``add`` as in ``kiosk.command_line``."""
    add("devices", "readers, cameras and scanners that are plugged in, with the lines that configure them")
    examining = add("doctor", "every check of this kiosk: what was seen, and the command that mends it")
    examining.add_argument("--user", default="", help="the user that the kiosk runs as; else you")
    examining.add_argument(
        "--fix", action="store_true", help="mend what can be mended from here, then look again"
    )
    examining.add_argument("--no-picture", action="store_true", help="do not open the camera")
    setting = add("setup", "choose readers, test them, write the settings file")
    setting.add_argument("--yes", action="store_true", help="ask nothing: take the first of each kind")
    setting.add_argument("--system", action="store_true", help="udev rules and module blacklist instead")
    setting.add_argument(
        "--user", default="", help="with --system: the user that the kiosk runs as; else you, also by sudo"
    )
    add.group("test", "ten taps on a reader: how many were read, how fast")
    for kind, what, device in (
        ("nfc", "cards before the NFC reader", "device; empty: what is set, else found"),
        (
            "qr",
            "codes before the camera, with a meter of light, sharpness and size",
            "camera or address; empty: what is set, else found",
        ),
        (
            "scanner",
            "codes before the hand-held scanner",
            "serial:PORT, evdev:FILE, or keyboard: for one that types into this terminal; empty: what is set",
        ),
    ):
        testing = add(f"test {kind}", f"ten {what}: how many are read, p50, p95 and a verdict")
        testing.set_defaults(kind=kind)
        testing.add_argument("--device", default="", help=device)
        testing.add_argument("--taps", type=int, default=10, metavar="N")
        testing.add_argument("--timeout", type=float, default=60.0, metavar="S", help="for the next tap")
        testing.set_defaults(two_cards=False, page=None)
        if kind == "nfc":
            testing.add_argument("--two-cards", action="store_true", help="at the end two cards at once")
        if kind == "qr":
            testing.add_argument(
                "--page", type=Path, metavar="FILE.svg", help="draw a page of codes to print, and no more"
            )


def set_up_readers(
    arguments: argparse.Namespace,
    file: Path,
    found: Sequence[Mapping[str, Any]],
    attempt: setup_dialogue.Try,
    as_toml: Callable[[dict[str, str]], str],
) -> int:
    """``setup``: asks, tries, writes. ``found`` are the documents of ``devices --json``.

    Raises EnvironmentFault ``nothing_found``, OfficerFault ``not_written``, and what writing raises.
    """
    ask = None if arguments.yes else setup_dialogue.ask_at_terminal
    chosen = setup_dialogue.choose(found, ask, attempt)
    if not chosen:
        fix = "plug one in and try again; kmc-kiosk doctor looks closer"
        raise EnvironmentFault(
            "nothing_found", f"nothing that reads cards or codes was chosen: {fix}", fix=fix
        )
    say_to_person(as_toml(chosen))
    if ask and not setup_dialogue.says_yes(ask, f"Write this to {file}? y or n [y] ", True):
        raise OfficerFault("not_written", "nothing was written")
    setup_dialogue.write(file, chosen)
    answer = {"file": str(file), "settings": chosen}
    return tell(arguments, answer, "Written. " + setup_dialogue.how_to_test(chosen))


def readers_in_use() -> dict[str, Any]:
    """What the settings say of readers; as if nothing were set while they are wrong."""
    try:
        loaded = settings_or_fault()
        virtual = virtual_allowed(loaded) and bool(running_device(loaded.home, "nfc"))
    except KioskError:  # the doctor tells of it by its own check
        return {}
    readers = loaded.settings.readers
    return {
        "nfc": readers.nfc.devices,
        "nfc_enabled": readers.nfc.enabled,
        "camera": readers.qr.source,
        "camera_enabled": readers.qr.enabled,
        "scanner": readers.scanner.device,
        "prefix": readers.scanner.prefix,
        "open_them": not is_running(loaded.home),
        "virtual": virtual,
    }


def write_page(arguments: argparse.Namespace, svg: bytes) -> int:
    """``test qr --page``. Raises EnvironmentFault ``write_failed``."""
    try:
        arguments.page.write_bytes(svg)
    except OSError as error:
        raise EnvironmentFault("write_failed", f"{arguments.page}: {error.strerror}") from error
    text = f"{arguments.page}: print it at actual size (100 %), then kmc-kiosk test qr"
    return tell(arguments, {"page": str(arguments.page)}, text)


def keep_score(home: Path, kind: str, answer: Mapping[str, Any]) -> None:
    """Keeps what ten taps showed for the doctor; a person is told where that cannot be."""
    try:
        reader_scores.keep(home, kind, answer, SystemClock().now())
    except EnvironmentFault as fault:
        say_to_person(f"the doctor will not know of this: {fault.message}")


def say_to_person(text: str) -> None:
    """Progress goes to standard error, so that --json stays one document."""
    print(text, file=sys.stderr, flush=True)
