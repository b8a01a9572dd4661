"""Backup, restore, and the time until every kiosk has said what it holds: no right twice, nothing lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from sqlalchemy import select

from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.keyset import KeyUse
from sync.central import backup, key_admin, kiosk_rows, overview, recovery, restoring, state
from sync.central.api import make_app
from sync.central.key_files import KEYS_FOLDER
from sync.central.models import journal, metadata
from sync.central.state import Central
from sync.wire import PollAnswer
from tests.sync.central_side import RICE, START, Clock, PlainKiosk, place

pytestmark = pytest.mark.anyio
H2 = "h2/beras/2026-11"


@asynccontextmanager
async def restored(
    central: Central, file: Path, clock: Clock, *kiosks: PlainKiosk
) -> AsyncIterator[tuple[Central, list[PlainKiosk], dict[str, Any]]]:
    """The central that the backup makes, and the kiosks talking to it."""
    url = central.database.url
    central.close()
    told = restoring.restore(central.home, url, file, int(clock()), replace=True)
    again = state.open_central(central.home, url, clock)
    transport = httpx.ASGITransport(app=make_app(again))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://central") as http:
            yield again, [replace(one, http=http) for one in kiosks], told
    finally:
        again.close()


async def report(kiosk: PlainKiosk, *held: tuple[str, int, int], head_seq: int | None = None) -> str:
    body = {
        "gen": kiosk.gen,
        "head_seq": len(kiosk.chain) if head_seq is None else head_seq,
        "held": [list(one) for one in held],
    }
    return str((await kiosk.ask("POST", "/v1/holdings", body))["status"])


def held_by(central: Central, right: str) -> tuple[str, tuple[int, int]]:
    told = overview.right(central, right)
    return told["held_by"], (told["epoch_incarnation"], told["epoch_n"])


async def test_what_a_backup_covers_is_durable(central: Central, keeper: PlainKiosk, tmp_path: Path) -> None:
    keeper.note()
    keeper.note()
    assert (await keeper.push()).durable_seq == 0
    told = backup.write(central, tmp_path / "one")
    assert told["records"] == 2
    keeper.note()
    answer = await keeper.push(3)
    assert (answer.acked_seq, answer.durable_seq) == (3, 2)


async def test_the_same_rows_come_back(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    keeper.dispense()
    await keeper.push()
    before = _all_rows(central)
    backup.write(central, tmp_path / "one")
    async with restored(central, tmp_path / "one", clock, keeper) as (again, _, told):
        after = _all_rows(again)
        changed = ("meta", "kiosk_gen", "kiosk_report", "nonce")
        assert {name: rows for name, rows in after.items() if name not in changed} == {
            name: rows for name, rows in before.items() if name not in changed
        }
        assert (again.incarnation, told["incarnation"], told["replayed"]["grants"]) == (2, 2, 0)
        assert [(one["kiosk"], one["gen"]) for one in recovery.status(again)["missing"]] == [("AAA1", 1)]


async def test_strict_rights_wait_until_every_kiosk_has_reported(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    await keeper.poll()
    backup.write(central, tmp_path / "one")
    # After the backup the right moves from AAA1 to AAA2, and AAA1 hands another one out.
    keeper.release(RICE)
    keeper.dispense(H2)
    await keeper.push()
    (granted,) = await second.acquire(RICE)
    assert granted.status == "granted"
    assert second.open(granted.grant).epoch == (1, 2)
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (keeper, second), told):
        assert told["replayed"]["grants"] == 1
        assert held_by(again, RICE) == ("AAA2", (1, 2))
        assert (await keeper.poll()).report_wanted
        keeper.release(H2)  # spent: of no effect
        assert await report(keeper) == "journal_first"
        answer = await keeper.push()
        assert answer.acked_seq == len(keeper.chain)
        assert held_by(again, RICE) == ("AAA2", (1, 2)), "an older release frees no newer grant"
        assert await report(keeper) == "taken"
        assert [one["kiosk"] for one in recovery.status(again)["missing"]] == ["AAA2"]
        second.release(RICE, (1, 2))
        await second.push()
        assert held_by(again, RICE)[0] == ""
        assert place(again) == 0
        (answer2,) = await second.acquire(RICE)
        assert (answer2.status, answer2.kiosk) == ("held", None)
        assert recovery.status(again)["rights_withheld"] > 0
        assert await report(second) == "taken"
        assert recovery.status(again)["pending"] is False
        assert place(again) > 0
        assert held_by(again, RICE) == ("AAA1", (2, 3))
        assert not (await second.poll()).report_wanted
        assert await report(second) == "not_asked"


async def test_a_hand_out_under_a_grant_between_is_in_order(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    """Made under a grant of the log, given back, and granted on: no case, however late it comes again."""
    await keeper.poll()
    backup.write(central, tmp_path / "one")
    first = await _moved_on(central, keeper, second)
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (keeper, second), told):
        assert told["replayed"]["grants"] == 1
        assert held_by(again, RICE) == ("AAA1", (1, 3))
        answer = await second.push()
        assert (answer.acked_seq, answer.conflicts) == (len(second.chain), [])
        assert held_by(again, RICE) == ("AAA1", (1, 3)), "an older release frees no newer grant"
        assert (await keeper.push()).conflicts == []
        known = overview.right(again, RICE)
        epochs = [(one["kiosk"], one["epoch_n"], one["quantity_left"]) for one in known["grants"]]
        assert epochs == [("AAA1", 1, 10_000), ("AAA2", 2, 6_000), ("AAA1", 3, 4_000)]
        assert {one["ref"] for one in known["pickups"]} == {"AAA1-0001", first}
        assert (known["spent"], known["cases"]) == (6_000, [])


@pytest.mark.parametrize("together", [True, False], ids=["in one push", "in two"])
@pytest.mark.parametrize("given_back", [RICE, "*"])
async def test_a_hand_out_after_its_own_release_stays_a_case(
    central: Central,
    keeper: PlainKiosk,
    second: PlainKiosk,
    clock: Clock,
    tmp_path: Path,
    given_back: str,
    together: bool,
) -> None:
    backup.write(central, tmp_path / "one")
    await _moved_on(central, keeper, second, given_back)
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (_, second), _told):
        if not together:
            assert (await second.push()).conflicts == []
        late = second.dispense(spends=1_000, epoch=(1, 2))
        foreign = second.dispense(spends=1_000, epoch=(1, 1))
        found = (await second.push(1 if together else len(second.chain) - 1)).conflicts
        assert [(one.code, one.refs) for one in found] == [("not_held", [late]), ("not_held", [foreign])]
        assert held_by(again, RICE) == ("AAA1", (1, 3))


async def test_a_hand_out_under_a_grant_of_another_kiosk_stays_a_case(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    await _moved_on(central, keeper, second)
    never = replace(second, chain=[])
    async with restored(central, tmp_path / "one", clock, never) as (_, (never,), _told):
        refs = [never.dispense(spends=1_000, epoch=(1, n)) for n in (1, 3, 4)]
        found = (await never.push()).conflicts
        assert [(one.code, one.refs) for one in found] == [("not_held", [ref]) for ref in refs]


async def _moved_on(central: Central, keeper: PlainKiosk, second: PlainKiosk, given_back: str = RICE) -> str:
    """The right goes from AAA1 to AAA2 and back, and each hands some of it out; AAA2's pickup."""
    keeper.dispense(spends=4_000)
    keeper.release(RICE)
    await keeper.push()
    (granted,) = await second.acquire(RICE)
    assert second.open(granted.grant).epoch == (1, 2)
    ref = second.dispense(spends=2_000, epoch=(1, 2))
    second.release(given_back, (1, 2))
    await second.push()
    (granted,) = await keeper.acquire(RICE)
    assert keeper.open(granted.grant).epoch == (1, 3)
    return ref


async def test_what_the_log_lost_is_known_from_the_reports(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    keeper.release(RICE)
    await keeper.push()
    await second.acquire(RICE)
    for log in central.home.glob("grants*.log"):
        log.unlink()
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (keeper, second), told):
        assert told["replayed"]["grants"] == 0
        assert held_by(again, RICE) == ("AAA1", (1, 1))
        await keeper.push()
        assert await report(keeper, (H2, 1, 1)) == "taken"
        assert held_by(again, RICE)[0] == ""
        assert place(again) == 0, "AAA2 has not said yet that it holds this right"
        assert await report(second, (RICE, 1, 2)) == "taken"
        assert held_by(again, RICE) == ("AAA2", (1, 2))
        ref = second.dispense(RICE, epoch=(1, 2))
        assert (await second.push()).conflicts == []
        assert [one["ref"] for one in overview.right(again, RICE)["pickups"]] == [ref]


async def test_a_right_reported_twice_is_a_case_for_people(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    async with restored(central, tmp_path / "one", clock, keeper, second) as (again, (keeper, second), _):
        assert await report(second, (RICE, 1, 1)) == "taken"
        assert await report(second, (RICE, 1, 1)) == "not_asked"
        (found,) = overview.right(again, RICE)["cases"]
        assert (found["code"], held_by(again, RICE)) == ("held_twice", ("AAA1", (1, 1)))


async def test_a_kiosk_enrolled_since_is_known_again(
    central: Central, fresh: PlainKiosk, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    await fresh.enrol(central, "BBB1")
    place(central)
    held = [fresh.open(one) for one in (await fresh.poll()).grants]
    assert held
    async with restored(central, tmp_path / "one", clock, keeper, fresh) as (again, (keeper, fresh), told):
        assert (told["replayed"]["enrolments"], told["replayed"]["grants"]) == (1, len(held))
        assert [one["kiosk"] for one in recovery.status(again)["missing"]] == ["AAA1", "BBB1"]
        answer = await fresh.poll()
        assert isinstance(answer, PollAnswer)
        assert held_by(again, held[0].right) == ("BBB1", held[0].epoch)
        fresh.dispense(held[0].right, held[0].quantity_left, held[0].epoch)
        assert (await fresh.push()).conflicts == []


async def test_a_kiosk_revoked_since_stays_so(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    kiosk_rows.revoke(central, "AAA1")
    async with restored(central, tmp_path / "one", clock, keeper) as (again, _, told):
        assert told["replayed"]["revocations"] == 1
        assert recovery.status(again)["pending"] is False
        assert overview.right(again, RICE)["in_doubt"]


async def test_a_keyset_published_since_stays_in_force(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    key_admin.add(central, KeyUse.CENTRAL, central.home / KEYS_FOLDER / "root1.key")
    keeper.keyset = central.ring.keyset
    granted = await keeper.poll()
    published = key_admin.signed_keyset(central)
    async with restored(central, tmp_path / "one", clock, keeper) as (again, _, told):
        assert told["replayed"]["keysets"] == 1
        assert told["replayed"]["not_understood"] == 0, "a grant by the new key is believed"
        assert granted.grants
        assert key_admin.signed_keyset(again) == published


async def test_each_restore_is_another_story(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    backup.write(central, tmp_path / "one")
    async with restored(central, tmp_path / "one", clock) as (again, _, _told):
        assert again.incarnation == 2
    async with restored(again, tmp_path / "one", clock) as (third, _, _told):
        assert third.incarnation == 3


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _other_row(data: bytes) -> bytes:
    plain = zstandard.ZstdDecompressor().stream_reader(data).read()
    return zstandard.ZstdCompressor().compress(plain.replace(b"Dinas Sosial", b"Dinas Sesial"))


def _no_end(data: bytes) -> bytes:
    plain = zstandard.ZstdDecompressor().stream_reader(data).read()
    return zstandard.ZstdCompressor().compress(b"".join(plain.splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("spoil", [_cut, _other_row, _no_end, lambda _: b"", lambda _: b"{}\n"])
async def test_a_spoiled_backup_changes_nothing(
    central: Central, keeper: PlainKiosk, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "one"
    backup.write(central, file)
    file.write_bytes(spoil(file.read_bytes()))
    before = _all_rows(central)
    with pytest.raises(EnvironmentFault, match="backup_unreadable"):
        restoring.restore(central.home, central.database.url, file, START, replace=True)
    assert _all_rows(central) == before


async def test_a_restore_takes_nobody_unawares(central: Central, keeper: PlainKiosk, tmp_path: Path) -> None:
    file = tmp_path / "one"
    backup.write(central, file)
    with pytest.raises(OfficerFault, match="database_not_empty"):
        restoring.restore(central.home, central.database.url, file, START)
    with (
        restoring.in_use(central.home, alone=False),
        pytest.raises(EnvironmentFault, match="central_running"),
    ):
        restoring.restore(central.home, central.database.url, file, START, replace=True)


async def test_a_backup_moves_to_the_other_kind_of_database(
    central: Central, keeper: PlainKiosk, tmp_path: Path
) -> None:
    keeper.dispense()
    await keeper.push()
    backup.write(central, tmp_path / "one")
    before = _all_rows(central)
    url = f"sqlite:///{tmp_path}/other.db"
    restoring.restore(central.home, url, tmp_path / "one", START)
    other = state.open_central(central.home, url)
    try:
        after = _all_rows(other)
        assert {name: after[name] for name in ("rights", "journal", "feed")} == {
            name: before[name] for name in ("rights", "journal", "feed")
        }
    finally:
        other.close()


async def test_a_backup_is_of_one_moment(central: Central, keeper: PlainKiosk, tmp_path: Path) -> None:
    """A ticket is made while the tables are read: it is not in the file."""
    pages = backup._rows_of
    made: list[bool] = []

    def slowly(connection: Any, table: Any) -> Any:
        if table is journal and not made:
            made.append(True)
            new_ticket(central)
        return pages(connection, table)

    def new_ticket(to: Central) -> None:
        kiosk_rows.new_ticket(to, "AAA2")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(backup, "_rows_of", slowly)
        told = backup.write(central, tmp_path / "one")
    lines = zstandard.ZstdDecompressor().stream_reader((tmp_path / "one").read_bytes()).read().splitlines()
    assert made
    tickets = json.loads(lines[-1])["end"]["ticket"]
    assert (tickets, told["rows"] > 0) == (1, True)
    assert len(_all_rows(central)["ticket"]) == 2


def _all_rows(central: Central) -> dict[str, list[tuple[Any, ...]]]:
    with central.database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }
