"""Lists page by page: every row once, in the order of the list, whatever page it is on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from kiosk.errors import OfficerFault
from sync.central import accounts, cards, cases, importing, kiosk_rows, orders, stock, writeoff
from sync.central.cli import main
from sync.central.models import case
from sync.central.state import Central
from tests.sync.central_side import NEXT_RICE, RICE, Clock, PlainKiosk, city, program
from tests.sync.test_central_writeoff import account

pytestmark = pytest.mark.anyio


def paged(listed: Callable[[str], list[dict[str, Any]]], key: str = "id") -> list[Any]:
    """All keys, page by page."""
    found: list[Any] = []
    while page := listed(found[-1] if found else ""):
        found += [one[key] for one in page]
        assert len(found) < 100
    return found


async def test_every_list_has_pages(
    central: Central, keeper: PlainKiosk, clock: Clock, tmp_path: Path
) -> None:
    ani = account(central, tmp_path, "ani")
    for name in ("dewi", "budi", "cici"):
        account(central, tmp_path, name)
    by_name = paged(partial(accounts.listed, central, limit=2), "name")
    assert by_name == ["ani", "budi", "cici", "dewi"]

    refs = [keeper.dispense(), keeper.dispense("h2/beras/2026-11")]
    await keeper.push()
    for ref in refs:
        orders.request_void(central, ref, "wrong sack", ani)
    kiosk_rows.revoke(central, "AAA1")
    for right in (RICE, NEXT_RICE, RICE):
        writeoff.ask_for_right(central, right, "stolen", ani)
        clock.now += 1 if right == NEXT_RICE else 0
    for listed, count in ((orders.listed, 2), (writeoff.listed, 3)):
        whole = [one["id"] for one in listed(central)]
        assert len(whole) == count
        assert paged(partial(listed, central, limit=1)) == whole
    with pytest.raises(OfficerFault, match="unknown_row"):
        writeoff.listed(central, "W-nothing")


async def test_cases_are_newest_first_on_every_page(central: Central) -> None:
    rows = [
        {"id": f"c{n}", "code": "exposure" if n == 3 else "overspend", "opened_at": n // 2}
        | {"right": "", "refs": "[]", "detail": "{}", "kiosk": ""}
        for n in range(7)
    ]
    central.database.write(lambda connection: connection.execute(insert(case), rows).rowcount)
    found = paged(lambda after: cases.listed(central, after=after, limit=2))
    assert found == ["c6", "c4", "c5", "c2", "c0", "c1"]
    assert paged(lambda after: cases.listed(central, exposures=True, after=after, limit=2)) == ["c3"]


async def test_cards_have_pages_that_end_between_two_issues(central: Central) -> None:
    for holder_id in (2, 1, 1, 3, 1):
        number = cards.count_of(central, holder_id) + 1
        cards.issue(central, holder_id, "NTAG215", bytes.fromhex(f"04{holder_id:02x}{number:02x}aabbccdd"))
    whole = [f"{one['card_no']}/{one['issue_no']}" for one in cards.listed(central)]
    assert len(set(whole)) == 5
    for limit in (1, 2, 3):
        found: list[str] = []
        while page := cards.listed(central, limit=limit, after=found[-1] if found else ""):
            found += [f"{one['card_no']}/{one['issue_no']}" for one in page]
        assert found == whole
    for place in ("x", "1/", "1/x", "1/٣x"):
        with pytest.raises(OfficerFault, match="unknown_row"):
            cards.listed(central, after=place)


async def test_stock_has_pages_and_the_commands_ask_for_them(
    central: Central, keeper: PlainKiosk, second: PlainKiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    importing.apply(central, city(programs=(program(stock=True, version=2),)))
    for kiosk_id in ("AAA1", "AAA2", "AAA1"):
        stock.allot(central, "beras", kiosk_id, 10)
    whole = [one["slice"] for one in stock.show(central)]
    assert paged(lambda after: stock.show(central, after=after, limit=2), "slice") == whole
    place = ("--home", str(central.home), "--database", central.database.url, "--json")
    assert main(["stock", "show", "--after", whole[0], "--limit", "1", *place]) == 0
    assert [one["slice"] for one in json.loads(capsys.readouterr().out)] == [whole[1]]
    for words in ("right writeoffs", "right void-requests", "account list", "case list"):
        assert main([*words.split(), "--limit", "1", *place]) == 0
        assert json.loads(capsys.readouterr().out) == []
        assert main([*words.split(), "--after", "x", *place]) == (0 if words == "account list" else 1)
        capsys.readouterr()
