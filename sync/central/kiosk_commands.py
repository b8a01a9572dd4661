"""``kmc-central kiosk ticket | stop | resume``: enrolling kiosks and giving them orders."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import segno

from kiosk.enrolment import ticket_as_code
from kiosk.errors import EnvironmentFault
from sync.central import kiosk_orders, kiosk_rows
from sync.central.state import Central

PNG_SCALE: Final = 8
"""Pixels a module: about 2 cm on a screen of 96 pixels an inch."""


def register(kiosks: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the commands to ``kmc-central kiosk``."""
    one = add(kiosks, "ticket", _ticket, "make a one-time code to enrol a kiosk, also as a QR code")
    one.add_argument("kiosk", metavar="KIOSK")
    one.add_argument("--qr", action="store_true", help="draw the code on this terminal")
    one.add_argument("--png", type=Path, metavar="FILE", help="write the code as a picture")
    one.add_argument("--svg", type=Path, metavar="FILE", help="write the code as a drawing")
    one = add(kiosks, "stop", _stop, "order a kiosk to hand nothing out until it is resumed")
    one.add_argument("kiosk", metavar="KIOSK")
    one = add(kiosks, "resume", _resume, "take a stop back")
    one.add_argument("kiosk", metavar="KIOSK")


def _ticket(central: Central, options: argparse.Namespace) -> Any:
    ticket = kiosk_rows.new_ticket(central, options.kiosk)
    # Alphanumeric mode and error correction M (ISO/IEC 18004): 35 characters fit 29 by 29 modules.
    code = segno.make(ticket_as_code(ticket), error="m", micro=False, boost_error=False)
    for file, kind in ((options.png, "png"), (options.svg, "svg")):
        if file is not None:
            _write(code, file, kind)
    if options.qr and not options.json:
        drawn = io.StringIO()
        code.terminal(out=drawn, compact=True)
        print(drawn.getvalue(), flush=True)
    return {"kiosk": options.kiosk, "ticket": ticket, "hours": kiosk_rows.TICKET_HOURS}


def _write(code: segno.QRCode, file: Path, kind: str) -> None:
    try:
        with file.open("xb") as out:
            file.chmod(0o600)
            code.save(out, kind=kind, scale=PNG_SCALE)
    except OSError as fault:
        raise EnvironmentFault("file_unwritable", f"{file}: {fault.strerror}") from fault


def _stop(central: Central, options: argparse.Namespace) -> Any:
    kiosk_orders.stop(central, options.kiosk)
    return {"kiosk": options.kiosk, "state": "stopped"}


def _resume(central: Central, options: argparse.Namespace) -> Any:
    kiosk_orders.resume(central, options.kiosk)
    return {"kiosk": options.kiosk, "state": "active"}
