"""Commands of a demonstration: cards of the tray held before the virtual reader and camera."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from config.load import home_folder
from kiosk.commands import tell
from kiosk.errors import OfficerFault


def run_tap(arguments: argparse.Namespace) -> int:
    """``tap``."""
    return _at_station(arguments, {"do": "tap", "card_no": arguments.card_no, "hold_s": arguments.hold})


def run_show_qr(arguments: argparse.Namespace) -> int:
    """``show-qr``."""
    return _at_station(arguments, {"do": "show_qr", "card_no": arguments.card_no, "hold_s": arguments.hold})


def run_cards(arguments: argparse.Namespace) -> int:
    """``cards``."""
    return _at_station(arguments, {"do": "list"})


def refuse_in_production(home: Path) -> None:
    """Raises OfficerFault ``not_in_production`` on a kiosk that was enrolled for production."""
    from kiosk import enrolment
    from kiosk.values import Mode

    bundle = enrolment.load(home)
    if bundle is not None and bundle.enrolment.mode is Mode.PRODUCTION:
        raise OfficerFault("not_in_production", "this belongs to demonstrations; this kiosk is in production")


def _at_station(arguments: argparse.Namespace, order: dict[str, Any]) -> int:
    from kiosk.virtual_readers import ask_station

    home = home_folder()
    refuse_in_production(home)
    answer = ask_station(home, order)
    if "cards" in answer:
        text = "\n".join(f"{c['card_no']:<12} {c['chip']:<8} {c['label']}" for c in answer["cards"])
    else:
        text = "Done."
    return tell(arguments, answer, text)
