"""The meter beside ``test qr``: what a technician is told of pace, light, sharpness and the code."""

from __future__ import annotations

import re

import numpy as np
import pytest

from drivers.camera import Camera
from drivers.camera_frame import Grey
from drivers.doctor.decode_meter import DecodeMeter, code_of, meter_for
from drivers.qr_pipeline import Look, QrPipeline, Spot
from drivers.qr_reader import QrConnection, Seen
from drivers.reader import DeviceReference
from drivers.scanner_reader import ScannerConnection
from tests.drivers.qr_pictures import held


def seen(room: Grey, look: Look | None = None) -> Seen:
    return Seen(room, look or QrPipeline().look(room), 3.4)


def test_a_code_that_is_read_is_told_with_its_size() -> None:
    assert code_of(seen(held(4.0)[0])) == "a code is read, about 4.0 pixels a module (2.2 or more are needed)"


@pytest.mark.parametrize(
    ("module_px", "blur_px", "paper", "advice"),
    [(2.0, 0.0, 200, "hold it nearer"), (4.0, 3.0, 200, "turn the lens"), (4.0, 0.0, 40, "more light on it")],
)
def test_a_code_that_is_not_read_is_told_with_what_helps(
    module_px: float, blur_px: float, paper: int, advice: str
) -> None:
    room, spot = held(module_px, blur_px=blur_px, paper=paper, ink=10)
    told = code_of(seen(room, Look(unread=(spot,))))
    assert told.startswith(f"a code is seen and not read, about {module_px:.1f} pixels a module")
    assert advice in told


def test_nothing_and_a_code_of_unknown_place() -> None:
    blank = np.full((90, 160), 110, np.uint8)
    assert code_of(seen(blank, Look())) == "no code to be seen"
    assert code_of(seen(blank, Look(frozenset([b"KMC1:A"])))) == "a code is read"


class Watched(QrConnection):
    """A connection whose pictures the test sets; no camera is opened."""

    def __init__(self) -> None:
        super().__init__(Camera("http://127.0.0.1:1/none.mjpg"))

    def see(self, pictures: int, decoded: int, what: Seen | None = None) -> None:
        self._pipeline.counts["pictures"] += pictures
        self._pipeline.counts["zxing"] += decoded
        self.seen = what or self.seen


def test_a_line_a_second_with_pace_light_and_sharpness() -> None:
    now = [0.0]
    said: list[str] = []
    connection = Watched()
    meter = DecodeMeter(connection, said.append, clock=lambda: now[0])
    for tick in range(1, 31):
        now[0] = tick / 10
        if tick == 15:
            connection.see(14, 3, seen(held(4.0)[0]))
        meter.tick()
    assert said[0] == "0 pictures/s looked at, 0 decoded: no picture yet"
    assert re.match(
        r"14 pictures/s looked at, 3 decoded in 3 ms each, light \d+ of 255, sharpness \d{4}: ", said[1]
    )
    assert said[2].startswith("0 pictures/s looked at, 0 decoded in 3 ms each, light ")
    assert said[1].endswith("a code is read, about 4.0 pixels a module (2.2 or more are needed)")


def test_a_scanner_has_no_meter() -> None:
    said: list[str] = []
    meter_for(ScannerConnection(DeviceReference("qr", "keyboard:")), said.append)()
    assert said == []


def test_a_spot_without_contrast_is_told_all_the_same() -> None:
    corners = np.array([(10, 10), (70, 10), (70, 70), (10, 70)], np.float32)
    told = code_of(seen(np.full((90, 160), 110, np.uint8), Look(unread=(Spot(corners),))))
    assert "about 1.1 pixels a module" in told
