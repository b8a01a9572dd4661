"""``kmc-central key``: the city's keys from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kiosk.errors import OfficerFault
from kiosk.keyset import KeyUse
from sync.central import key_admin
from sync.central.state import Central


def register(group: Callable[[str, str], Any], add: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the commands to ``kmc-central``."""
    keys = group("key", "the city's keys")
    add(keys, "list", _list, "every key with what it is worth")
    one = add(keys, "add", _add, "make a key; a root key signs the newer keyset")
    one.add_argument("--use", choices=[str(use) for use in key_admin.SIGNING], required=True)
    one.add_argument("--from", dest="start", default="", metavar="ISO", help="signs from then on; else now")
    _add_root(one)
    for name, run, words in (
        ("retire", _retire, "a key signs no more; what it signed holds"),
        ("compromise", _compromise, "somebody else has a key: nothing it signed holds"),
    ):
        one = add(keys, name, run, words)
        one.add_argument("kid", metavar="KEY_ID", help="in hex, as listed")
        _add_root(one)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root-key-file", type=Path, required=True, metavar="FILE", help="one of the two root keys"
    )


def _list(central: Central, _: argparse.Namespace) -> Any:
    return key_admin.listed(central)


def _add(central: Central, options: argparse.Namespace) -> Any:
    return key_admin.add(
        central,
        KeyUse(options.use),
        options.root_key_file,
        start=_unix(options.start) if options.start else 0,
    )


def _unix(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise OfficerFault("date_malformed", "a moment is written as 2026-12-01T00:00+07:00")
    return int(moment.timestamp())


def _retire(central: Central, options: argparse.Namespace) -> Any:
    return key_admin.retire(central, options.kid, options.root_key_file)


def _compromise(central: Central, options: argparse.Namespace) -> Any:
    return key_admin.compromise(central, options.kid, options.root_key_file)
