"""``kmc-central kiosk ticket | stop | resume`` and ``kmc-central key``, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from drivers.qr_pipeline import find_codes
from kiosk.enrolment import ticket_as_code
from sync.central import state
from sync.central.cli import main
from tests.sync.central_side import Clock, new_central


class Shell:
    """Commands against one central."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys

    def __call__(self, *words: str, code: int = 0) -> Any:
        """Runs a command with --json; answers what it printed."""
        assert main([*words, "--json", "--home", str(self.home)]) == code
        return json.loads(self._capsys.readouterr().out)

    def spoken(self, *words: str) -> str:
        """What a command says to people."""
        assert main([*words, "--home", str(self.home)]) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A central with a city in it."""
    home = tmp_path / "central"
    new_central(home, state.default_url(home), Clock()).close()
    return Shell(home, capsys)


def test_a_ticket_comes_as_text_picture_drawing_and_on_the_terminal(shell: Shell, tmp_path: Path) -> None:
    png, svg = tmp_path / "ticket.png", tmp_path / "ticket.svg"
    made = shell("kiosk", "ticket", "AAA1", "--png", str(png), "--svg", str(svg))
    picture = np.asarray(cv2.imread(str(png), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    assert find_codes(picture) == [ticket_as_code(made["ticket"]).encode()]
    assert b"<svg" in svg.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in (png, svg)} == {0o600}
    # Nothing is written over: an old ticket might be handed out for a new one.
    assert shell("kiosk", "ticket", "AAA1", "--png", str(png), code=1)["code"] == "file_unwritable"
    spoken = shell.spoken("kiosk", "ticket", "AAA1", "--qr")
    assert "\u2588" in spoken
    assert "ticket: " in spoken
    assert shell("kiosk", "ticket", "ZZZ9", code=1)["code"] == "unknown_kiosk"


def test_orders_and_keys(shell: Shell) -> None:
    assert shell("kiosk", "stop", "AAA1", code=1)["code"] == "kiosk_not_active"
    assert shell("kiosk", "resume", "AAA1", code=1)["code"] == "kiosk_not_stopped"
    root1, root2 = (str(shell.home / "keys" / f"root{number}.key") for number in (1, 2))
    before = shell("key", "list")
    assert sorted(row["use"] for row in before) == ["central", "issuer", "root1", "root2"]
    old = next(row["kid"] for row in before if row["use"] == "issuer")
    assert shell("key", "retire", old, "--root-key-file", root1, code=1)["code"] == "last_key"
    made = shell("key", "add", "--use", "issuer", "--root-key-file", root2)
    assert made["signs"]
    assert shell("key", "retire", old, "--root-key-file", root1)["status"] == "retired"
    assert shell("key", "compromise", old, "--root-key-file", root1)["status"] == "compromised"
    later = shell(
        "key", "add", "--use", "central", "--from", "2040-01-01T00:00+07:00", "--root-key-file", root1
    )
    assert not later["signs"]
    for moment in ("soon", "2040-01-01T00:00"):
        words = ("key", "add", "--use", "central", "--from", moment, "--root-key-file", root1)
        assert shell(*words, code=1)["code"] == "date_malformed"
    signs = {row["use"] for row in shell("key", "list") if row.get("signs")}
    assert signs == {"central", "issuer"}
