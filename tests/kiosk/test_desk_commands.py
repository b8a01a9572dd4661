"""The counter as commands: central is asked as the screen asks it, and what is not used goes back."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from kiosk import desk_commands
from kiosk.counter import Counter
from kiosk.counter_commands import commands
from kiosk.desk_commands import PIN_VARIABLE
from kiosk.errors import CardFault, CentralFault, OfficerFault
from kiosk.ports import LookupWord, RightWord
from kiosk.values import CardRead, Checks, Collector
from tests.kiosk.counter_world import OFFICER, PIN, ScriptedRights, World
from tests.kiosk.test_looking_up import ELSEWHERE, bring

RICE = f"h{ELSEWHERE}/beras/2026-11"


class Central(ScriptedRights):
    """Knows the holder of the other point, and grants what is asked for; at once."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.fault: CentralFault | None = None

    def look_up(self, read: CardRead, card_no: str) -> Future[LookupWord]:
        word = super().look_up(read, card_no)
        if self.fault is not None:
            word.set_exception(self.fault)
            return word
        bring(self.world)
        word.set_result(LookupWord("found"))
        return word

    def acquire(self, rights: list[str]) -> Future[dict[str, RightWord]]:
        words = super().acquire(rights)
        for right in rights:
            self.world.take_in(self.world.grant(right), acquired=True)
        words.set_result({right: RightWord(right, "granted") for right in rights})
        return words


@pytest.fixture
def central(world: World, monkeypatch: pytest.MonkeyPatch) -> Central:
    """Central behind the kiosk's counter; the officer's PIN is in the environment."""
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    made = Central(world)
    world.rights = made
    world.counter.close()
    world.counter = world.open_counter()
    world.set_online(True)
    return made


def shown(world: World, officer: str = "") -> dict[str, Any]:
    """What ``show`` answers to the card from elsewhere."""
    read = world.card(ELSEWHERE)
    return desk_commands.show(world.counter, read.payload.hex(), read.uid.hex(), "", officer, "")


def test_a_card_from_elsewhere_is_looked_up(world: World, central: Central) -> None:
    answer = shown(world)
    assert (answer["name"], answer["card_no"]) == ("EVI UTAMI", f"700000000{ELSEWHERE}")
    (row,) = answer["programs"]
    assert (row["state"], row["place"]) == ("held_elsewhere", "Kelurahan Hadimulyo")
    assert (len(central.looked_up), central.asked) == (1, [])


def test_an_officers_look_fetches_the_right_and_gives_it_back(world: World, central: Central) -> None:
    assert shown(world, OFFICER)["ready"] == ["beras"]
    assert central.asked == [[RICE]]
    left = world.ledger.right(RICE)
    assert left is not None
    assert not left.held


def test_offline_nobody_is_asked(world: World, central: Central) -> None:
    world.set_online(False)
    with pytest.raises(CardFault, match="card_from_elsewhere"):
        shown(world, OFFICER)
    assert central.looked_up == []


def test_what_central_does_not_say_is_told_as_the_screen_does(world: World, central: Central) -> None:
    central.fault = CentralFault("central_unreachable", "gone")
    with pytest.raises(CardFault, match="card_from_elsewhere"):
        shown(world, OFFICER)


def test_a_pickup_of_a_card_from_elsewhere(world: World, central: Central) -> None:
    said: list[dict[str, Any]] = []
    read, session = world.card(ELSEWHERE), world.sign_in()
    with desk_commands.open_visit(
        world.counter, read.payload.hex(), read.uid.hex(), "", session, ""
    ) as visit:
        desk_commands.confirm(
            world.counter, visit, session, "beras", None, Collector(), Checks(), "", said.append
        )
    assert [one["quantity"] for one in said] == [10_000]
    assert world.counter.unshown() == []
    with (
        pytest.raises(OfficerFault, match="already_taken"),
        desk_commands.open_visit(world.counter, read.payload.hex(), read.uid.hex(), "", session, "") as visit,
    ):
        desk_commands.confirm(
            world.counter, visit, session, "beras", None, Collector(), Checks(), "", said.append
        )


def test_the_status_is_told_in_words(world: World) -> None:
    @contextmanager
    def opened() -> Iterator[Counter]:
        yield world.counter

    def tell(_: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
        lines.update(text.splitlines())
        return len(answer)

    lines: set[str] = set()
    assert commands(opened, opened, tell, lambda *_: None)["status"](argparse.Namespace()) == len(lines)
    assert {"online: no", "warnings: no_rollback_counter, stolen_disk_readable", "loading:"} <= lines


def test_only_what_is_about_a_card_asks_central() -> None:
    opened: list[str] = []

    @contextmanager
    def open_as(name: str) -> Iterator[Counter]:
        opened.append(name)
        raise CentralFault("central_unreachable", name)
        yield

    words = commands(lambda: open_as("alone"), lambda: open_as("asking"), lambda *_: 0, lambda *_: None)
    given = argparse.Namespace(payload="", card="7000000001", uid="", officer="", reason="", ref="")
    for name in words:
        with pytest.raises(CentralFault):
            words[name](given)
    assert dict(zip(words, opened, strict=True)) == {
        "show": "asking", "confirm": "asking", "void": "alone", "status": "alone",
    }  # fmt: skip
