"""The tour's surroundings: the demonstration's own people and switches, and the folder for its pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from config.load import Loaded, load
from kiosk.demonstration import Demonstration
from kiosk.errors import EnvironmentFault
from kiosk.virtual_readers import ask_station

TOUR_FOLDER = Path("build/tour")


class OpenWindow(Protocol):
    """Opens the kiosk's window and returns when it is closed."""

    def __call__(
        self,
        loaded: Loaded,
        *,
        with_window: Callable[[Any], None],
        on_ready: Callable[[Any], None],
        with_tray: bool,
    ) -> int:
        """The exit code."""
        ...


def play_tour(
    demonstration: Demonstration,
    url: str,
    open_window: OpenWindow,
    make_guide: Callable[[Any, Path], Any],
    play: Callable[[Any, Surroundings], None],
) -> int:
    """Plays the main job at a window that nobody sees; pictures and transcript go to ``build/tour``.

    Raises EnvironmentFault ``tour_stuck`` or ``tour_wrong`` where the job does not work.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.update(demonstration.kiosk_environment(url) | {"KMC_SCREEN__FULLSCREEN": "false"})
    shutil.rmtree(TOUR_FOLDER, ignore_errors=True)
    around = Surroundings(demonstration)
    guides: list[Any] = []
    faults: list[EnvironmentFault] = []

    def meet(window: Any) -> None:
        guides.append(make_guide(window, TOUR_FOLDER))

    def begin(window: Any) -> None:
        try:
            play(guides[0], around)
        except EnvironmentFault as fault:
            faults.append(fault)
        finally:
            window.view.close()

    code = open_window(load(), with_window=meet, on_ready=begin, with_tray=False)
    for guide in guides:
        text = "\n".join(guide.transcript) + "\n"
        (TOUR_FOLDER / "transcript.txt").write_text(text, encoding="utf-8")
    if faults:
        raise faults[0]
    print(f"The tour is in {TOUR_FOLDER}: pictures and transcript.txt.", flush=True)
    return code


class Surroundings:
    """The demonstration's people and switches, as the tour asks for them."""

    mother = "5111592852"
    father = "8533711431"
    elsewhere = "2897181026"
    copied = "bad-copied"
    officer = ("rina", "240517")

    def __init__(self, demonstration: Demonstration) -> None:
        self._demonstration = demonstration

    def lift(self) -> None:
        """Takes away whatever card lies on the reader."""
        ask_station(self._demonstration.kiosk_home, {"do": "lift"})

    def tap(self, card: str) -> None:
        """Holds a virtual card before the reader."""
        ask_station(self._demonstration.kiosk_home, {"do": "tap", "card_no": card, "hold_s": 1.0})

    def show_qr(self, card: str) -> None:
        """Holds a card's QR code before the camera."""
        ask_station(self._demonstration.kiosk_home, {"do": "show_qr", "card_no": card, "hold_s": 2.0})

    def stop_central(self) -> None:
        """Takes the network away."""
        self._demonstration.stop_central()

    def start_central(self) -> None:
        """Brings it back."""
        self._demonstration.start_central()

    def records_at_central(self) -> list[str]:
        """Types of the records central has, as it lists them."""
        records: Any = self._demonstration.central("journal", "list")
        return [str(record["type"]) for record in records]
