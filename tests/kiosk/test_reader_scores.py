"""The last ten taps on each reader, as the doctor tells of them; and whether a kiosk runs at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk import reader_scores
from kiosk.errors import EnvironmentFault
from kiosk.one_at_a_time import OneAtATime, is_running
from kiosk.values import CheckStatus

NOW = datetime(2026, 5, 3, 8, 0, tzinfo=UTC)
SCORE = {
    "device": "usb",
    "verdict": "good",
    "taps": 10,
    "reads": 10,
    "p50_ms": 34.0,
    "p95_ms": 41.5,
    "noise": 0,
}


def of(home: Path, check: str) -> tuple[CheckStatus, str, str]:
    (found,) = [one for one in reader_scores.examine(home) if one.check == check]
    assert found.again == f"kmc-kiosk test {check.removeprefix('taps_')}"
    return found.status, found.evidence, found.fix


def test_the_newest_score_of_each_kind_is_told(tmp_path: Path) -> None:
    assert of(tmp_path, "taps_nfc") == (CheckStatus.ABSENT, "ten taps were never tried", "")
    reader_scores.keep(tmp_path, "nfc", SCORE | {"verdict": "bad", "reads": 3}, NOW)
    status, seen, fix = of(tmp_path, "taps_nfc")
    assert (status, "3 of 10" in seen, "kmc-kiosk test nfc" in fix) == (CheckStatus.BAD, True, True)
    reader_scores.keep(tmp_path, "scanner", SCORE | {"verdict": "slow"}, NOW)
    assert of(tmp_path, "taps_scanner")[0] is CheckStatus.ATTENTION
    reader_scores.keep(tmp_path, "nfc", SCORE | {"two_cards": "told as two"}, NOW)
    status, seen, fix = of(tmp_path, "taps_nfc")
    assert (status, fix) == (CheckStatus.GOOD, "")
    assert "2026-05-03" in seen
    assert "p50 34 ms, p95 41.5 ms" in seen
    assert "told as two" in seen


@pytest.mark.parametrize("content", ["", "[]", '{"nfc": 7}', '{"nfc": {"verdict": "good"}}'])
def test_a_file_that_makes_no_sense_keeps_nobody_from_anything(content: str, tmp_path: Path) -> None:
    (tmp_path / reader_scores.FILE).write_text(content)
    assert of(tmp_path, "taps_nfc")[0] in (CheckStatus.ABSENT, CheckStatus.ATTENTION)
    reader_scores.keep(tmp_path, "nfc", SCORE, NOW)
    assert of(tmp_path, "taps_nfc")[0] is CheckStatus.GOOD


def test_without_a_data_folder_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        reader_scores.keep(tmp_path / "none", "nfc", SCORE, NOW)
    assert caught.value.code == "write_failed"


def test_whether_a_kiosk_runs(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with OneAtATime(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)
