"""The small cities that are simulated: few rights and few kiosks, so that the same right is fought over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from kiosk.program import Program
from sync.central.import_format import (
    Agency,
    Entitlement,
    Family,
    Holder,
    ImportDocument,
    Kiosk,
    Officer,
    Point,
)
from tests.sync.central_side import holder as plain_holder
from tests.sync.central_side import program

SUPERVISOR: Final = {1: "sari", 2: "tono"}
"""User name of the supervisor of each point: takes back what is older than ten minutes, too."""
KEEPERS: Final = {1: "AAA1", 2: "BBB1"}

_NO_PIN: Final = "$argon2id$v=19$m=19456,t=6,p=1$c2FsdHNhbHQ$aGFzaA"
_POINTS: Final = (
    Point(id=1, name="Satu", district="Utara", kind="kelurahan"),
    Point(id=2, name="Dua", district="Timur", kind="kelurahan"),
)
_KIOSKS: Final = (
    Kiosk(id="AAA1", point_id=1, counter="Loket 1", keeper=True),
    Kiosk(id="BBB1", point_id=2, counter="Loket 1", keeper=True),
    Kiosk(id="AAA2", point_id=1, counter="Loket 2", keeper=False),
)


@dataclass(frozen=True, slots=True)
class Due:
    """What a subject is due of a program in each month; the oracle's own table is made of these."""

    id: int
    subject: str
    program_id: str
    quantity: int
    """In the benefit's smallest unit."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One small city."""

    name: str
    kiosks: tuple[str, ...]
    homes: tuple[tuple[int, int], ...]
    """Holder id and usual point of each; all are of one family."""
    programs: tuple[Program, ...]
    dues: tuple[Due, ...]
    follows: bool = True
    """Each kiosk has the other point's people in its cache, too."""

    def program(self, program_id: str) -> Program:
        """A program of this city."""
        return next(one for one in self.programs if one.id == program_id)

    def collectors_of(self, subject: str) -> list[int]:
        """Holders whose card brings the rights of a subject."""
        return [one for one, _ in self.homes if subject in (f"h{one}", "f1")]

    def home_of(self, subject: str) -> int:
        """Usual point of a subject: a family's is that of its lowest holder id."""
        return dict(self.homes)[min(self.collectors_of(subject))]

    def document(self) -> ImportDocument:
        """The city as central imports it."""
        return ImportDocument(
            mode="demonstration",
            source="simulator",
            issued=date(2026, 11, 1),
            agencies=(Agency(id=1, name="Dinas Sosial", short="Dinsos"),),
            points=_POINTS,
            kiosks=tuple(one for one in _KIOSKS if one.id in self.kiosks),
            families=(Family(id=1, kk="9901010101010001"),),
            holders=tuple(holder(one, point) for one, point in self.homes),
            programs=self.programs,
            entitlements=tuple(entitlement(due) for due in self.dues),
            officers=tuple(
                Officer(
                    username=name,
                    name=name.upper(),
                    role="supervisor",
                    point_id=point,
                    pin_hash=_NO_PIN,
                    valid_until=date(2029, 1, 1),
                )
                for point, name in SUPERVISOR.items()
            ),
        )


def holder(number: int, point_id: int) -> Holder:
    """A generated holder at a point."""
    return plain_holder(number, point_id)


def entitlement(due: Due, version: int = 1) -> Entitlement:
    """The entitlement that a due stands for."""
    return Entitlement(
        id=due.id,
        version=version,
        subject=due.subject,
        program_id=due.program_id,
        quantity=due.quantity,
        valid_from=date(2026, 1, 1),
    )


_RICE: Final = program("beras", least_grade="p0")
_OIL: Final = program("minyak", least_grade="p0", partial=True)
_FAMILY: Final = program("sembako", least_grade="p0", subject="family")
_CASH: Final = program("tunai", least_grade="p0", right_group="beras")
"""Excludes rice: who takes one of them has had both."""
_EGGS: Final = program(
    "telur", least_grade="p0", partial=True, mode="tolerate", tolerate={"amount": 8, "count": 2, "days": 3}
)
_MILK: Final = program(
    "susu", least_grade="p0", mode="tolerate", tolerate={"amount": 30, "count": 3, "days": 20}
)
"""Both may be handed out without the right while central is away, within limits."""
_TWO: Final = ("AAA1", "BBB1")
_RICE_DUE, _OIL_DUE = Due(1, "h1", "beras", 10), Due(2, "h1", "minyak", 10)
_FAMILY_DUE, _CASH_DUE = Due(3, "f1", "sembako", 5), Due(4, "h1", "tunai", 6)

SCOPES: Final = (
    Scope("one", _TWO, ((1, 1),), (_RICE,), (_RICE_DUE,)),
    Scope("partial", _TWO, ((1, 1),), (_OIL,), (_OIL_DUE,)),
    Scope("family", _TWO, ((1, 1), (2, 2)), (_FAMILY,), (_FAMILY_DUE,)),
    Scope("excluding", _TWO, ((1, 1),), (_RICE, _CASH), (_RICE_DUE, _CASH_DUE)),
    Scope("strangers", _TWO, ((1, 1),), (_OIL,), (_OIL_DUE,), follows=False),
    Scope(
        "tolerated", _TWO, ((1, 1),), (_EGGS, _MILK), (Due(7, "h1", "telur", 10), Due(8, "h1", "susu", 10))
    ),
    Scope(
        "counters",
        ("AAA1", "BBB1", "AAA2"),
        ((1, 1), (2, 2)),
        (_RICE, _OIL, _FAMILY),
        (_RICE_DUE, _OIL_DUE, _FAMILY_DUE, Due(5, "h2", "beras", 10), Due(6, "h2", "minyak", 8)),
    ),
)


def scope(name: str) -> Scope:
    """The city of that name."""
    return next(one for one in SCOPES if one.name == name)
