"""The larger spend of merged rights, whatever is merged, spent and taken back in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from sync.central import merging
from sync.central.models import right_merge
from sync.central.right_rows import Right

PEOPLE = 4
Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(("spend", "spend", "merge", "void")), st.integers(0, 9), st.integers(0, 9)),
    max_size=24,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """A database with the one table that merging needs."""
    engine = create_engine("sqlite://")
    with engine.connect() as made:
        right_merge.create(made)
        yield made
    engine.dispose()


@dataclass
class Pickup:
    """One pickup, and where it counted."""

    spends: int
    counted_in: str
    era: int
    voided: bool = False


@dataclass
class Told:
    """The same by definition: each right's own pickups by era, and what was merged into it, in order."""

    pickups: list[Pickup] = field(default_factory=list)
    parts: dict[str, list[str]] = field(default_factory=dict)

    def spent(self, right: str) -> int:
        """Before each merge the larger of the two sides, and all since."""
        parts = self.parts.get(right, [])
        total = self._own(right, 0)
        for n, part in enumerate(parts):
            total = max(total, self.spent(part)) + self._own(right, n + 1)
        return total

    def _own(self, right: str, era: int) -> int:
        return sum(
            one.spends for one in self.pickups if not one.voided and (one.counted_in, one.era) == (right, era)
        )


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_every_order_comes_to_the_larger_spend(connection: Connection, steps: list[Step]) -> None:
    connection.execute(right_merge.delete())
    rows = {f"h{n}/x/1": Right(f"h{n}/x/1", f"h{n}", 1, 100, "[]", 0, 1, "strict") for n in range(PEOPLE)}
    told = Told()
    for what, one, other in steps:
        row = rows[f"h{one % PEOPLE}/x/1"]
        if what == "spend":
            counted = merging.root_of(row, rows.__getitem__)
            counted.spent += other + 1
            told.pickups.append(Pickup(other + 1, counted.right, counted.merges))
        elif what == "merge":
            keep = rows[f"h{other % PEOPLE}/x/1"]
            if keep is row or keep.merged_into is not None or row.merged_into is not None:
                continue
            merging.join(connection, keep, row, "m", 0)
            told.parts.setdefault(keep.right, []).append(row.right)
        elif told.pickups:
            found = told.pickups[(one * 10 + other) % len(told.pickups)]
            if found.voided:
                continue
            found.voided = True
            counted = rows[found.counted_in]
            root = merging.take_back(connection, counted, found.era, found.spends, rows.__getitem__)
            assert root.merged_into is None
    for row in rows.values():
        assert row.spent == told.spent(row.right)
        root = merging.root_of(row, rows.__getitem__)
        # Never twice: what any one record spent is never forgotten.
        assert root.spent >= row.spent
