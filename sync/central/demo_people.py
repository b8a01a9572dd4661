"""The demonstration's people: families of generated names and numbers, nobody of them real."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sync.central.demo_places import region_of
from sync.central.identity_numbers import card_no_of, kk_of, nik_of

Sex = Literal["f", "m"]

ADULT_AGE = 18
OLD_AGE = 60


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FEMALE = _words(
    "Siti Sri Dewi Wulan Ratna Yuni Endang Nurul Fitri Ayu Maya Indah Tuti Yanti Mega Lina Nita Evi "
    "Rosita Suci"
)
_MALE = _words(
    "Agus Bambang Budi Eko Hendra Joko Rudi Slamet Supri Teguh Wahyu Yusuf Arif Dedi Edi Fauzan Heri "
    "Imam Tri Untung"
)
_GIRLS = _words("Aisyah Nadia Zahra Alya Kirana Salsa Naura Putri Keisha Anindya Cahya Melati Intan Raisa")
_BOYS = _words("Rafi Fajar Bayu Raka Galih Dafa Arya Naufal Ilham Reza Bima Satria Farel Yoga")
_OLD_FEMALE = _words("Ngatinah Sukini Painem Tumini Kasiyem Rubiyah Saminah Warsiti Jumirah Mursiti")
_OLD_MALE = _words("Paiman Ngadimin Sukarjo Warsito Kasimin Tugiman Sarmin Wagiran Jumadi Marsudi")
_LAST_FEMALE = _words(
    "Wahyuni Lestari Rahayu Puspitasari Utami Maharani Kurniasih Susanti Wulandari Astuti Permata "
    "Kusumawati Hastuti"
)
_LAST_MALE = _words(
    "Santoso Wibowo Saputra Hidayat Gunawan Setiawan Firmansyah Kurniawan Pratama Suryadi Purnomo "
    "Mulyono Hermawan"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a family to be: what about a person matters for programs."""

    age: int
    sex: Sex
    name: str = ""
    farmer: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A generated person with numbers."""

    id: int
    family_id: int
    point_id: int
    name: str
    sex: Sex
    birth: date
    age: int
    """In whole years on the day of the document."""
    farmer: bool
    nik: str
    card_no: str


@dataclass(frozen=True, slots=True)
class Household:
    """A family and its members, the head first."""

    id: int
    kk: str
    members: tuple[Person, ...]


class Registry:
    """Gives ids, numbers and dates to families, the same for the same seed and calls."""

    def __init__(self, rng: random.Random, today: date, reserved_cards: frozenset[str]) -> None:
        self._rng = rng
        self._today = today
        self._cards = set(reserved_cards)
        self._serials: Counter[str] = Counter()
        self._people = 0
        self._families = 0

    @property
    def people(self) -> int:
        """How many people were registered."""
        return self._people

    def family(self, point_id: int, members: tuple[Member, ...], card_nos: tuple[str, ...] = ()) -> Household:
        """Registers a family; ``card_nos`` are given to its members in order, else drawn."""
        self._families += 1
        registered = self._today - timedelta(days=self._rng.randrange(30, 5000))
        people = []
        for place, member in enumerate(members):
            card_no = card_nos[place] if place < len(card_nos) else self._card_no()
            people.append(self._person(point_id, member, card_no))
        number = kk_of(region_of(point_id), registered, self._serial("kk", point_id, registered))
        return Household(self._families, number, tuple(people))

    def _person(self, point_id: int, member: Member, card_no: str) -> Person:
        self._people += 1
        birth = self._birth(member.age)
        serial = self._serial(member.sex, point_id, birth)
        return Person(
            id=self._people,
            family_id=self._families,
            point_id=point_id,
            name=member.name or _name(self._rng, member),
            sex=member.sex,
            birth=birth,
            age=member.age,
            farmer=member.farmer,
            nik=nik_of(region_of(point_id), birth, member.sex == "f", serial),
            card_no=card_no,
        )

    def _birth(self, age: int) -> date:
        """A day on which somebody of that age today was born; never 29 February, which has no birthday."""
        eldest = date(self._today.year - age - 1, self._today.month, min(self._today.day, 28))
        while True:
            born = eldest + timedelta(days=1 + self._rng.randrange(364))
            if (born.month, born.day) != (2, 29):
                return born

    def _serial(self, kind: str, point_id: int, day: date) -> int:
        key = f"{kind} {region_of(point_id)} {day:%d%m%y}"
        self._serials[key] += 1
        return self._serials[key]

    def _card_no(self) -> str:
        while True:
            card_no = card_no_of(self._rng.randrange(10**8, 10**9))
            if card_no not in self._cards:
                self._cards.add(card_no)
                return card_no


def families_of(rng: random.Random, people: int) -> Iterator[tuple[Member, ...]]:
    """Families until there are exactly that many people; the last one is as large as there is room."""
    left = people
    while left > 0:
        members = _family(rng)[:left]
        left -= len(members)
        yield members


def _family(rng: random.Random) -> tuple[Member, ...]:
    """Members with the adults first, so that a cut leaves no child alone."""
    age = rng.randrange(24, 52)
    children = tuple(_child(rng, age) for _ in range(rng.choice((1, 2, 2, 3))))
    mother = Member(age, "f")
    father = Member(min(age + rng.randrange(0, 6), 59), "m")
    old = rng.randrange(OLD_AGE, 85)
    pick = rng.randrange(100)
    if pick < 42:
        return mother, father, *children
    if pick < 57:
        return Member(age, "m", farmer=True), Member(age, "f", farmer=rng.randrange(2) == 0), *children[:2]
    if pick < 69:
        return mother, *children[:2]
    if pick < 79:
        return Member(old, "m"), Member(max(old - 3, OLD_AGE), "f")
    if pick < 86:
        return Member(old, "f"), Member(rng.randrange(6, 17), rng.choice(("f", "m")))
    if pick < 94:
        return Member(old, "f"), Member(max(old - 30, 25), "m"), *children[:2]
    return (Member(rng.randrange(20, 59), rng.choice(("f", "m"))),)


def _child(rng: random.Random, mother_age: int) -> Member:
    return Member(rng.randrange(0, min(ADULT_AGE, mother_age - 18)), rng.choice(("f", "m")))


def _name(rng: random.Random, member: Member) -> str:
    woman = member.sex == "f"
    if member.age >= OLD_AGE and rng.randrange(3):
        return rng.choice(_OLD_FEMALE if woman else _OLD_MALE)
    if member.age < ADULT_AGE:
        first = rng.choice(_GIRLS if woman else _BOYS)
    else:
        first = rng.choice(_FEMALE if woman else _MALE)
    return f"{first} {rng.choice(_LAST_FEMALE if woman else _LAST_MALE)}"
