"""``docs/scaling.md`` against central's tables: each is placed once, by a key that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from sync.central.models import metadata

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = "everywhere"
OF_ONE_MACHINE = re.compile(
    r"pg_advisory|pg_notify|\bLISTEN \w|\bNOTIFY \w|CREATE (OR REPLACE )?(TRIGGER|FUNCTION|PROCEDURE)"
    r"|nextval\(|\bSequence\(|\bIdentity\(|WITH RECURSIVE|recursive=True|\bLOCK TABLE\b"
)
"""What distributed engines lack, or run badly."""


def placed() -> dict[str, tuple[str, str]]:
    """Of each table that the page names, the column it is sharded by and what else is said of its row."""
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    section = page.split("## Table by table")[1].split("\n## ")[0]
    found: dict[str, tuple[str, str]] = {}
    for line in section.splitlines():
        if not line.startswith("| `"):
            continue
        names, _, key, *said = (cell.strip() for cell in line.strip("|").split("|"))
        for name in re.findall(r"`(\w+)`", names):
            assert name not in found, f"{name} stands twice"
            found[name] = key.strip("`"), " ".join(said)
    return found


PLACED = placed()


def test_every_table_is_placed() -> None:
    assert sorted(PLACED) == sorted(metadata.tables)


@pytest.mark.parametrize("name", sorted(set(PLACED) & set(metadata.tables)))
def test_the_key_is_the_tables_own(name: str) -> None:
    table, (key, said) = metadata.tables[name], PLACED[name]
    if key == EVERYWHERE:
        return
    assert key in table.columns, f"{name} has no column {key}"
    moves = re.search(rf"`{key}` goes first into the key of (`\w+`(, )?)*`{name}`", said) is not None
    unique = [one for one in table.constraints if isinstance(one, PrimaryKeyConstraint | UniqueConstraint)]
    assert unique
    # Engines keep unique on one shard what has the key in it.
    whole = all(key in [column.name for column in one.columns] for one in unique)
    assert moves is not whole, f"{name}: {key} is {'' if whole else 'not '}in all that is unique"


def test_foreign_keys_stay_within_a_shard() -> None:
    for name, table in metadata.tables.items():
        for foreign in table.foreign_keys:
            there = foreign.column
            key, key_there = PLACED[name][0], PLACED[there.table.name][0]
            assert key == foreign.parent.name, f"{name} refers across shards"
            assert key_there == there.name, f"{name} refers across shards"


def made_by_postgresql(table: Table) -> str:
    """The statement that makes a table there."""
    return str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def test_nothing_counts_by_itself() -> None:
    for name, table in metadata.tables.items():
        made = made_by_postgresql(table)
        assert not re.search(r"SERIAL|IDENTITY|GENERATED", made), name


def test_no_statement_is_for_one_machine_only() -> None:
    sources = sorted((ROOT / "sync" / "central").rglob("*.py"))
    assert len(sources) > 50
    found = [
        f"{path.name}: {match.group()}"
        for path in sources
        for match in OF_ONE_MACHINE.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
