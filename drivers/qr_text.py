"""Reading one QR code that is no card's: that of an enrolment ticket, before there is a kiosk to read for."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.camera import Camera
from drivers.qr_pipeline import QrPipeline, check_decoder
from kiosk.errors import EnvironmentFault

FRAME_WAIT_S = 0.25


def read_code(
    source: str, prefix: str, timeout_s: float, *, clock: Callable[[], float] = time.monotonic
) -> str:
    """The first code with that prefix before the camera ``source`` (empty = find one, number, path, address).

    Other codes are passed over. Raises EnvironmentFault as ``Camera.open`` does, and ``code_timeout``.
    """
    check_decoder()
    camera = Camera(source, clock=clock)
    ends_at = clock() + timeout_s
    wanted = prefix.encode("ascii")
    pipeline = QrPipeline(lambda content: content.startswith(wanted), clock)
    camera.open()
    try:
        while clock() < ends_at:
            frame = camera.newest(FRAME_WAIT_S)
            for content in pipeline.look(frame.grey).codes if frame is not None else ():
                if content.startswith(wanted) and content.isascii():
                    return content.decode("ascii")
    finally:
        camera.close()
    raise EnvironmentFault("code_timeout", f"no code beginning with {prefix} in {timeout_s:g} s")
