"""At the officer's counter: cards of other points, and a date that is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from PySide6.QtCore import Qt

from kiosk.errors import OfficerFault
from tests.ui import scripted_counter as script
from tests.ui.scripted_counter import ScriptedCounter, counter_with
from tests.ui.stage import Stage

Open = Callable[..., Stage]
Key = Qt.Key


def from_elsewhere(**more: object) -> ScriptedCounter:
    return ScriptedCounter(visits={b"siti": script.nobody_yet()}, **more)  # type: ignore[arg-type]


def test_a_card_of_another_point_becomes_a_person_in_place(open_stage: Open) -> None:
    counter = from_elsewhere(after_lookup=script.visit((script.CHECKING,)))
    stage = open_stage(counter)
    stage.sign_in()
    stage.tap()
    assert stage.pane == "person"
    assert "Kartu dari titik layanan lain. Sedang dicek…" in stage.texts()
    assert counter.named("acquire") == []
    stage.until(lambda: bool(counter.looked_up))
    counter.looked_up[0].set_result(None)
    stage.until(lambda: stage.of_officer("fullName") == "SITI RAHAYU")
    stage.until(lambda: bool(counter.named("acquire")))
    assert "Kartu dari titik layanan lain. Sedang dicek…" not in stage.texts()


def test_a_card_of_another_point_without_the_network_says_so(open_stage: Open) -> None:
    counter = from_elsewhere()
    stage = open_stage(counter)
    stage.sign_in()
    stage.tap()
    stage.until(lambda: bool(counter.looked_up))
    counter.looked_up[0].set_result(None)
    stage.until(lambda: stage.of_officer("message") == "card_from_elsewhere")
    assert stage.pane == "waiting"
    assert any("Sambungkan kiosk" in text for text in stage.texts())


@pytest.fixture
def in_doubt(open_stage: Open) -> Callable[[str], Stage]:
    def open_one(username: str) -> Stage:
        counter = counter_with()
        counter.kiosk_status = replace(script.STATUS, warnings=("date_in_doubt",))
        stage = open_stage(counter)
        stage.sign_in(username)
        return stage

    return open_one


def test_a_supervisor_confirms_the_date(in_doubt: Callable[[str], Stage]) -> None:
    stage = in_doubt("rini")
    stage.key(Key.Key_F6)
    assert stage.pane == "date"
    assert "23 November 2026" in stage.texts()
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "waiting")
    stage.until(lambda: not stage.of_kiosk("dateInDoubt"))
    assert stage.counter.named("assert_clock") == [("assert_clock", date(2026, 11, 23))]
    assert "Tanggal dipastikan dan tercatat." in stage.texts()


def test_an_officer_is_not_asked_for_the_date(in_doubt: Callable[[str], Stage]) -> None:
    stage = in_doubt("dewi")
    stage.key(Key.Key_F6)
    assert stage.pane == "waiting"
    assert "Pastikan tanggal" not in stage.texts()


def test_a_date_that_is_none_or_refused_stays_on_the_screen(in_doubt: Callable[[str], Stage]) -> None:
    stage = in_doubt("rini")
    stage.key(Key.Key_F6)
    stage.key(Key.Key_Backspace)
    stage.key(Key.Key_Return)
    assert stage.of_officer("message") == "date_malformed"
    stage.type("3")
    stage.counter.failures["assert_clock"] = OfficerFault("date_backwards")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "date_backwards")
    assert stage.pane == "date"
    assert "Kiosk ini sudah mencatat tanggal yang lebih baru." in stage.texts()
    stage.key(Key.Key_Escape)
    assert stage.pane == "waiting"
