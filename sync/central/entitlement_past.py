"""Versions of entitlements that were replaced: kept so that a right's story can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from sync.central.bulk import insert_rows
from sync.central.models import entitlement, entitlement_past

_NAMES: Final = (
    "id", "version", "subject", "program_id", "quantity", "valid_from", "valid_until", "status",
)  # fmt: skip
_KEYS_PER_QUERY: Final = 400


def note_replaced(connection: Connection, coming: Sequence[Mapping[str, Any]], now: int) -> None:
    """Keeps what stands of entitlements that are about to be written over with something else."""
    new = {row["id"]: row for row in coming}
    ids = sorted(new)
    replaced: list[dict[str, Any]] = []
    for start in range(0, len(ids), _KEYS_PER_QUERY):
        query = select(entitlement).where(entitlement.c.id.in_(ids[start : start + _KEYS_PER_QUERY]))
        for row in connection.execute(query).mappings():
            if any(row[name] != new[row["id"]][name] for name in _NAMES):
                replaced.append({name: row[name] for name in _NAMES} | {"replaced_at": now})
    known = select(entitlement_past.c.id, entitlement_past.c.version)
    known = known.where(entitlement_past.c.replaced_at == now)
    there = {(row.id, row.version) for row in (connection.execute(known) if replaced else ())}
    insert_rows(
        connection, entitlement_past, [row for row in replaced if (row["id"], row["version"]) not in there]
    )
