"""From a command at central to the words on a kiosk's screen: lost, stolen, replaced, deceased, expired."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from kiosk.values import CardRead, Medium
from sync.central import cards, officer_rows, state
from sync.central.card_issue import IssuedCard
from sync.central.cli import main
from tests.sync.whole import Kiosk, Whole, whole_city
from tests.ui.stage import Stage
from ui.application import make_application

PIN = "240517"
INACTIVE = "Kartu tidak aktif."
MONTHS = "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"
Command = Callable[..., Any]


class OpenedByItsThread:
    """A kiosk's counter, opened by the thread that asks it first: its databases belong to that one."""

    def __init__(self, kiosk: Kiosk) -> None:
        self._kiosk = kiosk
        self.holds: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "_counter":
            self._counter = self._kiosk.home.counter(self._kiosk.clock)
            return self._counter
        return getattr(self._counter, name)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Whole]:
    with whole_city(tmp_path) as made:
        officer_rows.set_pin(made.central, "ani", PIN)
        yield made


@pytest.fixture
def command(city: Whole, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``kmc-central`` on this city's database, at its time."""
    monkeypatch.setattr(state.open_central, "__defaults__", (city.clock,))
    home = city.central.home

    def run(*words: str) -> Any:
        assert main([*words, "--json", "--home", str(home), "--database", state.default_url(home)]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def application() -> QGuiApplication:
    return make_application()


def chip(card: IssuedCard) -> CardRead:
    return CardRead(Medium.NFC, card.nfc, card.uid, card.chip)


def card_of(city: Whole, holder: int) -> IssuedCard:
    return cards.issue(city.central, holder, "NTAG215", bytes.fromhex("04AABBCCDDEE") + bytes([holder]))


def since_today(city: Whole) -> str:
    """What the officer is told of a card that was denied now."""
    day = cards.today(city.central)
    return f"Tercatat sejak {day.day} {MONTHS.split()[day.month - 1]}"


def test_from_the_command_to_the_words(city: Whole, command: Command, application: QGuiApplication) -> None:
    made = {holder: card_of(city, holder) for holder in (1, 2, 3)}
    kiosk = city.enrol()
    assert kiosk.sync() == ""
    stage = Stage(OpenedByItsThread(kiosk))  # type: ignore[arg-type]
    try:
        stage.readers()
        for card in made.values():
            assert INACTIVE not in citizens_words(stage, card)
        command("card", "revoke", made[1].card_no, "--reason", "lost")
        command("card", "revoke", made[2].card_no, "--reason", "stolen")
        successor = command(
            "card", "replace", made[3].card_no, "--chip", "NTAG215", "--uid", "04AABBCCDDEE09"
        )
        assert kiosk.sync() == ""
        # Offline after: what it was told holds.
        city.line.lose_requests = 1_000_000
        for card in made.values():
            assert INACTIVE in citizens_words(stage, card)
        new = cards.issued(city.central, made[3].card_no)
        assert new.issue_no == successor["issue_no"]
        assert INACTIVE not in citizens_words(stage, new)
        sign_in(stage)
        told = {holder: officers_words(stage, card) for holder, card in made.items()}
        since = since_today(city)
        assert "Kartu dilaporkan hilang. Periksa KTP." in told[1]
        assert "Kartu dilaporkan dicuri. Tahan kartu dan periksa KTP." in told[2]
        assert "Kartu lama. Pemegang sudah punya kartu baru." in told[3]
        assert all(since in words for words in told.values()), told
        command("card", "revoke", new.card_no, "--reason", "deceased")
        city.line.lose_requests = 0
        assert kiosk.sync() == ""
        words = officers_words(stage, new)
        assert "Pemegang tercatat meninggal. Periksa data di Loket 1." in words
        assert since in words
    finally:
        stage.close()


def test_the_dead_and_the_expired(city: Whole, command: Command, application: QGuiApplication) -> None:
    made = {holder: card_of(city, holder) for holder in (1, 2)}
    kiosk = city.enrol()
    command("card", "revoke", made[1].card_no, "--reason", "deceased")
    city.clock.now = made[2].expires_at - 100 * 86400
    assert kiosk.sync() == ""
    stage = Stage(OpenedByItsThread(kiosk))  # type: ignore[arg-type]
    try:
        stage.readers()
        assert INACTIVE in citizens_words(stage, made[1])
        assert "Masa berlaku" not in citizens_words(stage, made[2])
        city.clock.now = made[2].expires_at
        assert kiosk.sync() == ""
        assert "Masa berlaku kartu habis." in citizens_words(stage, made[2])
    finally:
        stage.close()


def sign_in(stage: Stage) -> None:
    stage.key(Qt.Key.Key_F4)
    stage.until(lambda: stage.pane == "signin")
    stage.settle()
    for typed in ("ani", PIN):
        stage.type(typed)
        stage.key(Qt.Key.Key_Return)
    stage.until(lambda: bool(stage.of_officer("isSignedIn")))
    stage.settle()


def citizens_words(stage: Stage, card: IssuedCard) -> str:
    """What stands on the citizen's page once this card was read."""
    stage.post("lifted")
    stage.tap(chip(card))
    return stage.all_words().replace("\xa0", " ")


def officers_words(stage: Stage, card: IssuedCard) -> str:
    """What stands in the officer's pane once this card was read."""
    stage.tap(chip(card))
    return stage.all_words().replace("\xa0", " ")
