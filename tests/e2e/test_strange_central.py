"""What answers in central's place is told apart by its code, loses nothing, and is forgotten afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kiosk.enrolment import make_ticket
from tests.e2e.loopback import Asked, Reply, answering, forward
from tests.e2e.town import CHECK, MOTHER, Town

pytestmark = pytest.mark.slow

HTML = b"<html><title>Free Wi-Fi</title><form action=/login></form></html>"
PAGE = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}

STRANGE: dict[str, tuple[Callable[[Asked], Reply | None], str]] = {
    "a sign-in page": (lambda _: Reply(200, HTML, PAGE), "answer_refused"),
    "a redirect to one": (lambda _: Reply(302, b"", {"Location": "/login"}), "answer_refused"),
    "garbage as JSON": (lambda _: Reply(200, b'{"status": "ok", ', JSON), "answer_refused"),
    "a broken server": (lambda _: Reply(500, b"Internal Server Error", PAGE), "central_error"),
    "a gateway": (lambda _: Reply(502, HTML, PAGE), "central_error"),
    "too many requests": (lambda _: Reply(429, b"", {"Retry-After": "7"}), "central_refused"),
    "a silent end": (lambda _: None, "central_unreachable"),
    "half an answer": (lambda _: Reply(200, HTML, PAGE, cut=9), "answer_cut"),
}


def test_whatever_answers_in_centrals_place(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    ref = kiosk.confirm(MOTHER, CHECK).answer["ref"]
    told = {}
    for name, (answer, _) in STRANGE.items():
        with answering(answer) as url:
            kiosk.url = url
            outcome = kiosk.sync()
        assert outcome.code == 1
        assert outcome.answer["family"] == "central"
        assert outcome.answer["message"]
        told[name] = outcome.fault
    assert told == {name: code for name, (_, code) in STRANGE.items()}
    # An answer that nobody signed changes nothing here, not even after it was believed to be central.
    assert kiosk.verify().code == 0
    status = kiosk.status()
    assert (status["waiting"], status["online"], status["frozen"]) == (2, False, "")

    kiosk.url = ""
    town.start_central()
    code, report = kiosk.sync()
    assert (code, report["waiting"]) == (0, 0)
    assert town.pickups_at_central() == [ref]


def test_answers_that_were_changed_on_their_way(town: Town) -> None:
    """Central's own seal under another body, an older request's seal, and another status."""
    kiosk = town.kiosk("IRM1")
    kiosk.confirm(MOTHER, CHECK)
    town.start_central()
    kept: list[Reply] = []

    def other_body(asked: Asked) -> Reply:
        reply = forward(town.url, asked)
        kept.append(reply)
        return Reply(200, b'{"status":"ok","acked_seq":9,"durable_seq":9,"head":"00"}', _seal(reply))

    def older_seal(asked: Asked) -> Reply:
        return Reply(200, forward(town.url, asked).body, _seal(kept[0]))

    def other_status(asked: Asked) -> Reply:
        reply = forward(town.url, asked)
        return Reply(403, reply.body, _seal(reply))

    for answer in (other_body, older_seal, other_status):
        with answering(answer) as url:
            kiosk.url = url
            outcome = kiosk.sync()
        assert (outcome.code, outcome.fault) == (1, "answer_refused")
    assert kiosk.status()["waiting"] == 2
    kiosk.url = ""
    assert kiosk.sync().answer["waiting"] == 0
    assert town.books().of("IRM1") == kiosk.hashes()


def _seal(reply: Reply) -> dict[str, str]:
    found = {name.lower(): value for name, value in reply.headers.items()}
    return {"KMC-Answer": found["kmc-answer"], **JSON}


def test_a_central_that_never_answers(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    kiosk.confirm(MOTHER, CHECK)
    over = threading.Event()

    def never(_: Asked) -> None:
        over.wait()

    with answering(never) as url:
        kiosk.url = url
        outcome = kiosk.run("sync", "--once", env={"KMC_CENTRAL__TIMEOUT_S": "1"})
        over.set()
    assert (outcome.code, outcome.fault) == (1, "central_unreachable")
    assert outcome.answer["detail"]["why"] == "timeout"
    assert kiosk.status()["waiting"] == 2


def test_a_central_that_is_another_citys(town: Town) -> None:
    """A ticket of this city is no use at another's central, and the machine stays as it was."""
    other = Town(town.home / "elsewhere")
    assert other.central("init", "--mode", "demonstration").code == 0
    ticket = make_ticket((other.central_home / "keys" / "root1.pub").read_bytes())
    kiosk = town.kiosk("IRM1")
    town.start_central()
    fresh = town.kiosk("FRESH")
    outcome = fresh.run("enrol", ticket, "--central", town.url)
    assert (outcome.code, outcome.fault) == (1, "ticket_foreign")
    assert fresh.run("status").fault == "not_enrolled"
    other.start_central()
    kiosk.url = other.url
    outcome = kiosk.sync()
    other.close()
    assert (outcome.code, outcome.fault) == (1, "unknown_key")
    assert kiosk.status()["frozen"] == ""
    kiosk.url = ""
    assert kiosk.sync().code == 0
