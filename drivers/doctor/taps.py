"""Ten taps on one reader: how many were read at once, how fast, and whether an empty field stays silent."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias

from drivers.reader import Faulted, Lifted, ReaderConnection
from kiosk.errors import EnvironmentFault
from kiosk.values import CardRead

TAPS: Final = 10
TIMEOUT_S: Final = 60.0
"""For the next tap to come."""
EMPTY_S: Final = 3.0
"""How long the field is watched with nothing in it."""

GOOD_MS: Final = 300.0
"""Oyster's gates ask for 300 to 350 ms (Transport for London); above 500 ms queues grow."""

_DECODING: Final = ("zxing", "retry_2x", "retry_2x_global", "retry_3x", "half", "zbar", "zbar_adaptive")
"""Stages of drivers/qr_pipeline.py that look at a picture."""

Verdict: TypeAlias = Literal["good", "slow", "unsure", "bad"]


@dataclass(frozen=True, slots=True)
class Words:
    """What a person is asked to do; ``{number}``, ``{taps}`` and ``{seconds}`` are filled in."""

    show: str = "tap {number} of {taps}"
    away: str = "take it away"
    """Empty where a reader says by itself, after a while, that the code has left."""
    empty: str = "keep the field empty for {seconds:g} s"
    noisy: str = "take other cards, phones and metal away from it, and try again"
    slow: str = "a read should take {good:g} ms at most"
    advice: Mapping[str, str] = field(default_factory=lambda: ADVICE)
    """What a technician does about the faults, by their codes."""


ADVICE: Final[Mapping[str, str]] = {
    "card_lifted": "hold the card flat and still until it is read; metal under the reader shortens its reach",
    "card_unreadable": "try another card; more than one that fails: another place, away from metal",
    "card_two": "one card only, without a purse around it",
    "card_empty": "this card was never written: take a KMC card",
    "card_foreign": "take a KMC card",
    "card_classic": "take a KMC card",
}
CODE_ADVICE: Final[Mapping[str, str]] = {
    "card_foreign": "take a printed KMC code",
    "card_two": "one code only in the picture",
}
SCAN_ADVICE: Final[Mapping[str, str]] = {
    "card_foreign": "take a printed KMC code",
    "card_unreadable": "its prefix, suffix and speed must be as in readers.scanner, its keyboard layout US",
}


WORDS: Final[Mapping[str, Words]] = {
    "nfc": Words(),
    "qr": Words(
        "hold a KMC code before the camera: {number} of {taps}",
        empty="nothing before the camera for {seconds:g} s",
        noisy="cover other codes that the camera sees, and try again",
        advice=CODE_ADVICE,
    ),
    "scanner": Words(
        "scan a KMC code: {number} of {taps}",
        "",
        "scan nothing for {seconds:g} s",
        noisy="lay it down so that it sees no code, and try again",
        slow="a scan should take {good:g} ms at most: set a higher speed (readers.scanner.baud), or USB",
        advice=SCAN_ADVICE,
    ),
}


@dataclass(frozen=True, slots=True)
class Score:
    """What ten taps showed. Times in milliseconds."""

    taps: int
    reads: int
    faults: dict[str, int]
    """Fault codes of taps that were not read at once, and how often."""
    p50_ms: float
    p95_ms: float
    noise: int
    """Events while the field was empty: there should be none."""
    rounds_per_s: float
    """Looks at the empty field."""
    verdict: Verdict
    stages: Mapping[str, int] = field(default_factory=dict)
    """What each stage of the reader did, by its name."""
    two_cards: str = ""
    """What came of two cards at once; empty if it was not tried."""

    def as_json(self) -> dict[str, Any]:
        """The document of ``test … --json``."""
        return asdict(self)

    @property
    def message(self) -> str:
        """What went wrong, in a line."""
        faults = ", ".join(f"{count}x {code}" for code, count in self.faults.items())
        return f"{self.reads} of {self.taps} read; {faults or 'no fault'}; noise {self.noise}"

    def as_text(self, words: Words = WORDS["nfc"]) -> str:
        """The same for a terminal, with what that kind of reader needs."""
        lines = [
            f"{self.verdict}: {self.reads} of {self.taps} read, p50 {self.p50_ms} ms, p95 {self.p95_ms} ms"
        ]
        if self.verdict == "slow":
            lines.append(words.slow.format(good=GOOD_MS))
        if self.faults:
            lines.append("not read: " + ", ".join(f"{count}x {code}" for code, count in self.faults.items()))
            lines += [words.advice[code] for code in self.faults if code in words.advice]
        if self.noise:
            lines.append(f"{self.noise} events while nothing was shown: there should be none")
            lines.append(words.noisy)
        if self.two_cards:
            lines.append(f"two cards: {self.two_cards}")
        return "\n".join([*lines, *(f"    {told}" for told in stage_words(self.stages))])


def stage_words(stages: Mapping[str, int]) -> list[str]:
    """What each stage did: those that decode with how often they looked and how often they read."""
    return [
        f"{name}: looked {count}, read {stages.get(f'{name}_read', 0)}"
        if name in _DECODING
        else f"{name}: {count}"
        for name, count in stages.items()
        if not name.endswith("_read")
    ]


def verdict_of(taps: int, reads: int, p95_ms: float, noise: int) -> Verdict:
    """``bad`` below eight of ten or with noise, ``unsure`` below ten of ten, ``slow`` above 300 ms at p95."""
    if noise or reads * 10 < taps * 8:
        return "bad"
    if reads < taps:
        return "unsure"
    return "slow" if p95_ms > GOOD_MS else "good"


def measure(
    connection: ReaderConnection,
    say: Callable[[str], None],
    *,
    words: Words = WORDS["nfc"],
    meanwhile: Callable[[], None] = lambda: None,
    taps: int = TAPS,
    timeout_s: float = TIMEOUT_S,
    empty_s: float = EMPTY_S,
    two_cards: bool = False,
    clock: Callable[[], float] = time.monotonic,
    rest: Callable[[float], None] = time.sleep,
) -> Score:
    """Watches an open reader through so many taps of one card, an empty field, and ``two_cards`` if wanted.

    ``say`` is told what to do next, for a person; ``meanwhile`` is called after each look. Raises
    EnvironmentFault ``tap_timeout`` when no tap comes, and what the reader raises when it goes.
    """

    def wait(wanted: tuple[type, ...], missed: str) -> object:
        until = clock() + timeout_s
        while clock() < until:
            event = connection.poll()
            meanwhile()
            if isinstance(event, wanted):
                return event
            if event is None and connection.interval_s:
                rest(connection.interval_s)
        raise EnvironmentFault("tap_timeout", missed.format(seconds=timeout_s))

    times: list[float] = []
    faults: dict[str, int] = {}
    done = 0
    while done < taps:
        say(words.show.format(number=done + 1, taps=taps))
        event = wait((CardRead, Faulted), "nothing came for {seconds:g} s")
        done += 1
        if isinstance(event, CardRead):
            times.append(event.read_ms)
            say(f"read in {round(event.read_ms, 1):g} ms")
        elif isinstance(event, Faulted):
            faults[event.fault.code] = faults.get(event.fault.code, 0) + 1
            say(f"{event.fault.code}: {event.fault.message}")
        if words.away:
            say(words.away)
        wait((Lifted,), "it was not taken away for {seconds:g} s")
    say(words.empty.format(seconds=empty_s))
    noise, rounds_per_s = _empty_field(connection, empty_s, clock, rest)
    pair = ""
    if two_cards:
        say("lay two cards on the reader, both at once")
        pair = _told_of_two(wait((CardRead, Faulted), "nothing came for {seconds:g} s"))
        say(words.away)
        wait((Lifted,), "they were not taken away for {seconds:g} s")
    ordered = sorted(times)
    p50 = statistics.median(ordered) if ordered else 0.0
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))] if ordered else 0.0
    return Score(
        taps,
        len(times),
        faults,
        round(p50, 1),
        round(p95, 1),
        noise,
        round(rounds_per_s, 1),
        verdict_of(taps, len(times), p95, noise),
        dict(connection.health().stages),
        pair,
    )


def _told_of_two(event: object) -> str:
    if isinstance(event, Faulted):
        told = event.fault.code == "card_two"
        return "told as two" if told else f"not read: {event.fault.code}"
    return "one of them was read: this reader sees one card at a time, so people are told to take one only"


def _empty_field(
    connection: ReaderConnection, empty_s: float, clock: Callable[[], float], rest: Callable[[float], None]
) -> tuple[int, float]:
    begun = clock()
    rounds = noise = 0
    while clock() < begun + empty_s:
        rounds += 1
        if connection.poll() is not None:
            noise += 1
        elif connection.interval_s:
            rest(connection.interval_s)
    return noise, rounds / max(clock() - begun, 1e-9)
