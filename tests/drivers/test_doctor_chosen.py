"""The doctor on the readers that the settings name: there or not, open to the kiosk's user, answering."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from drivers.doctor.chosen import Chosen, examine, finders
from drivers.doctor.machine import Account, account
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding
from tests.drivers.doctor_machine import Folder, Found, stranger
from tests.drivers.serial_line import SerialReader

GOOD, ATTENTION, BAD = CheckStatus.GOOD, CheckStatus.ATTENTION, CheckStatus.BAD
LINE = "tty:USB0:pn532"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A machine with nothing on it."""
    return Folder(tmp_path)


def look(folder: Folder, found: Found, user: Account | None = None, **settings: Any) -> Finding:
    """The one finding; what is not good names what to do and how to look again."""
    chosen = Chosen(**settings)
    (finding,) = examine(folder.machine, user or stranger(), chosen, found.finders)
    assert finding.evidence
    assert finding.again
    assert bool(finding.fix) == (finding.status in (ATTENTION, BAD)), finding
    return finding


def test_what_is_left_to_be_found_is_not_judged(folder: Folder) -> None:
    assert examine(folder.machine, stranger(), Chosen(), Found().finders) == []
    switched_off = Chosen(nfc=("usb:072f:2200",), nfc_enabled=False)
    assert examine(folder.machine, stranger(), switched_off, Found().finders) == []


def test_readers_on_usb_and_of_pcsc(folder: Folder) -> None:
    found = Found({"usb:072f:2200": "ACS ACR122U"}, ["ACS ACR1252 PICC 00 00"])
    assert "ACR122U" in look(folder, found, nfc=("usb:072f:2200",)).evidence
    missing = look(folder, found, nfc=("usb:054c:06c3",))
    assert (missing.status, "kmc-kiosk setup" in missing.fix) == (BAD, True)
    assert "PICC" in look(folder, found, nfc=("pcsc:ACS ACR1252",)).evidence
    other = look(folder, found, nfc=("pcsc:Sony",))
    assert (other.status, "there: ACS ACR1252" in other.evidence) == (BAD, True)
    stopped = EnvironmentFault("pcsc_not_running", "pcscd does not answer", fix="sudo systemctl start it")
    assert look(folder, Found(slots=stopped), nfc=("pcsc:",)).fix == "sudo systemctl start it"
    assert look(folder, found, nfc=("udp:127.0.0.1:5000",)).status is GOOD


def test_a_wrong_line_is_told_with_those_that_are_there(folder: Folder) -> None:
    folder.file("/dev/ttyUSB1")
    found = look(folder, Found(), nfc=(LINE,))
    assert (found.status, "there: ttyUSB1" in found.evidence) == (BAD, True)


def test_rights_on_the_line_are_those_of_the_kiosks_user(folder: Folder) -> None:
    node = folder.file("/dev/ttyUSB0")
    node.chmod(0o660)
    found = look(folder, Found(), nfc=(LINE,))
    assert (found.status, "kmc may not open /dev/ttyUSB0" in found.evidence) == (BAD, True)
    insider = Account("kmc", os.geteuid() + 1, frozenset({node.stat().st_gid}))
    assert (
        look(folder, Found(answers={LINE: "PN532v1.6"}), insider, nfc=(LINE,)).evidence == "PN532v1.6 answers"
    )


def test_a_line_on_which_nothing_answers(folder: Folder) -> None:
    folder.file("/dev/ttyUSB0").chmod(0o666)
    silent = look(folder, Found(), nfc=(LINE,))
    assert (silent.status, "reader_missing" in silent.evidence) == (BAD, True)
    assert look(folder, Found(), nfc=(LINE,), open_them=False).status is GOOD


def test_a_real_line_is_opened_and_closed_again(folder: Folder, tmp_path: Path) -> None:
    with SerialReader(tmp_path / "ttyNFC") as reader:
        chosen = Chosen(nfc=(reader.device,))
        machine = Folder(Path("/")).machine
        for _ in range(2):
            (found,) = examine(machine, account(), chosen, finders())
            assert (found.status, "answers" in found.evidence) == (GOOD, True), found
        reader.deaf = True
        (found,) = examine(machine, account(), chosen, finders())
        assert (found.status, bool(found.fix)) == (BAD, True), found


def test_scanners(folder: Folder) -> None:
    none: dict[str, Any] = {"nfc_enabled": False}
    missing = look(folder, Found(), scanner="serial:/dev/ttyACM0", **none)
    assert (missing.check, missing.status) == ("scanner_access", BAD)
    folder.file("/dev/ttyACM0").chmod(0o600)
    assert look(folder, Found(), scanner="serial:/dev/ttyACM0", **none).status is BAD
    folder.file("/dev/input/by-id/x-event-kbd").chmod(0o666)
    assert look(folder, Found(), scanner="evdev:/dev/input/by-id/x-event-kbd", **none).status is GOOD
    typing = look(folder, Found(), scanner="keyboard:", **none)
    assert (typing.check, typing.status, "prefix" in typing.fix) == ("scanner_prefix", ATTENTION, True)
    assert look(folder, Found(), scanner="keyboard:", prefix="~Q", **none).status is GOOD


def test_an_unknown_user_is_a_fault_with_its_remedy() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        account("nobody-of-this-name")
    assert (caught.value.code, "adduser" in str(caught.value.detail["fix"])) == ("user_unknown", True)
