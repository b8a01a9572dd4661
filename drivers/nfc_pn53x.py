"""Fewer host commands for the PN53x family: the radio is set up once for a card, not again for each frame.

nfcpy's ``pn53x.Device.send_cmd_recv_rsp`` spends four host commands on each frame: it reads and writes the
transmission registers, sets the time-out and sends. The first three change nothing while the same card is
spoken to with the same time-out, since InCommunicateThru leaves them alone (UM0701-02, section 7.3.9).
"""

from __future__ import annotations

import errno
import sys
from typing import Any

import nfc.clf

_TIMED_OUT = 0x01
"""Status of a command whose card kept silent (UM0701-02, section 7.1)."""

_ITEM_TIMINGS = 0x02
_ATR_TIME_OUT = 0x0B
"""RFConfiguration item and its first value as nfcpy sets them (UM0701-02, section 7.3.1)."""
_HOST_MARGIN_S = 0.1


def is_pn53x(device: Any) -> bool:
    """True for PN531, PN532, PN533, RC-S956 and what has one of them inside, such as the ACR122U."""
    module = sys.modules.get("nfc.clf.pn53x")
    return module is not None and isinstance(device, module.Device)


class LeanExchange:
    """Sends frames to the selected card in one host command each, the first one as nfcpy does."""

    def __init__(self) -> None:
        self._target: Any = None
        self._index = 0

    def __call__(self, device: Any, target: Any, data: Any, timeout: float) -> Any:
        """The card's answer. Raises nfc.clf.CommunicationError, OSError; after either all is set up anew."""
        index = _time_out_index(timeout)
        known, self._target = self._target, None
        if target is not known or target.rid_res:
            answer = device.send_cmd_recv_rsp(target, data, timeout)
        else:
            answer = self._send(device, target, bytearray(data), index)
        self._target, self._index = target, index
        return answer

    def _send(self, device: Any, target: Any, data: bytearray, index: int) -> Any:
        chipset = device.chipset
        if index != self._index:
            chipset.rf_configuration(_ITEM_TIMINGS, bytearray([10, _ATR_TIME_OUT, index]))
        wait_s = (100 << (index - 1)) / 1e6 + _HOST_MARGIN_S
        try:
            if target.sens_res and target.sel_res[0] & 0x60 == 0x00:
                return device._tt2_send_cmd_recv_rsp(data, wait_s)  # noqa: SLF001 - its CRC is checked there
            return chipset.in_communicate_thru(data, wait_s)
        except chipset.Error as error:
            if error.errno == _TIMED_OUT:
                raise nfc.clf.TimeoutError("the card keeps silent") from error
            raise nfc.clf.TransmissionError(str(error)) from error
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                raise nfc.clf.TimeoutError("the reader keeps silent") from error
            raise


def _time_out_index(seconds: float) -> int:
    """The shortest of the chip's time-outs, 0.1 ms times 2 to the power index - 1, that is not below this."""
    microseconds = int(seconds * 1e6)
    return next((number + 1 for number in range(16) if microseconds >> number <= 100), 16)
