"""Answers that a sound central never gives: refused as a whole, or the bad part set aside and told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from kiosk import grant as grants
from kiosk.errors import CentralFault
from kiosk.grant import Grant, Term
from sync.client import parse_answer
from sync.engine import SyncEngine
from sync.signature import open_answer, seal_answer
from sync.wire import EnrolAnswer, JournalAnswer, KeysetAnswer, PollAnswer, RightsAnswer, to_base64
from tests.kiosk.city import CITY
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral, make_engine

POLL: dict[str, Any] = {
    "changes_waiting": False, "grant_rev": 0, "time_ms": 1, "incarnation": 1, "acked_seq": 0,
}  # fmt: skip
PUSHED: dict[str, Any] = {"status": "ok", "acked_seq": 0, "durable_seq": 0, "head": "00" * 32}
ANSWERS: dict[str, tuple[type[BaseModel], Any]] = {
    "a list": (PollAnswer, []),
    "null": (PollAnswer, None),
    "a revision below nothing": (PollAnswer, POLL | {"grant_rev": -1}),
    "a revision beyond counting": (PollAnswer, POLL | {"grant_rev": 2**63}),
    "a time beyond counting": (PollAnswer, POLL | {"time_ms": 10**30}),
    "a journal below nothing": (PollAnswer, POLL | {"acked_seq": -5}),
    "an incarnation in text": (PollAnswer, POLL | {"incarnation": "one"}),
    "a grant that is no Base64": (PollAnswer, POLL | {"grants": ["!"]}),
    "grants that are none": (PollAnswer, POLL | {"grants": {"a": 1}}),
    "recalls that are numbers": (PollAnswer, POLL | {"recalls": [7]}),
    "an order of numbers": (PollAnswer, POLL | {"order": 7}),
    "an order without end": (PollAnswer, POLL | {"order": "wipe" * 1000}),
    "a field missing": (PollAnswer, {key: one for key, one in POLL.items() if key != "time_ms"}),
    "a status unknown": (JournalAnswer, PUSHED | {"status": "fine"}),
    "an acknowledgement below nothing": (JournalAnswer, PUSHED | {"acked_seq": -1}),
    "an acknowledgement beyond counting": (JournalAnswer, PUSHED | {"acked_seq": 2**63}),
    "a gap in text": (JournalAnswer, PUSHED | {"gap_from": "x"}),
    "a right without its name": (RightsAnswer, {"answers": [{"status": "granted"}]}),
    "a right's status unknown": (RightsAnswer, {"answers": [{"right": "x", "status": "maybe"}]}),
    "an enrolment without roots": (EnrolAnswer, {"enrolment": "", "keyset": ""}),
    "a gigantic keyset": (KeysetAnswer, {"keyset": to_base64(bytes(20_000))}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_another_shape_is_not_understood(name: str) -> None:
    model, body = ANSWERS[name]
    with pytest.raises(CentralFault) as fault:
        parse_answer(json.dumps(body).encode(), model)
    assert fault.value.code == "answer_not_understood"


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[" * 200_000, b'{"a":' * 100_000])
def test_bytes_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(CentralFault) as fault:
        parse_answer(body, PollAnswer)
    assert fault.value.code == "answer_not_understood"


def seal(**changes: Any) -> str:
    usual: dict[str, Any] = {"nonce": "n1", "time_ms": 5, "status": 200, "body": b"{}"}
    return seal_answer(CITY.central, b"c-now", **usual | changes)


SEALS: dict[str, str] = {
    "nothing": "",
    "no Base64": "???",
    "of another request": seal(nonce="n2"),
    "of another status": seal(status=403),
    "of another body": seal(body=b"{ }"),
    "by a stranger": seal_answer(CITY.stranger, b"c-now", nonce="n1", time_ms=5, status=200, body=b"{}"),
    "by a retired key": seal_answer(
        CITY.retired_central, b"c-old", nonce="n1", time_ms=5, status=200, body=b"{}"
    ),
    "by a stolen key": seal_answer(
        CITY.stolen_central, b"c-bad", nonce="n1", time_ms=5, status=200, body=b"{}"
    ),
    "by the issuer": seal_answer(CITY.issuer, b"i-now", nonce="n1", time_ms=5, status=200, body=b"{}"),
    "gigantic": to_base64(bytes(100_000)),
}


@pytest.mark.parametrize("name", SEALS)
def test_a_seal_that_does_not_hold(name: str) -> None:
    speaking = CITY.keyset.speaking_key
    with pytest.raises(CentralFault) as fault:
        open_answer(SEALS[name], speaking, nonce="n1", status=200, body=b"{}")
    assert fault.value.code == "answer_refused"
    assert open_answer(seal(), speaking, nonce="n1", status=200, body=b"{}").time_ms == 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A kiosk."""
    made = World(tmp_path)
    yield made
    made.counter.close()


@pytest.fixture
def central(world: World) -> FakeCentral:
    """A central of a few values."""
    return FakeCentral(world)


@pytest.fixture
def engine(world: World, central: FakeCentral) -> Iterator[SyncEngine]:
    """The kiosk's engine."""
    made = make_engine(world, central)
    yield made
    made.close()


def grant(right: str, **changes: Any) -> Grant:
    fields: dict[str, Any] = {
        "right": right, "kiosk": "IRM1", "gen": 1, "epoch": (1, 1), "quantity_left": 10,
        "terms": (Term("beras", 1, 1, 1, 10),), "not_before": 0, "not_after": 2**40, "mode": "strict",
        "upto_seq": 0,
    }  # fmt: skip
    return Grant(**fields | changes)


@pytest.mark.expects_log("grant")
def test_bad_grants_hold_no_good_one_up_and_are_told_once(
    world: World, central: FakeCentral, engine: SyncEngine
) -> None:
    stranger = grants.make(grant("h9/beras/2026-11"), CITY.stranger, b"c-now")
    stolen = grants.make(grant("h8/beras/2026-11"), CITY.stolen_central, b"c-bad")
    central.grants = [b"", b"\xd2" + b"\x84" * 9000, stranger, stolen, bytes(200_000)]
    central.give(grant("h7/beras/2026-11", kiosk="HDM1"), grant("h6/beras/2026-11", gen=2))
    central.give(grant("h1/beras/2026-11"))
    engine.poll(0.0)
    assert [
        right for right in ("h1", "h6", "h7", "h8", "h9") if engine.ledger.right(f"{right}/beras/2026-11")
    ] == ["h1"]
    engine.ledger.set_meta(grant_rev="0")  # central sends all of them again
    for _ in range(3):
        engine.poll(0.0)
    told = [poll.health.get("refused") for poll in central.polls]
    assert told == [None, ["grant_other_generation", "grant_refused"], None, None]


@pytest.mark.parametrize("recall", ["", "x", "h1/beras", "\x00", "h1/beras/2026-11" * 1000])
def test_a_recall_of_what_is_not_held_records_nothing(
    central: FakeCentral, engine: SyncEngine, recall: str
) -> None:
    central.recalls = [recall]
    engine.sync_now()
    assert engine.ledger.head_seq(1) == 0
