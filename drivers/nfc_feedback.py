"""Lamp and buzzer of the readers that nfcpy drives: of these only the ACR122U has any."""

from __future__ import annotations

import sys
from typing import Any

from drivers.reader import FeedbackWhat

# ACR122U API 2.04, section 6.2 "Bi-color LED and Buzzer Control": FF 00 40 <state> 04 <T1> <T2> <times>
# <buzzer>. State bits: 1 green at the end, 2 and 3 change red and green, 4 and 5 red or green first while
# blinking, 6 and 7 blink red or green. T1 and T2 count tenths of a second; buzzer 1 sounds during T1.
_COMMANDS: dict[FeedbackWhat, tuple[bytes, float]] = {
    "ok": (bytes.fromhex("FF0040AE0401000101"), 0.1),
    "attention": (bytes.fromhex("FF00405E0401010201"), 0.4),
}
_MARGIN_S = 0.2
"""The device answers when the last sound has ended."""


def give(device: Any, what: FeedbackWhat) -> bool:
    """Show it: ``ok`` one short sound and green, ``attention`` two and red; green stays after both.

    Takes as long as the sound. False if the device has neither lamp nor buzzer. Raises OSError.
    """
    acr122 = sys.modules.get("nfc.clf.acr122")
    if acr122 is None or not isinstance(device, acr122.Device):
        return False
    command, lasts_s = _COMMANDS[what]
    device.chipset.ccid_xfr_block(bytearray(command), timeout=lasts_s + _MARGIN_S)
    return True
