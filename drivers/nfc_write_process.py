"""The writing reader process: orders in, one at a time, and a line for what came of each of them."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from drivers.chip_prover import read_key_file
from drivers.chips.personalise import MasterKeys
from drivers.lines import EXIT_FAULT, EXIT_GONE, EXIT_OK, encode_event
from drivers.master_keys import read_master_keys
from drivers.nfc_budget import BudgetedFrontend
from drivers.nfc_devices import find_device, open_device
from drivers.nfc_write_tags import Survey
from drivers.nfc_writer import NfcWriter
from drivers.reader import Faulted, Gone, Health, Lifted, Ready
from drivers.write_orders import Lift, Look, OrderLines, StopWriting, Write
from kiosk.errors import EnvironmentFault, KioskError

INTERVAL_S = 0.05
HEALTH_EVERY_S = 1.0
_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Told to stop while waiting; never leaves ``run``."""


def run(
    device: str,
    *,
    out: TextIO,
    orders: TextIO,
    orders_are_file: bool = False,
    timeout_s: float | None = None,
    keys: MasterKeys | None = None,
    card_key: bytes | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """The writing process: JSON lines on ``out`` until told to stop; its exit code.

    0: stopped, or every order of the file done. 1: an order of the file gave a fault (the rest is not done),
    or no card came within ``timeout_s``. 3: the device is missing, denied or gone.
    """
    process = _Process(out, OrderLines(orders, is_file=orders_are_file), orders_are_file, timeout_s, clock)
    frontend = BudgetedFrontend()
    try:
        reference = find_device(device)
        open_device(reference, frontend)
        opened: Any = frontend.device
        name = " ".join(part for part in (opened.vendor_name, opened.product_name) if part)
        process.tell(Ready("nfc", reference.path, name or reference.name))
        try:
            return process.serve(NfcWriter(frontend, waits=process.waits, keys=keys, card_key=card_key))
        except OSError as error:
            raise EnvironmentFault(
                "reader_gone", f"{reference.path} is gone: {error}", device=device
            ) from error
        finally:
            _close(frontend, reference.path)
    except EnvironmentFault as fault:
        process.tell(Gone(fault))
        return EXIT_GONE
    except BrokenPipeError:
        # Whoever gave the orders is gone.
        return EXIT_OK


def run_with_files(
    device: str,
    *,
    out: TextIO,
    orders: TextIO | Path,
    timeout_s: float | None = None,
    master_key_file: Path | None = None,
    card_key_file: Path | None = None,
) -> int:
    """As ``run``, with orders from a stream or a file and keys from their files.

    The card key alone is enough to look; both are needed to write chips that prove themselves.

    Raises EnvironmentFault ``file_unreadable``, and what ``read_master_keys`` raises.
    """
    keys = None
    if master_key_file is not None:
        if card_key_file is None:
            raise EnvironmentFault("card_key_missing", "--master-key-file needs --card-key-file")
        keys = read_master_keys(master_key_file, card_key_file)
    card_key = None if card_key_file is None else read_key_file(card_key_file)
    if not isinstance(orders, Path):
        return run(device, out=out, orders=orders, timeout_s=timeout_s, keys=keys, card_key=card_key)
    try:
        opened = orders.open(encoding="utf-8")
    except OSError as fault:
        raise EnvironmentFault("file_unreadable", f"{orders}: {fault.strerror}") from fault
    with opened:
        return run(
            device,
            out=out,
            orders=opened,
            orders_are_file=True,
            timeout_s=timeout_s,
            keys=keys,
            card_key=card_key,
        )


def _close(frontend: BudgetedFrontend, path: str) -> None:
    try:
        frontend.close()
    except Exception as failure:
        # Closing talks to the chip once more; a device that is already gone must not hide why.
        _log.warning("%s did not close: %r", path, failure)


class _Process:
    """What the process says and hears."""

    def __init__(
        self,
        out: TextIO,
        orders: OrderLines,
        is_file: bool,
        timeout_s: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._out = out
        self._orders = orders
        self._is_file = is_file
        self._timeout_s = timeout_s
        self._clock = clock
        self._began = clock()
        self._health_at = clock() + HEALTH_EVERY_S
        self._polls = self._done = self._faults = 0

    def tell(self, event: Any) -> None:
        """One line."""
        line = event if isinstance(event, str) else encode_event(event)
        self._out.write(line)
        self._out.flush()

    def waits(self) -> None:
        """Between two looks for a card. Raises Stopped, EnvironmentFault ``reader_timeout``."""
        self._polls += 1
        now = self._clock()
        if now >= self._health_at and not self._is_file:
            self.tell(Health(self._polls, self._done, self._faults))
            self._health_at = now + HEALTH_EVERY_S
        if self._orders.asks_to_stop():
            raise Stopped
        if self._timeout_s is not None and now - self._began >= self._timeout_s:
            raise EnvironmentFault(
                "reader_timeout", f"no card within {self._timeout_s:g} s", timeout_s=self._timeout_s
            )
        time.sleep(INTERVAL_S)

    def serve(self, writer: NfcWriter) -> int:
        """Orders until there are no more."""
        while True:
            order = self._orders.take(HEALTH_EVERY_S)
            if isinstance(order, StopWriting):
                return EXIT_OK
            if order is None:
                if self._orders.ended:
                    return EXIT_OK
                continue
            self._began = self._clock()
            try:
                if isinstance(order, Faulted):
                    raise order.fault
                self.tell(self._do(writer, order))
                self._done += 1
            except Stopped:
                return EXIT_OK
            except KioskError as fault:
                self._faults += 1
                self.tell(Faulted(fault))
                if self._is_file:
                    return EXIT_FAULT

    def _do(self, writer: NfcWriter, order: Look | Lift | Write) -> str:
        began = self._clock()
        if isinstance(order, Lift):
            writer.wait_lifted()
            return encode_event(Lifted())
        if isinstance(order, Look):
            survey, payload, state, proved = writer.look()
            more = {"holds": state, "capacity": survey.capacity, "locked": survey.locked}
            return _line("chip", survey, payload, **more, proved=proved)
        survey, payload = writer.write(order)
        write_ms = round((self._clock() - began) * 1000, 1)
        return _line("written", survey, payload, lock=order.lock, write_ms=write_ms)


def _line(event: str, survey: Survey, payload: bytes, **more: Any) -> str:
    told = {
        "event": event,
        "uid": survey.uid.hex(),
        "chip": survey.chip,
        "payload": base64.b64encode(payload).decode("ascii"),
    }
    return json.dumps(told | more, separators=(",", ":")) + "\n"
