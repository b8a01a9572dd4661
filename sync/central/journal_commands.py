"""Commands about journals: listing, the exchange by file, erasing personal text."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk.errors import CentralFault, EnvironmentFault
from sync.central import overview, private_notes, usb
from sync.central.state import Central
from sync.usb import MAX_PLAIN_BYTES, write_on_stick

Command = Callable[[Central, argparse.Namespace], Any]
Add = Callable[[Any, str, Command, str], argparse.ArgumentParser]
Group = Callable[[str, str], Any]


def register(add: Add, group: Group) -> None:
    """Puts the commands into ``kmc-central``'s parser."""
    journal = group("journal", "journals")
    one = add(journal, "list", _list, "list records")
    one.add_argument("--kiosk", default="")
    one.add_argument("--gen", type=int)
    one.add_argument("--after", type=int, default=0, metavar="SEQ")
    one.add_argument("--limit", type=int, default=100)
    one = add(journal, "import", _import, "take a kiosk's exchange file in and write the answer for it")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--out", type=Path, required=True, metavar="ANSWER", help="must not exist")
    one = add(journal, "erase", _erase, "erase a record's personal text, and that of what voids it")
    one.add_argument("ref", metavar="REF")


def _list(central: Central, options: argparse.Namespace) -> Any:
    return overview.records(central, options.kiosk, options.gen, options.after, options.limit)


def _import(central: Central, options: argparse.Namespace) -> Any:
    try:
        with options.file.open("rb") as file:
            data = file.read(MAX_PLAIN_BYTES + 1)
    except OSError as fault:
        raise EnvironmentFault("file_unreadable", f"{options.file}: {fault.strerror}") from fault
    if len(data) > MAX_PLAIN_BYTES:
        raise CentralFault("file_too_large", f"more than {MAX_PLAIN_BYTES} bytes")
    if options.out.exists():
        raise EnvironmentFault("write_failed", f"{options.out} is there already")
    done = usb.take_in(central, data)
    try:
        write_on_stick(options.out, done.answer)
    except OSError as fault:
        raise EnvironmentFault("write_failed", f"{options.out}: {fault.strerror}") from fault
    usb.remember(central, done)
    return usb.as_json(done) | {"answer": str(options.out)}


def _erase(central: Central, options: argparse.Namespace) -> Any:
    return {"ref": options.ref, "erased": private_notes.erase(central, options.ref)}
