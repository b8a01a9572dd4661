"""What a kiosk tells a central that went back to a backup: its journal first, then all that it holds."""

from __future__ import annotations

import pytest

from kiosk.journal import Draft
from sync import reporting
from sync.reporting import report_holdings
from sync.watch import back_off_s
from sync.wire import HoldingsAnswer, HoldingsRequest
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral, make_engine


def test_the_journal_goes_first_and_all_pages_follow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MAX_HELD", 1)
    central = FakeCentral(world)
    engine = make_engine(world, central)
    engine._journal.append(lambda _: Draft(type="note"))
    held = [(f"h{n}/beras/2026-11", (1, n)) for n in range(1, 4)]
    monkeypatch.setattr(reporting, "held_epochs", lambda _ledger, _gen: held)
    sent: list[HoldingsRequest] = []

    def take(request: HoldingsRequest) -> HoldingsAnswer:
        sent.append(request)
        assert "push" in central.calls
        return HoldingsAnswer(status="taken")

    try:
        assert report_holdings(engine.ledger, 1, engine.push_all, take)
        assert [one for page in sent for one in page.held] == [(right, *epoch) for right, epoch in held]
        assert [page.first for page in sent] == [True, False, False]
        assert [page.more for page in sent] == [True, True, False]
        assert {page.head_seq for page in sent} == {engine.ledger.head_seq(1)}
    finally:
        engine.close()


def test_a_central_that_wants_the_journal_is_asked_again_later(world: World) -> None:
    engine = make_engine(world, FakeCentral(world))
    try:
        assert not report_holdings(
            engine.ledger, 1, engine.push_all, lambda _: HoldingsAnswer(status="journal_first")
        )
    finally:
        engine.close()


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.99])
def test_a_time_that_central_names_is_never_cut_short(jitter: float) -> None:
    for failures in (1, 3, 50):
        wait_s = back_off_s(failures, 40, jitter)
        assert 40 <= wait_s <= 60
