"""The stages of decoding: each reads what the ones before it cannot, and looks no more often than it may."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from drivers.camera_frame import Grey
from drivers.qr_pipeline import (
    MOST_SPOTS,
    SMALLEST_SIDE,
    ZBAR_EVERY_S,
    Look,
    QrPipeline,
    Spot,
    find_codes,
)
from tests.drivers.qr_pictures import CODE, held

SMALL = (300, 300)


def stages_of(look: Look) -> tuple[str, ...]:
    """The stages, having made sure that the last of them read the card."""
    assert look.codes == {CODE}
    return look.stages


def test_a_plain_code_needs_the_first_stage_alone() -> None:
    pipeline = QrPipeline()
    look = pipeline.look(held(4.0, size=SMALL)[0])
    assert stages_of(look) == ("zxing",)
    assert pipeline.counts == {"zxing": 1, "zxing_read": 1}
    (spot,) = look.read
    assert spot.side_px == pytest.approx(4 * 57, rel=0.03)
    assert look.unread == ()


@pytest.mark.parametrize(
    ("module_px", "blur_px", "stage"), [(2.0, 1.0, "retry_2x"), (2.2, 0.88, "retry_2x_global")]
)
def test_a_small_blurred_code_is_read_on_its_spot_enlarged(
    module_px: float, blur_px: float, stage: str
) -> None:
    pipeline = QrPipeline()
    look = pipeline.look(held(module_px, blur_px=blur_px, size=(720, 1280))[0])
    assert look.codes == {CODE}
    assert {name for name in pipeline.counts if name.endswith("_read")} == {f"{stage}_read"}
    assert look.unread, "where it was found is told, whoever reads it then"


def test_a_spot_that_one_retry_does_not_read_is_given_to_the_next() -> None:
    look = QrPipeline().look(held(7.0, blur_px=4.2, size=(720, 1280))[0])
    assert look.codes == frozenset()
    assert look.stages[:4] == ("zxing", "retry_2x", "retry_2x_global", "retry_3x")


def test_noise_that_hides_the_corners_is_gone_at_half_the_size() -> None:
    room, _ = held(3.0, blur_px=1.02, ink=20, size=SMALL, noise=(186, 20.0))
    assert stages_of(QrPipeline().look(room)) == ("zxing", "half")


def scribbled() -> Grey:
    """A pen's line through one of the three squares in the code's corners."""
    room, spot = held(4.0, size=SMALL)
    _, y, right, _ = spot.box(room.shape, 0.0)
    x = right - 28
    cv2.line(room, (x + 15, y + 14), (x + 9, y + 26), (30,), 4)
    return room


def test_zbar_reads_what_zxing_does_not_find() -> None:
    assert stages_of(QrPipeline().look(scribbled())) == ("zxing", "half", "zbar_adaptive")


def test_zbar_looks_ten_times_a_second_at_most_and_by_turns() -> None:
    now = [0.0]
    pipeline = QrPipeline(clock=lambda: now[0])
    blank = np.full(SMALL, 120, np.uint8)
    looked: list[str] = []
    for tick in range(30):
        now[0] = tick / 30 + 1e-6
        looked += [stage for stage in pipeline.look(blank).stages if stage.startswith("zbar")]
    assert len(looked) == pytest.approx(1 / ZBAR_EVERY_S, abs=1)
    assert looked[:4] == ["zbar_adaptive", "zbar", "zbar_adaptive", "zbar"]
    assert pipeline.counts["zxing"] == 30


def test_a_code_that_is_enough_ends_the_search_and_another_does_not() -> None:
    room, _ = held(4.0, size=SMALL)
    assert QrPipeline(lambda content: content.startswith(b"KMC1:")).look(room).stages == ("zxing",)
    stages = QrPipeline(lambda content: content.startswith(b"KMCE:")).look(room).stages
    assert stages == ("zxing", "half", "zbar_adaptive"), "an enrolment ticket may hang beside it"


def test_at_most_two_spots_are_looked_at_again_the_largest_first() -> None:
    room, _ = held(2.2, blur_px=0.88, size=(720, 1280))
    around = room[200:520, 480:800]
    pipeline = QrPipeline()
    look = pipeline.look(np.vstack([around, around, around]))
    sides = [spot.side_px for spot in look.unread]
    assert len(sides) >= 3
    assert sides == sorted(sides, reverse=True)
    assert pipeline.counts["retry_2x"] == MOST_SPOTS


def test_a_spot_has_a_margin_and_stays_in_the_picture() -> None:
    spot = Spot(np.array([(100, 60), (200, 60), (200, 160), (100, 160)], np.float32))
    assert spot.side_px == 100
    assert spot.box((720, 1280)) == pytest.approx((70, 30, 230, 190), abs=1)
    assert spot.box((160, 210)) == pytest.approx((70, 30, 210, 160), abs=1)
    outside = Spot(spot.corners - 500)
    left, top, right, bottom = outside.box((720, 1280))
    assert left == top == right == bottom == 0


@pytest.mark.parametrize("shape", [(0, 0), (1, 900), (SMALLEST_SIDE - 1, SMALLEST_SIDE - 1)])
def test_a_picture_too_small_for_any_code_is_not_looked_at(shape: tuple[int, int]) -> None:
    assert QrPipeline().look(np.zeros(shape, np.uint8)) == Look()


def test_bytes_come_as_they_are_in_the_code() -> None:
    """Neither library's text: control characters and bytes that no encoding has stay themselves."""
    import segno

    content = b"KMC1:\x00\x1d\r\n\x7f\x80\xff\xc3\xa4"
    matrix = np.array([list(row) for row in segno.make(content, error="m", micro=False).matrix], np.uint8)
    drawn = cv2.copyMakeBorder(
        np.where(matrix, 0, 255).astype(np.uint8), 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255,)
    )
    picture = np.asarray(cv2.resize(drawn, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    assert find_codes(picture) == [content]
