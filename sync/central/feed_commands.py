"""``kmc-central kiosk follow``: which other points' holders a kiosk knows without asking."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from sync.central import following
from sync.central.state import Central


def register(kiosks: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the command to ``kmc-central kiosk``."""
    one = add(kiosks, "follow", _follow, "say which points a kiosk follows beside its own")
    one.add_argument("kiosk", metavar="KIOSK")
    one.add_argument("--point", type=int, action="append", default=[], metavar="ID", help="may be repeated")


def _follow(central: Central, options: argparse.Namespace) -> Any:
    following.set_followed(central, options.kiosk, tuple(options.point))
    return {"kiosk": options.kiosk, "follows": sorted(set(options.point))}
