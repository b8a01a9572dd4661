"""A data folder that cannot be written to, or that another process holds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.database import writing
from kiosk.home import Home
from tests.e2e.template import copy_town
from tests.e2e.town import CHECK, KIOSK, MOTHER, Outcome, Town, run_command

pytestmark = pytest.mark.slow

NOBODY = 65534
"""User id of ``nobody``: the file modes do not hold root back."""


@pytest.fixture
def open_town(town_template: Path) -> Iterator[Town]:
    """A town in a folder that other users may reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="kmc-e2e-") as folder:
        Path(folder).chmod(0o755)
        made = copy_town(town_template, Path(folder) / "town")
        made.home.chmod(0o755)
        yield made
        made.close()


def unprivileged() -> list[str]:
    """What makes a command run as somebody whom file modes hold back."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing: apt-get install util-linux")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def set_modes(home: Path, folder_mode: int, file_mode: int) -> None:
    """Gives a data folder to the unprivileged user and sets its modes."""
    for path in [home, *home.iterdir()]:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        if path == home or path.suffix not in (".keys", ".pepper"):
            path.chmod(folder_mode if path == home else file_mode)


def test_a_folder_that_cannot_be_written_to(open_town: Town) -> None:
    town = open_town
    kiosk = town.kiosk("IRM1")
    before = unprivileged()

    def run(*words: str, officer: str = "") -> Outcome:
        return run_command([*before, *KIOSK, *words, "--json"], kiosk.environment(officer))

    confirming = kiosk.confirm_words(MOTHER, CHECK)
    set_modes(kiosk.home, 0o500, 0o400)
    for words, officer in ((confirming, "rina"), (["sync", "--once"], "")):
        outcome = run(*words, officer=officer)
        assert (outcome.code, outcome.fault) == (1, "data_folder_read_only"), outcome.answer
        assert outcome.answer["family"] == "environment"
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
