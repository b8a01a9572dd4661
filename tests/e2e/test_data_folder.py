"""A data folder that cannot be written to, or that another process holds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kiosk.database import writing
from kiosk.home import Home
from tests.e2e.town import CHECK, KIOSK, MOTHER, Outcome, Town, run_command

pytestmark = pytest.mark.slow

HELD_BACK = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Runs a command as a root whom file modes hold back as they do everybody else."""


def as_anybody() -> list[str]:
    """What to put before a command so that file modes count."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing: apt-get install util-linux")
    return HELD_BACK


def set_modes(home: Path, folder_mode: int, file_mode: int) -> None:
    """Sets the modes of a data folder and of what lies in it, but for the keys."""
    for path in home.iterdir():
        if path.suffix not in (".keys", ".pepper"):
            path.chmod(file_mode)
    home.chmod(folder_mode)


def test_a_folder_that_cannot_be_written_to(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    before = as_anybody()

    def run(*words: str, officer: str = "") -> Outcome:
        return run_command([*before, *KIOSK, *words, "--json"], kiosk.environment(officer))

    confirming = kiosk.confirm_words(MOTHER, CHECK)
    set_modes(kiosk.home, 0o500, 0o400)
    try:
        for words, officer in ((confirming, "rina"), (["sync", "--once"], "")):
            outcome = run(*words, officer=officer)
            assert (outcome.code, outcome.fault) == (1, "data_folder_read_only"), outcome.answer
            assert outcome.answer["family"] == "environment"
    finally:
        set_modes(kiosk.home, 0o700, 0o600)
    outcome = run(*confirming, officer="rina")
    assert outcome.code == 0, outcome.answer
    town.start_central()
    assert run("sync", "--once").answer["waiting"] == 0
    assert town.pickups_at_central() == [outcome.answer["ref"]]


def test_a_ledger_that_another_process_writes_to(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    ledger = Home(kiosk.home).ledger()
    try:
        with writing(ledger.db, ledger.path):
            outcome = kiosk.confirm(MOTHER, CHECK)
            assert (outcome.code, outcome.fault) == (1, "database_locked")
            assert outcome.answer["family"] == "environment"
            assert kiosk.row(MOTHER, CHECK)["state"] == "ready"
    finally:
        ledger.close()
    assert kiosk.confirm(MOTHER, CHECK).code == 0
    assert [record["type"] for record in kiosk.records()] == ["sign_in", "dispense"]


def test_keys_that_others_can_read(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    (kiosk.home / "device.keys").chmod(0o440)
    outcome = kiosk.run("status")
    assert (outcome.code, outcome.fault) == (1, "keys_exposed")
    (kiosk.home / "device.keys").chmod(0o400)
    assert kiosk.run("status").code == 0
