"""Every state of the screens by name, set up on a real window through what people and readers do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt

from kiosk.errors import CardFault, OfficerFault
from kiosk.values import CardRead, Grade, Medium
from tests.ui import scripted_counter as script
from tests.ui.scripted_counter import ScriptedCounter, counter_with
from tests.ui.stage import Stage

OFFLINE = replace(script.STATUS, online=False, waiting=12, data_as_of="2026-11-23T06:10:00+07:00")


def attract(width: int, height: int) -> Stage:
    stage = Stage(counter_with(), width, height)
    stage.readers()
    return stage


def attract_qr_only(width: int, height: int) -> Stage:
    stage = attract(width, height)
    stage.post("gone", "reader_gone")
    stage.until(lambda: not stage.of_kiosk("tapReady"))
    return stage


def attract_hint(width: int, height: int) -> Stage:
    stage = attract(width, height)
    stage.hint("farther", (0.1, 0.05, 0.45, 0.7))
    return stage


def attract_qr_only_hint(width: int, height: int) -> Stage:
    stage = attract_qr_only(width, height)
    stage.hint("blurred", (0.6, 0.5, 0.9, 0.9))
    return stage


def reading(width: int, height: int) -> Stage:
    stage = attract(width, height)
    stage.post("reading")
    stage.until(lambda: stage.citizen._alarms.is_set("reading"))
    stage.schedule.advance(0.4)
    return stage


def _result(counter: ScriptedCounter, width: int, height: int) -> Stage:
    stage = Stage(counter, width, height)
    stage.readers()
    stage.tap()
    return stage


def result(width: int, height: int) -> Stage:
    return _result(counter_with((*script.ONE_READY, script.DOCUMENT)), width, height)


def result_fourteen(width: int, height: int) -> Stage:
    return _result(counter_with((*script.FOURTEEN, script.SENSITIVE)), width, height)


def result_fourteen_page2(width: int, height: int) -> Stage:
    stage = result_fourteen(width, height)
    stage.key(Qt.Key.Key_Right)
    return stage


def result_fourteen_last(width: int, height: int) -> Stage:
    stage = result_fourteen(width, height)
    for _ in range(8):
        stage.key(Qt.Key.Key_Right)
    return stage


def result_none(width: int, height: int) -> Stage:
    return _result(counter_with(()), width, height)


def result_only_sensitive(width: int, height: int) -> Stage:
    return _result(counter_with((script.SENSITIVE,)), width, height)


def result_qr(width: int, height: int) -> Stage:
    counter = counter_with((script.RICE, script.TAKEN, script.ELSEWHERE), grade=Grade.P0, public_name="")
    return _result(counter, width, height)


def result_asking(width: int, height: int) -> Stage:
    return _result(ScriptedCounter(visits={b"siti": script.nobody_yet()}), width, height)


def attract_loading(width: int, height: int) -> Stage:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, loading=42)
    stage = Stage(counter, width, height)
    stage.readers()
    return stage


def result_offline(width: int, height: int) -> Stage:
    counter = counter_with((script.RICE, script.NETWORK))
    counter.kiosk_status = OFFLINE
    return _result(counter, width, height)


def warning(width: int, height: int) -> Stage:
    stage = result(width, height)
    stage.schedule.advance(20)
    return stage


def clearing(width: int, height: int) -> Stage:
    stage = result(width, height)
    stage.citizen.finish()
    return stage


def _fault(code: str) -> Callable[[int, int], Stage]:
    def make(width: int, height: int) -> Stage:
        stage = attract(width, height)
        stage.post("fault", code)
        stage.until(lambda: stage.state == "fault")
        return stage

    return make


def reader_gone(width: int, height: int) -> Stage:
    stage = attract(width, height)
    stage.post("gone", "reader_gone")
    stage.post("gone", "camera_gone", source="qr")
    stage.until(lambda: stage.state == "reader_gone")
    return stage


def out_of_order(width: int, height: int) -> Stage:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, frozen="ledger_quarantined")
    return Stage(counter, width, height)


def signin(width: int, height: int) -> Stage:
    stage = attract(width, height)
    stage.key(Qt.Key.Key_F4)
    stage.type("dewi")
    return stage


def signin_wrong(width: int, height: int) -> Stage:
    stage = signin(width, height)
    stage.key(Qt.Key.Key_Return)
    stage.type("1111")
    stage.key(Qt.Key.Key_Return)
    return stage


def signin_keys(width: int, height: int) -> Stage:
    stage = signin(width, height)
    stage.click(stage.button("Papan ketik"))
    return stage


def _officer(counter: ScriptedCounter, width: int, height: int) -> Stage:
    stage = Stage(counter, width, height)
    stage.readers()
    stage.sign_in()
    return stage


def waiting(width: int, height: int) -> Stage:
    return _officer(counter_with(), width, height)


def waiting_doubt(width: int, height: int) -> Stage:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, warnings=("date_in_doubt",))
    stage = Stage(counter, width, height)
    stage.readers()
    stage.sign_in("rini")
    return stage


def waiting_old_card(width: int, height: int) -> Stage:
    """An old card, tapped beside the person whose it is."""
    counter = counter_with()
    counter.visits[b""] = CardFault("card_classic")
    stage = _officer(counter, width, height)
    stage.tap()
    stage.tap(CardRead(Medium.NFC, b"", bytes.fromhex("04a1b2c3d4e5f6"), "MIFARE Classic"))
    return stage


def adopt(width: int, height: int) -> Stage:
    stage = waiting_old_card(width, height)
    stage.key(Qt.Key.Key_F7)
    return stage


def signin_badge(width: int, height: int) -> Stage:
    counter = counter_with()
    counter.badges[b"badge"] = "dewi"
    stage = Stage(counter, width, height)
    stage.readers()
    stage.key(Qt.Key.Key_F4)
    stage.post("read", read=CardRead(Medium.NFC, b"badge", b"\x04" * 7, "NTAG215"))
    stage.until(lambda: stage.of_officer("badgeUser") == "dewi")
    return stage


def date(width: int, height: int) -> Stage:
    stage = waiting_doubt(width, height)
    stage.key(Qt.Key.Key_F6)
    return stage


def person_asking(width: int, height: int) -> Stage:
    stage = _officer(ScriptedCounter(visits={b"siti": script.nobody_yet()}), width, height)
    stage.tap()
    return stage


def waiting_fault(width: int, height: int) -> Stage:
    stage = waiting(width, height)
    stage.post("fault", "card_wrong_chip")
    stage.until(lambda: stage.of_officer("message") != "")
    return stage


def person(width: int, height: int) -> Stage:
    stage = waiting(width, height)
    stage.tap()
    return stage


def person_fourteen(width: int, height: int) -> Stage:
    counter = counter_with((*script.FOURTEEN, script.SENSITIVE))
    counter.kiosk_status = OFFLINE
    stage = _officer(counter, width, height)
    stage.tap()
    return stage


def person_taken(width: int, height: int) -> Stage:
    counter = counter_with((script.TAKEN,))
    stage = _officer(counter, width, height)
    stage.tap()
    return stage


def confirm(width: int, height: int) -> Stage:
    stage = person(width, height)
    stage.key(Qt.Key.Key_Return)
    return stage


def confirm_documents(width: int, height: int) -> Stage:
    stage = _officer(counter_with((script.DOCUMENT,)), width, height)
    stage.tap()
    stage.key(Qt.Key.Key_Return)
    stage.key(Qt.Key.Key_Left)
    stage.form.setRepresentativeName("HERU WIBOWO")
    stage.key(Qt.Key.Key_1)
    return stage


def confirm_less(width: int, height: int) -> Stage:
    stage = confirm(width, height)
    stage.form.step(-1)
    stage.settle()
    return stage


def recorded(width: int, height: int) -> Stage:
    stage = confirm(width, height)
    stage.key(Qt.Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    return stage


def refused(width: int, height: int) -> Stage:
    stage = confirm(width, height)
    stage.counter.failures["confirm"] = OfficerFault("already_taken")
    stage.counter._taken["beras-bulanan"] = "IRM1-0420"
    stage.key(Qt.Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "already_taken")
    return stage


def find(width: int, height: int) -> Stage:
    stage = waiting(width, height)
    stage.key(Qt.Key.Key_F2)
    stage.type("1000234")
    return stage


def void(width: int, height: int) -> Stage:
    stage = waiting(width, height)
    stage.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    stage.key(Qt.Key.Key_1)
    return stage


def unshown(width: int, height: int) -> Stage:
    counter = counter_with()
    counter.asked_about = [replace(script.TODAY[0], shown=False)]
    return _officer(counter, width, height)


SCENES: dict[str, Callable[[int, int], Stage]] = {
    "attract": attract,
    "attract-qr-only": attract_qr_only,
    "attract-hint": attract_hint,
    "attract-qr-only-hint": attract_qr_only_hint,
    "reading": reading,
    "result": result,
    "result-fourteen": result_fourteen,
    "result-fourteen-page2": result_fourteen_page2,
    "result-fourteen-last": result_fourteen_last,
    "result-none": result_none,
    "result-only-sensitive": result_only_sensitive,
    "result-qr": result_qr,
    "result-offline": result_offline,
    "result-asking": result_asking,
    "attract-loading": attract_loading,
    "fault-elsewhere": _fault("card_from_elsewhere"),
    "warning": warning,
    "clearing": clearing,
    "fault-two": _fault("card_two"),
    "fault-foreign": _fault("card_foreign"),
    "fault-lifted": _fault("card_lifted"),
    "fault-lost": _fault("card_lost"),
    "fault-expired": _fault("card_expired"),
    "reader-gone": reader_gone,
    "out-of-order": out_of_order,
    "signin": signin,
    "signin-wrong": signin_wrong,
    "signin-keys": signin_keys,
    "waiting": waiting,
    "waiting-fault": waiting_fault,
    "waiting-doubt": waiting_doubt,
    "date": date,
    "waiting-old-card": waiting_old_card,
    "adopt": adopt,
    "signin-badge": signin_badge,
    "person-asking": person_asking,
    "person": person,
    "person-fourteen": person_fourteen,
    "person-taken": person_taken,
    "confirm": confirm,
    "confirm-documents": confirm_documents,
    "confirm-less": confirm_less,
    "recorded": recorded,
    "refused": refused,
    "find": find,
    "void": void,
    "unshown": unshown,
}

CITIZEN = tuple(
    name
    for name in SCENES
    if name.startswith(("attract", "reading", "result", "warning", "clearing", "fault", "reader", "out"))
)
