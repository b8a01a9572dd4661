"""The worker: one thread owns the counter, answers come back in the screen's thread."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication

from kiosk.errors import EnvironmentFault, KioskError, OfficerFault
from kiosk.values import KioskStatus
from tests.ui.scripted_counter import ScriptedCounter, counter_with, tap
from tests.ui.stage import Stage
from ui.worker import CounterWorker


def spin(condition: Callable[[], bool]) -> None:
    """Run the event loop until the condition holds."""
    end_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)


@pytest.fixture
def made(application: QGuiApplication) -> Iterator[Callable[..., CounterWorker]]:
    """Makes workers and stops them."""
    workers: list[CounterWorker] = []

    def make(factory: Callable[[], Any], closer: Callable[[Any], None] | None = None) -> CounterWorker:
        worker = CounterWorker(factory, closer)
        workers.append(worker)
        worker.start()
        return worker

    yield make
    for worker in workers:
        worker.stop()


def test_one_thread_makes_calls_and_closes_the_counter(made: Callable[..., CounterWorker]) -> None:
    threads: list[int] = []
    counter = counter_with()

    def factory() -> ScriptedCounter:
        threads.append(threading.get_ident())
        return counter

    worker = made(factory, lambda _: threads.append(threading.get_ident()))
    answers: list[KioskStatus] = []
    answered_in: list[int] = []

    def done(status: KioskStatus) -> None:
        answers.append(status)
        answered_in.append(threading.get_ident())

    for _ in range(20):
        worker.ask(lambda c: c.status(), done, lambda _: None)
    spin(lambda: len(answers) == 20)
    assert worker.stop()
    assert len(set(threads) | counter.threads) == 1
    assert len(threads) == 2
    assert set(answered_in) == {threading.get_ident()}
    assert threads[0] != threading.get_ident()


def test_a_fault_comes_back_as_it_was_raised(made: Callable[..., CounterWorker]) -> None:
    counter = counter_with()
    fault = OfficerFault("already_taken", right="h12/beras/2026-11")
    counter.failures["status"] = fault
    faults: list[KioskError] = []
    worker = made(lambda: counter)
    worker.ask(lambda c: c.status(), lambda _: None, faults.append)
    spin(lambda: bool(faults))
    assert faults[0] is fault


@pytest.mark.expects_log("unexpected ValueError")
def test_a_bug_is_logged_with_its_frames_and_without_its_words(
    made: Callable[..., CounterWorker], caplog: pytest.LogCaptureFixture
) -> None:
    counter = counter_with()
    counter.failures["status"] = ValueError("SITI RAHAYU")
    faults: list[KioskError] = []
    worker = made(lambda: counter)
    with caplog.at_level(logging.ERROR):
        worker.ask(lambda c: c.status(), lambda _: None, faults.append)
        spin(lambda: bool(faults))
    assert faults[0].code == "program_fault"
    assert "scripted_counter.py" in caplog.text
    assert "ValueError" in caplog.text
    assert "SITI" not in caplog.text


def test_a_counter_that_cannot_be_made_answers_its_fault_to_all(made: Callable[..., CounterWorker]) -> None:
    def factory() -> ScriptedCounter:
        raise EnvironmentFault("ledger_locked")

    faults: list[KioskError] = []
    worker = made(factory)
    worker.ask(lambda c: c.status(), lambda _: None, faults.append)
    worker.ask(lambda c: c.status(), lambda _: None, faults.append)
    spin(lambda: len(faults) == 2)
    assert {fault.code for fault in faults} == {"ledger_locked"}


@pytest.mark.expects_log("ledger_locked")
def test_the_screen_is_out_of_order_when_the_counter_cannot_be_made(application: QGuiApplication) -> None:
    def broken() -> ScriptedCounter:
        raise EnvironmentFault("ledger_locked")

    from ui.window import KioskWindow, WindowSettings

    window = KioskWindow(broken, WindowSettings(width_px=1024, height_px=600, sound=False))
    window.show()
    spin(lambda: window.citizen.property("state") == "out_of_order")
    window.close()


def test_futures_of_other_threads_report_in_the_screens_thread(made: Callable[..., CounterWorker]) -> None:
    worker = made(counter_with)
    told: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        futures: list[Future[Any]] = [pool.submit(lambda: None), pool.submit(int, "x")]
        worker.watch(futures, lambda: told.append(threading.get_ident()))
        spin(lambda: len(told) == 2)
    assert set(told) == {threading.get_ident()}


def test_reader_notices_may_come_from_any_thread(stage: Stage) -> None:
    thread = threading.Thread(target=lambda: stage.post("read", read=tap()))
    thread.start()
    thread.join()
    stage.until(lambda: stage.state == "result")
    assert len(stage.counter.threads) == 1
    assert threading.get_ident() not in stage.counter.threads


def test_closing_while_a_call_runs_waits_for_it(application: QGuiApplication) -> None:
    counter = counter_with()
    stage = Stage(counter)
    hold = counter.holds["read"] = threading.Event()
    stage.post("read", read=tap())
    stage.until(lambda: bool(counter.named("read")))
    threading.Timer(0.05, hold.set).start()
    stage.window.close()
    assert not any(thread.name == "counter" for thread in threading.enumerate())


class _Echo(QObject):
    said = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.said.connect(self.hear, Qt.ConnectionType.DirectConnection)

    @Slot(object)
    def hear(self, _: object) -> None:
        self.heard += 1


def test_emitting_signals_loses_no_reference_to_true(application: QGuiApplication) -> None:
    echo = _Echo()
    before = sys.getrefcount(True)
    for _ in range(5000):
        echo.said.emit(True)
    assert echo.heard == 5000
    assert sys.getrefcount(True) > before - 100
