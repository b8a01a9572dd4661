"""Enrolling: who is believed, what is there afterwards, and that a lost ledger is never made anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import enrolment
from kiosk.enrolment import Enrolment
from kiosk.errors import CentralFault, EnvironmentFault, OfficerFault
from kiosk.freezing import FORKED, freeze_ledger
from kiosk.home import Home
from kiosk.journal import Draft, Journal
from kiosk.ledger import LEDGER_FILE
from kiosk.values import Mode
from sync.enrolling import enrol
from sync.wire import from_base64, to_base64
from tests.kiosk.city import City
from tests.kiosk.counter_world import START, SetClock
from tests.sync.scripted_server import Asked, Connection, ScriptedServer, refusal


class EnrollingServer:
    """Enrols whoever asks, as the city's central would."""

    def __init__(self) -> None:
        self.city = City()
        self.server = ScriptedServer(key=self.city.central)
        self.server.answer = self.answer
        self.kiosk, self.gen = "IRM1", 1
        self.roots = list(self.city.roots)
        self.public: bytes | None = None
        self.ticket = enrolment.make_ticket(self.city.roots[0])
        self.document: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}

    def answer(self, connection: Connection, asked: Asked) -> None:
        """One enrolment."""
        public = self.public or from_base64(json.loads(asked.body)["public"])
        fields: dict[str, Any] = {
            "kiosk": self.kiosk,
            "gen": self.gen,
            "mode": Mode.DEMONSTRATION,
            "point": 1,
            "public": public,
            "issued": int(START.timestamp()) - 3600,
            "incarnation": 1,
        }
        document = enrolment.make(Enrolment(**fields | self.document), self.city.central, b"c-now")
        body = {
            "enrolment": to_base64(document),
            "keyset": to_base64(self.city.signed_keyset),
            "roots": [to_base64(root) for root in self.roots],
            "central_kid": to_base64(b"c-now"),
            "pepper": to_base64(bytes(32)),
            "settings": self.settings,
        }
        connection.signed(asked, 200, json.dumps(body).encode())


@pytest.fixture
def central() -> Iterator[EnrollingServer]:
    """A central that enrols."""
    made = EnrollingServer()
    with made.server.running():
        yield made


def enrolled(home: Path, central: EnrollingServer) -> Home:
    """Enrols the machine with that data folder."""
    enrol(home, central.ticket, central.server.url, SetClock())
    return Home(home)


def note(home: Home) -> int:
    """Appends a record; answers its number."""
    ledger = home.ledger()
    try:
        return Journal(ledger, home.identity(), SetClock()).append(lambda _: Draft(type="note")).seq
    finally:
        ledger.close()


def test_a_machine_becomes_a_kiosk(tmp_path: Path, central: EnrollingServer) -> None:
    home = enrolled(tmp_path / "home", central)
    assert (home.identity().kiosk, home.identity().gen) == ("IRM1", 1)
    assert home.keys.officer_pepper == bytes(32)
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert note(home) == 1


def test_before_any_data_came_the_kiosk_says_where_it_stands(
    tmp_path: Path, central: EnrollingServer
) -> None:
    central.settings = {"point": "Kelurahan Iringmulyo", "counter": "Loket 2", "colour": [1]}
    counter = enrolled(tmp_path, central).counter(SetClock())
    try:
        status = counter.status()
    finally:
        counter.close()
    assert (status.point, status.counter) == ("Kelurahan Iringmulyo", "Loket 2")
    assert "cache_missing" in status.warnings


def test_the_same_ticket_again_changes_nothing(tmp_path: Path, central: EnrollingServer) -> None:
    home = enrolled(tmp_path, central)
    note(home)
    ledger = home.ledger()
    freeze_ledger(ledger, FORKED)
    ledger.set_meta(grant_rev="7")
    again = enrolled(tmp_path, central)
    assert note(again) == 2
    assert (ledger.meta("frozen"), ledger.meta("grant_rev")) == (FORKED, "7")
    ledger.close()


def test_a_lost_ledger_is_not_made_anew_for_the_same_generation(
    tmp_path: Path, central: EnrollingServer
) -> None:
    enrolled(tmp_path, central)
    (tmp_path / LEDGER_FILE).unlink()
    with pytest.raises(EnvironmentFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == "ledger_missing"
    assert not (tmp_path / LEDGER_FILE).exists()


def test_a_stop_before_the_enrolment_was_kept_is_mended_by_repeating(
    tmp_path: Path, central: EnrollingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(enrolment, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            enrolled(tmp_path, central)
    assert enrolment.load(tmp_path) is None
    assert note(enrolled(tmp_path, central)) == 1


def test_a_process_of_the_older_generation_stops_appending(tmp_path: Path, central: EnrollingServer) -> None:
    older = enrolled(tmp_path, central)
    note(older)
    ledger = older.ledger()
    journal = Journal(ledger, older.identity(), SetClock())
    central.gen = 2
    newer = enrolled(tmp_path, central)
    assert note(newer) == 1
    with pytest.raises(EnvironmentFault) as fault:
        journal.append(lambda _: Draft(type="note"))
    assert fault.value.code == "enrolled_again"
    assert (ledger.head_seq(1), ledger.head_seq(2)) == (1, 1)
    ledger.close()


def test_another_kiosks_folder_is_not_taken_over(tmp_path: Path, central: EnrollingServer) -> None:
    note(enrolled(tmp_path, central))
    central.kiosk = "HDM1"
    with pytest.raises(EnvironmentFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == "ledger_foreign"
    assert Home(tmp_path).identity().kiosk == "IRM1"


def test_a_ledger_of_another_machine_is_not_opened(tmp_path: Path, central: EnrollingServer) -> None:
    home = enrolled(tmp_path, central)
    ledger = home.ledger()
    ledger.set_meta(public_key_1="00" * 32)
    ledger.close()
    with pytest.raises(EnvironmentFault) as fault:
        home.ledger()
    assert fault.value.code == "ledger_foreign"


def test_a_document_of_another_key_leaves_the_machine_as_it_was(
    tmp_path: Path, central: EnrollingServer
) -> None:
    central.public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(CentralFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == "enrolment_refused"
    assert enrolment.load(tmp_path) is None
    assert not (tmp_path / LEDGER_FILE).exists()


def test_who_cannot_prove_to_be_the_tickets_central_is_foreign(
    tmp_path: Path, central: EnrollingServer
) -> None:
    central.ticket = enrolment.make_ticket(bytes(32))
    with pytest.raises(CentralFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == "central_foreign"


def test_an_answer_sealed_by_somebody_else_is_refused(tmp_path: Path, central: EnrollingServer) -> None:
    central.server.key = Ed25519PrivateKey.generate()
    with pytest.raises(CentralFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == "answer_refused"
    assert enrolment.load(tmp_path) is None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<html>", 200, "answer_refused"),
        (b"{}", 200, "answer_refused"),
        (refusal("ticket_refused"), 403, "ticket_refused"),
        (b"oops", 500, "central_error"),
    ],
)
def test_what_else_may_answer(
    tmp_path: Path, central: EnrollingServer, body: bytes, status: int, code: str
) -> None:
    central.server.answer = lambda connection, asked: connection.plain(status, body)
    with pytest.raises(CentralFault) as fault:
        enrolled(tmp_path, central)
    assert fault.value.code == code


@pytest.mark.parametrize(
    "url", ["ftp://x", "central", "http://", "http://[", "http://a..b", "http://x:99999"]
)
def test_addresses_that_are_none(tmp_path: Path, central: EnrollingServer, url: str) -> None:
    with pytest.raises(OfficerFault) as fault:
        enrol(tmp_path / "home", central.ticket, url, SetClock())
    assert fault.value.code == "url_malformed"
    assert not (tmp_path / "home").exists()


def test_a_ticket_that_is_none(tmp_path: Path, central: EnrollingServer) -> None:
    with pytest.raises(OfficerFault) as fault:
        enrol(tmp_path, "XXXX", central.server.url, SetClock())
    assert fault.value.code == "ticket_malformed"
