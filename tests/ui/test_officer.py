"""The officer's screen by real key presses: sign in, hand over, void, find, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QTest

from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.values import Checks, Collector, Grade, ProgramState, StateCode
from tests.ui import scripted_counter as script
from tests.ui.scripted_counter import ScriptedCounter, counter_with, tap
from tests.ui.stage import Stage

Open = Callable[..., Stage]
Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def at_counter(open_stage: Open) -> Callable[..., Stage]:
    """A window at which officer dewi has signed in."""

    def open_one(counter: ScriptedCounter | None = None, **settings: object) -> Stage:
        stage = open_stage(counter, **settings)
        stage.sign_in()
        return stage

    return open_one


def test_sign_in_by_keyboard(open_stage: Open) -> None:
    stage = open_stage()
    stage.sign_in()
    assert stage.pane == "waiting"
    assert "Loket 2 · Dewi Lestari" in stage.all_words()
    assert "Hari ini: 5" in stage.texts()


def test_sign_in_by_the_button_and_back_by_esc(stage: Stage) -> None:
    stage.click(stage.button("Petugas"))
    assert stage.pane == "signin"
    stage.key(Key.Key_Escape)
    assert stage.pane == "off"
    assert stage.state == "attract"


def test_sign_in_by_touch_alone(stage: Stage) -> None:
    stage.click(stage.button("Petugas"))
    stage.click(stage.button("Papan ketik"))
    for letter in "dewi":
        stage.click(stage.button(letter))
    stage.click(stage.button("Enter"))
    for digit in "2468":
        stage.click(stage.button(digit))
    stage.click(stage.button("Enter"))
    stage.until(lambda: stage.pane == "waiting")
    assert stage.counter.named("sign_in") == [("sign_in", "dewi")]


def test_a_wrong_pin_says_how_long_to_wait_and_clears_the_pin(stage: Stage) -> None:
    stage.key(Key.Key_F4)
    stage.type("dewi")
    stage.key(Key.Key_Return)
    stage.type("1111")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "wrong_pin")
    stage.settle()
    assert "PIN belum cocok. Coba lagi dalam 4 detik." in stage.texts()
    stage.type("2468")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "waiting")


def test_nobody_at_the_sign_in_leads_back_to_the_citizen(stage: Stage) -> None:
    stage.key(Key.Key_F4)
    stage.schedule.advance(61)
    assert stage.pane == "off"


def test_a_card_tapped_before_the_sign_in_shows_nobody(stage: Stage) -> None:
    stage.key(Key.Key_F4)
    stage.post("read", read=tap())
    stage.until(lambda: stage.of_officer("message") == "sign_in_first")
    assert "SITI" not in stage.all_words()
    assert not stage.counter.named("read")


def test_two_keys_hand_over_when_all_is_plain(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    assert "SITI RAHAYU" in stage.texts()
    assert "NIK •••• 4711 · Kartu 1000234 · kartu ditempel" in stage.texts()
    stage.key(Key.Key_Return)
    assert "Serahkan 10 kg beras kepada SITI RAHAYU?" in stage.texts()
    assert not stage.counter.named("confirm")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    stage.settle()
    assert "Tercatat. No. IRM1-0421" in stage.texts()
    assert stage.counter.named("confirm") == [
        ("confirm", "beras-bulanan", 10_000, Collector("holder", 12, "SITI RAHAYU"), Checks(), "")
    ]


def test_shown_is_marked_only_after_a_frame_and_the_list_moves(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Return)
    stage.until(lambda: bool(stage.counter.named("mark_shown")))
    stage.settle()
    assert stage.counter.named("mark_shown") == [("mark_shown", "IRM1-0421")]
    assert "Hari ini: 6" in stage.texts()
    assert any(text.startswith("IRM1-0421") for text in stage.texts())


def test_ready_for_the_next_after_2_s(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Return)
    stage.until(lambda: bool(stage.counter.named("mark_shown")))
    stage.settle()
    stage.schedule.advance(1.9)
    assert stage.pane == "recorded"
    stage.schedule.advance(0.2)
    stage.settle()
    assert stage.pane == "person"
    assert "No. IRM1-0421" in stage.all_words()


def test_a_key_held_down_never_records(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    stage.key(Key.Key_Return)
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QKeyEvent

    for _ in range(5):
        repeat = QKeyEvent(QEvent.Type.KeyPress, Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
        QCoreApplication.sendEvent(stage.window.view, repeat)
    stage.settle()
    assert stage.pane == "confirm"
    assert not stage.counter.named("confirm")


def test_enter_twice_while_recording_records_once(at_counter: Open) -> None:
    stage = at_counter()
    hold = stage.counter.holds["confirm"] = threading.Event()
    stage.tap()
    stage.key(Key.Key_Return)
    for _ in range(4):
        QTest.keyClick(stage.window.view, Key.Key_Return)
    assert stage.pane == "recording"
    hold.set()
    stage.until(lambda: stage.pane == "recorded")
    assert len(stage.counter.named("confirm")) == 1


def test_a_tap_while_recording_waits_until_the_record_was_shown(at_counter: Open) -> None:
    stage = at_counter()
    stage.counter.visits[b"budi"] = script.visit((), full_name="BUDI SANTOSO")
    hold = stage.counter.holds["confirm"] = threading.Event()
    stage.tap()
    stage.key(Key.Key_Return)
    QTest.keyClick(stage.window.view, Key.Key_Return)
    stage.post("read", read=tap(b"budi"))
    QCoreApplication.processEvents()
    assert stage.pane == "recording"
    hold.set()
    stage.until(lambda: stage.of_officer("fullName") == "BUDI SANTOSO")
    names = [call[0] for call in stage.counter.calls]
    assert names.index("mark_shown") < len(names) - 1 - names[::-1].index("read")


def test_a_new_card_replaces_the_question_and_enter_asks_anew(at_counter: Open) -> None:
    stage = at_counter()
    stage.counter.visits[b"budi"] = script.visit((script.PARTIAL,), full_name="BUDI SANTOSO")
    stage.tap()
    stage.key(Key.Key_Return)
    assert stage.pane == "confirm"
    stage.tap(tap(b"budi"))
    assert stage.pane == "person"
    stage.key(Key.Key_Return)
    assert "Serahkan 6 liter minyak goreng kepada BUDI SANTOSO?" in stage.texts()
    assert not stage.counter.named("confirm")


def test_number_keys_and_arrows_choose_a_program(at_counter: Open) -> None:
    stage = at_counter(counter_with((script.RICE, script.PARTIAL, script.TAKEN)))
    stage.tap()
    stage.key(Key.Key_2)
    stage.key(Key.Key_Return)
    assert "Serahkan 6 liter minyak goreng kepada SITI RAHAYU?" in stage.texts()
    stage.key(Key.Key_Escape)
    stage.key(Key.Key_Up)
    stage.key(Key.Key_Return)
    assert "Serahkan 10 kg beras kepada SITI RAHAYU?" in stage.texts()


def test_a_chosen_program_on_a_later_page_is_in_view(at_counter: Open) -> None:
    stage = at_counter(counter_with(script.FOURTEEN), width=1024, height=600)
    stage.tap()
    for _ in range(13):
        stage.key(Key.Key_Down)
    assert any(text.startswith("Paket pangan Ramadan") for text in stage.texts())


def test_taken_is_a_red_block_with_when_where_and_by_whom(at_counter: Open) -> None:
    taken = replace(
        script.TAKEN,
        state=ProgramState(StateCode.TAKEN, "2026-11-23", "Kelurahan Iringmulyo", by="IRM1-0419"),
    )
    stage = at_counter(counter_with((taken,)))
    stage.tap()
    assert "Sudah diambil 23 November di Kelurahan Iringmulyo · No. IRM1-0419 · petugas rini" in stage.texts()
    stage.key(Key.Key_Return)
    assert stage.pane == "person"
    assert stage.tones[-1] == "attention"


def test_taken_meanwhile_is_refused_and_shown(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    stage.key(Key.Key_Return)
    stage.counter.failures["confirm"] = OfficerFault("already_taken")
    stage.counter._taken["beras-bulanan"] = "IRM1-0420"
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "already_taken")
    stage.settle()
    assert stage.pane == "person"
    assert "Sudah diambil. Tidak ada yang dicatat." in stage.texts()
    assert "Sudah diambil 23 November" in stage.all_words()


def test_documents_are_ticked_by_number_before_enter_records(at_counter: Open) -> None:
    stage = at_counter(counter_with((script.DOCUMENT,)))
    stage.tap()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Return)
    assert stage.pane == "confirm"
    assert "Periksa dulu: KTP." in stage.texts()
    stage.key(Key.Key_1)
    assert "Periksa dulu: KK." in stage.texts()
    stage.key(Key.Key_2)
    assert stage.counter.named("refresh")[-1][2] == Checks(("ktp", "kk"))
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[0][4] == Checks(("ktp", "kk"))


def test_an_officers_check_lifts_a_low_grade(at_counter: Open) -> None:
    stage = at_counter(counter_with((script.GRADE,), grade=Grade.P0))
    stage.tap()
    stage.key(Key.Key_Return)
    assert "Periksa dulu: foto di kartu dan KTP cocok." in stage.texts()
    stage.key(Key.Key_1)
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[0][4] == Checks((), photo_and_ktp=True)


def test_a_guardian_is_chosen_from_the_list(at_counter: Open) -> None:
    row = replace(script.RICE, collectors=("guardian", "holder"))
    stage = at_counter(counter_with((row,)))
    stage.tap()
    stage.key(Key.Key_Return)
    assert "Serahkan 10 kg beras kepada RATNA DEWI, wali SITI RAHAYU?" in stage.texts()
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[0][3] == Collector("guardian", 31, "RATNA DEWI")


def test_a_representative_needs_name_and_letter(at_counter: Open) -> None:
    row = replace(script.RICE, collectors=("holder", "representative"))
    stage = at_counter(counter_with((row,)))
    stage.tap()
    stage.key(Key.Key_Return)
    stage.click(stage.button("Wakil dengan surat kuasa"))
    assert "Isi nama wakil." in stage.texts()
    stage.key(Key.Key_Tab)
    fields = [i for i in stage.items() if i.inherits("QQuickTextInput")]
    stage.click(fields[0])
    stage.type("HERU")
    stage.key(Key.Key_Return)
    stage.type("12/XI")
    stage.settle()
    assert "Serahkan 10 kg beras kepada HERU, wakil SITI RAHAYU?" in stage.texts()
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[0][3] == Collector("representative", 0, "HERU", "12/XI")


def test_nobody_may_collect_for_a_child_without_guardian(at_counter: Open) -> None:
    row = replace(script.RICE, collectors=("guardian",))
    stage = at_counter(counter_with((row,), guardians=()))
    stage.tap()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Return)
    assert stage.pane == "confirm"
    assert "Belum ada yang boleh mengambil. Wali belum terdaftar." in stage.texts()


def test_less_than_all_needs_a_reason_unless_the_rest_stays(at_counter: Open) -> None:
    stage = at_counter(counter_with((script.RICE, script.PARTIAL)))
    stage.tap()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Minus)
    assert "Serahkan 9 kg beras kepada SITI RAHAYU?" in stage.texts()
    stage.key(Key.Key_Return)
    assert stage.pane == "confirm"
    stage.form.setReason("karung rusak")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[0][2:] == (
        9_000, Collector("holder", 12, "SITI RAHAYU"), Checks(), "karung rusak",
    )  # fmt: skip
    stage.settle()
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Return)
    stage.key(Key.Key_Minus)
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "recorded")
    assert stage.counter.named("confirm")[1][2] == 5_000


def test_rights_that_lie_elsewhere_are_asked_for_and_rows_change_in_place(at_counter: Open) -> None:
    counter = counter_with((script.CHECKING, script.TAKEN))
    counter.after_acquire = (replace(script.CHECKING, state=script.READY), script.TAKEN)
    stage = at_counter(counter)
    stage.tap()
    assert "Sedang dicek…" in stage.texts()
    stage.until(lambda: bool(counter.acquired))
    counter.acquired[0].set_result(None)
    stage.until(lambda: "Siap diambil – Loket 2" in stage.texts())
    stage.key(Key.Key_Return)
    assert "Serahkan 4 kotak makanan tambahan kepada SITI RAHAYU?" in stage.texts()


def test_checking_for_too_long_reads_as_needing_the_network(at_counter: Open) -> None:
    stage = at_counter(counter_with((script.CHECKING,)))
    stage.tap()
    stage.schedule.advance(0.6)
    stage.settle()
    assert "Sedang dicek…" in stage.texts()
    stage.schedule.advance(0.2)
    stage.settle()
    assert "Belum bisa dicek sekarang. Tanyakan ke petugas." in stage.texts()
    stage.counter.after_acquire = (replace(script.CHECKING, state=script.READY),)
    stage.counter.acquired[0].set_exception(OSError("later"))
    stage.until(lambda: "Siap diambil – Loket 2" in stage.texts())


def test_find_by_number_with_a_reason(at_counter: Open) -> None:
    stage = at_counter()
    stage.key(Key.Key_F2)
    stage.type("1000234")
    stage.key(Key.Key_Return)
    assert "Isi dulu semua kolom." in stage.texts()
    assert not stage.counter.named("read_typed")
    stage.click(stage.button("Chip rusak"))
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "person")
    assert stage.counter.named("read_typed") == [("read_typed", "1000234", "Chip rusak")]
    stage.settle()
    assert "nomor diketik" in stage.all_words()


def test_a_card_fault_has_the_officers_words(at_counter: Open) -> None:
    stage = at_counter()
    stage.counter.visits[b"copy"] = CardFault("card_wrong_chip")
    stage.tap(tap(b"copy"))
    assert stage.pane == "waiting"
    assert "Data disalin ke chip lain. Tahan kartu dan periksa KTP." in stage.texts()


def test_ctrl_z_voids_the_last_own_entry_with_a_reason(at_counter: Open) -> None:
    stage = at_counter()
    stage.key(Key.Key_Z, CTRL)
    assert "Batalkan No. IRM1-0420?" in stage.texts()
    stage.key(Key.Key_Return)
    assert stage.pane == "void"
    assert "Isi alasannya." in stage.texts()
    stage.click(stage.button("Barang dikembalikan"))
    stage.key(Key.Key_1)
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.pane == "waiting")
    stage.settle()
    assert stage.counter.named("void") == [("void", "IRM1-0420", "returned", "Salah orang")]
    assert "Pembatalan tercatat." in stage.texts()
    assert "IRM1-0420 · dibatalkan" in stage.texts()


def test_the_last_own_entry_is_not_a_colleagues_and_not_a_void_one(at_counter: Open) -> None:
    counter = counter_with()
    counter.pickups = [replace(p, officer="rini") for p in script.TODAY[:2]] + [script.TODAY[2]]
    stage = at_counter(counter)
    stage.key(Key.Key_Z, CTRL)
    assert stage.pane == "waiting"
    assert "Belum ada catatan Anda hari ini." in stage.texts()


def test_void_from_todays_list_and_the_supervisors_turn(at_counter: Open) -> None:
    stage = at_counter()
    entry = next(
        i for i in stage.items() if i.property("ref") == "IRM1-0419" and i.property("activeFocusOnTab")
    )
    stage.click(entry)
    assert "Batalkan No. IRM1-0419?" in stage.texts()
    stage.key(Key.Key_2)
    stage.counter.failures["void"] = OfficerFault("supervisor_needed")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "supervisor_needed")
    stage.settle()
    assert "Penyelia harus masuk untuk membatalkan." in stage.texts()
    stage.key(Key.Key_Escape)
    assert stage.pane == "waiting"


def test_pickups_before_an_unclean_stop_are_asked_about(open_stage: Open) -> None:
    counter = counter_with()
    counter.asked_about = [replace(p, shown=False) for p in script.TODAY[:2]]
    stage = open_stage(counter)
    stage.sign_in()
    stage.until(lambda: stage.pane == "unshown")
    stage.settle()
    assert "No. IRM1-0420 · 08.00" in stage.texts()
    stage.key(Key.Key_Return)
    assert not counter.named("answer_unshown")
    stage.key(Key.Key_1)
    stage.until(lambda: "No. IRM1-0419 · 08.59" in stage.texts())
    stage.key(Key.Key_2)
    stage.until(lambda: stage.pane == "waiting")
    assert counter.named("answer_unshown") == [
        ("answer_unshown", "IRM1-0420", True),
        ("answer_unshown", "IRM1-0419", False),
    ]


def test_offline_is_always_said_in_words(at_counter: Open) -> None:
    counter = counter_with()
    counter.kiosk_status = replace(
        script.STATUS, online=False, waiting=12, data_as_of="2026-11-23T06:10:00+07:00"
    )
    stage = at_counter(counter)
    words = "Tidak tersambung. Data terakhir: 06.10 (2 jam lalu). 12 catatan menunggu."
    assert words in stage.texts()
    stage.tap()
    assert words in stage.texts()
    stage.key(Key.Key_Return)
    assert words in stage.texts()


def test_entries_lose_their_clock_when_their_records_are_sent(at_counter: Open) -> None:
    counter = counter_with()
    counter.kiosk_status = replace(script.STATUS, online=False, waiting=1)
    stage = at_counter(counter)
    stage.until(lambda: len(clocks(stage)) == 1)
    read = len(counter.named("today"))
    stage.schedule.advance(5)
    stage.settle()
    # Offline, and as many wait as before: there is nothing to read again.
    assert len(counter.named("today")) == read
    counter.pickups[0] = replace(counter.pickups[0], synced=True)
    counter.kiosk_status = replace(script.STATUS, waiting=0)
    stage.schedule.advance(5)
    stage.until(lambda: clocks(stage) == [])
    read = len(counter.named("today"))
    stage.schedule.advance(5)
    stage.settle()
    assert len(counter.named("today")) == read


def test_a_day_that_cannot_be_read_again_takes_nothing_from_the_screen(
    at_counter: Open, caplog: pytest.LogCaptureFixture
) -> None:
    stage = at_counter()
    stage.tap()
    stage.until(lambda: "Hari ini: 5" in stage.texts())
    shown = stage.texts()
    stage.counter.failures["today"] = EnvironmentFault("database_busy")
    stage.schedule.advance(5)
    stage.until(lambda: "today's list: database_busy" in caplog.text)
    caplog.clear()
    assert (stage.pane, stage.of_officer("message"), stage.texts()) == ("person", "", shown)


def clocks(stage: Stage) -> list[QQuickItem]:
    """The entries of the day's list that are marked as waiting."""
    return [item for item in stage.items() if item.property("glyph") == "clock"]


def test_birth_date_is_shown_only_when_asked_for(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    assert "1988" not in stage.all_words()
    stage.click(stage.button("Tanggal lahir"))
    stage.until(lambda: "Lahir 12 April 1988" in stage.all_words())
    assert stage.counter.named("reveal") == [("reveal", "birth")]


def test_sign_out_leaves_nothing_personal(at_counter: Open) -> None:
    stage = at_counter()
    stage.tap()
    stage.click(stage.button("Keluar"))
    stage.until(lambda: bool(stage.counter.named("sign_out")))
    stage.settle()
    assert stage.pane == "off"
    assert stage.of_officer("fullName") == ""
    assert len(stage.counter.named("leave")) == 1
    assert "SITI" not in stage.all_words()
    assert "BUDI" not in stage.all_words()


def test_an_officer_who_left_is_signed_out(at_counter: Open) -> None:
    stage = at_counter()
    stage.schedule.advance(890)
    stage.key(Key.Key_Down)
    stage.schedule.advance(890)
    assert stage.pane == "waiting"
    stage.schedule.advance(11)
    assert stage.pane == "off"


def test_the_officers_language_starts_indonesian_and_stays(at_counter: Open) -> None:
    stage = at_counter()
    stage.click(stage.button("English"))
    stage.tap()
    assert "Ready – counter 2" in stage.texts()
    stage.schedule.advance(60)
    stage.settle()
    assert "Hand over" in stage.texts()


def test_a_bug_of_ours_while_recording_says_that_nothing_was_recorded(
    at_counter: Open, caplog: pytest.LogCaptureFixture
) -> None:
    stage = at_counter()
    stage.tap()
    stage.key(Key.Key_Return)
    stage.counter.failures["confirm"] = OfficerFault("program_fault")
    stage.key(Key.Key_Return)
    stage.until(lambda: stage.of_officer("message") == "program_fault")
    stage.settle()
    assert stage.pane == "confirm"
    assert "Tidak tercatat karena gangguan program. Panggil teknisi." in stage.texts()
