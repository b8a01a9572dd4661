"""The writing reader process: orders in, one at a time, and a line for what came of each of them."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from drivers.chip_prover import read_key_file
from drivers.chip_writer import NO_KEYS, ChipWriter, StationKeys, WritingField
from drivers.lines import EXIT_FAULT, EXIT_GONE, EXIT_OK, encode_event
from drivers.master_keys import read_master_keys
from drivers.reader import Faulted, Gone, Health, Lifted, Ready
from drivers.write_orders import Lift, Look, OrderLines, Rekey, Sign, StopWriting, Write
from drivers.write_tags import Survey
from kiosk.errors import EnvironmentFault, KioskError

INTERVAL_S = 0.05
HEALTH_EVERY_S = 1.0
GONE = "reader_gone"
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
    keys: StationKeys = NO_KEYS,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """The writing process: JSON lines on ``out`` until told to stop; its exit code.

    0: stopped, or every order of the file done. 1: an order of the file gave a fault (the rest is not done),
    or no card came within ``timeout_s``. 3: the device is missing, denied or gone.
    """
    process = _Process(out, OrderLines(orders, is_file=orders_are_file), orders_are_file, timeout_s, clock)
    try:
        with _opened(device) as (field, ready):
            process.tell(ready)
            try:
                return process.serve(ChipWriter(field, waits=process.waits, keys=keys))
            except OSError as error:
                if isinstance(error, BrokenPipeError):
                    raise
                raise EnvironmentFault(GONE, f"{ready.device} is gone: {error}", device=device) from error
    except EnvironmentFault as fault:
        process.tell(Gone(fault))
        return EXIT_GONE
    except BrokenPipeError:
        # Whoever gave the orders is gone.
        return EXIT_OK


@contextmanager
def _opened(device: str) -> Iterator[tuple[WritingField, Ready]]:
    """The field of that device, open, and what is said of it. Raises EnvironmentFault as readers do."""
    if device.partition(":")[0] == "pcsc":
        from drivers.pcsc_writer import PcscField

        with PcscField(device) as slot:
            yield slot, Ready("nfc", f"pcsc:{slot.reader}", slot.reader)
        return
    from drivers.nfc_budget import BudgetedFrontend
    from drivers.nfc_devices import find_device, open_device
    from drivers.nfc_writer import NfcField

    frontend = BudgetedFrontend()
    reference = find_device(device)
    open_device(reference, frontend)
    try:
        opened: Any = frontend.device
        name = " ".join(part for part in (opened.vendor_name, opened.product_name) if part)
        yield NfcField(frontend), Ready("nfc", reference.path, name or reference.name)
    finally:
        _close(frontend, reference.path)


def run_with_files(
    device: str,
    *,
    out: TextIO,
    orders: TextIO | Path,
    timeout_s: float | None = None,
    master_key_file: Path | None = None,
    card_key_file: Path | None = None,
    old_master_key_file: Path | None = None,
    old_card_key_file: Path | None = None,
) -> int:
    """As ``run``, with orders from a stream or a file and keys from their files.

    The card key alone is enough to look; both are needed to write chips that prove themselves, and both old
    ones to give such chips new keys.

    Raises EnvironmentFault ``file_unreadable``, and what ``read_master_keys`` raises.
    """
    pairs = ((master_key_file, card_key_file), (old_master_key_file, old_card_key_file))
    write, former = (
        None if master is None else read_master_keys(master, _beside(card)) for master, card in pairs
    )
    card_key = None if card_key_file is None else read_key_file(card_key_file)
    keys = StationKeys(write, card_key, former)
    if not isinstance(orders, Path):
        return run(device, out=out, orders=orders, timeout_s=timeout_s, keys=keys)
    try:
        opened = orders.open(encoding="utf-8")
    except OSError as fault:
        raise EnvironmentFault("file_unreadable", f"{orders}: {fault.strerror}") from fault
    with opened:
        return run(device, out=out, orders=opened, orders_are_file=True, timeout_s=timeout_s, keys=keys)


def _beside(card_key_file: Path | None) -> Path:
    if card_key_file is None:
        raise EnvironmentFault("card_key_missing", "a master key's file needs the card key's beside it")
    return card_key_file


def _close(frontend: Any, path: str) -> None:
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

    def serve(self, writer: ChipWriter) -> int:
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
                if fault.code == GONE:
                    raise
                self._faults += 1
                self.tell(Faulted(fault))
                if self._is_file:
                    return EXIT_FAULT

    def _do(self, writer: ChipWriter, order: Look | Lift | Write | Rekey | Sign) -> str:
        began = self._clock()
        if isinstance(order, Lift):
            writer.wait_lifted()
            return encode_event(Lifted())
        if isinstance(order, Look):
            survey, payload, state, proved = writer.look()
            more = {"holds": state, "capacity": survey.capacity, "locked": survey.locked}
            return _line("chip", survey, payload, **more, proved=proved)
        if isinstance(order, Sign):
            survey, certificate, signature = writer.sign(order.challenge)
            return _line("signed", survey, b"", certificate=_text(certificate), signature=_text(signature))
        if isinstance(order, Rekey):
            survey, payload = writer.rekey(order.uid)
            return _line("rekeyed", survey, payload)
        survey, payload = writer.write(order)
        write_ms = round((self._clock() - began) * 1000, 1)
        return _line("written", survey, payload, lock=order.lock, write_ms=write_ms)


def _line(event: str, survey: Survey, payload: bytes, **more: Any) -> str:
    told = {
        "event": event,
        "uid": survey.uid.hex(),
        "chip": survey.chip,
        "payload": _text(payload),
    }
    return json.dumps(told | more, separators=(",", ":")) + "\n"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
