"""Time for the view-models: a clock and alarms, injected so that tests own both."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer


class Alarm(Protocol):
    """One alarm that has been set."""

    def cancel(self) -> None:
        """Take the alarm back; nothing happens if it has rung."""


class Schedule(Protocol):
    """Monotonic seconds and alarms that ring in the thread of the screen."""

    def now_s(self) -> float:
        """Seconds on a clock that never goes back."""

    def after(self, delay_s: float, action: Callable[[], None]) -> Alarm:
        """Ring once in ``delay_s`` seconds."""


class _QtAlarm:
    def __init__(self, timer: QTimer) -> None:
        self._timer: QTimer | None = timer

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.deleteLater()
            self._timer = None


class QtSchedule:
    """Alarms by QTimer; alarms belong to ``parent`` and end with it."""

    def __init__(self, parent: QObject) -> None:
        self._parent = parent

    def now_s(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    def after(self, delay_s: float, action: Callable[[], None]) -> Alarm:
        """Ring once in ``delay_s`` seconds, in the thread of the screen."""
        timer = QTimer(self._parent)
        timer.setSingleShot(True)
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        alarm = _QtAlarm(timer)

        def ring() -> None:
            alarm.cancel()
            action()

        timer.timeout.connect(ring)
        timer.start(round(delay_s * 1000))
        return alarm


class Alarms:
    """Named alarms of one view-model: setting one replaces the one before."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._set: dict[str, Alarm] = {}

    def set(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        """Ring ``name`` in ``delay_s`` seconds, instead of any alarm of that name."""
        self.cancel(name)

        def ring() -> None:
            self._set.pop(name, None)
            action()

        self._set[name] = self._schedule.after(delay_s, ring)

    def cancel(self, *names: str) -> None:
        """Take these alarms back."""
        for name in names:
            alarm = self._set.pop(name, None)
            if alarm is not None:
                alarm.cancel()

    def is_set(self, name: str) -> bool:
        """Whether that alarm is going to ring."""
        return name in self._set
