"""Counts what goes over the counter, by hand and by its own table of who is due what.

Nothing here asks the product what is left of a right: goods leave when ``Counter.confirm`` has returned, and
come back when a void was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.sim.city import Due, Scope


class Broken(BaseException):
    """An invariant does not hold. No handler of the product's, on whose stack it may be raised, takes it."""

    def __init__(self, invariant: str, message: str) -> None:
        super().__init__(f"{invariant}: {message}")
        self.invariant = invariant
        self.message = message


@dataclass
class HandOut:
    """Goods that left a counter."""

    hash: bytes
    """Of the record that was written for it: names it whatever becomes of the ledger."""
    ref: str
    machine: str
    identity: tuple[str, int]
    """Kiosk and generation."""
    right: str
    program_id: str
    quantity: int
    at: float
    returned: bool = False
    without_right: bool = False
    """Under no grant, as programs of mode ``tolerate`` may while central is away."""


@dataclass
class Oracle:
    """Knows the city's dues, every hand-out and every return."""

    scope: Scope
    dues: dict[int, list[int]] = field(default_factory=dict)
    """Quantities that each entitlement has had, the newest last."""
    hand_outs: dict[bytes, HandOut] = field(default_factory=dict)
    copied: set[tuple[str, int]] = field(default_factory=set)
    """Kiosks and generations of whose ledger two copies were in use."""
    excused: set[tuple[str, int]] = field(default_factory=set)
    """Of these the unfenced ones, which may hand out twice; and those whose rights were written off."""
    log_lost: bool = False
    """Central lost the log outside its database, too: it cannot know what it granted last."""
    overspent: set[str] = field(default_factory=set)
    """Rights of which more was out than due at some time."""
    never_seen: set[bytes] = field(default_factory=set)
    """Recorded by a process that died before the officer saw it: nothing left the counter."""

    def __post_init__(self) -> None:
        self.dues = {due.id: [due.quantity] for due in self.scope.dues}

    def right_of(self, subject: str, program_id: str, month: str) -> str:
        """The key of a right, by the protocol's own words."""
        return f"{subject}/{self.scope.program(program_id).right_group}/{month}"

    def most(self, right: str) -> int:
        """The most that was ever due of a right, by any of the programs that share it."""
        return max(max(self.dues[due.id]) for due in self._dues_of(right))

    def due_now(self, right: str) -> int:
        """What is due of it now."""
        return max(self.dues[due.id][-1] for due in self._dues_of(right))

    def was_cut(self, right: str) -> bool:
        """True if less is due of it now than was at some time: one pickup alone may be too much."""
        return self.due_now(right) < self.most(right)

    def out(self, right: str) -> int:
        """What is out of a right, less what came back."""
        return sum(one.quantity for one in self.standing(right))

    def standing(self, right: str = "") -> list[HandOut]:
        """Hand-outs that were not taken back."""
        return [
            one for one in self.hand_outs.values() if not one.returned and (not right or one.right == right)
        ]

    def is_open(self, right: str) -> bool:
        """True if somebody may still come for it."""
        if self._is_partial(right):
            return self.out(right) < self.due_now(right)
        return not self.standing(right)

    def hand_out(self, one: HandOut) -> None:
        """Goods leave. Raises Broken I1 for more than was ever due, unless a copied ledger is to blame."""
        if one.hash in self.hand_outs:
            raise Broken("I4", f"{one.ref} was handed out twice under one record")
        self.never_seen.discard(one.hash)
        self.hand_outs[one.hash] = one
        if one.without_right and not self.is_tolerant(one.right):
            raise Broken("I1", f"{one.ref} of {one.right} left without the right to it")
        self._check(one.right)

    def bring_back(self, hashed: bytes) -> None:
        """Goods come back."""
        self.hand_outs[hashed].returned = True

    def is_tolerant(self, right: str) -> bool:
        """True if its programs may be handed out without the right."""
        return any(self.scope.program(due.program_id).mode == "tolerate" for due in self._dues_of(right))

    def change_due(self, entitlement_id: int, quantity: int) -> None:
        """An agency changes what is due."""
        self.dues[entitlement_id].append(quantity)

    def _check(self, right: str) -> None:
        standing = self.standing(right)
        out, most = self.out(right), self.most(right)
        raised = max(
            sum(now > before for before, now in zip(self.dues[due.id], self.dues[due.id][1:], strict=False))
            for due in self._dues_of(right)
        )
        once = self._is_partial(right) or len(standing) <= 1 + raised
        if out <= most and once:
            return
        tolerated = self.log_lost or any(one.without_right for one in standing)
        if not tolerated and not any(one.identity in self.excused for one in standing):
            told = ", ".join(f"{one.ref} {one.quantity} at {one.machine}" for one in standing)
            raise Broken("I1", f"{right}: {out} of {most} is out: {told}")
        self.overspent.add(right)

    def _is_partial(self, right: str) -> bool:
        return any(self.scope.program(due.program_id).partial for due in self._dues_of(right))

    def _dues_of(self, right: str) -> list[Due]:
        subject, group, _ = right.split("/")
        return [
            due
            for due in self.scope.dues
            if due.subject == subject and self.scope.program(due.program_id).right_group == group
        ]
