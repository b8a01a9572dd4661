"""Central's database: whole transactions, tried again when another was in the way, named when it is gone."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from sqlalchemy import Connection, MetaData, event, insert, inspect, select

from kiosk.errors import EnvironmentFault
from sync.central import database, migration
from sync.central.database import Database
from sync.central.models import agency, metadata
from sync.central.state import Central
from tests.sync.central_side import PlainKiosk

pytestmark = pytest.mark.anyio


def test_a_step_that_breaks_leaves_nothing(
    central_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def fifth_breaks(self: Any, *words: Any, **options: Any) -> Any:
        made.append(words[0])
        if len(made) == 5:
            raise RuntimeError("power cut")
        return create_index(self, *words, **options)

    create_index = Operations.create_index
    with monkeypatch.context() as patched:
        patched.setattr(Operations, "create_index", fifth_breaks)
        with pytest.raises(RuntimeError, match="power cut"):
            migration.upgrade(central_database_url)
    found = Database(central_database_url)
    try:
        assert inspect(found.engine).get_table_names() == []
        migration.upgrade(central_database_url)
        assert migration.version(central_database_url) == migration.newest()
        assert migration.differences(central_database_url) == []
    finally:
        found.close()


def test_rows_of_every_older_step_come_through(central_database_url: str) -> None:
    """Each step is applied to tables with a row in each that there is by then."""
    value: dict[type, Any] = {int: 7, str: "7", bytes: b"7", bool: False}
    opened = Database(central_database_url)
    filled: set[str] = set()
    try:
        for step in migration.steps():
            with opened.transaction("BEGIN IMMEDIATE") as connection:
                migration.upgrade_on(connection, step)
                there = MetaData()
                there.reflect(connection)
                for table in there.sorted_tables:
                    if table.name in filled or table.name == "alembic_version":
                        continue
                    row = {column.name: value[column.type.python_type] for column in table.columns}
                    connection.execute(insert(table).values(row))
                    filled.add(table.name)
        assert filled == set(metadata.tables)
        with opened.read() as connection:
            for table in metadata.sorted_tables:
                assert len(connection.execute(select(table)).all()) == 1, table.name
        assert migration.differences(central_database_url) == []
    finally:
        opened.close()


def test_a_transaction_that_fails_leaves_nothing(central: Central) -> None:
    def breaks(connection: Connection) -> None:
        connection.execute(insert(agency).values(id=9, name="n", short="s"))
        raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        central.database.write(breaks)
    with central.database.read() as connection:
        assert connection.execute(select(agency.c.id).where(agency.c.id == 9)).first() is None


def test_transactions_in_each_others_way_are_tried_again(central: Central) -> None:
    """Each reads, waits for the other to have read, and writes what the other read."""
    both_read = threading.Barrier(2)
    tries: list[int] = []

    def add_one(number: int, connection: Connection) -> None:
        tries.append(number)
        names = connection.execute(select(agency.c.name).where(agency.c.id == 1)).scalar_one()
        if len(tries) <= 2 and not central.database.is_sqlite:
            both_read.wait(timeout=20)
        changed = agency.update().where(agency.c.id == 1).values(name=f"{names},{number}")
        connection.execute(changed)

    threads = [threading.Thread(target=central.database.write, args=(partial(add_one, n),)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with central.database.read() as connection:
        names = connection.execute(select(agency.c.name).where(agency.c.id == 1)).scalar_one()
    assert sorted(names.split(",")) == ["1", "2", "Dinas Sosial"]
    assert len(tries) >= (2 if central.database.is_sqlite else 3)


def test_a_database_that_stays_busy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "central.db"
    migration.upgrade(f"sqlite:///{path}")
    monkeypatch.setattr(database, "GIVE_UP_S", 0.05)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)
    busy = Database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EnvironmentFault, match="database_busy"):
            busy.write(lambda connection: connection.execute(select(agency.c.id)).all())
        other.execute("ROLLBACK")
        assert busy.write(lambda connection: connection.execute(select(agency.c.id)).all()) == []
    finally:
        other.close()
        busy.close()


def test_a_database_that_is_gone_is_named() -> None:
    gone = Database("postgresql+psycopg://postgres@127.0.0.1:1/none?connect_timeout=2")
    try:
        with pytest.raises(EnvironmentFault, match="database_unavailable"), gone.read():
            raise AssertionError("unreachable")
        with pytest.raises(EnvironmentFault, match="database_unavailable"):
            gone.write(lambda _: None)
    finally:
        gone.close()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.expects_log("database_unavailable")
async def test_a_full_disk_is_said_and_nothing_is_lost(central: Central, keeper: PlainKiosk) -> None:
    engine = central.database.engine
    for _ in range(600):
        keeper.note()

    def no_more_pages(connection: sqlite3.Connection, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")

    event.listen(engine, "connect", no_more_pages)
    engine.dispose()
    response = await keeper.send("POST", "/v1/journal", keeper.body(1))
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    keeper.check_seal(response)
    event.remove(engine, "connect", no_more_pages)
    engine.dispose()
    answer = await keeper.push()
    assert (answer.status, answer.acked_seq) == ("ok", 600)
