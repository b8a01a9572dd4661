"""Turns at SQLite's one writing place: in the order of asking, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from sync.central.turns import NoTurn, Turns


def test_turns_go_in_the_order_of_asking() -> None:
    turns, order, threads = Turns(), [], []

    def take(number: int) -> None:
        with turns.turn(30):
            order.append(number)

    with turns.turn(30):
        for number in range(8):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            _until(lambda: len(turns._waiting) == number + 1)  # noqa: B023
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_who_waits_too_long_leaves_the_queue() -> None:
    turns = Turns()
    with turns.turn(1), pytest.raises(NoTurn), turns.turn(0.01):
        raise AssertionError("unreachable")
    with turns.turn(0):
        assert not turns._waiting


def test_a_turn_that_ends_in_a_fault_is_handed_on() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="midway"), turns.turn(1):
        raise ValueError("midway")
    with turns.turn(0):
        pass


def _until(met: object) -> None:
    deadline = time.monotonic() + 20
    while not met():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.001)
