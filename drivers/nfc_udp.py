"""nfcpy's udp device for a virtual field: short waits for an empty field, one peer, garbage as RF noise."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

import nfc.clf
import nfc.clf.udp

SENSE_WAIT_S = 0.025
"""How long an empty field is listened to per technology; the stock driver waits 1 s."""

ANSWER_WAIT_S = 0.2
"""Least wait for an answer of a card already found: tag time-outs of a few ms assume radio, not a process."""


class Device(nfc.clf.udp.Device):  # type: ignore[misc]
    """A reader whose antenna is a UDP port: ``b"<brty> <hex>"`` each way, ``b"RFOFF"`` when muted."""

    socket: Any

    def __init__(self, host: str, port: int) -> None:
        self._sensing = False
        self._answered = False
        # The stock constructor asks for the port's name, and fails where a port has one (9 is "discard").
        self.addr = (socket.gethostbyname(host), port)
        self.socket = None
        self._create_socket()
        self._path = f"udp:{host}:{port}"
        self._vendor_name = ""
        self._device_name = "virtual field"
        self._chipset_name = "UDP"

    def mute(self) -> None:
        """Field off; the socket is closed even when nothing can be sent any more."""
        try:
            super().mute()
        finally:
            if self.socket is not None:
                self.socket.close()
                self.socket = None

    def sense_tta(self, target: Any) -> Any:
        """Discover a Type A card; None after SENSE_WAIT_S of silence."""
        return self._sense(super().sense_tta, target)

    def sense_ttb(self, target: Any) -> Any:
        """Discover a Type B card; None after SENSE_WAIT_S of silence."""
        return self._sense(super().sense_ttb, target)

    def sense_ttf(self, target: Any) -> Any:
        """Discover a FeliCa card; None after SENSE_WAIT_S of silence."""
        return self._sense(super().sense_ttf, target)

    def _sense(self, stock: Any, target: Any) -> Any:
        self._sensing, self._answered = True, False
        try:
            return stock(target)
        finally:
            self._sensing = False

    def send_cmd_recv_rsp(self, target: Any, data: Any, timeout: float) -> Any:
        """One command and its answer; an answer that came too late for the last one is thrown away first."""
        while self.socket is not None and select.select([self.socket], [], [], 0)[0]:
            self.socket.recvfrom(2048)
        return super().send_cmd_recv_rsp(target, data, timeout)

    def _recv_data(self, timeout: float, *brty_list: str) -> tuple[str, bytearray, tuple[str, int]]:
        if self._sensing:
            timeout = ANSWER_WAIT_S if self._answered else SENSE_WAIT_S
        deadline = time.monotonic() + max(timeout, 0.0)
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            datagram, address = self.socket.recvfrom(2048)
            if address != self.addr:
                continue
            brty, _, hexed = datagram.partition(b" ")
            try:
                technology, data = brty.decode("ascii"), bytearray.fromhex(hexed.decode("ascii"))
            except ValueError:
                raise nfc.clf.TransmissionError("datagram is no frame") from None
            if technology in brty_list and data:
                self.rcvd_data += len(data)
                self._answered = True
                return technology, data, address
        raise nfc.clf.TimeoutError("no data received")
