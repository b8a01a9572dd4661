"""``devices``, ``doctor``, ``setup`` and ``test``: a technician's, composed by the root."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

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


def say_to_person(text: str) -> None:
    """Progress goes to standard error, so that --json stays one document."""
    print(text, file=sys.stderr, flush=True)
