"""What the ledger keeps of each generation of its journal: keys, where it begins, where it was cut.

A generation begins at its first record, or at the anchor of what was pruned. It ends at its newest record, or
where a damaged ledger could no longer be read.
"""

from __future__ import annotations

from typing import Any

from kiosk import anchor
from kiosk.anchor import Anchor
from kiosk.cose import SignedDataFault
from kiosk.ledger import ANCHOR, META, Ledger, meta_of


def public_key_meta(gen: int) -> str:
    """Name of the ledger's value that keeps the first public key of a generation, in hex."""
    return f"public_key_{gen}"


def salvaged_meta(gen: int) -> str:
    """Name of the ledger's value that says up to which record a damaged generation was salvaged."""
    return f"salvaged_{gen}"


def first_key(ledger: Ledger, gen: int) -> bytes:
    """The raw public key that a generation began with; empty if none is kept."""
    return bytes.fromhex(ledger.meta(public_key_meta(gen)))


def salvaged_upto(connection: Any, gen: int) -> int | None:
    """The last record of a generation that was salvaged; None for one that was never damaged."""
    kept = meta_of(connection, salvaged_meta(gen))
    return int(kept) if kept else None


def salvaged_generations(ledger: Ledger) -> dict[int, int]:
    """Every salvaged generation with its last record."""
    rows = ledger.rows(f"SELECT key, value FROM {META} WHERE key LIKE 'salvaged\\_%' ESCAPE '\\'")
    return {int(key.rpartition("_")[2]): int(value) for key, value in rows}


def anchor_place(connection: Any, gen: int) -> tuple[int, bytes] | None:
    """Sequence number and hash of the last record that was pruned; None if none was."""
    row = connection.execute(f"SELECT seq, hash FROM {ANCHOR} WHERE gen = ?", (gen,)).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def read_anchor(ledger: Ledger, gen: int) -> tuple[Anchor, bytes] | None:
    """A generation's anchor and the signed bytes it was read from; None if nothing was pruned.

    Raises SignedDataFault for one that cannot be read or that speaks of another place.
    """
    row = ledger.row(f"SELECT seq, hash, signature FROM {ANCHOR} WHERE gen = ?", gen)
    if row is None:
        return None
    found, _ = anchor.read(bytes(row[2]))
    if (found.gen, found.seq, found.head) != (gen, row[0], bytes(row[1])):
        raise SignedDataFault("bad_anchor", "the anchor and what is kept beside it differ")
    return found, bytes(row[2])
