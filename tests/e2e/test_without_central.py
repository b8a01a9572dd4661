"""A counter goes on without central, and whatever it recorded reaches central exactly once."""

from __future__ import annotations

import dataclasses

import pytest

from tests.e2e.loopback import Asked, Reply, answering, forward
from tests.e2e.town import CHECK, FARMER, FERTILISER, MOTHER, RICE, Town

pytestmark = pytest.mark.slow

ELDER, AUNT, ONE_PROGRAM, LONG_NAME = "4438987150", "9423380311", "7990390259", "2911459168"
NEW_CARD, FARMERS_WIFE = "8713380205", "4621035502"
AID = "bantuan-lansia"
TEN = (
    (MOTHER, RICE), (MOTHER, CHECK), (ELDER, CHECK), (ELDER, AID), (AUNT, CHECK), (ONE_PROGRAM, CHECK),
    (LONG_NAME, AID), (NEW_CARD, CHECK), (FARMERS_WIFE, RICE), (FARMER, FERTILISER),
)  # fmt: skip


def test_ten_pickups_reach_central_once(town: Town) -> None:
    kiosk = town.kiosk("IRM1")
    outcome = kiosk.sync()
    assert (outcome.code, outcome.fault, outcome.answer["family"]) == (1, "central_unreachable", "central")
    assert kiosk.sync().fault == "central_unreachable"  # once alone could be chance
    shown = kiosk.run("show", "--card", MOTHER).answer
    assert (shown["name"], shown["ready"]) == ("Wulan Rahayu", [CHECK])
    refs = []
    for card, program in TEN:
        code, pickup = kiosk.confirm(card, program)
        assert code == 0, pickup
        assert pickup["synced"] is False
        refs.append(pickup["ref"])
    status = kiosk.status()
    assert (status["online"], status["waiting"], status["unshown"]) == (False, 20, [])
    assert town.books().hashes == {}

    town.start_central()
    code, report = kiosk.sync()
    assert (code, report["pushed"], report["waiting"]) == (0, 20, 0)
    books = town.books()
    assert [one.ref for one in books.handed] == refs
    assert [(one.card, one.program) for one in books.handed] == list(TEN)
    assert books.of("IRM1") == kiosk.hashes()
    assert kiosk.status()["waiting"] == 0

    code, report = kiosk.sync()
    assert (code, report["pushed"], report["grants"], report["rows"]) == (0, 0, 0, 0)
    assert town.books() == books


def test_a_reply_lost_after_central_took_the_records(any_town: Town) -> None:
    """No reply, half a reply, then the same request once more: each time central has them once."""
    kiosk = any_town.kiosk("IRM1")
    refs = [kiosk.confirm(*pair).answer["ref"] for pair in TEN[:2]]
    any_town.start_central()
    spoil = ["drop", "cut", "repeat"]
    repeated: list[Reply] = []

    def answer(asked: Asked) -> Reply | None:
        reply = forward(any_town.url, asked)
        if asked.path != "/v1/journal":
            return reply
        how = spoil.pop(0)
        if how == "repeat":
            repeated.append(forward(any_town.url, asked))
            return reply
        return None if how == "drop" else dataclasses.replace(reply, cut=len(reply.body) // 2)

    with answering(answer) as url:
        kiosk.url = url
        for fault in ("central_unreachable", "answer_cut"):
            outcome = kiosk.sync()
            assert (outcome.code, outcome.fault) == (1, fault)
            assert any_town.pickups_at_central() == refs
            assert kiosk.status()["waiting"] == 4
        code, report = kiosk.sync()
    assert (code, report["waiting"]) == (0, 0)
    assert [reply.status for reply in repeated] == [401]
    books = any_town.books()
    assert [one.ref for one in books.handed] == refs
    assert books.of("IRM1") == kiosk.hashes()
    assert kiosk.verify().code == 0
