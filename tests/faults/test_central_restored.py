"""Central goes back to a backup: what it lost comes again from the kiosks, nothing goes out twice."""

from __future__ import annotations

import pytest

from tests.e2e.town import Town
from tests.faults.counter_work import hand_out_to_many, journal_of
from tests.faults.counting import HandOuts, agree

pytestmark = pytest.mark.slow

KIOSKS = ("IRM1", "HDM1")


def backup_and_restore(town: Town) -> None:
    """Pickups before the backup, after it, and while central is away; the kiosks report in turn."""
    handed = HandOuts()
    town.start_central()
    kiosks = [town.kiosk(name) for name in KIOSKS]
    for kiosk in kiosks:
        hand_out_to_many(kiosk, 3, handed)
        assert kiosk.sync().answer["waiting"] == 0
    backup = str(town.home / "backup")
    code, told = town.central("backup", backup)
    assert code == 0, told
    for kiosk in kiosks:
        hand_out_to_many(kiosk, 3, handed)
        assert kiosk.sync().answer["waiting"] == 0
    town.kill_central()
    for kiosk in kiosks:
        hand_out_to_many(kiosk, 2, handed)
    code, told = town.central("restore", backup, "--replace")
    assert code == 0, told
    town.start_central()
    code, status = town.central("recovery", "status")
    assert code == 0
    assert {one["kiosk"] for one in status["missing"]} == {"IRM1", "IRM2", "HDM1"}
    for kiosk in kiosks:
        assert kiosk.sync().answer["waiting"] == 0
        hand_out_to_many(kiosk, 1, handed)
        assert kiosk.sync().answer["waiting"] == 0
    code, status = town.central("recovery", "status")
    assert [one["kiosk"] for one in status["missing"]] == ["IRM2"]
    assert town.kiosk("IRM2").sync().code == 0
    assert town.central("recovery", "status").answer["pending"] is False
    cases = town.books().cases
    assert set(cases) <= {"overspend_tolerated"}
    agree("central restored from a backup", 1, handed, town, tolerated=len(cases))
    for kiosk in kiosks:
        assert town.books().of(kiosk.name) == journal_of(kiosk).hashes


def test_central_is_restored(town: Town) -> None:
    backup_and_restore(town)


@pytest.mark.soak
def test_central_is_restored_on_each_database(any_town: Town) -> None:
    backup_and_restore(any_town)
