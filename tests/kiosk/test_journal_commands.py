"""The journal's commands, run as a technician runs them: exit codes, what is named, who has to answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kiosk import cli, freezing, journal_commands
from kiosk.errors import OfficerFault
from kiosk.journal import Draft
from kiosk.ledger import JOURNAL
from kiosk.pickups import overdue, unshown
from tests.kiosk.counter_world import SUPERVISOR, SetClock, World
from tests.kiosk.deciphered import PAGE

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``kmc-kiosk`` on the world's home."""
    monkeypatch.setenv("KMC_HOME", str(world.path))
    monkeypatch.setattr(journal_commands, "SystemClock", lambda: world.clock)

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = cli.main([*words, "--json"])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return code, answer

    return call


def note(world: World, count: int = 1) -> None:
    for _ in range(count):
        world.counter._journal.append(lambda _: Draft(type="note", private="rahasia"))


def test_verify_exits_0_when_all_holds_and_3_when_not(world: World, run: Run) -> None:
    note(world, 5)
    assert run("journal", "verify") == (
        0,
        {"records": 5, "intact": True, "heads": {"1": {"seq": 5, "hash": last_hash(world)}}},
    )
    world.ledger.db.conn.execute("PRAGMA foreign_keys = OFF")
    world.ledger.db.conn.execute(f"DELETE FROM {JOURNAL} WHERE seq = 3")
    code, answer = run("journal", "verify")
    assert (code, answer["code"], answer["first_wrong"]["code"], answer["first_wrong"]["seq"]) == (
        3,
        "journal_damaged",
        "gap",
        4,
    )


def test_what_cannot_be_listed_is_refused(world: World, run: Run) -> None:
    note(world)
    assert run("journal", "list", "--type", "note", "--last", "1")[1]["records"][0]["type"] == "note"
    code, answer = run("journal", "list", "--type", "notes")
    assert (code, answer["code"]) == (1, "unknown_type")
    for last in ("0", "-3", "x"):
        with pytest.raises(SystemExit, match="2"):
            run("journal", "list", "--last", last)


def last_hash(world: World) -> str:
    return str(world.ledger.row(f"SELECT hash FROM {JOURNAL} ORDER BY seq DESC LIMIT 1")[0].hex())


def test_verify_exits_1_when_the_file_cannot_be_read_and_salvage_sets_it_aside(
    world: World, run: Run
) -> None:
    note(world, 40)
    world.counter.close()
    path = world.path / "ledger.db"
    data = bytearray(path.read_bytes())
    for page in range(4, len(data) // PAGE, 2):
        data[page * PAGE + 77] ^= 1
    path.write_bytes(data)
    code, answer = run("journal", "verify")
    assert (code, answer["code"]) == (1, "database_damaged")
    code, answer = run("journal", "salvage")
    assert (code, answer["generations"][0]["gen"]) == (0, 1)
    assert (world.path / answer["quarantined"]).read_bytes() == bytes(data)
    assert run("journal", "verify")[1]["salvaged"] == {"1": answer["generations"][0]["upto"]}
    code, again = run("journal", "salvage")
    assert (code, again["code"]) == (1, "ledger_sound")
    world.counter = world.open_counter()
    assert world.counter.status().frozen == freezing.SALVAGED


def test_a_pickup_nobody_saw_goes_to_the_supervisor_after_a_day(world: World, run: Run) -> None:
    world.take_in(world.grant())
    rina, budi = world.sign_in(), world.sign_in(SUPERVISOR)
    ref = world.confirm(rina).ref
    journal = world.counter._journal
    assert [(one.ref, one.for_supervisor) for one in unshown(journal)] == [(ref, False)]
    world.clock.go_on(timedelta(hours=24))
    assert run("journal", "unshown")[1]["inbox"] == []
    assert "unshown_overdue" not in world.counter.status().warnings
    world.clock.go_on(timedelta(seconds=1))
    code, answer = run("journal", "unshown")
    assert (code, answer["inbox"]) == (0, [ref])
    assert answer["unshown"] == [
        {"ref": ref, "officer": "rina", "age_s": 86_401, "for_supervisor": True},
    ]
    assert "unshown_overdue" in world.counter.status().warnings
    with pytest.raises(OfficerFault) as fault:
        world.counter.answer_unshown(ref, False, rina)
    assert fault.value.code == "supervisor_needed"
    assert overdue(journal) == [ref]
    left = world.ledger.right("h1/beras/2026-11")
    assert left is not None
    assert left.quantity_left == 0  # until it is answered the right counts as spent
    world.counter.answer_unshown(ref, False, budi)
    assert run("journal", "unshown") == (0, {"unshown": [], "inbox": []})
    assert "unshown_overdue" not in world.counter.status().warnings


def test_after_another_start_the_wall_clock_says_how_old_it_is(world: World) -> None:
    world.take_in(world.grant())
    ref = world.confirm(world.sign_in()).ref
    clock: SetClock = world.clock
    clock.boot, clock.mono = "boot-2", 1000
    clock.at += timedelta(hours=25)
    assert overdue(world.counter._journal) == [ref]
    clock.at -= timedelta(hours=30)  # a clock that went back says nothing: better a supervisor
    assert overdue(world.counter._journal) == [ref]


def test_the_lines_to_read_hold_every_record(
    world: World, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    note(world, 3)
    capsys.readouterr()
    assert cli.main(["journal", "export"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["seq"], line["private"]["text"]) for line in lines] == [
        (1, "rahasia"),
        (2, "rahasia"),
        (3, "rahasia"),
    ]
    assert run("journal", "list")[1]["records"][0]["seq"] == 3
