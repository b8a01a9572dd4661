"""Rights in escrow: which grants are taken in, and that nothing hands out more than was granted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kiosk.asking import ASKED_KEPT_MS, forget_asked, note_asked
from kiosk.effects import make_effect
from kiosk.errors import OfficerFault
from kiosk.freezing import ROLLED_BACK
from kiosk.grant import Grant
from kiosk.journal_format import Record, decode, parse_ref
from kiosk.journal_walk import verify_journal
from kiosk.ledger import JOURNAL
from kiosk.rights import (
    GrantOutcome,
    held_epochs,
    release,
    release_forgotten,
    take_in,
)
from kiosk.values import Checks, Collector
from tests.kiosk.ledger_bench import NOW_S, LedgerBench, grant

RICE = "h1/beras/2026-11"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LedgerBench]:
    """A ledger of generation 1."""
    made = LedgerBench(tmp_path / "ledger.db")
    yield made
    made.close()


def refused(code: str) -> pytest.RaisesExc[OfficerFault]:
    """An OfficerFault with that code."""
    return pytest.raises(OfficerFault, check=lambda fault: fault.code == code)


def test_only_a_higher_epoch_of_this_generation_is_taken_in(bench: LedgerBench) -> None:
    outcomes = bench.take_in(
        grant(RICE, 2),
        grant(RICE, 2),
        grant(RICE, 1),
        grant(RICE, 3, kiosk="HDM1"),
        grant(RICE, 3, gen=2),
        grant(RICE, 3),
        grant(RICE, 1, epoch=(2, 1)),
    )
    assert outcomes == [
        GrantOutcome.TAKEN_IN,
        GrantOutcome.SAME,
        GrantOutcome.STALE_EPOCH,
        GrantOutcome.OTHER_GENERATION,
        GrantOutcome.OTHER_GENERATION,
        GrantOutcome.TAKEN_IN,
        GrantOutcome.TAKEN_IN,
    ]
    assert held_epochs(bench.ledger, 1) == [(RICE, (2, 1))]


def test_a_released_right_comes_back_only_above_the_floor(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 4))
    released = bench.release(RICE)
    assert released is not None
    assert released.detail == {"upto": [1, 4]}
    assert bench.take_in(grant(RICE, 4), grant(RICE, 3)) == [GrantOutcome.RELEASED] * 2
    with refused("right_not_held"):
        bench.dispense(RICE, 10)
    assert bench.release(RICE) is None
    assert bench.take_in(grant(RICE, 5)) == [GrantOutcome.TAKEN_IN]
    bench.dispense(RICE, 10)


def test_a_release_central_has_not_got_still_counts_as_outstanding(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 4))
    bench.release(RICE)
    assert held_epochs(bench.ledger, 1) == [(RICE, (1, 4))]


def test_a_renewal_that_crosses_a_pickup_on_the_wire_takes_it_off(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    first = bench.dispense(RICE, 4, partial=True)
    bench.take_in(grant(RICE, 2, 15))  # central had counted nothing yet
    assert bench.left(RICE) == 11
    bench.dispense(RICE, 5, partial=True)
    bench.take_in(grant(RICE, 3, 11, upto_seq=first.seq))  # it had counted the first one
    assert bench.left(RICE) == 6


def test_a_void_gives_back_whatever_central_had_counted(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    pickup = bench.dispense(RICE, 4, partial=True)
    bench.take_in(grant(RICE, 2, 6, upto_seq=pickup.seq))
    bench.void(pickup)
    assert bench.left(RICE) == 10
    # Voided before the renewal, and central did not know: the same.
    other = bench.dispense(RICE, 3, partial=True)
    bench.void(other)
    bench.take_in(grant(RICE, 3, 7, upto_seq=other.seq))
    assert bench.left(RICE) == 10


def test_a_cut_right_gives_back_no_more_than_it_holds_now(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    pickup = bench.dispense(RICE, 10)
    bench.take_in(grant(RICE, 2, 8))  # cut to 8, central had counted nothing: 8 less 10
    assert bench.left(RICE) == 0
    bench.void(pickup)
    assert bench.left(RICE) == 8


def test_a_grant_of_nothing_stays_nothing(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    pickup = bench.dispense(RICE, 10)
    bench.take_in(grant(RICE, 2, 0, upto_seq=pickup.seq))  # how far below nothing, it does not say
    bench.void(pickup)
    assert bench.left(RICE) == 0


def test_a_void_of_a_released_right_brings_nothing_back_here(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    pickup = bench.dispense(RICE, 4, partial=True)
    bench.release(RICE)
    bench.void(pickup)
    assert bench.left(RICE) == 6  # as it went back
    with refused("right_not_held"):
        bench.dispense(RICE, 1, partial=True)


def test_a_void_after_the_periods_end_is_recorded_and_spends_nothing(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10, not_after=NOW_S + 60))
    pickup = bench.dispense(RICE, 10)
    bench.clock.at = bench.clock.at.replace(hour=3)
    bench.void(pickup)
    assert bench.left(RICE) == 10
    with refused("right_closed"):
        bench.dispense(RICE, 10)


def test_a_grant_that_counts_more_than_the_journal_holds_freezes(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1))
    bench.note()
    assert bench.take_in(grant("h2/beras/2026-11", 1, upto_seq=2)) == [GrantOutcome.ROLLED_BACK]
    assert bench.ledger.meta("frozen") == ROLLED_BACK
    with refused("frozen"):
        bench.dispense(RICE, 10)


def test_an_older_generations_right_is_not_spent_and_not_released(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1))
    bench.ledger.db.conn.execute("UPDATE rights SET gen = 7")
    with refused("right_not_held"):
        bench.dispense(RICE, 10)
    assert bench.release(RICE) is None
    assert held_epochs(bench.ledger, 1) == []


@pytest.mark.parametrize("quantity", [0, -1, 11])
def test_quantities_that_are_none(bench: LedgerBench, quantity: int) -> None:
    bench.take_in(grant(RICE, 1, 10))
    with refused("quantity"):
        bench.dispense(RICE, quantity)


def test_less_than_all_needs_a_reason_inside_the_transaction(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    with refused("reason_missing"):
        bench.dispense(RICE, 9, reason="")
    bench.dispense(RICE, 9)
    with refused("already_taken"):
        bench.dispense(RICE, 1)


def test_only_documents_the_program_asks_for_enter_the_chain(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1, 10))
    checks = Checks(("SITI RAHAYU", "ktp"), photo_and_ktp=True)
    record = bench.dispense(RICE, 10, checks=checks, collector=Collector("representative", 0, "WAHYU", "7"))
    assert record.detail["checks"] == ["photo_and_ktp"]


def test_an_acquired_right_goes_back_once_and_only_unused(bench: LedgerBench) -> None:
    now_ms = NOW_S * 1000
    bench.take_in(grant(RICE, 1), grant("h2/beras/2026-11", 1), acquired_ms=now_ms)
    bench.take_in(grant("h3/beras/2026-11", 1))
    bench.dispense("h2/beras/2026-11", 10)
    for used_or_placed in ("h2/beras/2026-11", "h3/beras/2026-11"):
        assert release(bench.journal, used_or_placed, only_acquired=True) is None
    assert release_forgotten(bench.journal, 1) == 0  # came this moment
    assert release_forgotten(bench.journal, 0) == 1
    assert release_forgotten(bench.journal, 0) == 0
    assert [right for right, _ in held_epochs(bench.ledger, 1)] == [
        RICE,
        "h2/beras/2026-11",
        "h3/beras/2026-11",
    ]
    known = bench.ledger.rights([RICE, "h2/beras/2026-11", "h3/beras/2026-11"])
    assert [known[right].held for right in sorted(known)] == [False, True, True]


def test_a_grant_asked_for_is_acquired_also_if_it_comes_by_poll(bench: LedgerBench) -> None:
    note_asked(bench.ledger, [RICE], NOW_S * 1000)
    bench.take_in(grant(RICE, 1), grant("h2/beras/2026-11", 1))
    assert bench.take_in(grant(RICE, 1), acquired_ms=NOW_S * 1000) == [GrantOutcome.SAME]
    assert release(bench.journal, "h2/beras/2026-11", only_acquired=True) is None  # placed here
    assert release(bench.journal, RICE, only_acquired=True) is not None
    bench.take_in(grant(RICE, 2))  # placed here afterwards: nobody asked for it again
    assert release(bench.journal, RICE, only_acquired=True) is None


def test_what_is_held_keeps_the_way_in_which_it_came(bench: LedgerBench) -> None:
    bench.take_in(grant(RICE, 1))
    bench.take_in(grant(RICE, 1), grant(RICE, 2), acquired_ms=NOW_S * 1000)
    assert release(bench.journal, RICE, only_acquired=True) is None
    bench.take_in(grant("h2/beras/2026-11", 1), acquired_ms=NOW_S * 1000)
    bench.take_in(grant("h2/beras/2026-11", 2))  # renewed while somebody looks at it
    assert release(bench.journal, "h2/beras/2026-11", only_acquired=True) is not None


def test_what_was_asked_for_is_forgotten_once_nothing_can_come_of_it(bench: LedgerBench) -> None:
    asked_ms = NOW_S * 1000
    note_asked(bench.ledger, [RICE, "h2/beras/2026-11"], asked_ms)
    forget_asked(bench.ledger, asked_ms + ASKED_KEPT_MS)
    take_in(bench.ledger, [], kiosk="IRM1", gen=1, told=["h2/beras/2026-11"])
    assert [row[0] for row in bench.ledger.rows("SELECT right FROM asked")] == [RICE]
    note_asked(bench.ledger, ["h3/beras/2026-11"], asked_ms + 1)
    forget_asked(bench.ledger, asked_ms + ASKED_KEPT_MS + 1)
    assert [row[0] for row in bench.ledger.rows("SELECT right FROM asked")] == ["h3/beras/2026-11"]


RIGHTS = st.sampled_from(["h1/beras/2026-11", "h2/beras/2026-11", "f7/gula/2026-11"])


class EscrowMachine(RuleBasedStateMachine):
    """One kiosk, a central that counts what reached it, and an oracle that counts what left the counter."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = LedgerBench(Path(self.folder.name) / "ledger.db")
        self.quantity: dict[str, int] = {}
        self.n: dict[str, int] = {}
        self.at_kiosk: set[str] = set()
        self.synced = 0
        self.records: list[Record] = []
        self.granted_at: list[tuple[int, Grant]] = []
        self.handed: dict[str, int] = {}

    @initialize(quantities=st.lists(st.integers(1, 20), min_size=3, max_size=3))
    def begin(self, quantities: list[int]) -> None:
        for right, quantity in zip(
            ("h1/beras/2026-11", "h2/beras/2026-11", "f7/gula/2026-11"), quantities, strict=True
        ):
            self.quantity[right], self.n[right], self.handed[right] = quantity, 0, 0

    def keep(self, record: Record | None) -> None:
        if record is not None:
            self.records.append(record)

    def spent_at_central(self, right: str) -> int:
        known = self.records[: self.synced]
        voided = {record.ref for record in known if record.type == "void"}
        return sum(
            record.detail["spends"]
            for record in known
            if record.type == "dispense" and record.right == right and f"IRM1-{record.seq:04d}" not in voided
        )

    @rule(right=RIGHTS)
    def grant_or_renew(self, right: str) -> None:
        left = self.quantity[right] - self.spent_at_central(right)
        if left <= 0:
            return
        self.n[right] += 1
        made = grant(right, self.n[right], left, upto_seq=self.synced)
        assert self.bench.take_in(made) == [GrantOutcome.TAKEN_IN]
        self.granted_at.append((len(self.records), made))
        self.at_kiosk.add(right)

    @rule(right=RIGHTS)
    def deliver_an_old_grant_again(self, right: str) -> None:
        old = [made for _, made in self.granted_at if made.right == right]
        if old:
            assert self.bench.take_in(old[0])[0] is not GrantOutcome.TAKEN_IN

    @rule(right=RIGHTS, quantity=st.integers(1, 20), partial=st.booleans())
    def hand_out(self, right: str, quantity: int, partial: bool) -> None:
        known = self.bench.ledger.right(right)
        if known is None or not known.held:
            with refused("right_not_held"):
                self.bench.dispense(right, quantity, partial=partial)
        elif known.quantity_left < quantity:
            with refused("quantity" if known.quantity_left else "already_taken"):
                self.bench.dispense(right, quantity, partial=partial)
        else:
            self.keep(self.bench.dispense(right, quantity, partial=partial))
            self.handed[right] += quantity

    @precondition(lambda self: any(record.type == "dispense" for record in self.records))
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from([one for one in self.records if one.type == "dispense"]))
        if any(one.type == "void" and one.ref == f"IRM1-{record.seq:04d}" for one in self.records):
            with refused("already_voided"):
                self.bench.void(record)
        else:
            self.keep(self.bench.void(record))
            self.handed[record.right] -= record.quantity

    @rule(right=RIGHTS)
    def give_back(self, right: str) -> None:
        self.keep(self.bench.release(right))

    @rule(share=st.floats(0, 1))
    def sync(self, share: float) -> None:
        self.synced += round(share * (len(self.records) - self.synced))

    @rule(right=RIGHTS, quantity=st.integers(1, 20))
    def entitle_more(self, right: str, quantity: int) -> None:
        self.quantity[right] = max(self.quantity[right], quantity)

    @invariant()
    def never_more_than_granted(self) -> None:
        for right, handed in self.handed.items():
            assert 0 <= handed <= self.quantity[right]
            known = self.bench.ledger.right(right)
            if known and known.held:
                assert handed + known.quantity_left <= self.quantity[right] or known.quantity_left == 0

    def teardown(self) -> None:
        try:
            if self.quantity:
                self.check_journal()
        finally:
            self.bench.close()
            self.folder.cleanup()

    def check_journal(self) -> None:
        assert verify_journal(self.bench.ledger)["records"] == len(self.records)
        again = LedgerBench(Path(self.folder.name) / "again.db")
        rows = self.bench.ledger.rows(f"SELECT * FROM {JOURNAL} ORDER BY seq")
        grants = list(self.granted_at)
        for place, row in enumerate([*rows, None]):
            while grants and grants[0][0] == place:
                again.clock = self.bench.clock
                again.take_in(grants.pop(0)[1])
            if row is not None:
                with again.ledger.writing() as connection:
                    connection.execute(f"INSERT INTO {JOURNAL} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                    make_effect(connection, decode(bytes(row[5])))
        assert again.tables() == self.bench.tables()
        assert all(parse_ref(ref)[2] for ref, *_ in again.tables()[1])
        again.close()


TestEscrow = EscrowMachine.TestCase
TestEscrow.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
