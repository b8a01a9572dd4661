"""The whole way back with the commands that people type: backup, restore, and a real kiosk that reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.demonstration import KIOSK, Demonstration
from kiosk.errors import EnvironmentFault


@pytest.mark.slow
def test_a_kiosk_brings_a_restored_central_up_to_date(tmp_path: Path) -> None:
    town = Demonstration(tmp_path)
    town.set_up_central()
    file = str(tmp_path / "backup")
    with town.central_running() as url:
        town.set_up_kiosk(url)
        told = town.central("backup", file)
        assert told["bytes"] == Path(file).stat().st_size
        with pytest.raises(EnvironmentFault, match="central_running"):
            town.central("restore", file, "--replace")
    restored = town.central("restore", file, "--replace")
    assert (restored["incarnation"], restored["reports_asked"]) == (2, 1)
    status = town.central("recovery", "status")
    assert status["pending"]
    assert [one["kiosk"] for one in status["missing"]] == [KIOSK]
    with town.central_running() as url:
        town.kiosk("sync", "--once", url=url)
        status = town.central("recovery", "status")
        assert (status["pending"], status["reported"], status["missing"]) == (False, 1, [])
        again = town.kiosk("sync", "--once", url=url)
        assert again["waiting"] == 0
    assert town.central("status")["incarnation"] == 2
