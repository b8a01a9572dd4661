"""The kiosk's own journal door and central's books together: what one writes the other counts the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.central_time import note_heard
from kiosk.clock import unix_ms
from kiosk.grant import Term
from kiosk.journal import Identity, Journal
from kiosk.journal_format import Record, pickup_ref
from kiosk.journal_walk import public_key_meta
from kiosk.ledger import JOURNAL, Ledger
from kiosk.program import Program
from kiosk.retiring import retire
from kiosk.rights import GrantOutcome, Handing, dispense, take_in
from kiosk.stock_records import give_back, receive
from kiosk.tolerate import WithoutRight
from kiosk.values import Checks, Collector, Grade
from kiosk.voiding import void_requested
from sync.central import accounts, audit, importing, orders, overview, stock
from sync.central.state import Central
from sync.wire import PollAnswer, to_base64
from tests.kiosk.counter_world import SetClock
from tests.kiosk.ledger_bench import KEY, RINA
from tests.sync.central_side import CARD_1, RICE, START, PlainKiosk, city, entitlement, place, program

pytestmark = pytest.mark.anyio
LIMITS = {"amount": 50_000, "count": 5, "days": 7}


class Desk:
    """A real ledger and journal in the place of a plain kiosk's chain; it speaks through that kiosk."""

    def __init__(self, path: Path, kiosk: PlainKiosk) -> None:
        self.kiosk = kiosk
        self.ledger = Ledger(path, KEY, create=True)
        public = kiosk.key.public_key().public_bytes_raw().hex()
        self.ledger.set_meta(**{public_key_meta(kiosk.gen): public, "gen": str(kiosk.gen)})
        clock = SetClock(at=datetime.fromtimestamp(START, UTC))
        self.journal = Journal(self.ledger, Identity(kiosk.kiosk, kiosk.gen, kiosk.key), clock)
        note_heard(self.ledger, unix_ms(clock.now()))

    async def sync(self) -> PollAnswer:
        """Pushes all, takes grants in, carries out what central asks for, pushes that."""
        await self.push()
        answer = await self.kiosk.poll()
        opened = [(self.kiosk.open(data), data) for data in answer.grants]
        taken = take_in(self.ledger, opened, kiosk=self.kiosk.kiosk, gen=self.kiosk.gen)
        assert set(taken) <= {GrantOutcome.TAKEN_IN, GrantOutcome.SAME}
        receive(self.journal, answer.slices, self.kiosk.keyset)
        for one in answer.voids:
            void_requested(self.journal, one.ref, one.reason, one.by)
        await self.push()
        return answer

    async def push(self) -> None:
        """Puts the whole journal before central; what it has changes nothing."""
        rows = self.ledger.rows(f"SELECT record, signature FROM {JOURNAL} ORDER BY seq")
        records = [
            {"record": to_base64(bytes(row[0])), "signature": to_base64(bytes(row[1]))} for row in rows
        ]
        if records:
            body = {"gen": self.kiosk.gen, "from_seq": 1, "records": records}
            answer = await self.kiosk.ask("POST", "/v1/journal", body)
            assert (answer["status"], answer["quarantined"]) == ("ok", [])

    def hand_out(self, one: Program, right: str = RICE, without: WithoutRight | None = None) -> Record:
        """Hands out 10,000 of a program."""
        handing = Handing(
            program=one,
            right=right,
            entitlement=(1, 1),
            quantity=10_000,
            most=10_000,
            card_no=CARD_1,
            grade=Grade.P1,
            collector=Collector(),
            checks=Checks(),
            officer=RINA,
            without=without,
        )
        return dispense(self.journal, handing)


@pytest.fixture
def desk(tmp_path: Path, keeper: PlainKiosk) -> Iterator[Desk]:
    """AAA1 with a ledger of its own."""
    made = Desk(tmp_path / "ledger.db", keeper)
    yield made
    made.ledger.close()


def slice_at(central: Central) -> tuple[int, int, str]:
    """Spent, returned and state of the only slice."""
    (one,) = stock.show(central)
    return one["spent"], one["returned"], one["state"]


async def test_a_slice_is_received_used_given_back_and_a_void_asked_for_is_carried_out(
    central: Central, desk: Desk, tmp_path: Path
) -> None:
    rice = program(version=2, stock=True)
    importing.apply(central, city(programs=(rice,)))
    place(central)
    stock.allot(central, "beras", "AAA1", 25_000)
    await desk.sync()
    assert (await desk.sync()).slices == []
    record = desk.hand_out(rice)
    await desk.push()
    assert slice_at(central) == (10_000, 0, "received")
    ref = pickup_ref(record.kiosk, record.gen, record.seq)
    accounts.add(central, "siska", tmp_path / "siska.key")
    orders.request_void(central, ref, "salah", accounts.signer("siska", tmp_path / "siska.key"))
    await desk.sync()
    assert (await desk.sync()).voids == []
    assert (overview.right(central, RICE)["spent"], slice_at(central)[0]) == (0, 0)
    give_back(desk.journal, "budi", "beras")
    await desk.push()
    assert slice_at(central) == (0, 25_000, "closed")
    assert audit.audit(central).code == ""


async def test_a_kiosk_that_retires_frees_all_it_holds(
    central: Central, desk: Desk, second: PlainKiosk
) -> None:
    await desk.sync()
    assert (await second.acquire(RICE))[0].status == "recalled"
    gone = retire(desk.journal, "budi")
    assert gone.rights >= 4
    await desk.push()
    (word,) = await second.acquire(RICE)
    assert (word.status, second.open(word.grant).quantity_left) == ("granted", 10_000)
    assert audit.audit(central).code == ""


async def test_what_was_tolerated_spends_the_right_and_the_kiosk_knows_it_when_it_is_granted(
    central: Central, desk: Desk
) -> None:
    oil = program("minyak", mode="tolerate", tolerate=LIMITS)
    importing.apply(central, city(programs=(oil,), entitlements=(entitlement(9, "h1", program_id="minyak"),)))
    place(central)
    right = "h1/minyak/2026-11"
    # Its grant lies at central for this kiosk, which is cut off and has not got it.
    desk.hand_out(oil, right, WithoutRight(10_000, 0))
    answer = await desk.kiosk.poll()
    opened = [(desk.kiosk.open(data), data) for data in answer.grants]
    take_in(desk.ledger, opened, kiosk="AAA1", gen=1)
    held = desk.ledger.right(right)
    assert held is not None
    assert (held.held, held.quantity_left, held.mode) == (True, 0, "tolerate")
    await desk.push()
    told = overview.right(central, right)
    assert (told["spent"], told["quantity"], told["cases"]) == (10_000, 10_000, [])
    assert audit.audit(central).code == ""


async def test_a_supplement_is_handed_out_after_the_first(central: Central, desk: Desk) -> None:
    rice = program()
    await desk.sync()
    desk.hand_out(rice)
    await desk.push()
    importing.apply(central, city(entitlements=(entitlement(1, "h1", 20_000, version=2),)))
    await desk.sync()
    held = desk.ledger.right(RICE)
    assert held is not None
    assert (held.quantity_left, held.epoch) == (10_000, (1, 2))
    assert held.terms == f'[["beras",1,1,2,{20_000}]]'
    assert desk.kiosk.open(held.grant).terms == (Term("beras", 1, 1, 2, 20_000),)
    desk.hand_out(rice)
    await desk.push()
    assert overview.right(central, RICE)["spent"] == 20_000
    assert overview.right(central, RICE)["cases"] == []
