"""Today's pickups at this kiosk, and the form that voids one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Property, QObject, Signal, Slot
from PySide6.QtQml import QmlElement

from kiosk.values import OfficerSession, Pickup
from ui.counter_port import Goods
from ui.rows import Rows

QML_IMPORT_NAME = "Kmc.Models"
QML_IMPORT_MAJOR_VERSION = 1

PICKUP_ROW: dict[str, Any] = {
    "ref": "",
    "at": "",
    "nameId": "",
    "nameEn": "",
    "quantityId": "",
    "quantityEn": "",
    "holder": "",
    "officer": "",
    "voided": False,
    "synced": True,
    "fresh": False,
}


def pickup_row(pickup: Pickup, fresh: bool = False) -> dict[str, Any]:
    """One pickup as the lists show it; ``fresh`` marks the entry just made."""
    return {
        "ref": pickup.ref,
        "at": pickup.at,
        "nameId": pickup.program_name.id,
        "nameEn": pickup.program_name.en,
        "quantityId": pickup.quantity_text.id,
        "quantityEn": pickup.quantity_text.en,
        "holder": pickup.holder_name,
        "officer": pickup.officer,
        "voided": pickup.voided,
        "synced": pickup.synced,
        "fresh": fresh,
    }


@QmlElement
class DayList(QObject):
    """Today's pickups, newest first, and which one is about to be voided."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pickups: tuple[Pickup, ...] = ()
        self._rows = Rows(PICKUP_ROW, self)
        self._fresh = ""
        self._voiding: Pickup | None = None
        self._goods: Goods = "never_left"
        self._reason = ""

    def show(self, pickups: Sequence[Pickup]) -> None:
        """Become this list."""
        self._pickups = tuple(pickups)
        self._draw()

    def highlight(self, ref: str) -> None:
        """Mark the entry just made; empty for none."""
        self._fresh = ref
        self._draw()

    def last_own(self, session: OfficerSession) -> Pickup | None:
        """The newest entry of this officer that still stands."""
        for pickup in self._pickups:
            if not pickup.voided and pickup.officer in (session.username, session.name):
                return pickup
        return None

    def find(self, ref: str) -> Pickup | None:
        """The entry with that reference."""
        return next((pickup for pickup in self._pickups if pickup.ref == ref), None)

    def officers(self) -> dict[str, str]:
        """References of today and who recorded them."""
        return {pickup.ref: pickup.officer for pickup in self._pickups}

    def has_waiting(self) -> bool:
        """Any entry is shown as not yet at central."""
        return not all(pickup.synced for pickup in self._pickups)

    def begin_void(self, pickup: Pickup) -> None:
        """Open the form for this entry."""
        self._voiding, self._goods, self._reason = pickup, "never_left", ""
        self.changed.emit()

    def end_void(self) -> None:
        """Close the form."""
        self._voiding = None
        self._reason = ""
        self.changed.emit()

    @property
    def voiding(self) -> Pickup | None:
        """The entry the form is open for."""
        return self._voiding

    @property
    def goods(self) -> Goods:
        """What became of the goods."""
        return self._goods

    @property
    def reason(self) -> str:
        """Why it is voided."""
        return self._reason.strip()

    @Property(QObject, constant=True)
    def rows(self) -> Rows:
        """The entries."""
        return self._rows

    @Property(int, notify=changed)
    def count(self) -> int:
        """How many stand."""
        return sum(not pickup.voided for pickup in self._pickups)

    @Property(str, notify=changed)
    def voidRef(self) -> str:
        """Reference of the entry about to be voided."""
        return self._voiding.ref if self._voiding else ""

    @Property(str, notify=changed)
    def voidHolder(self) -> str:
        """Whose it was."""
        return self._voiding.holder_name if self._voiding else ""

    @Property(str, notify=changed)
    def voidGiftId(self) -> str:
        """What it was, in Indonesian."""
        return f"{self._voiding.quantity_text.id} · {self._voiding.program_name.id}" if self._voiding else ""

    @Property(str, notify=changed)
    def voidGiftEn(self) -> str:
        """What it was, in English."""
        return f"{self._voiding.quantity_text.en} · {self._voiding.program_name.en}" if self._voiding else ""

    @Property(str, notify=changed)
    def voidGoods(self) -> str:
        """``never_left`` or ``returned``."""
        return self._goods

    @Property(str, notify=changed)
    def voidReason(self) -> str:
        """Why it is voided."""
        return self._reason

    @Slot(str)
    def setVoidGoods(self, goods: str) -> None:
        """Say what became of the goods."""
        self._goods = "returned" if goods == "returned" else "never_left"
        self.changed.emit()

    @Slot(str)
    def setVoidReason(self, reason: str) -> None:
        """Say why."""
        self._reason = reason
        self.changed.emit()

    def _draw(self) -> None:
        self._rows.show([pickup_row(pickup, pickup.ref == self._fresh) for pickup in self._pickups])
        self.changed.emit()
