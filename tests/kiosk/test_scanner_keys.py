"""A scanner that types, and people who type: nothing of the one reaches a field, all of the others does."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.scanner_keys import BURST_KEYS, GAP_S, MAX_KEYS, STALLED_S, Outcome, ScannerKeys

CODE = "KMC1:" + "6BF+70O90M*KE" * 22
FAST_S = 0.004
HUMAN_S = 0.09


class Field:
    """A text field behind the keys, and what was scanned meanwhile."""

    def __init__(self, prefix: str = "", suffix: str = "\r") -> None:
        self.keys: ScannerKeys[str] = ScannerKeys(prefix, suffix)
        self.text = ""
        self.scans: list[str] = []
        self.broken: list[str] = []
        self.now = 100.0

    def take(self, outcome: Outcome[str]) -> None:
        self.text += "".join(outcome.typed)
        self.scans += outcome.scanned
        self.broken += outcome.broken

    def type(self, text: str, step_s: float) -> None:
        for character in text:
            self.now += step_s
            self.take(self.keys.press(character, character, self.now))

    def rest(self, seconds: float = STALLED_S) -> None:
        self.now += seconds + 1e-6
        self.take(self.keys.expire(self.now))


@pytest.mark.parametrize("prefix", ["", "~Q"])
def test_a_scan_is_told_and_leaks_no_key(prefix: str) -> None:
    field = Field(prefix)
    field.type(prefix + CODE + "\r", FAST_S)
    assert (field.scans, field.text, field.keys.is_holding) == ([CODE], "", False)


@pytest.mark.parametrize("prefix", ["", "~Q"])
def test_a_burst_of_scans(prefix: str) -> None:
    field = Field(prefix)
    field.type((prefix + CODE + "\r") * 5, FAST_S)
    assert (field.scans, field.text) == ([CODE] * 5, "")


@pytest.mark.parametrize("prefix", ["", "~Q"])
@given(text=st.text("0123456789 ~Q\r", max_size=30))
def test_a_person_loses_no_key(prefix: str, text: str) -> None:
    field = Field(prefix)
    field.type(text, HUMAN_S)
    field.rest()
    assert (field.text, field.scans, field.broken) == (text, [], [])


def test_a_key_is_held_no_longer_than_a_gap() -> None:
    field = Field()
    field.type("7", HUMAN_S)
    assert field.text == ""
    field.rest(GAP_S)
    assert field.text == "7"


def test_keys_that_roll_over_each_other_are_a_persons() -> None:
    field = Field()
    for pair in ("12", "345", "67890"[: BURST_KEYS - 1]):
        field.type(pair, 0.02)
        field.rest(0.2)
    assert field.text == "1234567890"
    field.type("12\r", 0.02)
    assert field.text == "123456789012\r"


def test_a_person_who_types_the_prefix_gets_it_back() -> None:
    field = Field("~Q")
    field.type("~", HUMAN_S)
    field.rest(GAP_S)
    field.type("Q", HUMAN_S)
    assert field.text == "~Q"
    field.type("~7", FAST_S)
    assert field.text == "~Q~7"


def test_with_a_prefix_a_quick_typist_is_never_a_scan() -> None:
    field = Field("~Q")
    field.type("1234567890\r", FAST_S)
    assert (field.text, field.scans) == ("1234567890\r", [])


def test_typing_before_a_scan_stays_and_the_scan_goes() -> None:
    field = Field()
    field.type("12", HUMAN_S)
    field.rest(GAP_S)
    field.type(CODE + "\r", FAST_S)
    field.now += HUMAN_S
    field.type("3", HUMAN_S)
    field.rest(GAP_S)
    assert (field.text, field.scans) == ("123", [CODE])


@pytest.mark.parametrize("prefix", ["", "~Q"])
def test_half_a_scan_is_told_and_leaks_nothing(prefix: str) -> None:
    field = Field(prefix)
    field.type(prefix + CODE[:80], FAST_S)
    field.rest(STALLED_S)
    assert (field.text, field.scans, field.broken) == ("", [], ["half"])
    field.type(prefix + CODE + "\r", FAST_S)
    assert (field.text, field.scans) == ("", [CODE])


def test_a_scan_that_stutters_is_still_one() -> None:
    field = Field()
    field.type(CODE[:50], FAST_S)
    field.now += 0.3
    field.type(CODE[50:] + "\r", FAST_S)
    assert (field.text, field.scans) == ("", [CODE])


def test_a_scan_without_an_end_is_told_once_and_memory_stays_bounded() -> None:
    field = Field()
    field.type("A" * (3 * MAX_KEYS), FAST_S)
    assert (field.text, field.scans, field.broken) == ("", [], ["oversized"])
    assert len(field.keys._held) <= MAX_KEYS + 2
    field.type("\r", FAST_S)
    field.type(CODE + "\r", FAST_S)
    assert field.scans == [CODE]


def test_a_suffix_of_two_keys() -> None:
    field = Field(suffix="\t\r")
    field.type(CODE + "\t\r", FAST_S)
    assert (field.text, field.scans) == ("", [CODE])


def test_a_suffix_is_needed() -> None:
    with pytest.raises(ValueError, match="suffix"):
        ScannerKeys("~Q", "")


@given(
    st.lists(st.tuples(st.sampled_from([*"0123456789~QKMC:", "\r"]), st.floats(0.001, 0.8)), max_size=60),
    st.sampled_from(["", "~Q"]),
)
def test_every_key_is_typed_scanned_or_told_broken_and_never_doubled(
    strokes: list[tuple[str, float]], prefix: str
) -> None:
    field = Field(prefix)
    times = accumulate((step for _, step in strokes), initial=field.now)
    next(times)
    handed_on: list[int] = []
    keys: ScannerKeys[int] = ScannerKeys(prefix)
    for number, ((character, _), at) in enumerate(zip(strokes, times, strict=True)):
        handed_on += keys.press(number, character, at).typed
    handed_on += keys.expire(1e9).typed
    assert handed_on == sorted(set(handed_on)), "in their order, each once"
    assert not keys.is_holding
