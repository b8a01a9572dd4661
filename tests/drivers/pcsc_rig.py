"""pcscd with vsmartcard's vpcd, in a network and mount namespace of its own with only loopback up.

vpcd listens on every address, so it never runs outside one. The virtual card's socket is made inside by a
thread that enters the namespace; pcscd's own socket is reached through the file system of its process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from smartcard import scard

from drivers.chips import ndef
from drivers.pcsc_link import Service
from drivers.pcsc_reader import PREFIX, PcscConnection, find_readers
from drivers.reader import DeviceReference, ReaderConnection
from drivers.virtual.applet import smart_card
from drivers.virtual.cards import VirtualCard
from drivers.virtual.signing_chip import SigningChip
from drivers.virtual.vpcd import PORT, SlotCard, VpcdSlot, in_slot
from kiosk.errors import EnvironmentFault
from kiosk.values import Medium
from tests.drivers.nfc_rig import MAKERS, UIDS, payload_of

READER = "Virtual PCD 00 00"
_CLONE_NEWNET = 0x40000000
_START = "mkdir -p /run/pcscd && ip link set lo up && mount -t tmpfs tmpfs /run/pcscd && exec pcscd -f"
_WITHIN_S = 30.0

SOCKET = Path(tempfile.gettempdir()) / f"kmc-pcscd-{os.getpid()}"
"""Where PC/SC looks for pcscd in this process: libpcsclite reads the name once, so it always is the same."""


def name_socket() -> None:
    """Makes PC/SC look there."""
    os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)


def wait_for(what: Callable[[], bool], name: str) -> None:
    """Waits until it is so; fails after a while."""
    deadline = time.monotonic() + _WITHIN_S
    while not what():
        assert time.monotonic() < deadline, name
        time.sleep(0.02)


class VirtualPcscd:
    """One pcscd; ``start`` after ``stop`` starts another."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close

    def start(self) -> None:
        """Starts it and waits for its reader. Fails with its log, or the missing package."""
        if self._process is not None:
            return
        for program, package in (("pcscd", "pcscd"), ("unshare", "util-linux"), ("ip", "iproute2")):
            assert shutil.which(program) or Path("/usr/sbin", program).exists(), f"apt-get install {package}"
        self._process = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", _START],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        )
        SOCKET.unlink(missing_ok=True)
        SOCKET.symlink_to(f"/proc/{self._process.pid}/root/run/pcscd/pcscd.comm")
        wait_for(self._answers, "apt-get install vsmartcard-vpcd: no virtual reader in pcscd")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._log.seek(0)
            raise AssertionError(self._log.read().decode(errors="replace"))
        try:
            return any(reader.name == READER for reader in find_readers())
        except EnvironmentFault:
            return False

    def stop(self) -> None:
        """Ends it, as if its reader and itself were taken away."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        """Ends it for good."""
        self.stop()
        self._log.close()
        SOCKET.unlink(missing_ok=True)

    def connect(self) -> socket.socket:
        """A connection to vpcd's first slot, made inside the namespace. Raises OSError."""
        assert self._process is not None
        pid, made, failed = self._process.pid, [], []

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            try:
                with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
                    if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                made.append(socket.create_connection(("127.0.0.1", PORT), timeout=5))
            except OSError as fault:
                failed.append(fault)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        made[0].settimeout(None)
        return made[0]


class PcscRig:
    """One kind of chip in the virtual reader."""

    medium = Medium.NFC

    def __init__(self, pcscd: VirtualPcscd, chip: str) -> None:
        self._pcscd = pcscd
        self._chip = chip
        self.slot = VpcdSlot(pcscd.connect)

    @property
    def reference(self) -> DeviceReference:
        return next(reader for reader in find_readers() if reader.name == READER)

    def connection(self) -> ReaderConnection:
        return PcscConnection(DeviceReference("nfc", PREFIX + READER))

    def present(self, number: int) -> bytes:
        self.put(in_slot(_card(self._chip, number)))
        return payload_of(number)

    def put(self, card: SlotCard) -> None:
        """Lays it into the slot and waits until pcscd has seen it, and that the one before is gone."""
        self.remove()
        self.slot.put(card)
        wait_for(lambda: self._sees(scard.SCARD_STATE_PRESENT), "pcscd sees no card")

    def remove(self) -> None:
        self.slot.lift()
        wait_for(lambda: self._sees(scard.SCARD_STATE_EMPTY), "pcscd still sees a card")

    def _sees(self, wanted: int) -> bool:
        with Service() as service:
            return bool(service.watch(READER, 0, 0.0)[0] & wanted)

    def break_device(self, connection: ReaderConnection) -> None:
        self._pcscd.stop()

    def close(self) -> None:
        """Takes the card away and starts pcscd again if a test broke it."""
        self.slot.lift()
        self._pcscd.start()
        self.remove()


def _card(chip: str, number: int) -> VirtualCard:
    uid = UIDS[chip][:-1] + bytes([(UIDS[chip][-1] + number) % 256])
    message = ndef.encode_record(payload_of(number))
    if chip == "DESFire":
        return smart_card(uid, SigningChip(message))
    return MAKERS[chip](uid, message, None)
