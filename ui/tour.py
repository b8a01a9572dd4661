"""The main job played at a real window, from the first tap to the pickup at central, with pictures."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt

from kiosk.errors import EnvironmentFault
from ui.guide import Guide
from ui.rows import Rows

LIFTED_S = 0.7
"""A hand needs about so long; the reader calls a card lifted after three empty rounds, about 0.3 s."""

ONE_READ_S = 3.5
"""Within 3 s a card's chip and its printed code are one read (kiosk/first_read.py)."""
CONTROL = Qt.KeyboardModifier.ControlModifier


class Surroundings(Protocol):
    """What the tour asks of the world around the window; the composition root fills it."""

    mother: str
    """Card number of a holder with rice for the family and a health check."""
    father: str
    """Card of the same family."""
    elsewhere: str
    """Card of a holder whose rights lie at another point."""
    copied: str
    """A card copied to another chip."""
    officer: tuple[str, str]
    """User name and PIN."""

    def lift(self) -> None:
        """Takes away whatever card lies on the reader."""

    def tap(self, card: str) -> None:
        """Holds a virtual card before the reader."""

    def show_qr(self, card: str) -> None:
        """Holds a card's QR code before the camera."""

    def stop_central(self) -> None:
        """Takes the network away."""

    def start_central(self) -> None:
        """Brings it back."""

    def records_at_central(self) -> list[str]:
        """Types of the records central has from this kiosk, oldest first."""


def play(guide: Guide, around: Surroundings) -> None:
    """Plays the whole job. Raises EnvironmentFault ``tour_stuck`` where the screen does not follow."""
    guide.until("both readers", lambda: guide.kiosk("tapReady") and guide.kiosk("qrReady"), 60.0)
    guide.picture("attract", "The kiosk waits for a card.")
    _citizen(guide, around)
    before = len(around.records_at_central())
    _officer_offline(guide, around)
    _sync(guide, around, before)


def _citizen(guide: Guide, around: Surroundings) -> None:
    citizen = guide.window.citizen
    _tap(guide, around, around.mother)
    guide.citizen_at("result")
    guide.picture("result", "A card is tapped: what its holder can collect, and the name masked.")
    guide.click(guide.button("English"))
    guide.until("English", lambda: guide.kiosk("language") == "en")
    guide.picture("result-english", "The same in English.")
    citizen.finish()
    guide.citizen_at("attract")
    guide.rest(ONE_READ_S)
    around.show_qr(around.mother)
    guide.citizen_at("result")
    guide.picture(
        "result-qr", "The QR code of the card: no name and no places, since a code can be a photograph."
    )
    citizen.finish()
    guide.citizen_at("attract")
    _tap(guide, around, around.copied)
    guide.citizen_at("fault")
    guide.picture("copied-card", "A card copied to another chip is refused.")
    citizen.finish()
    guide.citizen_at("attract")


def _officer_offline(guide: Guide, around: Surroundings) -> None:
    username, pin = around.officer
    guide.press(Qt.Key.Key_F4)
    guide.officer_at("signin")
    guide.picture("sign-in", "F4: an officer signs in.")
    guide.type(username)
    guide.press(Qt.Key.Key_Return)
    guide.type(pin)
    guide.press(Qt.Key.Key_Return)
    guide.officer_at("waiting")
    around.stop_central()
    guide.until("offline in words", lambda: not guide.kiosk("online"), 60.0)
    guide.picture("offline", "Central is stopped: the screen says so, and the work goes on.")
    _tap_for_officer(guide, around, around.mother)
    guide.picture("person", "The mother's card, offline: the full card for the officer.")
    ref = _hand_out(guide, "beras")
    guide.picture("recorded", f"Two key presses: recorded as {ref}, before central knows of it.")
    guide.press(Qt.Key.Key_Return)
    _tap_for_officer(guide, around, around.father)
    guide.picture("family-taken", "The father's card: the family's rice has been collected.")
    _take_back(guide, "Ctrl+Z: the last pickup is taken back, with a reason.")
    guide.press(Qt.Key.Key_Escape)
    _tap_for_officer(guide, around, around.father)
    second = _hand_out(guide, "beras")
    guide.picture("recorded-again", f"The rice can be handed out here again: {second}.")
    guide.press(Qt.Key.Key_Return)
    _tap(guide, around, around.elsewhere)
    guide.until("the word on a foreign card", lambda: guide.officer("message") == "card_from_elsewhere")
    guide.picture("from-elsewhere", "A holder of another point, while central is away: the screen says so.")


def _tap(guide: Guide, around: Surroundings, card: str) -> None:
    """A card that is still there from before is the same tap: take it away first."""
    around.lift()
    guide.rest(LIFTED_S)
    around.tap(card)


def _tap_for_officer(guide: Guide, around: Surroundings, card: str) -> None:
    before = guide.officer("visitId")
    _tap(guide, around, card)
    guide.until("the person", lambda: guide.officer("visitId") not in ("", before) and not guide.is_busy())


def _hand_out(guide: Guide, word: str) -> str:
    """Chooses the program with this word in its name, ticks what it asks for, confirms."""
    rows: Rows = guide.officer("rows")
    position = next((at for at in range(len(rows)) if word in str(rows.row(at)["programId"])), -1)
    if position < 0:
        raise EnvironmentFault("tour_stuck", f"no program with {word!r}")
    guide.window.officer.select(position)
    guide.press(Qt.Key.Key_Return)
    guide.officer_at("confirm")
    for at in range(len(guide.form("checkRows"))):
        guide.press(Qt.Key(Qt.Key.Key_1.value + at))
    guide.until("the checks", lambda: guide.form("missing") == "" and not guide.is_busy())
    guide.picture("confirm", "Before it is recorded: who collects, what was checked, how much.")
    guide.press(Qt.Key.Key_Return)
    guide.until("the record", lambda: guide.officer("stage") == "recorded" and not guide.is_busy())
    return str(guide.officer("recordedRef"))


def _take_back(guide: Guide, what: str) -> None:
    """Voids the officer's last pickup with the first of the usual reasons."""
    guide.press(Qt.Key.Key_Z, CONTROL)
    guide.officer_at("void")
    guide.press(Qt.Key.Key_1)
    guide.picture("void", what)
    guide.press(Qt.Key.Key_Return)
    guide.until("the void", lambda: guide.officer("stage") in ("person", "waiting") and not guide.is_busy())


def _sync(guide: Guide, around: Surroundings, before: int) -> None:
    waiting = guide.kiosk("waiting")
    guide.note(f"{waiting} records wait for central.")
    around.start_central()
    _all_at_central(guide)
    guide.picture("synced", "Central is back: every record went there by itself.")
    types = around.records_at_central()[before:]
    guide.note(f"Central has, of this tour: {', '.join(types)}")
    handed_out, taken_back = types.count("dispense"), types.count("void")
    if (handed_out, taken_back) != (2, 1):
        raise EnvironmentFault("tour_wrong", "central should have two pickups and one void", types=types)
    _tap_for_officer(guide, around, around.elsewhere)
    guide.until("the holder of another point", lambda: guide.officer("fullName") != "")
    guide.picture("looked-up", "The same card with central back: looked up, and where the rights lie.")
    guide.press(Qt.Key.Key_Escape)
    _take_back(guide, "The tour takes its pickup back, so that it can be played again.")
    _all_at_central(guide)
    guide.window.officer.signOut()
    guide.citizen_at("attract")


def _all_at_central(guide: Guide) -> None:
    guide.until("everything at central", lambda: guide.kiosk("online") and guide.kiosk("waiting") == 0, 120.0)
