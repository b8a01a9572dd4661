"""Whose card is this: judged as a kiosk would, kept in a log, not asked more often than people queue."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from kiosk import credential, lookups
from kiosk.cache_folder import CacheFolder
from kiosk.errors import CentralFault
from kiosk.feed_rows import COLUMNS
from kiosk.ports import LookupWord
from kiosk.values import CardRead, Grade, Medium
from sync.central import importing
from sync.central import lookup as lookups_at_central
from sync.central.cards import issue, revoke
from sync.central.identity_numbers import card_no_of
from sync.central.import_format import Guardian
from sync.central.models import lookup
from sync.client import CentralClient
from sync.feed import load_changes
from sync.lookup import look_up
from sync.wire import ColumnarRows, LookupAnswer, LookupRequest
from tests.sync.central_side import START, Clock, city, entitlement, holder
from tests.sync.served_central import Served, served

UID = bytes.fromhex("04aabbccddee05")
CARD_3 = card_no_of(3)


BOTH = pytest.mark.parametrize("town", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A central whose holder 3 is a child at point 2; guardian 1, the family's head, lives at point 1."""
    on_postgres = getattr(request, "param", "sqlite") == "postgresql"
    url = request.getfixturevalue("postgres_url") if on_postgres else ""
    with served(tmp_path / "central", Clock(), url) as made:
        ward = Guardian(id=5, child_id=3, guardian_id=1, relation="father", valid_from=date(2020, 1, 1))
        people = (holder(1), holder(2), holder(3, 2))
        entitled = tuple(entitlement(number, f"h{number}") for number in (1, 2, 3))
        importing.apply(made.central, city(holders=people, guardians=(ward,), entitlements=entitled))
        yield made


@pytest.fixture
def folder(town: Served, tmp_path: Path) -> Iterator[CacheFolder]:
    """A cache of AAA1, in step."""
    home = tmp_path / "kiosk"
    home.mkdir()
    made = CacheFolder(home, os.urandom(32))
    load_changes(made, town.client().changes, lambda: "2026-11-24T06:00:00+00:00")
    yield made
    made.close()


def card(town: Served, card_no: str = CARD_3, issue_no: int = 1, **changes: Any) -> CardRead:
    """A read of a chip that the city's issuer signed."""
    key = town.central.keys.issuer
    values: dict[str, Any] = {
        "issued_at": START - 1000,
        "expires_at": START + 10**6,
        "key": key.private,
        "kid": key.kid,
        "least": Grade.P1,
    }
    values |= changes
    made = credential.issue(
        values["key"],
        values["kid"],
        card_no,
        issue_no,
        values["issued_at"],
        values["expires_at"],
        Medium.NFC,
        UID,
        values["least"],
    )
    return CardRead(Medium.NFC, made, UID)


def ask(
    town: Served, folder: CacheFolder, read: CardRead, card_no: str = CARD_3, at_ms: int = START * 1000
) -> LookupWord:
    """One question by AAA1."""
    client = town.client()
    try:
        return look_up(client, folder, read, card_no, at_ms, 10.0)
    finally:
        client.close()


def logged(town: Served) -> list[tuple[Any, ...]]:
    """What central has kept of the questions."""
    with town.central.database.read() as connection:
        rows = connection.execute(select(lookup).order_by(lookup.c.at)).all()
    return [(row.kiosk, row.card_no, row.holder_id, row.status, row.code) for row in rows]


@BOTH
def test_a_holder_of_another_point_comes_with_all_that_a_counter_needs(
    town: Served, folder: CacheFolder
) -> None:
    cache = folder.current()
    assert cache.holder(3) is None
    sums = cache.rows("SELECT * FROM cache_meta ORDER BY key")
    assert ask(town, folder, card(town)) == LookupWord("found")
    found = cache.holder_by_card(CARD_3)
    assert found
    assert (found.point_id, found.nik_last4 != "") == (2, True)
    assert [one.program_id for one in cache.entitlements(["h3"])] == ["beras"]
    assert [one.guardian_id for one in cache.guardians(3)] == [1]
    assert cache.family_point(found.family_id) == 1
    assert cache.rows("SELECT * FROM cache_meta ORDER BY key") == sums
    (row,) = logged(town)
    assert row == ("AAA1", CARD_3, 3, "found", "")
    # The next load takes nothing for its own, and leaves what is fresh.
    load_changes(folder, town.client().changes, lambda: "2026-11-24T06:00:00+00:00")
    assert (folder.current_number(), folder.current().holder(3) is not None) == (1, True)
    load_changes(folder, town.client().changes, lambda: "2026-11-26T06:00:00+00:00")
    assert folder.current().holder(3) is None


@pytest.mark.parametrize("least", [Grade.P2, Grade.P3])
def test_a_chip_that_proves_itself_is_judged_by_the_kiosk_that_saw_it(
    least: Grade, town: Served, folder: CacheFolder
) -> None:
    assert ask(town, folder, card(town, least=least)) == LookupWord("found")


def test_a_holder_who_moves_here_is_the_feeds_from_then_on(town: Served, folder: CacheFolder) -> None:
    ask(town, folder, card(town))
    importing.apply(town.central, city(holders=(holder(3, 1),), entitlements=(), guardians=()))
    load_changes(folder, town.client().changes, lambda: "2026-11-24T06:00:00+00:00")
    with folder.current().writing() as connection:
        lookups.forget(connection, [3])
    assert folder.current().holder(3)
    assert folder.current_number() == 1


def test_lookups_outlive_a_cache_that_is_loaded_anew(town: Served, folder: CacheFolder) -> None:
    ask(town, folder, card(town))
    folder.current().db.conn.execute("UPDATE cache_meta SET value = '5' WHERE key = 'sum:city'")
    issue(town.central, 1, "NTAG215", bytes.fromhex("04aabbccddee01"))
    issue(town.central, 1, "NTAG215", bytes.fromhex("04aabbccddee02"))
    load_changes(folder, town.client().changes, lambda: "2026-11-24T06:00:00+00:00")
    assert folder.current_number() == 2
    assert folder.current().holder(3)


REFUSED: dict[str, tuple[str, Callable[[Served], CardRead]]] = {
    "signed by a stranger": (
        "card_bad_signature",
        lambda town: card(town, key=Ed25519PrivateKey.generate()),
    ),
    "of an unknown key": ("card_unknown_key", lambda town: card(town, kid=b"nobody's")),
    "out of date": ("card_expired", lambda town: card(town, expires_at=START - 500)),
    "of the next year": ("card_not_yet_valid", lambda town: card(town, issued_at=START + 10**5)),
    "on another chip": (
        "card_wrong_chip",
        lambda town: CardRead(Medium.NFC, card(town).payload, bytes.fromhex("04ffffffffff05")),
    ),
    "a chip's on paper": ("card_foreign", lambda town: CardRead(Medium.QR, card(town).payload)),
    "nothing of ours": ("card_malformed", lambda town: CardRead(Medium.NFC, b"\x00" * 40, UID)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_card_that_is_not_genuine_tells_nothing_of_anybody(
    town: Served, folder: CacheFolder, name: str
) -> None:
    code, read = REFUSED[name]
    assert ask(town, folder, read(town)) == LookupWord("refused", code)
    assert folder.current().holder(3) is None
    assert logged(town) == [("AAA1", "", 0, "refused", code)]


@BOTH
def test_a_card_that_is_not_to_be_served_tells_nothing_either(town: Served, folder: CacheFolder) -> None:
    ask(town, folder, card(town))
    assert folder.current().holder(3)
    issue(town.central, 3, "NTAG215", bytes.fromhex("04aabbccddee07"))
    issue(town.central, 3, "NTAG215", bytes.fromhex("04aabbccddee08"))
    assert ask(town, folder, card(town)).code == "card_superseded"
    assert folder.current().holder(3) is None  # nor is it served from what was known before
    revoke(town.central, CARD_3, 2, "stolen")
    assert ask(town, folder, card(town, issue_no=2)).code == "card_stolen"
    assert ask(town, folder, card(town, card_no_of(77)), card_no_of(77)) == LookupWord("unknown")
    assert [row[3] for row in logged(town)] == ["found", "refused", "refused", "unknown"]


@BOTH
def test_more_questions_than_people_have_to_wait_each_kiosk_for_itself(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups_at_central, "MOST_IN_WINDOW", 3)
    for _ in range(3):
        ask(town, folder, card(town))
        town.clock.now += 10
    with pytest.raises(CentralFault) as caught:
        ask(town, folder, card(town))
    assert (caught.value.code, caught.value.detail["status"], caught.value.detail["signed"]) == (
        "lookup_too_often",
        429,
        True,
    )
    assert caught.value.detail["retry_after_s"] == 30
    other: CentralClient = town.client("BBB1")
    read = card(town)
    assert other.look_up(LookupRequest(medium="nfc", credential=read.payload, uid=UID)).status == "found"
    town.clock.now += 31
    assert ask(town, folder, card(town)).status == "found"
    assert len(logged(town)) == 5


FALSE: dict[str, dict[str, Any]] = {
    "of another card": {"card_no": "1234567890"},
    "without the holder": {"tables": {}},
    "of another holder": {"holder_id": 2},
    "with columns cut short": {
        "tables": {"holder": ColumnarRows(columns=list(COLUMNS["holder"]), count=1, data=[{"v": []}] * 10)}
    },
}


@pytest.mark.parametrize("name", FALSE)
def test_an_answer_that_cannot_be_is_refused(
    town: Served, folder: CacheFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    genuine = CentralClient.look_up

    def lying(self: CentralClient, *asked: Any, **rest: Any) -> LookupAnswer:
        return genuine(self, *asked, **rest).model_copy(update=FALSE[name])

    monkeypatch.setattr(CentralClient, "look_up", lying)
    with pytest.raises(CentralFault) as caught:
        ask(town, folder, card(town))
    assert caught.value.code == "answer_not_understood"
    assert folder.current().holder(3) is None
