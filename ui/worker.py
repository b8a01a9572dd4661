"""One thread that owns the counter; its answers come back to the screen's thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from kiosk.errors import EnvironmentFault, KioskError
from ui.counter_port import CounterPort

LOG = logging.getLogger(__name__)

T = TypeVar("T")
Call = Callable[[CounterPort], Any]


@dataclass(frozen=True, slots=True)
class _Question:
    ticket: str
    call: Call


@dataclass(frozen=True, slots=True)
class _Answer:
    ticket: str
    value: Any
    fault: KioskError | None
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    done: Callable[[Any], None]
    failed: Callable[[KioskError], None]


def _bug(error: Exception, doing: str) -> EnvironmentFault:
    """Log a bug of ours without the exception's text, which may hold personal data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    LOG.error("%s: unexpected %s\n%s", doing, type(error).__name__, frames)
    return EnvironmentFault("program_fault", f"{doing}: unexpected {type(error).__name__}")


class CounterWorker(QObject):
    """Asks the counter in its own thread and hands each answer over in the screen's thread.

    ``factory`` runs inside the worker's thread, ``closer`` too, last of all.
    """

    opened = Signal()
    failed = Signal(object)
    """The counter could not be made: a KioskError."""
    _answered = Signal(object)
    _finished = Signal(str)

    def __init__(
        self,
        factory: Callable[[], CounterPort],
        closer: Callable[[CounterPort], None] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._factory = factory
        self._closer = closer
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._waiting: dict[str, _Waiting] = {}
        self._watched: dict[str, Callable[[], None]] = {}
        self._tickets = 0
        self.last_ms = 0.0
        """How long the call took whose answer was handed over last."""
        self._thread = threading.Thread(target=self._run, name="counter", daemon=True)
        self._answered.connect(self._hand_over, Qt.ConnectionType.QueuedConnection)
        self._finished.connect(self._future_finished, Qt.ConnectionType.QueuedConnection)

    @property
    def waiting(self) -> int:
        """Questions that have no answer yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the thread; the counter is made there."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Finish what is queued, close the counter, end the thread. False if it did not end in time."""
        self._questions.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._waiting.clear()
        self._watched.clear()
        return not self._thread.is_alive()

    def ask(
        self,
        call: Callable[[CounterPort], T],
        done: Callable[[T], None],
        failed: Callable[[KioskError], None],
    ) -> None:
        """Run ``call`` in the worker's thread; ``done`` or ``failed`` runs in the screen's thread."""
        ticket = self._next_ticket()
        self._waiting[ticket] = _Waiting(done, failed)
        self._questions.put(_Question(ticket, call))

    def tell(self, call: Callable[[CounterPort], None], doing: str) -> None:
        """Run ``call`` for its effect; a fault is logged by its code."""

        def done(_: None) -> None:
            return

        def failed(fault: KioskError) -> None:
            LOG.warning("%s: %s", doing, fault.code)

        self.ask(call, done, failed)

    def watch(self, futures: Sequence[Future[Any]], finished: Callable[[], None]) -> None:
        """Call ``finished`` in the screen's thread as each future is done, failed ones too."""
        for future in futures:
            ticket = self._next_ticket()
            self._watched[ticket] = finished

            def report(_: Future[Any], ticket: str = ticket) -> None:
                self._finished.emit(ticket)

            future.add_done_callback(report)

    def _next_ticket(self) -> str:
        self._tickets += 1
        return str(self._tickets)

    @Slot(object)
    def _hand_over(self, answer: _Answer) -> None:
        waiting = self._waiting.pop(answer.ticket, None)
        if waiting is None:
            return
        self.last_ms = answer.took_ms
        if answer.fault is not None:
            waiting.failed(answer.fault)
        else:
            waiting.done(answer.value)

    @Slot(str)
    def _future_finished(self, ticket: str) -> None:
        finished = self._watched.pop(ticket, None)
        if finished is not None:
            finished()

    def _run(self) -> None:
        counter: CounterPort | None = None
        broken: KioskError = EnvironmentFault("counter_missing", "the counter was not made")
        try:
            counter = self._factory()
            self.opened.emit()
        except KioskError as fault:
            broken = fault
            self.failed.emit(fault)
        except Exception as error:
            broken = _bug(error, "opening the counter")
            self.failed.emit(broken)
        while (question := self._questions.get()) is not None:
            if counter is None:
                self._answered.emit(_Answer(question.ticket, None, broken))
                continue
            self._answered.emit(self._answer(counter, question))
        if counter is not None and self._closer is not None:
            try:
                self._closer(counter)
            except KioskError as fault:
                LOG.error("closing the counter: %s", fault.code)
            except Exception as error:
                _bug(error, "closing the counter")

    @staticmethod
    def _answer(counter: CounterPort, question: _Question) -> _Answer:
        value: Any = None
        fault: KioskError | None = None
        begun_s = time.perf_counter()
        try:
            value = question.call(counter)
        except KioskError as known:
            fault = known
        except Exception as error:
            fault = _bug(error, "asking the counter")
        return _Answer(question.ticket, value, fault, (time.perf_counter() - begun_s) * 1000)
