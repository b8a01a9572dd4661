"""What is said of a code that is seen and not read: for what reason, when, and where it is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from drivers.camera_frame import Grey
from drivers.lines import encode_event, parse_event
from drivers.qr_hints import AFTER_LOOKS, AFTER_S, AGAIN_S, FORGOTTEN_S, HintWatch, region_of, what_helps
from drivers.qr_pipeline import Look, QrPipeline, Spot
from drivers.reader import Hint
from tests.drivers.qr_pictures import held


def test_a_sharp_code_of_good_size_needs_nothing() -> None:
    assert what_helps(*held()) is None


def test_too_small_is_to_come_closer() -> None:
    assert what_helps(*held(2.0)) == "closer"
    assert what_helps(*held(2.4)) is None


def test_too_large_is_to_go_further_away() -> None:
    assert what_helps(*held(5.0)) == "farther"
    assert what_helps(*held(4.4)) is None


@pytest.mark.parametrize(("module_px", "blur_px"), [(4.0, 3.0), (3.0, 2.2)])
def test_blurred_is_to_be_held_still(module_px: float, blur_px: float) -> None:
    assert what_helps(*held(module_px, blur_px=blur_px)) == "blurred"


def test_a_lenss_usual_blur_is_none() -> None:
    assert what_helps(*held(4.0, blur_px=0.8)) is None


def test_the_dark_comes_first() -> None:
    assert what_helps(*held(2.0, paper=40, ink=8, blur_px=2.0)) == "dark"


def test_a_lamp_mirrored_in_the_code_is_told() -> None:
    room, spot = held()
    left, top, right, bottom = spot.box(room.shape, 0.0)
    cv2.circle(room, ((left + right) // 2, (top + bottom) // 2), (right - left) // 5, (255,), -1)
    assert what_helps(room, spot) == "glare"


def test_white_paper_between_modules_is_no_lamp() -> None:
    assert what_helps(*held(paper=255, ink=0)) is None


def test_a_spot_beside_the_picture_has_no_reason() -> None:
    room, _ = held()
    away = Spot(np.array([(-50, -50), (-20, -50), (-20, -20), (-50, -20)], np.float32))
    assert what_helps(room, away) is None


def test_the_region_is_where_the_code_is_in_shares() -> None:
    room, spot = held(size=(500, 1000))
    left, top, right, bottom = region_of(room, spot)
    assert (left, right) == pytest.approx((0.386, 0.614), abs=0.001)
    assert (top, bottom) == pytest.approx((0.272, 0.728), abs=0.001)
    beyond = Spot(np.array([(-100, -100), (2000, -100), (2000, 900), (-100, 900)], np.float32))
    assert region_of(room, beyond) == (0.0, 0.0, 1.0, 1.0)


def looks(watch: HintWatch, times: list[float], spot_of: tuple[Grey, Spot]) -> list[tuple[float, str]]:
    room, spot = spot_of
    told: list[tuple[float, str]] = []
    for at in times:
        hint = watch.seen(Look(unread=(spot,)), room, at)
        if hint is not None:
            told.append((at, hint.code))
    return told


def test_nothing_is_said_of_a_code_on_its_way_and_then_not_too_often() -> None:
    told = looks(HintWatch(), [tick / 10 for tick in range(50)], held(2.0))
    assert [code for _, code in told] == ["closer"] * 3
    first, *_ = (at for at, _ in told)
    assert first == pytest.approx(AFTER_S)
    assert np.diff([at for at, _ in told]) == pytest.approx([AGAIN_S, AGAIN_S])


def test_a_few_slow_looks_are_waited_for() -> None:
    told = looks(HintWatch(), [0.0, 0.45, 0.9], held(2.0))
    assert [at for at, _ in told] == [0.9]
    assert AFTER_LOOKS == 3


def test_another_reason_is_said_at_once() -> None:
    watch = HintWatch()
    assert looks(watch, [0.0, 0.4, 0.8], held(2.0)) == [(0.8, "closer")]
    assert looks(watch, [0.9], held(5.0)) == [(0.9, "farther")]


def test_a_code_that_was_away_is_a_new_one() -> None:
    watch = HintWatch()
    assert looks(watch, [0.0, 0.4, 0.8], held(2.0))
    room, _ = held()
    assert watch.seen(Look(), room, 1.0) is None
    later = 0.8 + FORGOTTEN_S + 0.1
    assert looks(watch, [later, later + 0.3], held(2.0)) == []


def test_a_code_that_is_read_ends_it() -> None:
    watch = HintWatch()
    assert looks(watch, [0.0, 0.4], held(2.0)) == []
    room, _ = held()
    assert watch.seen(Look(frozenset([b"KMC1:A"])), room, 0.5) is None
    assert looks(watch, [0.6, 0.7], held(2.0)) == []


def test_a_hint_crosses_the_line_with_its_region() -> None:
    room, spot = held(2.0)
    hint = HintWatch()
    for at in (0.0, 0.4):
        hint.seen(Look(unread=(spot,)), room, at)
    told = hint.seen(Look(unread=(spot,)), room, 0.8)
    assert isinstance(told, Hint)
    back = parse_event(encode_event(told))
    assert isinstance(back, Hint)
    assert back.code == "closer"
    assert back.region == pytest.approx(told.region, abs=0.0006)


def test_the_decoder_itself_finds_the_spot_that_is_advised_on() -> None:
    room, spot = held(7.0, blur_px=4.2, size=(720, 1280))
    look = QrPipeline().look(room)
    assert not look.codes
    assert look.unread, "a code is there, and found"
    assert what_helps(room, look.unread[0]) == "farther"
    assert region_of(room, look.unread[0]) == pytest.approx(region_of(room, spot), abs=0.03)
