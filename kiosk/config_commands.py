"""``config check`` and ``config show``."""

from __future__ import annotations

import argparse

from kiosk.commands import settings_or_fault, tell


def run_check(arguments: argparse.Namespace) -> int:
    """``config check``."""
    loaded = settings_or_fault()
    return tell(arguments, {"home": str(loaded.home), "file": str(loaded.file)}, "The settings are good.")


def run_show(arguments: argparse.Namespace) -> int:
    """``config show``."""
    from config.show import as_json, as_toml

    loaded = settings_or_fault()
    return tell(arguments, as_json(loaded), as_toml(loaded).rstrip())
