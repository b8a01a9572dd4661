"""The words of ``kmc-kiosk write``, the reader process that writes chips at an issuing station."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def add_words(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Adds the command."""
    one = add("write", "write chips as ordered by JSON lines, read them back and compare")
    one.add_argument("--device", default="", help="reader that writes; empty: the one set, else found")
    one.add_argument(
        "--order",
        type=Path,
        metavar="FILE",
        help="orders of a file instead of standard input",
    )
    one.add_argument("--timeout", type=float, metavar="S", help="end with reader_timeout after S seconds")
    one.add_argument(
        "--master-key-file",
        type=Path,
        metavar="FILE",
        help="key that changes cards (P2), mode 0400",
    )
    one.add_argument(
        "--card-key-file", type=Path, metavar="FILE", help="key that kiosks hold (P2), mode 0400"
    )
    one.add_argument(
        "--old-master-key-file", type=Path, metavar="FILE", help="of cards that are given new keys (P2)"
    )
    one.add_argument("--old-card-key-file", type=Path, metavar="FILE", help="its card key")
