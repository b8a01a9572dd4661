"""The citizen's screen: what a tap leads to, how a session ends, and what is never shown."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, Qt

from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import Grade, Medium
from tests.ui import scripted_counter as script
from tests.ui.scripted_counter import counter_with, tap
from tests.ui.stage import Stage
from ui.events import ReaderNotice

Open = Callable[..., Stage]

FAULTS = {
    "card_lifted": "Kartu terangkat terlalu cepat.\nTempelkan lagi.",
    "card_two": "Ada dua kartu.\nTempelkan satu saja.",
    "card_foreign": "Kartu ini bukan KMC.\nPakai kartu KMC Anda.",
    "card_lost": "Kartu tidak aktif.\nBawa ke Loket 1.",
    "card_superseded": "Kartu tidak aktif.\nBawa ke Loket 1.",
    "card_blocked": "Kartu tidak aktif.\nBawa ke Loket 1.",
    "card_expired": "Masa berlaku kartu habis.\nBawa ke Loket 1.",
}


def plain(stage: Stage) -> str:
    """The words on the screen with ordinary spaces."""
    return stage.all_words().replace("\u00a0", " ")


def test_attract_says_where_to_put_the_card(stage: Stage) -> None:
    words = plain(stage)
    assert "Tempelkan kartu di sini." in words
    assert "Tahan sampai terdengar bunyi." in words
    assert "Arahkan kode QR ke kamera" in words


def test_without_a_camera_nothing_is_said_of_qr(open_stage: Open) -> None:
    stage = open_stage()
    stage.post("gone", "camera_gone", source="qr")
    stage.until(lambda: not stage.of_kiosk("qrReady"))
    assert "QR" not in plain(stage)
    assert stage.state == "attract"


def test_tap_shows_the_masked_name_and_the_states(open_stage: Open) -> None:
    stage = open_stage(counter_with(script.FOURTEEN), width=1080, height=1920)
    stage.tap()
    words = plain(stage)
    assert stage.state == "result"
    assert "Kartu terbaca." in words
    assert "SITI R•••••" in words
    assert "Siap diambil – Loket 2" in words
    assert "Bawa KTP dan KK" in words
    assert "Bisa diambil di Kelurahan Hadimulyo Barat" in words
    assert "Sedang dicek…" in words
    assert "Belum bisa dicek sekarang. Tanyakan ke petugas." in words
    assert "Perlu dicek petugas. Bawa KTP." in words
    assert "Tanggal kiosk belum pasti. Panggil petugas." in words
    stage.key(Qt.Key.Key_Right)
    words = plain(stage)
    assert "Sudah diambil 3 Mei di Kelurahan Iringmulyo" in words
    assert "Bisa diambil mulai 1 Juli 2027" in words
    assert "Sudah berakhir 30 Juni" in words
    assert stage.tones == ["ok"]


def test_fourteen_programs_come_in_pages_and_none_is_lost(open_stage: Open) -> None:
    stage = open_stage(counter_with(script.FOURTEEN), width=1024, height=600)
    stage.tap()
    seen: set[str] = set()
    for _ in range(20):
        seen |= {row.name.id for row in script.FOURTEEN if row.name.id in stage.texts()}
        if "Lanjut" not in stage.texts():
            break
        stage.click(stage.button("Lanjut"))
    assert seen == {row.name.id for row in script.FOURTEEN}
    stage.click(stage.button("Kembali"))
    assert "Lanjut" in stage.texts()


def test_nothing_sensitive_is_listed(open_stage: Open) -> None:
    stage = open_stage(counter_with((*script.ONE_READY, script.SENSITIVE)), width=1080, height=1920)
    stage.tap()
    assert "RAHASIA" not in plain(stage)
    assert "Ada layanan lain untuk Anda. Tanyakan ke petugas." in plain(stage)


def test_only_sensitive_programs_do_not_read_as_none(open_stage: Open) -> None:
    stage = open_stage(counter_with((script.SENSITIVE,)))
    stage.tap()
    assert "Ada layanan lain untuk Anda." in plain(stage)
    assert "Belum ada program" not in plain(stage)
    assert "RAHASIA" not in plain(stage)


def test_no_program_says_so(open_stage: Open) -> None:
    stage = open_stage(counter_with(()))
    stage.tap()
    assert "Belum ada program untuk kartu ini." in plain(stage)


@pytest.mark.parametrize("grade", [Grade.P0, Grade.LEGACY])
def test_a_read_that_may_be_a_copy_shows_no_name_and_no_place(open_stage: Open, grade: Grade) -> None:
    counter = counter_with((script.TAKEN, script.ELSEWHERE), grade=grade)
    stage = open_stage(counter, width=1080, height=1920)
    stage.tap(tap(medium=Medium.QR))
    words = plain(stage)
    assert "SITI" not in words
    assert "Hadimulyo" not in words
    assert "di Kelurahan Iringmulyo" not in words
    assert "Sudah diambil 3 Mei" in words


def test_the_citizen_never_sees_full_name_nik_or_birth(open_stage: Open) -> None:
    stage = open_stage(counter_with(script.FOURTEEN))
    stage.tap()
    words = plain(stage)
    for secret in ("RAHAYU", "4711", "1988", "1000234", "IRM1-0398"):
        assert secret not in words
    assert stage.window.view.title() == "KMC"


@pytest.mark.parametrize(("code", "words"), list(FAULTS.items()))
def test_each_card_fault_has_its_own_words(stage: Stage, code: str, words: str) -> None:
    stage.counter.visits[b"bad"] = CardFault(code)
    stage.tap(tap(b"bad"))
    assert stage.state == "fault"
    assert words in plain(stage)
    assert stage.tones == ["attention"]
    stage.schedule.advance(12)
    assert stage.state == "attract"


def test_a_fault_of_the_kiosk_sends_to_counter_1(stage: Stage) -> None:
    stage.counter.visits[b"siti"] = EnvironmentFault("disk_full")
    stage.tap()
    assert "Kiosk belum bisa dipakai.\nSilakan ke Loket 1." in plain(stage)


def test_reading_is_shown_only_when_it_takes_long(stage: Stage) -> None:
    hold = stage.counter.holds["read"] = threading.Event()
    stage.post("read", read=tap())
    stage.until(lambda: bool(stage.counter.named("read")))
    stage.schedule.advance(0.29)
    assert stage.state == "attract"
    stage.schedule.advance(0.02)
    assert stage.state == "reading"
    assert "Membaca… jangan angkat kartu" in plain(stage)
    hold.set()
    stage.until(lambda: stage.state == "result")


def test_a_card_taken_away_while_reading_leads_back(stage: Stage) -> None:
    stage.post("reading")
    stage.until(lambda: stage.citizen._alarms.is_set("reading"))
    stage.schedule.advance(0.4)
    assert stage.state == "reading"
    stage.post("lifted")
    stage.until(lambda: stage.state == "attract")


def test_session_warns_after_20_s_and_ends_after_40_s(stage: Stage) -> None:
    stage.tap()
    stage.schedule.advance(19.9)
    assert not stage.of_citizen("warning")
    stage.schedule.advance(0.2)
    stage.settle()
    assert "Masih di sini?\nLayar tertutup dalam 20 detik." in plain(stage)
    stage.schedule.advance(12)
    stage.settle()
    assert "Layar tertutup dalam 8 detik." in plain(stage)
    stage.schedule.advance(7.95)
    assert stage.state == "clearing"
    stage.settle()
    assert "SITI" not in plain(stage)
    stage.schedule.advance(1)
    assert stage.state == "attract"
    stage.settle()
    assert len(stage.counter.named("leave")) == 1


@pytest.mark.parametrize("label", ["Tambah waktu", None])
def test_one_tap_extends_the_session(stage: Stage, label: str | None) -> None:
    stage.tap()
    stage.schedule.advance(25)
    stage.settle()
    if label:
        stage.click(stage.button(label))
    else:
        stage.click(stage.window.view.contentItem())
    assert not stage.of_citizen("warning")
    stage.schedule.advance(19)
    assert stage.state == "result"
    stage.schedule.advance(22)
    assert stage.state == "attract"


def test_the_tap_that_extends_presses_nothing_underneath(open_stage: Open) -> None:
    stage = open_stage(counter_with(script.FOURTEEN))
    stage.tap()
    first = plain(stage)
    following = stage.button("Lanjut")
    stage.schedule.advance(25)
    stage.settle()
    stage.click(following)
    assert plain(stage) == first


def test_finish_under_the_warning_ends_the_session(stage: Stage) -> None:
    stage.tap()
    stage.schedule.advance(25)
    stage.settle()
    finish = [i for i in stage.items() if i.property("label") == "Selesai"][-1]
    stage.click(finish)
    assert stage.state == "clearing"


def test_a_touch_puts_the_warning_off(stage: Stage) -> None:
    stage.tap()
    for _ in range(4):
        stage.schedule.advance(15)
        stage.click(stage.window.view.contentItem())
    assert stage.state == "result"
    assert not stage.of_citizen("warning")


def test_a_new_tap_replaces_the_session_at_once(stage: Stage) -> None:
    stage.counter.visits[b"budi"] = replace(script.visit(()), public_name="BUDI S••••••", holder_id=13)
    stage.tap()
    stage.click(stage.button("English"))
    assert stage.of_kiosk("language") == "en"
    stage.tap(tap(b"budi"))
    words = plain(stage)
    assert "BUDI S••••••" in words
    assert "SITI" not in words
    assert stage.of_kiosk("language") == "id"
    assert len(stage.counter.named("leave")) == 1


def test_an_answer_that_comes_too_late_is_left_and_not_shown(stage: Stage) -> None:
    hold = stage.counter.holds["read"] = threading.Event()
    stage.counter.visits[b"budi"] = script.visit((), public_name="BUDI S••••••")
    stage.post("read", read=tap())
    stage.until(lambda: bool(stage.counter.named("read")))
    stage.post("read", read=tap(b"budi"))
    QCoreApplication.processEvents()
    hold.set()
    stage.until(lambda: stage.state == "result" and stage.window.worker.waiting == 0)
    assert "BUDI S••••••" in plain(stage)
    assert [call[1].public_name for call in stage.counter.named("leave")] == ["SITI R•••••"]


def test_language_is_indonesian_again_at_the_next_session(stage: Stage) -> None:
    stage.click(stage.button("English"))
    assert "Tap your card here." in plain(stage)
    stage.tap()
    assert "Card read." in plain(stage)
    assert "Ready – counter 2" in plain(stage)
    stage.click(stage.button("Finish"))
    stage.schedule.advance(1)
    stage.settle()
    assert "Tempelkan kartu di sini." in plain(stage)


def test_a_chosen_language_nobody_uses_goes_back(stage: Stage) -> None:
    stage.click(stage.button("English"))
    stage.schedule.advance(41)
    stage.settle()
    assert "Tempelkan kartu di sini." in plain(stage)


def test_a_code_held_before_the_camera_counts_once(open_stage: Open) -> None:
    stage = open_stage(counter_with(grade=Grade.P0, public_name=""))
    code = tap(medium=Medium.QR)
    stage.tap(code)
    for _ in range(5):
        stage.schedule.advance(1)
        stage.post("read", read=code, source="qr")
        QCoreApplication.processEvents()
        stage.settle()
    assert len(stage.counter.named("read")) == 1
    stage.schedule.advance(4)
    stage.tap(code)
    assert len(stage.counter.named("read")) == 2


def test_reader_gone_and_back(stage: Stage) -> None:
    stage.post("gone", "reader_gone")
    stage.until(lambda: not stage.of_kiosk("tapReady"))
    assert stage.state == "attract"
    assert "Arahkan kode QR ke kamera" in plain(stage)
    stage.post("gone", "camera_gone", source="qr")
    stage.until(lambda: stage.state == "reader_gone")
    stage.settle()
    assert "Alat pembaca terputus.\nPanggil petugas." in plain(stage)
    stage.post("ready")
    stage.until(lambda: stage.state == "attract")


def test_a_camera_that_is_gone_is_named_with_the_way_that_still_works(stage: Stage) -> None:
    assert "Kamera terputus" not in plain(stage)
    stage.post("gone", "camera_gone", source="qr")
    stage.until(lambda: bool(stage.of_kiosk("cameraLost")))
    stage.settle()
    assert "Kamera terputus. Pakai kartu." in plain(stage)
    assert "Tempelkan kartu di sini." in plain(stage)
    stage.sign_in()
    assert "Kamera terputus. Periksa kabelnya. Pakai kartu." in plain(stage)
    stage.post("ready", source="qr")
    stage.until(lambda: not stage.of_kiosk("cameraLost"))


def test_of_two_card_readers_one_may_be_missing(stage: Stage) -> None:
    stage.window.post_reader_event(ReaderNotice("gone", "reader_missing", source="nfc", reader="nfc:2"))
    stage.until(lambda: stage.of_kiosk("readerFault") == "reader_missing")
    assert stage.of_kiosk("tapReady")
    stage.sign_in()
    assert "Alat pembaca terputus. Periksa kabelnya. Alat lain masih bekerja." in plain(stage)
    stage.post("gone", "reader_gone")
    stage.until(lambda: not stage.of_kiosk("tapReady"))
    stage.settle()
    assert "Alat pembaca terputus. Periksa kabelnya. Pakai kode QR." in plain(stage)


def test_a_frozen_kiosk_is_out_of_order_and_recovers(open_stage: Open) -> None:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, frozen="journal_fork")
    stage = open_stage(counter)
    assert stage.state == "out_of_order"
    assert "Kiosk belum bisa dipakai.\nSilakan ke Loket 1." in plain(stage)
    counter.kiosk_status = script.STATUS
    stage.schedule.advance(5)
    stage.until(lambda: stage.state == "attract")


def test_old_data_is_named_when_offline(open_stage: Open) -> None:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, online=False)
    stage = open_stage(counter)
    stage.tap()
    assert "Data terakhir: 08.10" in plain(stage)


def test_a_card_of_another_point_is_said_to_be_checked_and_then_shown(open_stage: Open) -> None:
    counter = script.ScriptedCounter(visits={b"siti": script.nobody_yet()}, after_lookup=script.visit())
    stage = open_stage(counter)
    stage.tap()
    assert stage.state == "result"
    assert "Sedang dicek…" in plain(stage)
    counter.looked_up[0].set_result(None)
    stage.until(lambda: stage.of_citizen("rowCount") == len(script.ONE_READY))
    assert "SITI R•••••" in plain(stage)
    assert "Sedang dicek…" not in plain(stage)
    assert len(counter.named("look_up")) == 1


def test_a_card_of_another_point_that_cannot_be_looked_up_is_sent_to_the_officer(open_stage: Open) -> None:
    counter = script.ScriptedCounter(visits={b"siti": script.nobody_yet()})
    stage = open_stage(counter)
    stage.tap()
    counter.looked_up[0].set_result(None)
    stage.until(lambda: stage.state == "fault")
    assert stage.of_citizen("faultCode") == "card_from_elsewhere"
    assert "Tanyakan ke petugas." in plain(stage)


def test_what_is_known_here_stays_when_central_does_not_answer(open_stage: Open) -> None:
    counter = counter_with(asking=True)
    counter.failures["look_up"] = EnvironmentFault("no_answer", "nothing came")
    stage = open_stage(counter)
    stage.tap()
    assert stage.state == "result"
    assert "SITI R•••••" in plain(stage)


def test_an_answer_for_a_card_that_has_gone_is_not_shown(open_stage: Open) -> None:
    counter = script.ScriptedCounter(visits={b"siti": script.nobody_yet()}, after_lookup=script.visit())
    stage = open_stage(counter)
    stage.tap()
    stage.citizen.finish()
    counter.looked_up[0].set_result(None)
    stage.settle()
    assert stage.state == "clearing"
    assert counter.named("refresh") == []


def test_loading_is_shown_in_percent(open_stage: Open) -> None:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, loading=42)
    assert "Data sedang dimuat: 42%." in plain(open_stage(counter))
