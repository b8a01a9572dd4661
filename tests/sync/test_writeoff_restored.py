"""A restore remembers who was written off, by whom, and that the signatures hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from kiosk.errors import EnvironmentFault
from sync.central import accounts, audit, backup, kiosk_rows, overview, recovery, writeoff
from sync.central.grant_journal import GrantJournal
from sync.central.models import kiosk
from sync.central.state import Central
from sync.wire import from_base64, to_base64
from tests.sync.central_side import RICE, Clock, PlainKiosk
from tests.sync.test_central_recovery import H2, held_by, report, restored
from tests.sync.test_central_writeoff import account

pytestmark = pytest.mark.anyio


async def test_an_approved_write_off_outlives_a_restore(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    await keeper.poll()
    ani = account(central, tmp_path, "ani")
    backup.write(central, tmp_path / "one")
    budi = account(central, tmp_path, "budi")
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_kiosk(central, "AAA1", None, "stolen", ani)
    writeoff.approve(central, made, budi)
    (granted,) = await second.acquire(RICE)
    assert second.open(granted.grant).epoch == (1, 2)
    accounts.close(central, "budi")
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (keeper, second), told):
        counts = told["replayed"]
        assert (counts["accounts"], counts["writeoffs"], counts["not_understood"]) == (1, 1, 0)
        (one,) = writeoff.listed(again)
        assert (one["id"], one["state"]) == (made, writeoff.DONE)
        assert [(who["account"], who["holds"]) for who in one["signed"]] == [("ani", True), ("budi", True)]
        assert [one["state"] for one in accounts.listed(again)] == ["active", "closed"]
        # What was granted anew since stays where it is; the rest is central's.
        assert (held_by(again, RICE), held_by(again, H2)) == (("AAA2", (1, 2)), ("", (1, 1)))
        assert [one["kiosk"] for one in recovery.status(again)["missing"]] == ["AAA2"]
        assert await report(second, (RICE, 1, 2)) == "taken"
        assert (await second.acquire(H2))[0].status == "granted"
        late = keeper.dispense(H2)
        (conflict,) = (await keeper.push()).conflicts
        assert (conflict.code, conflict.refs, conflict.detail["writeoff"]) == ("written_off", [late], made)
        assert audit.audit(again).code == ""


async def test_one_that_the_backup_knows_half_is_finished(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    ani, budi = account(central, tmp_path, "ani"), account(central, tmp_path, "budi")
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)
    backup.write(central, tmp_path / "one")
    writeoff.approve(central, made, budi)
    async with restored(central, tmp_path / "one", clock, keeper) as (again, _, told):
        assert told["replayed"]["writeoffs"] == 1
        assert writeoff.listed(again)[0]["state"] == writeoff.DONE
        assert (held_by(again, RICE)[0], held_by(again, H2)[0]) == ("", "AAA1")


async def test_who_was_lost_by_a_fork_is_fenced_though_the_fork_has_not_come_again(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    ani, budi = account(central, tmp_path, "ani"), account(central, tmp_path, "budi")
    keeper.note()
    clone = keeper.copy()
    keeper.note()
    await keeper.push()
    clone.dispense(H2)
    assert (await clone.push(2)).status == "fork"
    writeoff.approve(central, writeoff.ask_for_kiosk(central, "AAA1", 1, "cloned", ani), budi)
    async with restored(central, tmp_path / "one", clock, keeper) as (again, (keeper,), _):
        with again.database.read() as connection:
            row = connection.execute(select(kiosk).where(kiosk.c.id == "AAA1")).one()
        assert (row.state, row.frozen_why) == ("frozen", "written_off")
        assert held_by(again, RICE)[0] == ""
        response = await keeper.send("POST", "/v1/poll", {"gen": 1})
        assert response.json()["code"] == "kiosk_frozen"


async def test_a_signature_that_does_not_hold_frees_nothing(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    ani, budi = account(central, tmp_path, "ani"), account(central, tmp_path, "budi")
    kiosk_rows.revoke(central, "AAA1")
    backup.write(central, tmp_path / "one")
    made = writeoff.ask_for_kiosk(central, "AAA1", 1, "lost", ani)
    with central.database.read() as connection:
        said = writeoff.entry_of(connection, made)["writeoff"]
    forged = bytearray(from_base64(said["signed"][0][2]))
    forged[-1] ^= 1
    name, at, signed = said["signed"][0]
    for second in (
        [budi.name, at, to_base64(bytes(forged))],
        [budi.name, at, signed],
        ["nobody", at, signed],
        [name, at + 1, signed],
    ):
        central.outside.keep([{"writeoff": said | {"signed": [said["signed"][0], second]}}])
    async with restored(central, tmp_path / "one", clock, keeper) as (again, _, told):
        assert told["replayed"]["not_understood"] == 4
        assert writeoff.listed(again)[0]["state"] == writeoff.ASKED
        assert overview.right(again, RICE)["in_doubt"]


async def test_nothing_is_freed_that_the_log_does_not_have(
    central: Central, keeper: PlainKiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ani, budi = account(central, tmp_path, "ani"), account(central, tmp_path, "budi")
    kiosk_rows.revoke(central, "AAA1")
    made = writeoff.ask_for_right(central, RICE, "stolen", ani)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(GrantJournal, "_append", full)
        with pytest.raises(EnvironmentFault, match="grants_log_failed"):
            writeoff.approve(central, made, budi)
        with pytest.raises(EnvironmentFault, match="grants_log_failed"):
            account(central, tmp_path, "cici")
    assert overview.right(central, RICE)["in_doubt"]
    assert [one["name"] for one in accounts.listed(central)] == ["ani", "budi"]
    assert not (tmp_path / "cici.key").exists()
    assert writeoff.approve(central, made, budi)["freed"] == 1
