"""A ledger that exists twice: an old image of the disk comes back, a kiosk is cloned.

Two copies that are both cut off can both hand out: no program on a copied disk can know. Where there is no
rollback counter the promise is that central finds it at the first contact, stops both, and names each case.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.e2e.town import CHECK, MOTHER, RICE, KioskAt, Town
from tests.faults.counter_work import pick_up
from tests.faults.counting import HandOuts, agree, compare

pytestmark = pytest.mark.slow


def cases(town: Town) -> list[tuple[str, list[str]]]:
    """Central's cases: code and references of the pickups that each names."""
    engine = create_engine(town.database, poolclass=NullPool)
    with engine.connect() as connection:
        rows = list(connection.execute(text("SELECT code, refs FROM conflict ORDER BY code")))
    engine.dispose()
    return [(code, json.loads(refs) if isinstance(refs, str) else refs) for code, refs in rows]


def put_back(kiosk: KioskAt, image: Path) -> None:
    """The disk is as it was when the image was taken."""
    shutil.rmtree(kiosk.home)
    shutil.copytree(image, kiosk.home)


def test_a_disk_image_is_put_back(town: Town, tmp_path: Path) -> None:
    """Its next contact is its last one, and it hands nothing out any more: nobody is served twice."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    shutil.copytree(kiosk.home, tmp_path / "image")
    pick_up(kiosk, handed, MOTHER, CHECK)
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    put_back(kiosk, tmp_path / "image")
    assert kiosk.sync().fault == "ledger_rolled_back"
    assert kiosk.status()["frozen"] == "ledger_rolled_back"
    for pair in ((MOTHER, CHECK), (MOTHER, RICE)):
        assert kiosk.confirm(*pair).fault == "frozen"
    agree("disk image put back, central reached", 1, handed, town)
    assert cases(town) == []


def test_a_disk_image_is_put_back_and_used_offline(town: Town, tmp_path: Path) -> None:
    """Without a rollback counter and without central it cannot know; central names the case and stops it."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    shutil.copytree(kiosk.home, tmp_path / "image")
    pick_up(kiosk, handed, MOTHER, CHECK)
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    put_back(kiosk, tmp_path / "image")
    assert "no_rollback_counter" in kiosk.status()["warnings"]
    pick_up(kiosk, handed, MOTHER, CHECK)
    assert kiosk.sync().fault == "journal_fork"
    assert kiosk.status()["frozen"] == "journal_fork"
    assert kiosk.confirm(MOTHER, RICE).fault == "frozen"
    outcome = compare("disk image put back, used offline, no rollback counter", 1, handed, town)
    assert (outcome.pickups, outcome.lost, outcome.unfounded) == (2, 0, 0)
    # Each hand-out too many is a case that names both pickups, and is reported once.
    overspent = [refs for code, refs in cases(town) if code == "overspend"]
    assert len(overspent) == outcome.doubled == 1
    assert len(overspent[0]) == 2


def test_a_kiosk_is_cloned(town: Town) -> None:
    """Both copies are cut off and hand out; one the same, each another one."""
    kiosk, handed = town.kiosk("IRM1"), HandOuts()
    shutil.copytree(kiosk.home, town.home / "clone")
    clone = KioskAt(town, "IRM1", town.home / "clone")
    pick_up(kiosk, handed, MOTHER, CHECK)
    pick_up(clone, handed, MOTHER, RICE)
    pick_up(clone, handed, MOTHER, CHECK)
    town.start_central()
    assert kiosk.sync().answer["waiting"] == 0
    assert clone.sync().fault == "journal_fork"
    assert kiosk.sync().fault in ("kiosk_frozen", "journal_fork")
    for one in (kiosk, clone):
        assert one.status()["frozen"]
        assert one.confirm(MOTHER, RICE).fault in ("frozen", "already_taken")
    outcome = compare("cloned kiosk, both cut off", 1, handed, town)
    assert (outcome.pickups, outcome.lost, outcome.unfounded) == (3, 0, 0)
    overspent = [refs for code, refs in cases(town) if code == "overspend"]
    assert len(overspent) == outcome.doubled == 1
