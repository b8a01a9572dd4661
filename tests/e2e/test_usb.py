"""A point without any network: files there and back, by the commands alone, and a ledger that was damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.town import CHECK, FARMER, FERTILISER, MOTHER, RICE, KioskAt, Outcome, Town

pytestmark = pytest.mark.slow


def bring(town: Town, kiosk: KioskAt, stick: Path, name: str) -> Outcome:
    """Exports at the kiosk, imports at central, acknowledges at the kiosk."""
    file, answer = stick / f"{name}.kmcj", stick / f"{name}.kmca"
    code, told = kiosk.run("journal", "export", str(file))
    assert code == 0, told
    code, told = town.central("journal", "import", str(file), "--out", str(answer))
    assert code == 0, told
    return kiosk.run("journal", "acknowledge", str(answer))


def test_a_counter_that_no_wire_reaches(town: Town, tmp_path: Path) -> None:
    """Central never listens: pickups reach it, and its word comes back, on a stick."""
    kiosk = town.kiosk("IRM1")
    refs = [kiosk.confirm(*pair).answer["ref"] for pair in ((MOTHER, RICE), (FARMER, FERTILISER))]
    waiting = kiosk.status()["waiting"]
    code, taken = bring(town, kiosk, tmp_path, "one")
    assert (code, taken["acknowledged"], taken["waiting"]) == (0, waiting, 0), taken
    books = town.books()
    assert [one.ref for one in books.handed] == refs
    assert books.of("IRM1") == kiosk.hashes()

    assert kiosk.void(refs[0]).code == 0
    assert kiosk.confirm(MOTHER, CHECK).code == 0
    code, taken = bring(town, kiosk, tmp_path, "two")
    assert (code, taken["waiting"], taken["refused"]) == (0, 0, "")
    books = town.books()
    assert [one.program for one in books.handed] == [FERTILISER, CHECK]
    assert books.of("IRM1") == kiosk.hashes()
    assert kiosk.verify().code == 0
    code, checked = kiosk.run("journal", "verify", str(tmp_path / "two.kmcj"))
    assert (code, checked["intact"]) == (0, True)

    # the same files once more: refused by name, and nothing changes
    again = tmp_path / "again.kmca"
    outcome = town.central("journal", "import", str(tmp_path / "one.kmcj"), "--out", str(again))
    assert (outcome.fault, again.exists()) == ("replayed", False)
    for name in ("one", "two"):
        assert kiosk.run("journal", "acknowledge", str(tmp_path / f"{name}.kmca")).fault == "replayed"
    other = town.kiosk("HDM1")
    assert other.run("journal", "acknowledge", str(tmp_path / "two.kmca")).fault == "other_kiosk"
    assert other.run("journal", "verify", str(tmp_path / "two.kmcj")).fault == "other_kiosk"
    assert town.books() == books

    # private text goes at central on request, and the chain still holds
    code, erased = town.central("journal", "erase", refs[0])
    assert (code, erased["erased"] >= 1) == (0, True)
    assert town.books() == books


def test_a_damaged_ledger_is_saved_sent_and_enrolled_again(town: Town, tmp_path: Path) -> None:
    kiosk = town.kiosk("IRM1")
    ref = kiosk.confirm(MOTHER, CHECK).answer["ref"]
    for turn in range(2):
        assert bring(town, kiosk, tmp_path, f"before-{turn}").code == 0
    ledger = kiosk.home / "ledger.db"
    data = bytearray(ledger.read_bytes())
    data[len(data) // 4096 // 2 * 4096 + 99] ^= 1
    ledger.write_bytes(data)
    outcome = kiosk.run("journal", "salvage")
    assert outcome.code == 0, outcome
    assert (kiosk.home / outcome.answer["quarantined"]).read_bytes() == bytes(data)
    status = kiosk.status()
    assert status["frozen"] == "ledger_salvaged"
    assert kiosk.confirm(FARMER, FERTILISER).code == 1
    code, taken = bring(town, kiosk, tmp_path, "salvaged")
    assert (code, taken["waiting"]) == (0, 0), taken
    assert ref in town.pickups_at_central()

    town.start_central()
    kiosk.url = town.url
    again = town.enrol("IRM1")
    status = again.status()
    assert (status["generation"], status["frozen"], status["waiting"]) == (2, "", 0)
    assert again.verify().code == 0
    assert [one for one in town.pickups_at_central() if one == ref] == [ref]
