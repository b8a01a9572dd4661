"""The words of ``kmc-kiosk`` on the command line. What each does is in ``kiosk/cli.py``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kiosk import adopt_commands, enrol_commands, rights_commands, technician_commands, write_commands

Command = Callable[[argparse.Namespace], int]

PAYLOAD_HELP = "KMC1:… or, with --uid, a chip's credential in Base64 or hex"


def make_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The whole command line; ``commands`` has what runs each, by its words such as ``journal list``."""
    parser = argparse.ArgumentParser(
        prog="kmc-kiosk", description="The KMC kiosk. KMC_HOME names its data folder."
    )
    top = parser.add_subparsers(required=True, metavar="COMMAND")
    add = _Adder(commands, top)
    _add_kiosk(add)
    _add_desk(add)
    _add_records(add)
    rights_commands.add_words(add)
    enrol_commands.add_words(add)
    adopt_commands.add_words(add)
    technician_commands.add_words(add)
    write_commands.add_words(add)
    _add_demonstration(add)
    return parser


class _Adder:
    """Adds a command or, for two words, a part of a group; every one takes ``--json``."""

    def __init__(self, commands: Mapping[str, Command], top: Any) -> None:
        self._commands = commands
        self._top = top
        self._groups: dict[str, Any] = {}
        self._shared = argparse.ArgumentParser(add_help=False)
        self._shared.add_argument("--json", action="store_true", help="answer with one JSON document")

    def __call__(self, words: str, help_: str) -> argparse.ArgumentParser:
        group, _, part = words.rpartition(" ")
        place = self._groups[group] if group else self._top
        made: argparse.ArgumentParser = place.add_parser(
            part, parents=[self._shared], help=help_, description=help_
        )
        made.set_defaults(run=self._commands[words])
        return made

    def group(self, name: str, help_: str) -> None:
        made = self._top.add_parser(name, help=help_, description=help_)
        self._groups[name] = made.add_subparsers(required=True, metavar="PART")


def _add_kiosk(add: _Adder) -> None:
    add("run", "open the kiosk window and supervise readers and sync")
    add.group("read", "read cards; events as JSON lines")
    for kind, what, device in (
        ("nfc", "cards by NFC", "device; empty: what is set, else found"),
        (
            "qr",
            "printed codes by a camera or a hand-held scanner",
            "camera, address or scanner (serial:PORT, evdev:FILE, keyboard:); empty: the camera set or found",
        ),
    ):
        reader = add(f"read {kind}", f"read {what}")
        reader.add_argument("--device", default="", help=device)
        reader.add_argument("--once", action="store_true", help="end after one card")
        reader.add_argument(
            "--timeout", type=float, metavar="S", help="end with reader_timeout after S seconds"
        )
        if kind == "nfc":
            reader.add_argument(
                "--reset", action="store_true", help="reset a USB reader before opening it: it hung"
            )
            reader.add_argument(
                "--card-key-file",
                default="",
                metavar="PATH",
                help="the key by which chips prove themselves (P2); without: what is set or handed over",
            )
    syncing = add("sync", "journal out, grants and changes in")
    how = syncing.add_mutually_exclusive_group(required=True)
    how.add_argument("--once", action="store_true", help="one round")
    how.add_argument("--watch", action="store_true", help="until told to stop on standard input")
    add("status", "what the kiosk is and how it stands with central")


def _add_desk(add: _Adder) -> None:
    showing = add("show", "the holder's programs and their states, offline")
    showing.add_argument("payload", nargs="?", default="", help=PAYLOAD_HELP)
    _add_card(showing)
    showing.add_argument("--officer", default="", help="user name; asks for the PIN")

    confirming = add("confirm", "record a pickup")
    confirming.add_argument("--payload", default="", help=PAYLOAD_HELP)
    _add_card(confirming)
    confirming.add_argument("--program", required=True)
    confirming.add_argument("--officer", required=True, help="user name; asks for the PIN")
    confirming.add_argument(
        "--quantity", type=int, help="in the benefit's smallest unit; all that is due if left out"
    )
    confirming.add_argument("--collector", choices=("holder", "guardian", "representative"), default="holder")
    confirming.add_argument("--guardian", type=int, default=0, metavar="HOLDER_ID", help="which guardian")
    confirming.add_argument("--collector-name", default="", help="the representative's name")
    confirming.add_argument("--letter", default="", help="number of the representative's letter")
    confirming.add_argument("--documents", default="", help="documents seen, such as ktp,kk")
    confirming.add_argument(
        "--photo-checked", action="store_true", help="photo on the card and KTP were compared"
    )

    voiding = add("void", "take a pickup back")
    voiding.add_argument("ref")
    voiding.add_argument("--officer", required=True, help="user name; asks for the PIN")
    voiding.add_argument("--goods", choices=("never_left", "returned"), default="returned")
    voiding.add_argument("--reason", required=True)


def _add_card(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--uid", default="", help="the chip's UID in hex")
    parser.add_argument("--card", default="", metavar="CARD_NO", help="card number instead of a payload")
    parser.add_argument(
        "--reason", default="", help="why the number is typed, or why less than all is handed out"
    )


def _positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _add_records(add: _Adder) -> None:
    add.group("journal", "the kiosk's own records")
    listing = add("journal list", "newest records first")
    listing.add_argument("--last", type=_positive, default=50, metavar="N")
    listing.add_argument("--type", default="", help="only this type of record")
    verifying = add(
        "journal verify",
        "check every signature, the chain and what was spent; exit 3 when something does not hold",
    )
    verifying.add_argument(
        "file", type=Path, nargs="?", help="an exchange file; this kiosk's ledger if left out"
    )
    exporting = add("journal export", "write what central has not got into an exchange file")
    exporting.add_argument(
        "file", type=Path, nargs="?", help="if left out, every record is printed as JSON lines"
    )
    exporting.add_argument("--all", action="store_true", help="also what central has")
    acknowledging = add("journal acknowledge", "take central's answer to an exchange file in")
    acknowledging.add_argument("file", type=Path, metavar="ANSWER")
    add("journal salvage", "set a damaged ledger aside and save what holds, to be sent to central")
    add("journal unshown", "pickups that nobody saw recorded, and who has to say whether they left")
    add.group("config", "the settings")
    add("config check", "every mistake in the settings at once")
    add("config show", "every setting with where it came from, secrets masked")


def _add_demonstration(add: _Adder) -> None:
    demo = add("demo", "start everything on demonstration data: central, kiosk, virtual readers")
    demo.add_argument("--folder", type=Path, default=Path("build/demo"), help="where the data lies")
    demo.add_argument("--tour", action="store_true", help="play the job without a display")
    for words, help_ in (
        ("tap", "demonstration: hold a virtual card before the reader"),
        ("show-qr", "demonstration: hold a virtual card's QR code before the camera"),
    ):
        holding = add(words, help_)
        holding.add_argument("card_no", help="card number or label of a card in the tray")
        holding.add_argument("--hold", type=float, default=1.0, metavar="S", help="seconds")
    add("cards", "demonstration: the virtual cards in the tray")
    add("virtual", "demonstration: serve the virtual reader and camera")
