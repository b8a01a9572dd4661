"""``setup``: which readers to use is asked, each can be tried, and the settings file is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from config.mistakes import SettingsFault
from config.save import set_key
from kiosk.errors import EnvironmentFault

Ask: TypeAlias = Callable[[str], str]
"""Asks a person; answers what was typed."""

Try: TypeAlias = Callable[[str, str], str]
"""Takes taps on a reader, of a kind as ``test`` has it: what is wrong, empty if it is good."""

_NAMES: Final = {"nfc": "NFC reader", "camera": "camera", "scanner": "hand-held scanner"}
_SECTIONS: Final = {"nfc": "readers.nfc.", "camera": "readers.qr.", "scanner": "readers.scanner."}
_DEVICES: Final = {
    "nfc": "readers.nfc.device",
    "camera": "readers.qr.source",
    "scanner": "readers.scanner.device",
}
_KINDS: Final = {"nfc": "nfc", "camera": "qr", "scanner": "scanner"}
"""As ``test`` names them."""
_EXAMPLES: Final = {
    "nfc": "tty:USB0:pn532 or pcsc:NAME",
    "camera": "/dev/video0 or http://ADDRESS",
    "scanner": "serial:/dev/ttyACM0, or keyboard: for one that types",
}
_ENABLED: Final = {
    "nfc": "readers.nfc.enabled",
    "camera": "readers.qr.enabled",
}


def choose(
    devices: Sequence[Mapping[str, Any]], ask: Ask | None, attempt: Try | None = None
) -> dict[str, str]:
    """What to set, by key, after asking which of the devices to use; the first of each kind without ``ask``.

    ``devices`` are the documents of ``devices --json``; a path that is not among them can be typed. What was
    chosen can be tried before the next question. Where there are NFC readers or cameras and none is chosen,
    that kind is switched off; where there are none its settings stay.
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
        taken = _one_of(what, offered, ask)
        while taken and ask and attempt and not _is_wanted(what, taken[_DEVICES[what]], ask, attempt):
            taken = _one_of(what, offered, ask)
        if what in _ENABLED and (offered or taken):
            chosen[_ENABLED[what]] = "true" if taken else "false"
        chosen |= taken or {}
    return chosen


def _one_of(what: str, offered: Sequence[Mapping[str, Any]], ask: Ask | None) -> dict[str, str] | None:
    """The settings of the one that is wanted; None for none."""
    if ask is None:
        return _settings(what, offered[0]) if offered else None
    for number, one in enumerate(offered, 1):
        note = f"  ({one['trouble']})" if one["trouble"] else ""
        print(f"  {number}  {one['name']}  {one['path']}{note}", file=sys.stderr)
    if offered:
        question = f"Which {_NAMES[what]}? 1 to {len(offered)}, 0 for none, or its path [1] "
    else:
        question = f"No {_NAMES[what]} is plugged in. Its path ({_EXAMPLES[what]}), or Enter to go on: "
    while True:
        told = ask(question).strip() or ("1" if offered else "0")
        if told.isdecimal() and int(told) <= len(offered):
            return _settings(what, offered[int(told) - 1]) if int(told) else None
        if ":" in told or "/" in told:
            return {_DEVICES[what]: told}


def _settings(what: str, device: Mapping[str, Any]) -> dict[str, str]:
    section = _SECTIONS[what]
    return {key: value for key, value in device["settings"].items() if key.startswith(section)}


def _is_wanted(what: str, device: str, ask: Ask, attempt: Try) -> bool:
    """False if it was tried, was not good, and is not to be used all the same."""
    if not says_yes(ask, f"Try the {_NAMES[what]} now, with ten taps? y or n [y] ", True):
        return True
    wrong = attempt(_KINDS[what], device)
    if not wrong:
        return True
    print(f"  {wrong}", file=sys.stderr)
    return says_yes(ask, "Use it all the same? y or n [n] ", False)


def says_yes(ask: Ask, question: str, usual: bool) -> bool:
    """Asks until it is yes or no; ``usual`` is what Enter means."""
    while True:
        told = ask(question).strip().lower()
        if told in ("", "y", "yes", "n", "no"):
            return usual if told == "" else told.startswith("y")


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
    wanted = [f"kmc-kiosk test {_KINDS[what]}" for what, key in _DEVICES.items() if key in chosen]
    return "Test it: " + ", ".join(wanted) if wanted else "Nothing to test: no reader was chosen."


def ask_at_terminal(question: str) -> str:
    """One line from standard input. Raises EnvironmentFault ``nobody_answers`` where it is at its end."""
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
        raise EnvironmentFault("nobody_answers", "setup asks questions; with --yes it asks none")
    return line.rstrip("\n")
