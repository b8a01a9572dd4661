"""A scanner that types beside people who type, and what the screen says of a code that is held badly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent

from kiosk.scanner_keys import ScannerKeys
from kiosk.values import Medium
from tests.ui.scripted_counter import counter_with
from tests.ui.stage import Stage
from ui.events import ReaderNotice
from ui.typing_scanner import TypingScanner

Open = Callable[..., Stage]
NONE = Qt.KeyboardModifier.NoModifier


class Field(QObject):
    """What has the keyboard: it notes every character that reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            self.text += event.text()
        return True


class Bench:
    """A field with the filter before it, and a clock that the test sets."""

    def __init__(self, prefix: str = "") -> None:
        self.now = 0.0
        self.field = Field()
        self.taken: list[ReaderNotice] = []
        self.filter = TypingScanner(
            ScannerKeys(prefix), self.taken.append, self.field, clock=lambda: self.now
        )
        self.field.installEventFilter(self.filter)

    def type(self, text: str, gap_s: float, modifiers: Qt.KeyboardModifier = NONE) -> None:
        for character in text:
            self.now += gap_s
            key = Qt.Key.Key_Return if character == "\r" else Qt.Key(ord(character.upper()))
            event = QKeyEvent(QEvent.Type.KeyPress, key, modifiers, character)
            QCoreApplication.sendEvent(self.field, event)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.filter.expire()

    def scanned(self) -> list[bytes]:
        return [notice.read.payload for notice in self.taken if notice.read is not None]


@pytest.fixture
def bench(open_stage: Open) -> Bench:
    open_stage(counter_with())  # Qt is running
    return Bench()


def test_a_scan_reaches_no_field(bench: Bench) -> None:
    bench.type("KMC1:ABC123\r", 0.005)
    bench.wait(1.0)
    assert bench.scanned() == [b"KMC1:ABC123"]
    assert bench.taken[0].read is not None
    assert bench.taken[0].read.medium is Medium.QR
    assert bench.field.text == ""


def test_a_person_types_as_before(bench: Bench) -> None:
    bench.type("rina\r", 0.15)
    bench.wait(1.0)
    assert (bench.field.text, bench.taken) == ("rina\r", [])


def test_keys_stay_in_their_order_around_a_scan(bench: Bench) -> None:
    bench.type("ab", 0.15)
    bench.now += 0.3
    bench.type("KMC1:XYZ99\r", 0.005)
    bench.type("c", 0.2)
    bench.wait(1.0)
    assert (bench.field.text, bench.scanned()) == ("abc", [b"KMC1:XYZ99"])


def test_half_a_scan_is_told(bench: Bench) -> None:
    bench.type("KMC1:ABC", 0.005)
    bench.wait(1.0)
    assert [notice.kind for notice in bench.taken] == ["fault"]
    assert bench.field.text == ""


def test_a_prefix_makes_it_certain(open_stage: Open) -> None:
    open_stage(counter_with())
    bench = Bench("~Q")
    bench.type("~QKMC1:A\r", 0.04)
    bench.type("quickly\r", 0.01)
    bench.wait(1.0)
    assert (bench.scanned(), bench.field.text) == ([b"KMC1:A"], "quickly\r")


def test_commands_are_nobodys_text(bench: Bench) -> None:
    bench.type("a", 0.15)
    bench.type("z", 0.01, Qt.KeyboardModifier.ControlModifier)
    assert bench.field.text == "az"


WORDS = {
    "closer": ("Dekatkan kode sedikit.", "Hold the code a little closer."),
    "farther": ("Jauhkan kode sedikit.", "Hold the code a little further away."),
    "blurred": ("Tahan kode, jangan bergerak.", "Hold the code still."),
    "dark": ("Bawa kode ke tempat terang.", "Hold the code where it is bright."),
    "glare": ("Miringkan kode sedikit.", "Tilt the code a little."),
}
REGION = (0.1, 0.25, 0.35, 0.75)


def test_a_code_held_badly_is_told_for_a_moment_in_both_languages(open_stage: Open) -> None:
    stage = open_stage(counter_with())
    stage.readers()
    for language, which in (("id", 0), ("en", 1)):
        stage.kiosk.setLanguage(language)
        for code, words in WORDS.items():
            stage.hint(code, REGION)
            assert words[which] in stage.texts()
    stage.schedule.advance(2.1)
    stage.until(lambda: WORDS["glare"][1] not in stage.texts())


def shown_at(stage: Stage, name: str) -> tuple[float, float, float, float]:
    """Where the bright place lies in that frame, as shares of it."""
    (frame,) = [item for item in stage.items() if item.objectName() == name]
    (place,) = frame.childItems()
    return (
        place.x() / frame.width(),
        place.y() / frame.height(),
        (place.x() + place.width()) / frame.width(),
        (place.y() + place.height()) / frame.height(),
    )


@pytest.mark.parametrize("name", ["hintFrameSmall", "hintFrame"])
def test_where_the_code_is_seen_is_shown_as_in_a_mirror(open_stage: Open, name: str) -> None:
    stage = open_stage(counter_with())
    stage.readers()
    if name == "hintFrame":  # large where the camera is the only way
        stage.post("gone", "reader_gone")
        stage.until(lambda: not stage.of_kiosk("tapReady"))
    assert [item for item in stage.items() if item.objectName() == name] == []
    stage.hint("farther", REGION)
    assert shown_at(stage, name) == pytest.approx((0.65, 0.25, 0.9, 0.75), abs=0.06)
    stage.hint("farther", (0.0, 0.0, 1.0, 1.0))
    stage.until(lambda: shown_at(stage, name) == pytest.approx((0.0, 0.0, 1.0, 1.0), abs=0.12))
    stage.tap()
    assert stage.of_citizen("hint") == ""
