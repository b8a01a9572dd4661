"""The bench's city as rows of the feed: generated, the same in every run, nobody real.

Families of four with consecutive ids; the first families belong to the kiosk's own point. Of those the heads
of the first are the holders that are tapped: with exactly one program, and then with exactly fourteen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from bench import programs
from kiosk import period
from kiosk.legacy_cards import legacy_id
from kiosk.period import Period
from kiosk.program import Program, parse_program

POINTS: Final = 24
FAMILY: Final = 4
TAPPED: Final = 120
"""Holders of each kind that are tapped, each once in a round."""
OWN_SHARE: Final = 0.05
"""Of all holders, those of the kiosk's own point: ten thousand of two hundred thousand."""
PER_HOLDER: Final = 5
"""Entitlements for each holder on average, those of families included."""
MANY_OWN, MANY_FAMILY = 11, 3
"""How the fourteen programs of one holder come about."""
SPENT_EVERY: Final = 20
"""Of the other points' entitlements every one was used this period: the feed lists its right."""
LEAST_HOLDERS: Final = 2 * TAPPED * FAMILY * 20

_FIRST: Final = (
    "ADI",
    "AGUS",
    "BAYU",
    "DEWI",
    "EKA",
    "FITRI",
    "INDAH",
    "JOKO",
    "LINA",
    "MAYA",
    "NUR",
    "SARI",
)
_LAST: Final = ("HIDAYAT", "KUSUMA", "LESTARI", "NUGROHO", "PRATAMA", "RAHAYU", "SAPUTRA")


@dataclass(frozen=True, slots=True)
class Entitled:
    """One entitlement, before it is a row."""

    id: int
    subject: str
    program: int
    """Position among the city's programs."""
    quantity: int
    family: int


@dataclass(frozen=True)
class City:
    """The rows of a city of ``holders`` people as of ``now``; the kiosk ``kiosk`` stands at ``point``."""

    holders: int
    kiosk: str
    point: int
    now: datetime

    @property
    def families(self) -> int:
        """How many families there are."""
        return self.holders // FAMILY

    @property
    def own_families(self) -> int:
        """Families of the kiosk's own point; they have the lowest ids."""
        return max(2 * TAPPED, int(self.holders * OWN_SHARE) // FAMILY)

    @property
    def one_program(self) -> range:
        """Ids of the holders with exactly one program."""
        return range(1, TAPPED * FAMILY + 1, FAMILY)

    @property
    def many_programs(self) -> range:
        """Ids of the holders with exactly fourteen programs."""
        return range(TAPPED * FAMILY + 1, 2 * TAPPED * FAMILY + 1, FAMILY)

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """All programs."""
        return tuple(parse_program(json.dumps(document)) for document in programs.documents())

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """The period of each program that holds now."""
        found = [program.current_period(self.now) for program in self.programs]
        return tuple(one for one in found if one is not None)

    @property
    def other_points(self) -> list[int]:
        """Every point but the kiosk's own."""
        return [number for number in range(1, POINTS + 1) if number != self.point]

    def point_of(self, family: int) -> int:
        """The point of a family (ids from 1)."""
        others = self.other_points
        return self.point if family <= self.own_families else others[family % len(others)]

    def right_of(self, entitled: Entitled) -> str:
        """The key of an entitlement's right in the period of now."""
        group, current = self.programs[entitled.program].right_group, self.periods[entitled.program]
        return period.right_key(entitled.subject, group, current.key)

    def card_no(self, holder: int) -> str:
        """The number of a holder's card."""
        return f"{7_000_000_000 + holder * 37}"

    def name(self, holder: int) -> str:
        """A holder's generated name."""
        return f"{_FIRST[holder % len(_FIRST)]} {_LAST[holder // 7 % len(_LAST)]}"

    def entitled(self) -> Iterator[Entitled]:
        """Every entitlement: five for each holder on average, in order of family."""
        own, kinds = 16, 4
        tapped = TAPPED * (1 + MANY_OWN + MANY_FAMILY)
        plain_families = self.families - 2 * TAPPED
        others = self.holders - 2 * TAPPED
        for_holders = self.holders * PER_HOLDER - tapped - 2 * plain_families
        each, more = divmod(for_holders, others)
        number = seen = 0
        for family in range(1, self.families + 1):
            head = (family - 1) * FAMILY + 1
            chosen: list[tuple[str, int]] = []
            if family <= TAPPED:
                chosen = [(f"h{head}", 0)]
            elif family <= 2 * TAPPED:
                chosen = [(f"h{head}", (n + 1) % own) for n in range(MANY_OWN)]
                chosen += [(f"f{family}", own + n) for n in range(MANY_FAMILY)]
            else:
                chosen = [(f"f{family}", own + (family + n) % kinds) for n in range(2)]
            for holder in range(head, head + FAMILY):
                if family <= 2 * TAPPED and holder == head:
                    continue
                count = each + (seen < more)
                seen += 1
                chosen += [(f"h{holder}", (holder * 5 + n * 3) % own) for n in range(count)]
            for subject, program in chosen:
                number += 1
                place = program - own if program >= own else program
                yield Entitled(number, subject, program, programs.quantity_of(place), family)

    def rows(self, kind: str, pin_hashes: dict[str, str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Bucket and values of every row of a kind of the feed."""
        made: Iterator[tuple[str, tuple[Any, ...]]] = getattr(self, f"_{kind}")(pin_hashes)
        return made

    def _agency(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        yield from (("city", agency) for agency in programs.AGENCIES)

    def _point(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for number in range(1, POINTS + 1):
            yield "city", (number, f"Kelurahan Nomor {number:02d}", f"Metro {number % 5}", "office")

    def _kiosk(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        yield "city", (self.kiosk, self.point, "Loket 1", 1, "active")
        for number in self.other_points:
            yield "city", (f"PT{number:02d}A", number, "Loket 1", 1, "active")

    def _program(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for document in programs.documents():
            yield "city", (document["id"], document["version"], json.dumps(document, ensure_ascii=False))

    def _denied_card(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for holder in range(3, self.holders, 100):  # never a head: issue 1 of a card that has issue 2
            yield "city", (self.card_no(holder), 1, "lost", "2026-01-05")

    def _holder(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for holder in range(1, self.holders + 1):
            family = (holder - 1) // FAMILY + 1
            point = self.point_of(family)
            nik_hash = hashlib.sha256(f"99{holder:014d}".encode()).hexdigest()
            birth = f"{1950 + holder % 70}-{holder % 12 + 1:02d}-{holder % 28 + 1:02d}"
            issue = 2 if holder % 100 == 3 else 1
            row = (holder, self.card_no(holder), issue, self.name(holder), birth, f"{holder % 10000:04d}")
            yield f"p{point}", (*row, nik_hash, family, point, "active")

    def _guardian(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for family in range(1, self.families + 1):
            head = (family - 1) * FAMILY + 1
            for place, child in enumerate((head + 2, head + 3)):
                number = 2 * family + place
                row = (number, child, head, "mother", "2025-01-01", None, None)
                yield f"p{self.point_of(family)}", row

    def _entitlement(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for one in self.entitled():
            program = self.programs[one.program].id
            row = (one.id, 1, one.subject, program, one.quantity, "2025-01-01", None, "active")
            yield f"p{self.point_of(one.family)}", row

    def _right(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        at = self.now.strftime("%Y-%m-%dT08:10:00")
        for one in self.entitled():
            point = self.point_of(one.family)
            if self.lies_elsewhere(one):
                place = self.other_points[one.family % (POINTS - 1)]
                row = (self.right_of(one), f"PT{place:02d}A", place, one.quantity, 0, None, None, None)
                yield f"p{point}", row
            elif self.was_spent(one):
                place = self.other_points[one.family % (POINTS - 1)]
                ref = f"PT{place:02d}A-{one.id % 10000:04d}"
                yield f"p{point}", (self.right_of(one), "", 0, one.quantity, one.quantity, at, place, ref)

    def lies_elsewhere(self, one: Entitled) -> bool:
        """Whether the right of one of the own point was fetched by another kiosk."""
        return TAPPED < one.family <= 2 * TAPPED and one.program in (3, 7)

    def was_spent(self, one: Entitled) -> bool:
        """Whether the right was used this period, elsewhere."""
        if one.family <= self.own_families:
            return TAPPED < one.family <= 2 * TAPPED and one.program in (2, 9, 17)
        return one.id % SPENT_EVERY == 0

    def is_held_here(self, one: Entitled) -> bool:
        """Whether the kiosk holds the right: all of its own point's but those that lie or went elsewhere."""
        return one.family <= self.own_families and not self.lies_elsewhere(one) and not self.was_spent(one)

    def _family(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        yield from ()  # every family lives at one point

    def _keyset(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        yield from ()

    def _officer(self, pin_hashes: dict[str, str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for username, hashed in pin_hashes.items():
            yield f"o{self.point}", (username, username.upper(), "officer", self.point, hashed, None)

    def _badge(self, pin_hashes: dict[str, str]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for number, username in enumerate(pin_hashes, 1):
            yield f"o{self.point}", (f"B{number:012d}", username, 1, 0)

    def _legacy_card(self, _: object) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for holder in range(7, self.holders, 50):
            place = f"p{self.point_of((holder - 1) // FAMILY + 1)}"
            yield place, (legacy_id("number", self.card_no(holder)), holder, "active")
