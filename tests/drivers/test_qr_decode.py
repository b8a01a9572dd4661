"""Which pictures are decoded, what they hold, and which events that makes."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from drivers.camera_frame import SMALL_SIZE, Grey
from drivers.code_kinds import MAX_PAYLOAD_BYTES, kind_of
from drivers.qr_decode import CodeWatch, MotionGate
from drivers.qr_pipeline import find_codes
from drivers.reader import Faulted, Lifted, PollEvent, Reading
from drivers.virtual.camera import picture
from kiosk.values import CardRead, Medium

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
A, B = b"KMC1:A", b"KMC1:B"
WEB, PAYMENT = b"https://metrokota.go.id/kmc?x=1", b"00020101021126"


def grey(jpeg: bytes) -> Grey:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), dtype=np.uint8)


def shrunk(one: Grey) -> Grey:
    return np.asarray(cv2.resize(one, SMALL_SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def printed(content: str, scale: int = 3) -> Grey:
    written = io.BytesIO()
    code = segno.make(content, error="l", boost_error=False, micro=False)
    code.save(written, kind="png", scale=scale, border=4)
    return grey(written.getvalue())


def watch(at: float = 0.0) -> CodeWatch:
    return CodeWatch(lambda: at + 0.02)


def faults(events: list[PollEvent]) -> list[tuple[str, dict[str, object]]]:
    return [(event.fault.code, event.fault.detail) for event in events if isinstance(event, Faulted)]


@settings(max_examples=25, deadline=None)
@given(st.text(ALPHANUMERIC, min_size=1, max_size=330))
def test_a_printed_card_gives_its_bytes(text: str) -> None:
    assert find_codes(grey(picture("KMC1:" + text))) == [b"KMC1:" + text.encode("ascii")]


def test_nobody_before_the_camera() -> None:
    assert find_codes(grey(picture(None))) == []


def test_two_codes_in_one_picture() -> None:
    both = np.hstack([printed("KMC1:ONE", 6), printed("KMC1:TWO", 6)])
    assert sorted(find_codes(both)) == [b"KMC1:ONE", b"KMC1:TWO"]


def test_a_poster_found_at_half_size_does_not_hide_a_dense_card() -> None:
    card = printed("KMC1:" + "7K" * 300, 2)
    poster = printed("https://metrokota.go.id", 8)
    both = np.full((max(len(card), len(poster)), card.shape[1] + poster.shape[1]), 255, np.uint8)
    both[: len(card), : card.shape[1]] = card
    both[: len(poster), card.shape[1] :] = poster
    assert b"KMC1:" + b"7K" * 300 in find_codes(both)


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 130), st.integers(1, 130))))
def test_any_picture_decodes_to_nothing_or_codes(noise: Grey) -> None:
    assert all(isinstance(code, bytes) for code in find_codes(noise))
    assert MotionGate().wants(shrunk(noise), 0.0)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (WEB, "web address"),
        (b"HTTP://EXAMPLE.ORG", "web address"),
        (b"www.metrokota.go.id", "web address"),
        (b"metrokota.go.id/kmc", "web address"),
        (PAYMENT, "payment"),
        (b"kmc1:lower case is not ours", "other"),
        (b"3201xxxxxxxx", "other"),
        (b"", "other"),
        (b"\xff\x00\xfe", "other"),
    ],
)
def test_kinds_of_foreign_codes(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


@given(st.binary(max_size=3000))
def test_the_kind_is_one_of_three(content: bytes) -> None:
    assert kind_of(content) in ("web address", "payment", "other")


def test_one_read_while_held_still() -> None:
    seen = watch(5.0)
    assert seen.seen([A], 5.0) == [Reading(), CardRead(Medium.QR, A, read_ms=20.0)]
    assert [seen.seen([A], 5.0 + step / 10) for step in range(1, 100)] == [[]] * 99


def test_lifted_one_second_after_it_was_last_seen() -> None:
    seen = watch()
    seen.seen([A], 0.0)
    assert [seen.seen([], at) for at in (0.3, 0.6, 0.99)] == [[], [], []]
    assert seen.seen([], 1.0) == [Lifted()]
    assert not seen.holds
    assert seen.seen([], 1.5) == []
    assert isinstance(seen.seen([A], 1.6)[-1], CardRead)


def test_a_single_miss_after_a_long_rest_is_not_lifted() -> None:
    seen = watch()
    seen.seen([A], 0.0)
    assert [seen.seen([], 3.0), seen.seen([], 3.1)] == [[], []]
    assert seen.missed
    assert seen.seen([A], 3.2) == []
    assert not seen.missed


def test_another_card_without_a_gap() -> None:
    seen = watch()
    seen.seen([A], 0.0)
    assert seen.seen([B], 0.1) == [Lifted(), Reading(), CardRead(Medium.QR, B, read_ms=-80.0)]


def test_two_cards_at_once() -> None:
    seen = watch()
    assert faults(seen.seen([A, B], 0.0)) == [("card_two", {})]
    assert seen.seen([B, A], 0.1) == [], "their order in the picture is no news"
    assert seen.seen([A], 0.2)[:2] == [Lifted(), Reading()]


@pytest.mark.parametrize(("content", "kind"), [(WEB, "web address"), (PAYMENT, "payment")])
def test_a_foreign_code_is_told_once_without_its_content(content: bytes, kind: str) -> None:
    seen = watch()
    events = seen.seen([content], 0.0)
    assert faults(events) == [("card_foreign", {"kind": kind})]
    assert "metrokota" not in repr([event.fault.as_json() for event in events if isinstance(event, Faulted)])
    assert [seen.seen([content], at / 10) for at in range(1, 30)] == [[]] * 29
    assert [event for at in (3.2, 3.6, 4.0) for event in seen.seen([], at)] == [Lifted()]
    assert faults(seen.seen([content], 4.1)) == [("card_foreign", {"kind": kind})]


def test_a_poster_beside_a_card_does_not_matter() -> None:
    seen = watch()
    assert isinstance(seen.seen([WEB, A], 0.0)[-1], CardRead)
    assert seen.seen([WEB], 0.1) == [], "the card blurs for a moment"
    assert seen.seen([A], 0.2) == []


def test_a_second_poster_that_comes_and_goes_is_no_news() -> None:
    seen = watch()
    seen.seen([WEB], 0.0)
    for at, codes in ((0.1, [PAYMENT, WEB]), (0.2, [WEB]), (0.3, [b"x", WEB])):
        assert seen.seen(codes, at) == []


def test_a_card_before_a_poster_ends_the_poster() -> None:
    seen = watch()
    seen.seen([WEB], 0.0)
    assert [type(event) for event in seen.seen([WEB, A], 0.1)] == [Lifted, Reading, CardRead]


def test_a_code_above_4_kib() -> None:
    limit = b"KMC1:" + b"0" * (MAX_PAYLOAD_BYTES - 5)
    assert isinstance(watch().seen([limit], 0.0)[-1], CardRead)
    assert faults(watch().seen([limit + b"0"], 0.0)) == [("card_oversized", {"bytes": 4097})]


def test_a_printed_code_above_4_kib_is_found_and_refused() -> None:
    codes = find_codes(printed("KMC1:" + "0A" * 2100, 4))
    assert faults(watch().seen(codes, 0.0)) == [("card_oversized", {"bytes": 4205})]


@given(st.lists(st.tuples(st.sets(st.sampled_from([A, B, WEB, PAYMENT])), st.floats(0.01, 1.5)), max_size=40))
def test_reads_and_lifts_alternate_whatever_is_seen(pictures: list[tuple[set[bytes], float]]) -> None:
    seen = watch()
    at = 0.0
    occupied = False
    for codes, step_s in pictures:
        at += step_s
        for event in seen.seen(codes, at):
            if isinstance(event, Lifted):
                assert occupied
                occupied = False
            elif not isinstance(event, Reading):
                assert not occupied
                occupied = True
        assert seen.holds == occupied


def still(level: int = 120) -> Grey:
    return np.full((480, 640), level, np.uint8)


def noisy(level: int, seed: int, amount: int) -> Grey:
    noise = np.random.default_rng(seed).integers(-amount, amount + 1, (90, 160))
    small = np.clip(level + noise, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (640, 360), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def decoded_at(gate: MotionGate, pictures: list[tuple[float, Grey]], took_s: float = 0.0) -> list[float]:
    times: list[float] = []
    for at, one in pictures:
        if gate.wants(shrunk(one), at):
            gate.decoded(at, took_s)
            times.append(at)
    return times


def test_one_decode_a_second_while_nothing_moves() -> None:
    gate = MotionGate()
    times = decoded_at(gate, [(tick / 8, still()) for tick in range(80)])
    assert [at for at in times if at >= 2.0] == [2.875, 3.875, 4.875, 5.875, 6.875, 7.875, 8.875, 9.875]


def test_every_picture_for_two_seconds_after_motion() -> None:
    gate = MotionGate()
    decoded_at(gate, [(tick / 10, still()) for tick in range(50)])
    moved = still()
    moved[100:200, 100:200] = 250
    times = decoded_at(gate, [(5 + tick / 10, moved) for tick in range(40)])
    assert times[:20] == [5 + tick / 10 for tick in range(20)]
    assert len(times) <= 23


def test_less_than_one_percent_is_no_motion() -> None:
    gate = MotionGate()
    gate.wants(shrunk(still()), 0.0)
    gate.decoded(10.0, 0.0)
    small = still()
    small[0:40, 0:40] = 250
    assert not gate.wants(shrunk(small), 10.1)


def test_noise_in_the_dark_is_no_motion_but_in_the_light_it_would_be() -> None:
    for level, wanted in ((15, False), (120, True)):
        gate = MotionGate()
        gate.wants(shrunk(noisy(level, 1, 10)), 0.0)
        gate.decoded(10.0, 0.0)
        assert gate.wants(shrunk(noisy(level, 2, 10)), 10.1) is wanted


def test_decoding_takes_half_of_the_time_at_most() -> None:
    gate = MotionGate()
    restless = [(tick / 30, still(tick % 2 * 200)) for tick in range(300)]
    times = decoded_at(gate, restless, took_s=0.1)
    assert len(times) <= 51
    assert np.diff(times).max() < 0.3


def test_a_held_code_is_looked_at_four_times_a_second_and_at_once_when_missed() -> None:
    gate = MotionGate()
    gate.wants(shrunk(still()), 0.0)
    gate.decoded(10.0, 0.0)
    assert not gate.wants(shrunk(still()), 10.2, held=True)
    assert gate.wants(shrunk(still()), 10.25, held=True)
    assert gate.wants(shrunk(still()), 10.05, held=True, missed=True)
