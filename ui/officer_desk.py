"""What the parts of the officer's screen share: who is signed in, the stage, what was said last."""

from __future__ import annotations

import re

from PySide6.QtCore import QObject, Signal

from kiosk.errors import KioskError
from kiosk.values import OfficerSession
from ui.schedule import Alarms, Schedule
from ui.timing import Timing
from ui.worker import CounterWorker

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class OfficerDesk(QObject):
    """One stage at a time (``OfficerModel`` names them); the parts move it, each for its own subject."""

    changed = Signal()
    feedback = Signal(str)
    """``ok`` or ``attention``."""
    resultSet = Signal()
    """A read has become a person or a fault on the screen."""
    journalChanged = Signal()
    freed = Signal()
    """What was being recorded or voided is through; a card that was tapped meanwhile has its turn."""

    def __init__(self, worker: CounterWorker, schedule: Schedule, timing: Timing, parent: QObject) -> None:
        super().__init__(parent)
        self.worker = worker
        self.schedule = schedule
        self.timing = timing
        self.alarms = Alarms(schedule)
        self.session: OfficerSession | None = None
        self.stage = "off"
        self.before = "waiting"
        """Where ``find`` and ``void`` go back to."""
        self.message = ""
        self.number = 0
        self.busy = False
        """An answer is being waited for."""
        self.unpainted = ""
        """Reference of a pickup that is recorded and that the officer has not seen yet."""

    @property
    def is_recording(self) -> bool:
        """Something is being recorded or voided, or is recorded and not painted: nothing else may begin."""
        return self.stage in ("recording", "voiding") or bool(self.unpainted)

    def become(self, stage: str) -> None:
        """Show that stage; what was said before is over."""
        self.stage = stage
        self.message = ""
        self.number = 0
        self.changed.emit()

    def step_back(self) -> None:
        """Show the stage from which ``find`` or ``void`` was opened."""
        self.become(self.before)

    def step_aside(self, stage: str) -> None:
        """Show that stage and remember where to go back to."""
        self.before = self.stage
        self.become(stage)

    def say(self, code: str, number: int = 0) -> None:
        """Say a message by its code; ``number`` goes with it: seconds to wait, or a day as 20261123."""
        self.message = code
        self.number = number
        self.changed.emit()

    def wait(self) -> None:
        """An answer is being waited for."""
        self.busy = True
        self.changed.emit()

    def refused(self, fault: KioskError) -> None:
        """The counter refused: say why."""
        self.busy = False
        wait = fault.detail.get("wait_s", 0)
        seconds = int(wait) if isinstance(wait, int | float) else 0
        self.say(fault.code, seconds or _denied_on(fault))
        self.feedback.emit("attention")


def _denied_on(fault: KioskError) -> int:
    """The day since which the deny list has the card, as 20261123; 0 for any other fault."""
    since = fault.detail.get("since", "")
    return int(since.replace("-", "")) if isinstance(since, str) and _DAY.fullmatch(since) else 0
