"""Accounts of staff, rights in doubt, write-offs by two people, and what comes to light after one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from kiosk.errors import EnvironmentFault, OfficerFault
from sync.central import accounts, audit, kiosk_orders, kiosk_rows, overview, story, writeoff
from sync.central.accounts import Signer
from sync.central.models import approval, writeoff_right
from sync.central.models import writeoff as writeoffs
from sync.central.state import Central
from tests.sync.central_side import NEXT_RICE, RICE, Clock, PlainKiosk, place

pytestmark = pytest.mark.anyio
DAY = 86_400


@pytest.fixture
def ani(central: Central, tmp_path: Path) -> Signer:
    """One account of staff, with its key."""
    return account(central, tmp_path, "ani")


@pytest.fixture
def budi(central: Central, tmp_path: Path) -> Signer:
    """Another one."""
    return account(central, tmp_path, "budi")


def account(central: Central, folder: Path, name: str, role: str = "staff") -> Signer:
    """A new account and its key from its file."""
    accounts.add(central, name, folder / f"{name}.key", role)
    return accounts.signer(name, folder / f"{name}.key")


def test_an_account_s_key_is_a_file_that_only_its_owner_reads(central: Central, tmp_path: Path) -> None:
    made = account(central, tmp_path, "ani")
    path = tmp_path / "ani.key"
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o400, 32)
    assert [(one["name"], one["role"], one["state"]) for one in accounts.listed(central)] == [
        ("ani", "staff", "active")
    ]
    with pytest.raises(OfficerFault, match="account_exists"):
        accounts.add(central, "ani", tmp_path / "other.key")
    assert not (tmp_path / "other.key").exists()
    with pytest.raises(EnvironmentFault, match="key_file_exists"):
        accounts.add(central, "budi", path)
    assert accounts.signer("ani", path).public == made.public
    with pytest.raises(OfficerFault, match="account_name"):
        accounts.add(central, "Ani B", tmp_path / "x.key")


async def test_what_a_lost_kiosk_holds_is_in_doubt_and_nobody_s(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    (answer,) = await second.acquire(RICE)
    assert (answer.status, answer.kiosk) == ("held", "AAA1")
    assert place(central) == 0
    assert story.tell(central, RICE)["lies"]["state"] == "in_doubt"


async def test_only_the_period_s_end_ends_doubt_by_itself(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    clock.now += 5 * DAY
    place(central)
    assert (await second.acquire(RICE))[0].status == "held"
    # December's was placed ahead at the lost kiosk too; January's never was, and is anybody's to ask for.
    clock.now += 5 * DAY
    place(central)
    assert [one.status for one in await second.acquire(RICE, NEXT_RICE)] == ["closed", "held"]
    clock.now += 31 * DAY
    place(central)
    assert [one.status for one in await second.acquire(NEXT_RICE, "h1/beras/2027-01")] == [
        "closed",
        "granted",
    ]


async def test_a_write_off_takes_two_people(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    with pytest.raises(OfficerFault, match="not_in_doubt"):
        writeoff.ask_for_right(central, RICE, "stolen", ani)
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen on the way home", ani)
    assert (await second.acquire(RICE))[0].status == "held"
    with pytest.raises(OfficerFault, match="same_account"):
        writeoff.approve(central, made, ani)
    assert writeoff.approve(central, made, budi) == {"id": made, "state": "done", "freed": 1}
    (one,) = writeoff.listed(central)
    assert [(signed["account"], signed["holds"]) for signed in one["signed"]] == [
        ("ani", True),
        ("budi", True),
    ]
    (granted, other) = await second.acquire(RICE, "h2/beras/2026-11")
    assert (granted.status, second.open(granted.grant).epoch, other.status) == ("granted", (1, 2), "held")
    with pytest.raises(OfficerFault, match="already_done"):
        writeoff.approve(central, made, budi)


async def test_a_lost_kiosk_is_written_off_whole(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(OfficerFault, match="unknown_gen"):
        writeoff.ask_for_kiosk(central, "AAA1", None, "lost", ani)
    with pytest.raises(OfficerFault, match="kiosk_active"):
        writeoff.ask_for_kiosk(central, "AAA1", 1, "lost", ani)
    kiosk_orders.stop(central, "AAA1")
    with pytest.raises(OfficerFault, match="kiosk_active"):
        writeoff.ask_for_kiosk(central, "AAA1", 1, "lost", ani)
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_kiosk(central, "AAA1", None, "lost", ani)
    with central.database.read() as connection:
        assert not writeoff.is_written_off(connection, "AAA1", 1)
    monkeypatch.setattr(writeoff, "RIGHTS_PER_WRITE", 3)
    assert writeoff.approve(central, made, budi)["freed"] == 4
    with central.database.read() as connection:
        assert writeoff.is_written_off(connection, "AAA1", 1)
    assert overview.status(central)["rights"]["in_doubt"] == 0
    statuses = [one.status for one in await second.acquire(RICE, "h2/beras/2026-11")]
    assert statuses == ["granted", "granted"]


async def test_one_that_broke_off_midway_is_carried_on_with(
    central: Central, keeper: PlainKiosk, ani: Signer, budi: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_kiosk(central, "AAA1", 1, "lost", ani)

    def cut(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(writeoff, "RIGHTS_PER_WRITE", 3)
        patched.setattr(writeoff, "_close", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            writeoff.approve(central, made, budi)
    assert writeoff.listed(central)[0]["state"] == "approved"
    assert writeoff.approve(central, made, budi)["state"] == "done"


async def test_who_may_sign(
    central: Central, keeper: PlainKiosk, ani: Signer, budi: Signer, tmp_path: Path
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    clerk = account(central, tmp_path, "cici", "clerk")
    made = writeoff.ask_for_right(central, RICE, "stolen", clerk)
    other = writeoff.ask_for_right(central, NEXT_RICE, "stolen", ani)
    with pytest.raises(OfficerFault, match="role_lacking"):
        writeoff.approve(central, other, clerk)
    with pytest.raises(OfficerFault, match="wrong_key"):
        writeoff.approve(central, made, Signer("ani", budi.private))
    with pytest.raises(OfficerFault, match="unknown_account"):
        writeoff.approve(central, made, Signer("dodi", budi.private))
    accounts.close(central, "budi")
    with pytest.raises(OfficerFault, match="account_closed"):
        writeoff.approve(central, made, budi)
    with pytest.raises(OfficerFault, match="reason_missing"):
        writeoff.ask_for_right(central, RICE, "  ", ani)
    with pytest.raises(OfficerFault, match="unknown_writeoff"):
        writeoff.approve(central, "W-nothing", ani)
    assert overview.right(central, RICE)["in_doubt"]


async def test_a_first_signature_for_something_else_is_no_signature(
    central: Central, keeper: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)
    widened = update(writeoffs).where(writeoffs.c.id == made).values(right="")
    central.database.write(lambda connection: connection.execute(widened).rowcount)
    with pytest.raises(OfficerFault, match="approval_refused"):
        writeoff.approve(central, made, budi)


async def test_a_late_pickup_of_what_was_written_off_names_the_write_off(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    late = keeper.dispense()
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)
    writeoff.approve(central, made, budi)
    (granted,) = await second.acquire(RICE)
    mine = second.dispense(epoch=second.open(granted.grant).epoch)
    assert (await second.push()).conflicts == []
    (conflict,) = (await keeper.push()).conflicts
    assert (conflict.code, conflict.right) == ("written_off", RICE)
    assert (conflict.refs, conflict.detail["writeoff"], conflict.detail["by"]) == ([mine, late], made, 10_000)
    assert (await keeper.push()).conflicts == []
    told = overview.right(central, RICE)
    assert (told["spent"], [one["code"] for one in told["cases"]]) == (20_000, ["written_off"])
    report = audit.audit(central)
    assert (report.code, report.counts["explained"]) == ("", 1)


async def test_one_that_comes_before_the_new_holder_s_pickup_is_named_by_both(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    late = keeper.dispense()
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_kiosk(central, "AAA1", 1, "stolen", ani)
    writeoff.approve(central, made, budi)
    (granted,) = await second.acquire(RICE)
    mine = second.dispense(epoch=second.open(granted.grant).epoch)
    (first,) = (await keeper.push()).conflicts
    assert (first.code, first.refs, first.detail["writeoff"]) == ("written_off", [late], made)
    assert RICE in (await second.poll()).recalls
    (again,) = (await second.push()).conflicts
    assert (again.code, again.detail["writeoff"], set(again.refs)) == ("overspend", made, {late, mine})
    report = audit.audit(central)
    assert (report.code, report.counts["explained"]) == ("", 1)


async def test_a_late_release_frees_nothing_twice(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    keeper.release()
    kiosk_rows.revoke(central, "AAA1")
    writeoff.approve(central, writeoff.ask_for_right(central, RICE, "lost", ani), budi)
    await second.acquire(RICE)
    assert (await keeper.push()).conflicts == []
    assert overview.right(central, RICE)["held_by"] == "AAA2"


async def test_the_lost_kiosk_s_own_word_frees_before_anybody_signs(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_kiosk(central, "AAA1", 1, "lost", ani)
    keeper.record(type="release", right="*", detail={"upto": [1, 1]})
    await keeper.push()
    assert overview.status(central)["rights"]["in_doubt"] == 0
    assert overview.status(central)["kiosks"]["revoked"] == 1
    last = story.tell(central, RICE)["story"][-1]
    assert (last["what"], last["by"], last["every"]) == ("release", "AAA1-0001", True)
    assert writeoff.approve(central, made, budi)["freed"] == 0


async def test_another_generation_puts_the_older_one_s_rights_in_doubt(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock, ani: Signer, budi: Signer
) -> None:
    again = await PlainKiosk(http, clock).enrol(central, "AAA1")
    assert (again.gen, place(central), (await again.poll()).grants) == (2, 0, [])
    made = writeoff.ask_for_kiosk(central, "AAA1", None, "disk lost", ani)
    assert writeoff.listed(central)[0]["gen"] == 1
    writeoff.approve(central, made, budi)
    assert place(central) == 4
    late = keeper.dispense()
    answer = await keeper.push()
    assert (answer.status, [one.code for one in answer.conflicts]) == ("stale_gen", ["written_off"])
    assert answer.conflicts[0].refs == [late]


async def test_the_release_of_an_older_generation_s_all_leaves_the_new_one_in_use(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    await PlainKiosk(http, clock).enrol(central, "AAA1")
    keeper.record(type="release", right="*", detail={"upto": [1, 1]})
    await keeper.push()
    assert overview.status(central)["kiosks"]["active"] == 1
    assert place(central) == 4


async def test_a_pickup_at_an_epoch_that_came_back_is_a_case_though_the_same_kiosk_holds_it_again(
    central: Central, keeper: PlainKiosk, second: PlainKiosk
) -> None:
    keeper.release()
    await keeper.push()
    place(central)
    assert overview.right(central, RICE)["epoch_n"] == 2
    assert [one["what"] for one in story.tell(central, RICE)["story"]] == [
        "entitlement", "grant", "release", "grant",
    ]  # fmt: skip
    ref = keeper.dispense(epoch=(1, 1))
    assert [(one.code, one.refs) for one in (await keeper.push()).conflicts] == [("not_held", [ref])]


async def test_the_story_tells_who_signed(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    await second.acquire(RICE)
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)
    writeoff.approve(central, made, budi)
    (granted,) = await second.acquire(RICE)
    ref = second.dispense(epoch=second.open(granted.grant).epoch)
    await second.push()
    told = story.tell(central, RICE)
    assert [one["what"] for one in told["story"]] == [
        "entitlement", "grant", "recall", "doubt", "writeoff", "approval", "approval", "freed", "grant",
        "pickup",
    ]  # fmt: skip
    assert [one for one in told["story"] if one["what"] == "doubt"] == [
        {"at": central.now(), "what": "doubt", "kiosk": "AAA1", "gen": 1, "why": "revoked", "epoch": [1, 1]}
    ]
    assert [one["account"] for one in told["story"] if one["what"] == "approval"] == ["ani", "budi"]
    assert told["lies"] == {"with": "AAA2", "gen": 1, "epoch": [1, 2], "state": "spent", "left": 0}
    text = story.as_text(told)
    assert "account budi" in text
    assert ref in text
    assert text.splitlines()[-1].startswith("lies with AAA2")


async def test_the_story_tells_since_when_and_why_a_right_is_in_doubt(
    central: Central, keeper: PlainKiosk, http: httpx.AsyncClient, clock: Clock
) -> None:
    def doubts(right: str) -> list[tuple[int, str]]:
        return [
            (one["at"], one["why"]) for one in story.tell(central, right)["story"] if one["what"] == "doubt"
        ]

    keeper.release(RICE)
    await keeper.push()
    clock.now += 60
    lost_at = central.now()
    await PlainKiosk(http, clock).enrol(central, "AAA1")
    clock.now += 60
    kiosk_rows.revoke(central, "AAA1")
    # What came back in time was never in doubt; the first thing that happened counts.
    assert doubts(RICE) == []
    assert doubts("h2/beras/2026-11") == [(lost_at, "enrolled_again")]


async def test_a_write_off_without_two_good_signatures_fails_the_audit(
    central: Central, keeper: PlainKiosk, ani: Signer, budi: Signer
) -> None:
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)
    writeoff.approve(central, made, budi)
    assert audit.audit(central).code == ""
    forged = update(approval).where(approval.c.account == "budi").values(signed=b"x" * 80)
    central.database.write(lambda connection: connection.execute(forged).rowcount)
    report = audit.audit(central)
    assert (report.code, report.findings) == (
        "writeoff_unsigned",
        [{"code": "writeoff_unsigned", "writeoff": made, "signed": ["ani"]}],
    )
    with central.database.read() as connection:
        rows = connection.execute(writeoff_right.select()).all()
    assert [(row.right, row.kiosk, row.epoch_n, row.quantity_left) for row in rows] == [
        (RICE, "AAA1", 1, 10_000)
    ]
