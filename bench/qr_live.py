"""The QR reader's process before a camera of 720p and 30 pictures a second: its idle cost, and its speed.

The camera is an MJPEG stream on loopback, opened by cv2.VideoCapture as any network camera is.
"""

from __future__ import annotations

import base64
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

from bench.card_view import empty_room
from bench.figures import Figure, Limit, Yardstick, single, spread
from bench.processes import Speaking, environment
from bench.qr import shown_jpegs
from bench.world import World
from drivers.virtual.camera import VirtualCamera
from kiosk.demonstration import KIOSK_COMMAND
from kiosk.errors import EnvironmentFault

FRAMES_PER_S = 30
IDLE_S = 20.0
SETTLE_S = 4.0
AWAY_S = (2.6, 3.4)
"""Seconds without a card between two: longer than the reader stays awake after motion."""
SHOWN, SHOWN_FULL = 25, 200
READ_WITHIN_S = 10.0


def measure_live(world: World) -> list[Figure]:
    """Idle first, then cards one after another, by one process."""
    room = empty_room(3, 4)
    with VirtualCamera(frames_per_s=FRAMES_PER_S) as camera:
        camera.show_pictures(*room)
        command = [*KIOSK_COMMAND, "read", "qr", "--device", camera.url]
        log = world.folder / "qr.log"
        with Speaking(command, environment(world.home), log) as reader:
            reader.wait_for(lambda line: line.get("event") == "ready", "ready reader")
            idle = _idle(camera, reader, room)
            return [idle, _shown(camera, reader, room)]


def _idle(camera: VirtualCamera, reader: Speaking, room: Sequence[bytes]) -> Figure:
    """The share of one core that the process takes while nobody is before the camera."""
    time.sleep(SETTLE_S)
    sent, cpu_s, begun = camera.frames_sent, _cpu_s(reader.process.pid), time.monotonic()
    time.sleep(IDLE_S)
    used_s, took_s = _cpu_s(reader.process.pid) - cpu_s, time.monotonic() - begun
    rate = (camera.frames_sent - sent) / took_s
    if rate < 0.8 * FRAMES_PER_S:
        raise EnvironmentFault("bench_stuck", f"the camera came to {rate:.0f} pictures a second only")
    return Figure(
        "QR reader idle, share of one core",
        "%",
        single(100 * used_s / took_s),
        Yardstick("zxing-cpp on each picture", single(_each_picture_percent(room))),
        Limit(10.0, "p50"),
        f"{rate:.0f} pictures of 720p a second for {took_s:.0f} s, all of the process",
    )


def _shown(camera: VirtualCamera, reader: Speaking, room: Sequence[bytes]) -> Figure:
    """From a card held before the camera, out of idleness, to the line with its credential."""
    full = bool(os.environ.get("BENCH_FULL"))
    cards = shown_jpegs(range(SHOWN_FULL if full else SHOWN))
    moments = random.Random(5)
    times_ms: list[float] = []
    for content, pictures in cards:
        camera.show_pictures(*room)
        reader.drop_lines()
        time.sleep(moments.uniform(*AWAY_S))
        reader.drop_lines()
        shown = time.perf_counter()
        camera.show_pictures(*pictures)
        line = reader.wait_for(lambda line: line.get("event") in ("read", "fault"), "read", READ_WITHIN_S)
        times_ms.append((time.perf_counter() - shown) * 1000)
        if base64.b64decode(line.get("payload", "")) != content:
            raise EnvironmentFault("bench_stuck", "the reader read something else than was shown")
    return Figure(
        "QR card shown to credential out",
        "ms",
        spread(times_ms),
        Yardstick("one picture's time", single(1000 / FRAMES_PER_S)),
        Limit(150.0, "p95"),
        f"MJPEG of 720p at {FRAMES_PER_S} a second over loopback, the reader idle before each card",
    )


def _cpu_s(pid: int) -> float:
    """Processor time of a process and its threads so far (proc_pid_stat(5), fields 14 and 15)."""
    fields = (Path("/proc") / str(pid) / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _each_picture_percent(room: Sequence[bytes]) -> float:
    """What decoding 30 such pictures a second and looking for codes in each would take, in percent."""
    import cv2
    import numpy as np
    import zxingcpp

    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    begun = time.thread_time()
    rounds = 30
    for number in range(rounds):
        jpeg = np.frombuffer(room[number % len(room)], np.uint8)
        picture = cv2.cvtColor(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2GRAY)
        zxingcpp.read_barcodes(np.asarray(picture), formats=formats)
    return 100 * (time.thread_time() - begun) / rounds * FRAMES_PER_S
