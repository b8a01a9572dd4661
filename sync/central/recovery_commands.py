"""``kmc-central backup``, ``restore`` and ``recovery``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sync.central import backup, recovery, restoring, state
from sync.central.state import Central

Add = Callable[..., argparse.ArgumentParser]


def register(commands: Any, add: Add, group: Callable[[str, str], Any]) -> None:
    """Adds the commands to the parser."""
    one = add(commands, "backup", _backup, "write a backup of the database to a file, while central runs")
    one.add_argument("file", metavar="FILE")
    one = add(commands, "restore", _restored, "bring the database back from a backup, central stopped")
    one.add_argument("file", metavar="FILE")
    one.add_argument("--replace", action="store_true", help="also if the database has tables")
    one.set_defaults(opens=_restore)
    found = group("recovery", "after a restore")
    add(found, "status", _status, "who has not reported yet, and what is withheld until then")


def _backup(central: Central, options: argparse.Namespace) -> Any:
    return backup.write(central, Path(options.file))


def _restore(home: Path, url: str, options: argparse.Namespace) -> Central:
    """Opens the central that the backup makes."""
    told = restoring.restore(home, url, Path(options.file), int(time.time()), replace=options.replace)
    options.told = told
    return state.open_central(home, url)


def _restored(central: Central, options: argparse.Namespace) -> Any:
    return options.told | {"recovery": recovery.status(central)}


def _status(central: Central, _: argparse.Namespace) -> Any:
    return recovery.status(central)
