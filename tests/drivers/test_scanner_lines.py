"""What scanners send: whole codes, bursts, half lines, garbage, lines without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.reader import Faulted, Lifted, Reading
from drivers.scanner_layout import EV_KEY, EV_SYN, SYN_DROPPED, KeyWriter
from drivers.scanner_lines import HALF_LINE_S, MAX_CONTENT_BYTES, LineForm, Scan, ScanLines
from drivers.scanner_watch import LIFTED_AFTER_S, ScanWatch
from kiosk.errors import CardFault
from kiosk.values import CardRead, Medium

CODE = b"KMC1:" + b"6BF+70O90M*KE" * 22
FORM = LineForm(b"~Q", b"\r")


def told(scans: list[Scan]) -> list[bytes | str]:
    return [scan.code if isinstance(scan, CardFault) else scan for scan in scans]


@pytest.mark.parametrize("ending", [b"\r", b"\r\n", b"\n\r"])
def test_a_whole_line_is_one_code(ending: bytes) -> None:
    lines = ScanLines()
    assert lines.feed(CODE + ending + CODE + ending, 0.0) == [CODE, CODE]


@given(st.lists(st.integers(1, 400), max_size=20))
def test_a_burst_of_codes_in_pieces_of_any_size(cuts: list[int]) -> None:
    sent = (b"~Q" + CODE + b"\r") * 3
    lines = ScanLines(FORM)
    scans: list[Scan] = []
    at = 0
    for cut in [*cuts, len(sent)]:
        scans += lines.feed(sent[at : at + cut], 0.1)
        at += cut
    assert scans == [CODE] * 3
    assert lines.is_empty


def test_a_suffix_of_two_bytes_in_two_pieces() -> None:
    lines = ScanLines(LineForm(b"", b"\r\n"))
    assert lines.feed(CODE + b"\r", 0.0) == []
    assert lines.feed(b"\n", 0.1) == [CODE]


def test_half_a_line_is_told_after_a_while_and_does_not_spoil_the_next() -> None:
    lines = ScanLines(FORM)
    assert lines.feed(b"~Q" + CODE[:40], 0.0) == []
    assert lines.expire(HALF_LINE_S - 0.01) == []
    assert told(lines.expire(HALF_LINE_S)) == ["card_unreadable"]
    assert lines.expire(9.0) == []
    assert lines.feed(b"~Q" + CODE + b"\r", 10.0) == [CODE]


def test_half_a_line_is_not_joined_with_a_later_one() -> None:
    lines = ScanLines(FORM)
    lines.feed(b"~Q" + CODE[:40], 0.0)
    assert told(lines.feed(b"~Q" + CODE + b"\r", 5.0)) == ["card_unreadable", CODE]


def test_a_cable_plugged_in_the_middle_of_a_code_loses_that_one_only() -> None:
    lines = ScanLines(FORM)
    assert told(lines.feed(CODE[30:] + b"\r" + b"~Q" + CODE + b"\r", 0.0)) == ["card_unreadable", CODE]
    assert lines.feed(CODE[30:60] + b"~Q" + CODE + b"\r", 0.0) == [CODE]


@pytest.mark.parametrize("garbage", [b"\xff\xfe\x00\x01", b"~Q" + b"KMC1:\x07AB", b"~Q", b"~Q\x80" + CODE])
def test_garbage_is_told_and_passed_over(garbage: bytes) -> None:
    lines = ScanLines(FORM)
    assert told(lines.feed(garbage + b"\r" + b"~Q" + CODE + b"\r", 0.0)) == ["card_unreadable", CODE]


def test_noise_on_an_idle_line_is_nothing() -> None:
    lines = ScanLines()
    assert lines.feed(b"\r\n\r\r\n\0\0", 0.0) == []
    assert lines.expire(9.0) == []


def test_a_line_without_an_end_is_told_once_and_memory_stays_bounded() -> None:
    lines = ScanLines(FORM)
    scans: list[Scan] = []
    for step in range(200):
        scans += lines.feed(b"A" * 1000, step / 1000)
        assert len(lines._buffer) <= MAX_CONTENT_BYTES + 1000 + len(FORM.prefix)
    assert told(scans) == ["card_oversized"]
    assert told(lines.feed(b"A" * 99 + b"\r" + b"~Q" + CODE + b"\r", 0.2)) == [CODE]


def test_a_line_without_an_end_that_stops() -> None:
    lines = ScanLines(FORM)
    lines.feed(b"A" * 9000, 0.0)
    assert lines.expire(HALF_LINE_S) == []
    assert lines.feed(b"~Q" + CODE + b"\r", 9.0) == [CODE]


def test_the_longest_code_is_read() -> None:
    longest = b"KMC1:" + b"A" * (MAX_CONTENT_BYTES - 5)
    assert ScanLines(FORM).feed(b"~Q" + longest + b"\r", 0.0) == [longest]


@given(st.lists(st.tuples(st.binary(max_size=60), st.floats(0, 2)), max_size=30))
def test_whatever_comes_is_codes_of_printable_characters_or_faults(chunks: list[tuple[bytes, float]]) -> None:
    lines = ScanLines(LineForm(b"", b"\r"))
    at = 0.0
    for chunk, step_s in chunks:
        at += step_s
        for scan in lines.feed(chunk, at):
            assert isinstance(scan, CardFault) or (scan.decode("ascii").isprintable() and scan)


def test_a_form_needs_a_suffix() -> None:
    with pytest.raises(ValueError, match="suffix"):
        LineForm(b"", b"")


def test_a_code_is_read_once_and_lifted_a_second_after_its_last_scan() -> None:
    watch = ScanWatch()
    assert watch.scanned(CODE, 1.05, began_at=1.0) == [Reading(), CardRead(Medium.QR, CODE, read_ms=50.0)]
    assert [watch.scanned(CODE, at, began_at=at) for at in (1.5, 2.0, 2.5)] == [[], [], []]
    assert watch.passed(2.5 + LIFTED_AFTER_S - 0.01) == []
    assert watch.passed(2.5 + LIFTED_AFTER_S) == [Lifted()]
    assert watch.passed(99.0) == []
    assert isinstance(watch.scanned(CODE, 100.0, began_at=100.0)[-1], CardRead)


def test_another_code_without_a_gap() -> None:
    watch = ScanWatch()
    watch.scanned(CODE, 0.0, began_at=0.0)
    events = watch.scanned(b"KMC1:B", 0.1, began_at=0.1)
    assert [type(event) for event in events] == [Lifted, Reading, CardRead]


def test_a_garbled_scan_is_over_after_a_second_and_ends_nothing_that_is_held() -> None:
    watch = ScanWatch()
    garbled = CardFault("card_unreadable", "half a line")
    assert watch.scanned(garbled, 1.0, began_at=1.0) == [Faulted(garbled)]
    assert [watch.passed(at) for at in (1.9, 2.0, 3.0)] == [[], [Lifted()], []]
    watch.scanned(garbled, 4.0, began_at=4.0)
    events = watch.scanned(CODE, 4.2, began_at=4.1)
    assert [type(event) for event in events] == [Lifted, Reading, CardRead]
    assert watch.scanned(garbled, 4.3, began_at=4.3) == [Faulted(garbled)]
    assert watch.scanned(CODE, 4.4, began_at=4.4) == [], "it is still the code that was read"
    assert watch.passed(5.4) == [Lifted()]


def test_a_foreign_code_is_told_without_its_content() -> None:
    (event,) = ScanWatch().scanned(b"https://metrokota.go.id/a", 0.0, began_at=0.0)
    assert isinstance(event, Faulted)
    assert event.fault.as_json()["detail"] == {"kind": "web address"}
    assert "metrokota" not in repr(event.fault.as_json())


def keys(text: str) -> list[tuple[int, int, int]]:
    """The key events of a US keyboard that types this."""
    plain = {character: code for code, character in _layout(False).items()}
    shifted = {character: code for code, character in _layout(True).items()}
    events: list[tuple[int, int, int]] = []
    for character in text:
        if character in plain:
            stroke = [(EV_KEY, plain[character], 1), (EV_KEY, plain[character], 0)]
        else:
            code = shifted[character]
            stroke = [(EV_KEY, 42, 1), (EV_KEY, code, 1), (EV_KEY, code, 0), (EV_KEY, 42, 0)]
        for event in stroke:
            events += [event, (EV_SYN, 0, 0)]
    return events


def _layout(shifted: bool) -> dict[int, str]:
    from evdev import ecodes

    names = {"MINUS": "-_", "EQUAL": "=+", "SEMICOLON": ";:", "COMMA": ",<", "DOT": ".>", "SLASH": "/?"}
    names |= {
        "SPACE": "  ",
        "LEFTBRACE": "[{",
        "RIGHTBRACE": "]}",
        "APOSTROPHE": "'\"",
        "GRAVE": "`~",
        "BACKSLASH": "\\|",
    }
    names |= {letter: letter.lower() + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    names |= {digit: digit + other for digit, other in zip("1234567890", "!@#$%^&*()", strict=True)}
    return {getattr(ecodes, f"KEY_{name}"): both[shifted] for name, both in names.items()} | {
        ecodes.KEY_ENTER: "\r"
    }


class Event:
    def __init__(self, kind: int, code: int, value: int) -> None:
        self.type, self.code, self.value = kind, code, value


def written(events: list[tuple[int, int, int]], writer: KeyWriter | None = None) -> bytes:
    return (writer or KeyWriter()).write([Event(*event) for event in events])


@given(st.text([chr(code) for code in range(0x20, 0x7F)]))
def test_every_printable_character_can_be_typed(text: str) -> None:
    assert written(keys(text + "\r")) == text.encode("ascii") + b"\r"


def test_repeats_count_not_and_caps_lock_counts() -> None:
    assert written([(EV_KEY, 30, 1), (EV_KEY, 30, 2), (EV_KEY, 30, 2), (EV_KEY, 30, 0)]) == b"a"
    assert written([(EV_KEY, 58, 1), (EV_KEY, 58, 0), *keys("aB1"), (EV_KEY, 58, 1), *keys("a")]) == b"Ab1a"


def test_a_keyboard_that_lost_keys_gives_no_code() -> None:
    sent = keys(CODE.decode("ascii") + "\r")
    lost = [*sent[:60], (EV_SYN, SYN_DROPPED, 0), *sent[90:]]
    assert told(ScanLines().feed(written(lost), 0.0)) == ["card_unreadable"]


def test_a_key_that_is_no_character_gives_no_code() -> None:
    assert written([(EV_KEY, 59, 1), (EV_KEY, 59, 0)]) == b"\x1a"
