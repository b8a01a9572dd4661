"""Which release of this program runs, as it was installed."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "kmc-kiosk"
UNKNOWN: Final = "unknown"
"""Of a program that runs from its sources and was never installed."""


@cache
def installed_release() -> str:
    """The installed version."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return UNKNOWN
