"""Commands about rights as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sync.central import importing, kiosk_rows
from sync.central.cli import main
from sync.central.models import rights
from sync.central.state import Central
from tests.sync.central_side import RICE, PlainKiosk, city, program

pytestmark = pytest.mark.anyio
Run = Callable[..., str]


@pytest.fixture
def run(central: Central, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the central that the kiosks talk to; answers what it printed."""

    def run(*words: str, code: int = 0) -> str:
        found = main([*words, "--home", str(central.home), "--database", central.database.url])
        said = capsys.readouterr()
        assert found == code, said
        return said.out + said.err

    return run


def of_json(text: str) -> Any:
    """What a command printed with --json."""
    return json.loads(text)


async def test_a_lost_kiosk_from_revoking_to_the_story(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, run: Run, tmp_path: Path
) -> None:
    for name in ("ani", "budi"):
        run("account", "add", name, "--key-file", str(tmp_path / name))
    assert [one["name"] for one in of_json(run("account", "list", "--json"))] == ["ani", "budi"]
    kiosk_rows.revoke(central, "AAA1")
    by = ("--account", "ani", "--key-file", str(tmp_path / "ani"))
    asked = of_json(run("right", "writeoff", "--kiosk", "AAA1", "--reason", "stolen", *by, "--json"))
    refused = of_json(run("right", "approve", asked["id"], *by, "--json", code=1))
    assert refused["code"] == "same_account"
    other = ("--account", "budi", "--key-file", str(tmp_path / "budi"))
    assert "freed: 4" in run("right", "approve", asked["id"], *other)
    assert len(of_json(run("right", "writeoffs", "--json"))[0]["signed"]) == 2
    text = run("right", "show", RICE)
    assert "approval" in text
    assert "lies with central" in text
    told = of_json(run("right", "show", RICE, "--json"))
    assert {"grant", "writeoff", "approval", "freed"} <= {one["what"] for one in told["story"]}
    run("account", "close", "ani")
    assert of_json(run("account", "list", "--json"))[0]["state"] == "closed"
    assert "unknown_right" in run("right", "show", "h9/beras/2026-11", code=1)


async def test_a_void_is_asked_for(central: Central, keeper: PlainKiosk, run: Run, tmp_path: Path) -> None:
    run("account", "add", "ani", "--key-file", str(tmp_path / "ani"), "--role", "clerk")
    ref = keeper.dispense()
    await keeper.push()
    by = ("--account", "ani", "--key-file", str(tmp_path / "ani"), "--reason", "wrong sack")
    assert of_json(run("right", "void-request", ref, *by, "--json"))["kiosk"] == "AAA1"
    assert "done_at" in run("right", "void-requests")
    assert (await keeper.poll()).voids[0].by == "ani"


async def test_stock_is_allotted_and_shown(central: Central, keeper: PlainKiosk, run: Run) -> None:
    importing.apply(central, city(programs=(program(version=2, stock=True),)))
    assert of_json(run("stock", "allot", "beras", "AAA1", "5000", "--json"))["slice"] == "AAA1.1/beras/1"
    assert "left: 5000" in run("stock", "show", "--program", "beras")
    assert of_json(run("stock", "show", "--kiosk", "BBB1", "--json")) == []
    assert run("stock", "show", "--kiosk", "BBB1") == "none\n"
    for words, code in (
        (("stock", "show", "--kiosk", "ZZZ9"), "unknown_kiosk"),
        (("stock", "show", "--program", "tepung"), "unknown_program"),
        (("journal", "list", "--kiosk", "ZZZ9"), "unknown_kiosk"),
    ):
        assert of_json(run(*words, "--json", code=1))["code"] == code


async def test_holders_are_merged(run: Run) -> None:
    assert of_json(run("holder", "merge", "1", "2", "--json"))["rights"] == 2
    assert of_json(run("holder", "merge", "1", "2", "--json", code=1))["code"] == "already_merged"


async def test_the_audit_s_exit_code(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, run: Run
) -> None:
    keeper.dispense()
    await keeper.push()
    assert of_json(run("audit", "--json"))["code"] == ""
    assert run("audit").endswith("All hold.\n")
    second.dispense()
    await second.push()
    assert [one["code"] for one in of_json(run("case", "list", "--json"))] == ["overspend"]
    assert of_json(run("case", "list", "--exposures", "--json")) == []
    told = of_json(run("audit", "--json", code=1))
    assert (told["code"], told["report"]["findings"][0]["right"]) == ("overspend", RICE)
    wrong = update(rights).where(rights.c.right == RICE).values(spent=1)
    central.database.write(lambda connection: connection.execute(wrong).rowcount)
    text = run("audit", code=1)
    assert text.startswith("spent_differs: 1 spent_differs, 1 overspend")
    assert '"journal": 20000, "table": 1' in text
