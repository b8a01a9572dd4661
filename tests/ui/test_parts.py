"""The small parts: amounts, geometry, tones, the probe, the lists."""

from __future__ import annotations

import logging
import wave
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QSignalSpy

from kiosk.values import Text
from tests.ui import scripted_counter as script
from tests.ui.stage import Stage
from ui.amounts import amount_of
from ui.geometry import usual_pixels_per_mm
from ui.program_rows import in_order
from ui.rows import Rows
from ui.tones import RATE_HZ, Speaker, tone_samples, write_tone


def test_amounts_are_shown_and_typed_in_the_programs_own_unit() -> None:
    amount = amount_of(script.RICE)
    assert amount.per_shown == 1000
    assert amount.text(2_500) == Text("2,5 kg", "2,5 kg")
    assert amount.parse("2,5") == 2_500
    assert amount.parse("0") is None
    assert amount.parse("-1") is None
    assert amount.parse("dua") is None
    assert amount.parse("NaN") is None
    assert amount.parse("0,0001") is None
    assert amount.parse("1.500") == 1_500_000
    assert amount.parse("2.5") is None


def test_money_keeps_its_sign_in_front() -> None:
    amount = amount_of(script.DOCUMENT)
    assert amount.per_shown == 1
    assert amount.text(150_000).id == "Rp 150.000"
    assert amount.parse("150.000") == 150_000


def test_one_and_several_read_differently_in_english() -> None:
    amount = amount_of(script.PARTIAL)
    assert amount.text(1_000) == Text("1 liter", "1 litre")
    assert amount.text(6_000) == script.PARTIAL.quantity_text


def test_without_a_shown_unit_the_smallest_one_is_shown() -> None:
    amount = amount_of(replace(script.RICE, per_display=1, display=Text("", "")))
    assert amount.text(10_000).id == "10.000 g"
    assert amount.parse("10.000") == 10_000


def test_usual_panels_have_their_scale() -> None:
    assert usual_pixels_per_mm(1920, 1080) == usual_pixels_per_mm(1080, 1920)
    assert usual_pixels_per_mm(1024, 600) == pytest.approx(4.63, abs=0.01)
    assert usual_pixels_per_mm(3840, 2160) == 4.0
    assert 600 / usual_pixels_per_mm(800, 600) >= 130


def test_rows_keep_their_places_when_their_states_change() -> None:
    first = in_order((script.TAKEN, script.CHECKING, script.RICE))
    assert [row.program_id for row in first] == ["beras-bulanan", "gizi", "seragam"]
    later = [replace(row, state=script.TAKEN.state) for row in (script.RICE, script.CHECKING)]
    kept = in_order([*later, script.TAKEN], [row.program_id for row in first])
    assert [row.program_id for row in kept] == ["beras-bulanan", "gizi", "seragam"]


def test_a_list_changes_only_what_differs(application: QGuiApplication) -> None:
    parent = QObject()
    rows = Rows({"a": 0, "b": 0}, parent)
    rows.show([{"a": 1, "b": 1}, {"a": 2, "b": 2}])
    changed, added, removed = (
        QSignalSpy(rows.dataChanged), QSignalSpy(rows.rowsInserted), QSignalSpy(rows.rowsRemoved),
    )  # fmt: skip
    rows.show([{"a": 1, "b": 1}, {"a": 2, "b": 3}])
    assert (changed.count(), added.count(), removed.count()) == (1, 0, 0)
    rows.show([{"a": 1, "b": 1}, {"a": 2, "b": 3}, {"a": 3, "b": 3}])
    assert (changed.count(), added.count(), removed.count()) == (1, 1, 0)
    rows.show([])
    assert (changed.count(), added.count(), removed.count()) == (1, 1, 1)
    assert len(rows) == 0


def test_a_pooled_list_is_emptied_and_never_rebuilt(application: QGuiApplication) -> None:
    parent = QObject()
    rows = Rows({"a": ""}, parent, pool=2)
    added, removed = QSignalSpy(rows.rowsInserted), QSignalSpy(rows.rowsRemoved)
    rows.show([{"a": "SITI"}, {"a": "BUDI"}])
    rows.show([{"a": "SRI"}])
    assert (len(rows), rows.rowCount()) == (1, 2)
    assert [rows.row(n)["a"] for n in range(2)] == ["SRI", ""]
    assert (added.count(), removed.count()) == (0, 0)
    rows.show([{"a": name} for name in "abc"])
    assert (added.count(), removed.count()) == (1, 0)


def test_a_pooled_list_shows_what_fits_first_and_the_rest_when_that_is_painted(
    application: QGuiApplication,
) -> None:
    parent = QObject()
    rows = Rows({"a": ""}, parent, pool=4)
    rows.show([{"a": name} for name in ("SITI", "BUDI", "SRI", "TONO")])
    told = QSignalSpy(rows.dataChanged)
    rows.show([{"a": "ANI"}, {"a": "ADI"}, {"a": "EKO"}], at_first=2)
    assert ([rows.row(n)["a"] for n in range(len(rows))], told.count()) == (["ANI", "ADI"], 2)
    rows.settle()
    assert [rows.row(n)["a"] for n in range(rows.rowCount())] == ["ANI", "ADI", "EKO", ""]
    assert (len(rows), told.count()) == (3, 4)
    rows.settle()
    assert told.count() == 4
    rows.show([{"a": "BUDI"}], at_first=2)
    rows.show([])
    rows.settle()
    assert [rows.row(n)["a"] for n in range(rows.rowCount())] == [""] * 4


def test_one_high_beep_or_two_low_ones(tmp_path: Path) -> None:
    def crossings(samples: bytes) -> int:
        values = [
            int.from_bytes(samples[n : n + 2], "little", signed=True) for n in range(0, len(samples), 2)
        ]
        return sum(a < 0 <= b for a, b in pairwise(values))

    ok, attention = tone_samples("ok"), tone_samples("attention")
    assert crossings(ok) / (len(ok) / 2 / RATE_HZ) == pytest.approx(1760, rel=0.02)
    assert len(ok) / 2 / RATE_HZ < 0.2
    middle = attention[len(attention) // 2 - 200 : len(attention) // 2 + 200]
    assert set(middle) == {0}
    path = tmp_path / "ok.wav"
    write_tone("ok", path)
    with wave.open(str(path)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, RATE_HZ)


def test_no_player_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with caplog.at_level(logging.WARNING):
        speaker = Speaker()
        for _ in range(5):
            speaker.play("ok")
        speaker.stop()
    assert caplog.text.count("no sound") == 1


def test_the_player_gets_the_file_and_a_failing_one_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    player = tmp_path / "paplay"
    log = tmp_path / "played"
    player.write_text(f'#!/bin/sh\nhead -c 4 "$1" >> {log}; echo >> {log}\necho no device >&2; exit 1\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with caplog.at_level(logging.WARNING):
        speaker = Speaker()
        speaker.play("ok")
        speaker.play("attention")
        speaker.stop()
    assert log.read_text() == "RIFF\nRIFF\n"
    assert caplog.text.count("no device") == 1


def test_the_probe_times_reads_and_records(open_stage: Callable[..., Stage]) -> None:
    stage = open_stage()
    seen: list[tuple[str, float, float]] = []

    def note(kind: str, total_ms: float, domain_ms: float) -> None:
        seen.append((kind, total_ms, domain_ms))

    stage.window.painted.connect(note)
    stage.tap()
    stage.until(lambda: bool(seen))
    assert seen[0][0] == "read"
    assert seen[0][1] > seen[0][2] >= 0
