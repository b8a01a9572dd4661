"""How often a push asks the database: not once more for each record."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from sync.central import importing
from sync.central.state import Central
from tests.sync.central_side import PlainKiosk, city, entitlement, holder, place

pytestmark = pytest.mark.anyio


async def test_a_push_of_many_pickups_asks_as_often_as_one_of_two(
    central: Central, keeper: PlainKiosk
) -> None:
    people = range(1, 61)
    importing.apply(
        central,
        city(
            holders=tuple(holder(n) for n in people),
            entitlements=tuple(entitlement(n, f"h{n}") for n in people),
        ),
    )
    place(central)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(central.database.engine, "before_cursor_execute", note)

    async def push(first: int, last: int) -> int:
        before = len(keeper.chain)
        for n in range(first, last):
            keeper.dispense(f"h{n}/beras/2026-11")
        asked.clear()
        assert (await keeper.push(before + 1)).conflicts == []
        return len(asked)

    few = await push(1, 3)
    many = await push(3, 60)
    event.remove(central.database.engine, "before_cursor_execute", note)
    # A few more where a statement holds only so many rows; 55 more pickups would be 55.
    assert many - few <= 6
