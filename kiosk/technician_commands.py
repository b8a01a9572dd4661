"""``devices``, ``doctor``, ``setup`` and ``test``: a technician's, composed by the root."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from config.mistakes import SettingsFault
from config.save import set_key
from kiosk.errors import EnvironmentFault

KINDS: Final = ("nfc", "qr", "scanner")

_NAMES: Final = {"nfc": "NFC reader", "camera": "camera", "scanner": "hand-held scanner"}
_SECTIONS: Final = {"nfc": "readers.nfc.", "camera": "readers.qr.", "scanner": "readers.scanner."}
_ENABLED: Final = {
    "nfc": "readers.nfc.enabled",
    "camera": "readers.qr.enabled",
}

Ask = Callable[[str], str]
"""Asks a person; answers what was typed."""


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
        "--user", default="", help="with --system: the user that the kiosk runs as; else you"
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


def choose(devices: Sequence[Mapping[str, Any]], ask: Ask | None) -> dict[str, str]:
    """What to set, by key, after asking which of the devices to use; the first of each kind without ``ask``.

    ``devices`` are the documents of ``devices --json``. Where there are NFC readers or cameras and none is
    chosen, that kind is switched off; where there are none its settings stay.
    """
    chosen: dict[str, str] = {}
    for what, section in _SECTIONS.items():
        # A keyboard or a serial line is a reader only if a person says so.
        kinds = [what] if what != "scanner" or ask else []
        kinds += ["serial"] if ask and what != "camera" else []
        offered = [
            one
            for one in devices
            if one["what"] in kinds and any(key.startswith(section) for key in one["settings"])
        ]
        taken = _one_of(_NAMES[what], offered, ask)
        if what in _ENABLED and offered:
            chosen[_ENABLED[what]] = "true" if taken else "false"
        if taken:
            chosen |= {key: value for key, value in taken["settings"].items() if key.startswith(section)}
    return chosen


def _one_of(name: str, offered: Sequence[Mapping[str, Any]], ask: Ask | None) -> Mapping[str, Any] | None:
    if not offered:
        return None
    if ask is None:
        return offered[0]
    for number, one in enumerate(offered, 1):
        note = f"  ({one['trouble']})" if one["trouble"] else ""
        print(f"  {number}  {one['name']}  {one['path']}{note}", file=sys.stderr)
    while True:
        told = ask(f"Which {name}? 1 to {len(offered)}, 0 for none [1] ").strip() or "1"
        if told.isdecimal() and int(told) <= len(offered):
            return offered[int(told) - 1] if int(told) else None


def write(file: Path, chosen: Mapping[str, str]) -> None:
    """Writes what was chosen into the settings file; its comments and other keys stay.

    Raises EnvironmentFault ``settings_wrong`` (nothing of that key is written), ``write_failed``.
    """
    for key, value in chosen.items():
        try:
            set_key(file, key, value)
        except SettingsFault as fault:
            mistakes = [mistake.as_json() for mistake in fault.mistakes]
            raise EnvironmentFault("settings_wrong", str(fault), mistakes=mistakes) from fault
        except OSError as error:
            raise EnvironmentFault("write_failed", f"{file}: {error.strerror}", file=str(file)) from error


def how_to_test(chosen: Mapping[str, str]) -> str:
    """The commands that test what was chosen."""
    wanted = [
        f"kmc-kiosk test {kind}"
        for kind, key in (("nfc", "nfc.device"), ("qr", "qr.source"), ("scanner", "scanner.device"))
        if f"readers.{key}" in chosen
    ]
    return "Test it: " + ", ".join(wanted) if wanted else "Nothing to test: no reader was chosen."


def ask_at_terminal(question: str) -> str:
    """One line from standard input. Raises EnvironmentFault ``nobody_answers`` where it is at its end."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EnvironmentFault("nobody_answers", "setup asks questions; with --yes it asks none")
    return line.rstrip("\n")


def say_to_person(text: str) -> None:
    """Progress goes to standard error, so that --json stays one document."""
    print(text, file=sys.stderr, flush=True)
