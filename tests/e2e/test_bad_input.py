"""Cards, codes and settings that are wrong: each has its own code and words, and the kiosk goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sync.central.demo_cards import bad_cards
from sync.central.demo_showcase import SERVED, SHOWCASE
from tests.e2e.town import CHECK, MOTHER, KioskAt, Town

pytestmark = pytest.mark.slow

SEEN_BY_THE_READER = {"card_empty", "card_foreign"}
"""Faults of chips that hold no credential at all: there is no payload to give to a command."""

UNASKED = {"bad-unknown-holder": "card_from_elsewhere"}
"""Genuine, of nobody in this cache: only central knows whether it is of nobody at all, and a payload that is
typed in is not looked up."""


def tray(kiosk: KioskAt) -> dict[str, dict[str, Any]]:
    """The virtual cards by label."""
    lines = (kiosk.home / "cards.jsonl").read_text().splitlines()
    return {card["label"]: card for card in map(json.loads, lines) if card["label"]}


def refusals(kiosk: KioskAt, payloads: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The code with which each payload is refused; every fault has words and is the card's."""
    told = {}
    for label, words in payloads.items():
        outcome = kiosk.run("show", *words)
        assert outcome.code == 1, (label, outcome.answer)
        assert outcome.answer["family"] == "card", (label, outcome.answer)
        assert outcome.answer["message"]
        told[label] = outcome.fault
    return told


def test_bad_chips(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    cards = tray(kiosk)
    expected = {
        bad.label: bad.nfc_fault
        for bad in bad_cards()
        if bad.nfc_fault and bad.nfc_fault not in SEEN_BY_THE_READER
    }
    expected |= UNASKED
    words = {label: (cards[label]["nfc"], "--uid", cards[label]["uid"]) for label in expected}
    assert refusals(kiosk, words) == expected
    assert len(expected) >= 10
    assert kiosk.row(MOTHER, CHECK)["state"] == "ready"


def test_bad_codes(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    cards = tray(kiosk)
    expected = {bad.label: bad.qr_fault for bad in bad_cards() if bad.qr_fault}
    expected |= UNASKED
    words = {label: (cards[label]["qr"],) for label in expected}
    expected |= {"an address": "card_foreign", "not Base45": "card_malformed"}
    words |= {"an address": ("https://example.org/KMC1:AB",), "not Base45": ("KMC1:??",)}
    assert refusals(kiosk, words) == expected
    shown = kiosk.run("show", cards["mother"]["qr"])
    assert (shown.code, shown.answer["grade"], shown.answer["ready"]) == (0, "p0", [CHECK])


def test_genuine_cards_that_are_not_good_any_more(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    expected = {one.card_no: one.expect for one in SHOWCASE.values() if one.expect != SERVED}
    expected["replaced-old"] = "card_superseded"
    assert len(expected) == 7
    assert refusals(kiosk, {card: ("--card", card) for card in expected}) == expected
    assert kiosk.run("show", "--card", SHOWCASE["replaced-new"].card_no).code == 0


def test_every_mistake_in_the_settings_at_once(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    (kiosk.home / "kiosk.toml").write_text(
        """zone = "Asia/Jakata"

[central]
timeout_s = "soon"
pol_wait_s = 5

[screen]
session_s = 20
warning_s = 30
""",
        encoding="utf-8",
    )
    wrong = {"KMC_CENTRAL__URL": "http://central.example", "KMC_SCREEN__SESSIN_S": "30"}
    outcome = kiosk.run("config", "check", env=wrong)
    assert (outcome.code, outcome.fault) == (1, "settings_wrong")
    mistakes = outcome.answer["detail"]["mistakes"]
    file, environment = str(kiosk.home / "kiosk.toml"), "environment"
    assert {(m["where"], m["key"], m["nearest"], m["line"]) for m in mistakes} == {
        (file, "zone", "", 1),
        (file, "central.timeout_s", "", 4),
        (file, "central.pol_wait_s", "central.poll_wait_s", 5),
        (file, "screen.warning_s", "", 9),
        (environment, "KMC_CENTRAL__URL", "", None),
        (environment, "KMC_SCREEN__SESSIN_S", "KMC_SCREEN__SESSION_S", None),
    }
    assert all(m["problem"] for m in mistakes)
    # Nothing runs on settings that are wrong, and nothing was changed by trying.
    assert kiosk.confirm(MOTHER, CHECK).fault == "settings_wrong"
    (kiosk.home / "kiosk.toml").unlink()
    assert kiosk.run("config", "check").code == 0
    assert kiosk.confirm(MOTHER, CHECK).code == 0


def test_answers_to_wrong_questions(town: Town) -> None:
    """A program that is not the holder's, a wrong quantity, a reference that is nobody's, no document."""
    kiosk = town.kiosk("IRM1")
    asked = {
        "unknown_program": ["confirm", "--card", MOTHER, "--program", "tas-sekolah", "--officer", "rina"],
        "documents": ["confirm", "--card", MOTHER, "--program", "beras-keluarga", "--officer", "rina"],
        "quantity": [*kiosk.confirm_words(MOTHER, CHECK), "--quantity", "2"],
        "unknown_ref": ["void", "IRM1-0001", "--officer", "rina", "--reason", "salah"],
        "unknown_officer": ["confirm", "--card", MOTHER, "--program", CHECK, "--officer", "dimas"],
    }
    told = {code: kiosk.run(*words, officer="rina") for code, words in asked.items()}
    assert {code: (o.code, o.fault, o.answer["family"]) for code, o in told.items()} == {
        code: (1, code, "officer") for code in asked
    }
    town.start_central()
    assert kiosk.sync().code == 0
    assert town.books().handed == []


@pytest.mark.parametrize("words", [["show"], ["confirm"], ["read", "nfx"], ["sync"], []])
def test_wrong_usage(words: list[str], tmp_path: Path) -> None:
    assert Town(tmp_path).kiosk("IRM1").run(*words).code == 2


def test_a_folder_that_was_never_enrolled(tmp_path: Path) -> None:
    kiosk = Town(tmp_path).kiosk("NEW1")
    assert kiosk.run("status").fault == "not_enrolled"
    outcome = kiosk.run("enrol", "not a ticket", "--central", "http://127.0.0.1:9")
    assert (outcome.code, outcome.fault) == (1, "ticket_malformed")
    ticket = "AAAA-BBBB-CCCC-DDDD-00000000"
    outcome = kiosk.run("enrol", ticket, "--central", "http://127.0.0.1:9")
    assert (outcome.code, outcome.fault) == (1, "central_unreachable")
    assert kiosk.run("status").fault == "not_enrolled"
