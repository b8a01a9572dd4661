"""The commands for what a supervisor does to the kiosk itself, over a real counter."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from kiosk.command_line import make_parser
from kiosk.counter import Counter
from kiosk.desk_commands import PIN_VARIABLE
from kiosk.errors import OfficerFault
from kiosk.rights_commands import commands
from kiosk.stock_records import receive
from kiosk.stock_slice import make
from tests.kiosk.counter_world import OFFICER, PIN, SUPERVISOR, World
from tests.kiosk.test_stock import SLICE


class Desk:
    """Runs a command line as ``kmc-kiosk`` does; keeps what it answered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answer: dict[str, Any] = {}
        self.text = ""
        words = commands(self.open_counter, self.tell)
        self.parser = make_parser(_Only(words))

    @contextmanager
    def open_counter(self) -> Iterator[Counter]:
        yield self.world.counter

    def tell(self, arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
        self.answer, self.text = answer, text
        return 0

    def run(self, *words: str) -> int:
        arguments = self.parser.parse_args(words)
        done: int = arguments.run(arguments)
        return done


class _Only(dict[str, Any]):
    """All other commands are known and run nothing."""

    def __missing__(self, words: str) -> Any:
        return None


@pytest.fixture
def desk(world: World, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A counter with one right and one slice; the PIN is in the environment, as in demonstrations."""
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    world.take_in(world.grant())
    receive(world.counter._journal, [make(SLICE, world.city.central, b"c-now")], world.home.keyset())
    return Desk(world)


def test_stock_is_listed_and_given_back(desk: Desk) -> None:
    assert desk.run("stock", "list") == 0
    listed = {"slice": SLICE.id, "program": "beras", "quantity": 25_000, "returned": 0, "left": 25_000}
    assert desk.answer == {"slices": [listed]}
    desk.run("stock", "return", "beras", "--officer", SUPERVISOR)
    assert desk.answer == {"slices": [SLICE.id], "quantity": 25_000}
    desk.run("stock", "list")
    assert desk.answer["slices"][0]["left"] == 0
    with pytest.raises(OfficerFault, match="no_stock"):
        desk.run("stock", "return", "tepung", "--officer", SUPERVISOR)


def test_a_kiosk_retires(desk: Desk) -> None:
    desk.run("retire", "--officer", SUPERVISOR)
    assert desk.answer == {"rights": 1, "slices": 1, "waiting": 4}  # slice in, sign-in, release, slice out
    assert desk.world.counter.status().frozen == "retired"


def test_the_date_is_confirmed(desk: Desk) -> None:
    desk.world.clock.at -= timedelta(days=400)
    desk.world.clock.boot = "boot-2"
    desk.run("clock", "confirm", "--date", "2026-11-21", "--officer", SUPERVISOR)
    assert desk.answer == {"now": "2026-11-21T09:00:00"}
    assert "2026-11-21T09:00:00" in desk.text


@pytest.mark.parametrize(
    "words",
    [("retire",), ("stock", "return", "beras"), ("clock", "confirm", "--date", "2026-11-21")],
)
def test_an_officer_is_not_enough(desk: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(OfficerFault) as refused:
        desk.run(*words, "--officer", OFFICER)
    assert refused.value.code == "supervisor_needed"
    assert desk.world.counter.status().frozen == ""


def test_a_date_that_is_none_is_wrong_usage(desk: Desk) -> None:
    with pytest.raises(SystemExit) as ended:
        desk.run("clock", "confirm", "--date", "tomorrow", "--officer", SUPERVISOR)
    assert ended.value.code == 2
