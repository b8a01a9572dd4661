"""At the officer's counter: badges at the sign-in, and cards from before this system."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt

from kiosk.adopting import OldCard
from kiosk.errors import CardFault, OfficerFault
from kiosk.values import CardRead, Medium
from tests.ui import scripted_counter as script
from tests.ui.scripted_counter import ScriptedCounter, counter_with
from tests.ui.stage import Stage

Open = Callable[..., Stage]
Key = Qt.Key
UID = bytes.fromhex("04a1b2c3d4e5f6")
BADGE = CardRead(Medium.NFC, b"badge", b"\x04" * 7, "NTAG215")
OLD = CardRead(Medium.NFC, b"", UID, "MIFARE Classic", found="card_classic")


def badged() -> ScriptedCounter:
    counter = counter_with()
    counter.badges[BADGE.payload] = "dewi"
    return counter


def test_a_badge_fills_the_name_and_goes_with_the_pin(open_stage: Open) -> None:
    counter = badged()
    stage = open_stage(counter)
    stage.key(Key.Key_F4)
    stage.post("read", read=BADGE)
    stage.until(lambda: stage.of_officer("badgeUser") == "dewi")
    assert "Lencana terbaca. Ketik PIN." in stage.texts()
    stage.type("2468")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "waiting")
    assert counter.named("sign_in") == [("sign_in", "dewi", BADGE)]


def test_a_holders_card_is_no_badge(open_stage: Open) -> None:
    stage = open_stage(badged())
    stage.key(Key.Key_F4)
    stage.post("read", read=script.tap())
    stage.until(lambda: stage.of_officer("message") == "sign_in_first")
    assert "Masuk dulu, lalu tempelkan kartu lagi." in stage.texts()
    assert stage.pane == "signin"


def test_a_badge_is_forgotten_with_the_form(open_stage: Open) -> None:
    counter = badged()
    stage = open_stage(counter)
    stage.key(Key.Key_F4)
    stage.post("read", read=BADGE)
    stage.until(lambda: stage.of_officer("badgeUser") == "dewi")
    stage.key(Key.Key_Escape)
    stage.sign_in()
    assert counter.named("sign_in") == [("sign_in", "dewi")]


def test_a_badge_that_is_needed_is_asked_for(open_stage: Open) -> None:
    counter = badged()
    counter.failures["sign_in"] = OfficerFault("badge_needed")
    stage = open_stage(counter)
    stage.key(Key.Key_F4)
    stage.type("dewi")
    stage.key(Key.Key_Return)
    stage.type("2468")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "badge_needed")
    assert "Tempelkan juga lencana Anda." in stage.texts()


def with_old_card(open_stage: Open) -> Stage:
    """A person is on the screen, then an old card is tapped that is nobody's."""
    counter = counter_with()
    counter.visits[b""] = CardFault("card_classic")
    stage = open_stage(counter)
    stage.sign_in()
    stage.tap()
    assert stage.pane == "person"
    stage.tap(OLD)
    return stage


def test_an_old_card_beside_its_holder_is_bound_by_two_keys(open_stage: Open) -> None:
    stage = with_old_card(open_stage)
    assert stage.of_officer("adoptName") == "SITI RAHAYU"
    assert "Sambungkan kartu lama" in stage.texts()
    stage.key(Key.Key_F7)
    assert stage.pane == "adopt"
    assert any("SITI RAHAYU" in text for text in stage.texts())
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "person")
    (call,) = stage.counter.named("adopt")
    assert call[1:] == (OldCard("uid", UID.hex()), script.visit(()).card_no, True)
    stage.until(lambda: stage.of_officer("grade") == "legacy")
    assert stage.of_officer("adoptName") == ""


def test_no_is_no(open_stage: Open) -> None:
    stage = with_old_card(open_stage)
    stage.key(Key.Key_F7)
    stage.key(Key.Key_Escape)
    assert stage.pane == "waiting"
    assert stage.counter.named("adopt") == []


def test_found_by_number_after_the_tap(open_stage: Open) -> None:
    counter = counter_with()
    counter.visits[b""] = CardFault("card_classic")
    stage = open_stage(counter)
    stage.sign_in()
    stage.tap(OLD)
    assert stage.of_officer("adoptName") == ""
    stage.key(Key.Key_F7)
    assert stage.pane == "waiting"
    stage.tap(script.tap())
    assert stage.of_officer("adoptName") == ""  # a card of its own: the old one is not asked about any more


def test_a_refusal_stays_on_the_screen(open_stage: Open) -> None:
    stage = with_old_card(open_stage)
    stage.counter.failures["adopt"] = OfficerFault("adopted_already")
    stage.key(Key.Key_F7)
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "adopted_already")
    assert stage.pane == "adopt"
    assert "Kartu lama ini sudah milik seseorang." in stage.texts()
