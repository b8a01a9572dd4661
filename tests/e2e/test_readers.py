"""A card before the virtual reader and a code before the virtual camera, by commands alone."""

from __future__ import annotations

import base64
import json
import select
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kiosk.virtual_readers import ask_station
from tests.e2e.town import CHECK, FARMER, FATHER, FERTILISER, MOTHER, RICE, KioskAt, Town

pytestmark = pytest.mark.slow

READ_S = 30


@pytest.fixture
def counter(town: Town) -> Iterator[KioskAt]:
    """A demonstration kiosk whose virtual hardware runs."""
    kiosk = town.kiosk("IRM1")
    with kiosk.start("virtual") as station:
        town.wait_for((kiosk.home / "virtual.json").exists, "the station's state file")
        yield kiosk
        station.terminate()
        assert station.wait(timeout=20) == 0
    assert not (kiosk.home / "virtual.json").exists()
    assert not (kiosk.home / "virtual.sock").exists()


class Reader:
    """One reader process and the events it has said."""

    def __init__(self, kiosk: KioskAt, kind: str) -> None:
        self._process = kiosk.start("read", kind, "--once", "--timeout", str(READ_S))
        self._deadline = time.monotonic() + READ_S + 10
        self._rest = b""

    def until(self, *names: str) -> dict[str, Any]:
        """The next event with one of these names."""
        output = self._process.stdout
        assert output is not None
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                event: dict[str, Any] = json.loads(line)
                if event["event"] in names:
                    return event
                continue
            ready, _, _ = select.select([output], [], [], max(0.0, self._deadline - time.monotonic()))
            part = output.read1(65536) if ready else b""  # type: ignore[attr-defined]
            assert part, f"the reader ended without {names}"
            self._rest += part

    def end(self) -> int:
        """Its exit code."""
        try:
            return self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._process.communicate()


def tapped(kiosk: KioskAt, card: str) -> tuple[dict[str, Any], int]:
    """The event that a tapped card ends in, and the reader's exit code."""
    reader = Reader(kiosk, "nfc")
    reader.until("ready")
    code, answer = kiosk.run("tap", card, "--hold", "5")
    assert code == 0, answer
    event, code = reader.until("read", "fault"), reader.end()
    ask_station(kiosk.home, {"do": "lift"})
    return event, code


@pytest.mark.parametrize(
    ("card", "chip", "program", "state"),
    [
        (MOTHER, "NTAG215", CHECK, "ready"),
        (FARMER, "FeliCa", FERTILISER, "needs_document"),
        ("4621035502", "DESFire", RICE, "needs_document"),
    ],
)
def test_a_tapped_card_shows_its_programs(
    counter: KioskAt, card: str, chip: str, program: str, state: str
) -> None:
    event, code = tapped(counter, card)
    assert (code, event["event"], event["medium"], event["chip"]) == (0, "read", "nfc", chip)
    # FeliCa has no signature of its maker's; the station signs the others in its place.
    assert event.get("proof", {}).get("original") is (None if chip == "FeliCa" else True)
    shown = counter.run("show", event["payload"], "--uid", event["uid"])
    assert shown.code == 0
    assert (shown.answer["card_no"], shown.answer["grade"]) == (card, "p1")
    states = {row["program"]: row["state"] for row in shown.answer["programs"]}
    assert states[program] == state


def test_tags_without_a_credential(counter: KioskAt) -> None:
    for card, fault in (("bad-empty", "card_empty"), ("bad-foreign", "card_foreign")):
        event, code = tapped(counter, card)
        assert (code, event["event"], event["family"], event["code"]) == (1, "fault", "card", fault)
        assert event["message"]
    event, _ = tapped(counter, "bad-copied")
    assert counter.run("show", event["payload"], "--uid", event["uid"]).fault == "card_wrong_chip"
    assert counter.run("tap", "no such card").fault == "unknown_card"
    assert any(card["label"] == "mother" for card in counter.run("cards").answer["cards"])


def test_a_code_before_the_camera_shows_its_programs(counter: KioskAt) -> None:
    reader = Reader(counter, "qr")
    reader.until("ready")
    assert counter.run("show-qr", FATHER, "--hold", "20").code == 0
    event = reader.until("read", "fault")
    assert (reader.end(), event["event"], event["medium"]) == (0, "read", "qr")
    payload = base64.b64decode(event["payload"], validate=True).decode()
    assert payload.startswith("KMC1:")
    shown = counter.run("show", payload)
    assert (shown.code, shown.answer["card_no"], shown.answer["grade"]) == (0, FATHER, "p0")
    assert [row["program"] for row in shown.answer["programs"]] == [RICE]


def test_no_virtual_hardware_is_running(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    outcome = kiosk.run("tap", MOTHER)
    assert (outcome.code, outcome.fault) == (1, "virtual_not_running")
