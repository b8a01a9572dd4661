"""The NFC reader process: one device of any make, opened, served, waited for when it goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TextIO

from drivers.chip_prover import Prover, read_keys
from drivers.lines import EXIT_GONE, encode_event, serve
from drivers.makes import connect
from drivers.reader import Gone
from kiosk.errors import EnvironmentFault

MOST_LOSSES = 20
"""So often a device may go until its process ends too, with exit code 3."""

AFTER_LOSS_S = 0.2
"""Rest before the next look, so that a loose plug does not keep a processor busy."""


def run(
    device: str,
    *,
    once: bool = False,
    timeout_s: float | None = None,
    out: TextIO,
    commands: TextIO | None,
    card_key_file: Path | None = None,
    **options: Any,
) -> int:
    """The NFC reader process: JSON lines on ``out`` until told to stop; its exit code (see ``serve``).

    A device that goes is waited for and opened again, until it has gone MOST_LOSSES times.
    ``device`` is a path of any make (``drivers.makes``), such as ``usb:072f:2200``; empty means any on USB.
    ``card_key_file`` holds the keys by which chips prove themselves; without one they are only read.
    ``options`` are the make's own, such as ``reset`` of readers by nfcpy.
    """
    for _ in range(MOST_LOSSES):
        try:
            if card_key_file is not None:
                options["prover"] = Prover(*read_keys(card_key_file))
            connection = connect(device, **options)
        except EnvironmentFault as fault:
            out.write(encode_event(Gone(fault)))
            out.flush()
            return EXIT_GONE
        waits = not once and timeout_s is None
        code = serve(connection, out, commands, once, timeout_s, waits=waits)
        if code != EXIT_GONE or not waits:
            return code
        options.pop("reset", None)
        time.sleep(AFTER_LOSS_S)
    return EXIT_GONE
