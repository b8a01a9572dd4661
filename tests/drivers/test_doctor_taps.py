"""Ten taps: what is counted, what is waited for, and what the verdict is."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

import pytest

from drivers.doctor.taps import WORDS, Score, measure, verdict_of
from drivers.reader import DeviceReference, Faulted, FeedbackWhat, Health, Lifted, PollEvent
from kiosk.errors import CardFault, EnvironmentFault
from kiosk.values import CardRead, Medium


class Scripted:
    """A reader whose polls are written down; silent once they are used up. Its clock goes on by each poll."""

    reference = DeviceReference("nfc", "scripted")
    interval_s = 0.01

    def __init__(self, *events: PollEvent | None) -> None:
        self.events = deque(events)
        self.now = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def poll(self) -> PollEvent | None:
        self.now += 0.04
        return self.events.popleft() if self.events else None

    def health(self) -> Health:
        return Health(0, 0, 0)

    def feedback(self, what: FeedbackWhat) -> bool:
        return False

    def rest(self, seconds: float) -> None:
        self.now += seconds


def read(ms: float) -> CardRead:
    return CardRead(Medium.NFC, b"x", b"\x04" * 7, "NTAG215", read_ms=ms)


def slipped() -> Faulted:
    return Faulted(CardFault("card_lifted", "left too soon"))


def test_ten_good_taps() -> None:
    events: list[PollEvent | None] = []
    for ms in range(20, 30):
        events += [None, read(ms), None, Lifted()]
    reader = Scripted(*events)
    said: list[str] = []
    score = measure(reader, said.append, empty_s=1.0, clock=lambda: reader.now, rest=reader.rest)
    assert (score.taps, score.reads, score.p50_ms, score.p95_ms, score.noise) == (10, 10, 24.5, 29.0, 0)
    assert (score.verdict, score.faults) == ("good", {})
    assert 15 <= score.rounds_per_s <= 25
    assert said.count("take it away") == 10
    assert said[0] == "tap 1 of 10"


def test_faults_and_noise_are_counted() -> None:
    taps: list[PollEvent] = [read(20), slipped(), read(400), slipped()]
    events: list[PollEvent | None] = []
    for one in taps:
        events += [one, Lifted()]
    reader = Scripted(*events, None, slipped())
    score = measure(reader, print, taps=4, empty_s=1.0, clock=lambda: reader.now, rest=reader.rest)
    assert (score.reads, score.faults, score.noise) == (2, {"card_lifted": 2}, 1)
    assert score.verdict == "bad"


def test_no_tap_comes() -> None:
    reader = Scripted()
    with pytest.raises(EnvironmentFault, match="nothing came for 2 s") as caught:
        measure(reader, print, timeout_s=2.0, clock=lambda: reader.now, rest=reader.rest)
    assert caught.value.code == "tap_timeout"
    assert reader.now >= 2.0


def test_a_scanner_is_not_told_to_take_a_code_away_and_the_meter_runs_meanwhile() -> None:
    reader = Scripted(None, read(20), None, Lifted())
    said: list[str] = []
    ticks: list[float] = []
    measure(
        reader,
        said.append,
        words=WORDS["scanner"],
        meanwhile=lambda: ticks.append(reader.now),
        taps=1,
        empty_s=0.1,
        clock=lambda: reader.now,
        rest=reader.rest,
    )
    assert said == ["scan a KMC code: 1 of 1", "read in 20 ms", "scan nothing for 0.1 s"]
    assert len(ticks) == 4


def test_nobody_takes_it_away() -> None:
    reader = Scripted(read(20))
    with pytest.raises(EnvironmentFault, match="not taken away for 2 s"):
        measure(reader, print, timeout_s=2.0, clock=lambda: reader.now, rest=reader.rest)


def test_what_a_technician_is_told_of_a_score() -> None:
    stages = {"pictures": 90, "zxing": 30, "zxing_read": 8, "retry_2x": 4}
    score = Score(10, 9, {"card_foreign": 1}, 14.0, 310.0, 2, 15.0, "bad", stages)
    assert score.as_text().splitlines() == [
        "bad: 9 of 10 read, p50 14.0 ms, p95 310.0 ms",
        "not read: 1x card_foreign",
        "take a KMC card",
        "2 events while nothing was shown: there should be none",
        "take other cards, phones and metal away from it, and try again",
        "    pictures: 90",
        "    zxing: looked 30, read 8",
        "    retry_2x: looked 4, read 0",
    ]
    assert score.message == "9 of 10 read; 1x card_foreign; noise 2"
    slow = Score(1, 1, {}, 310.0, 310.0, 0, 15.0, "slow")
    assert slow.as_text().splitlines()[1] == "a read should take 300 ms at most"


@pytest.mark.parametrize(
    ("reads", "p95_ms", "noise", "verdict"),
    [
        (10, 300.0, 0, "good"),
        (10, 301.0, 0, "slow"),
        (9, 50.0, 0, "unsure"),
        (8, 50.0, 0, "unsure"),
        (7, 50.0, 0, "bad"),
        (10, 50.0, 1, "bad"),
    ],
)
def test_verdicts(reads: int, p95_ms: float, noise: int, verdict: str) -> None:
    assert verdict_of(10, reads, p95_ms, noise) == verdict


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Faulted(CardFault("card_two", "two")), "told as two"),
        (Faulted(CardFault("card_unreadable", "?")), "not read: card_unreadable"),
        (read(20), "one of them was read"),
    ],
)
def test_two_cards_at_once(event: PollEvent, told: str) -> None:
    quiet: list[PollEvent | None] = [None] * 30
    reader = Scripted(read(20), Lifted(), *quiet, event, Lifted())
    said: list[str] = []
    score = measure(
        reader, said.append, taps=1, empty_s=1.0, two_cards=True, clock=lambda: reader.now, rest=reader.rest
    )
    assert score.two_cards.startswith(told)
    assert "lay two cards on the reader, both at once" in said
    assert told in score.as_text()


def test_what_to_do_about_faults_is_told() -> None:
    reader = Scripted(slipped(), Lifted())
    score = measure(reader, print, taps=1, empty_s=0.5, clock=lambda: reader.now, rest=reader.rest)
    assert "hold the card flat and still" in score.as_text()


def test_codes_have_advice_of_their_own() -> None:
    score = Score(10, 8, {"card_unreadable": 1, "card_foreign": 1}, 310.0, 310.0, 1, 15.0, "bad")
    for kind in ("qr", "scanner"):
        told = score.as_text(WORDS[kind])
        assert "take a printed KMC code" in told
        assert "metal" not in told
    assert "prefix" in score.as_text(WORDS["scanner"])
    assert "cover other codes" in score.as_text(WORDS["qr"])
    slow = Score(1, 1, {}, 310.0, 310.0, 0, 15.0, "slow").as_text(WORDS["scanner"])
    assert "readers.scanner.baud" in slow
