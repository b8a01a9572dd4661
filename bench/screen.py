"""An X display for the kiosk's window: the one there is, else an Xvfb that ends with the bench."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.errors import EnvironmentFault

SIZE = (1920, 1080)
"""The largest landscape screen that the kiosk supports: software rendering pays by the pixel."""


@contextmanager
def display() -> Iterator[dict[str, str]]:
    """The environment of processes that open windows, and words on what they open them on (``BENCH_SCREEN``).

    Raises EnvironmentFault ``no_display`` without DISPLAY and without Xvfb.
    """
    rendering = {"QT_QUICK_BACKEND": "software", "QT_QPA_PLATFORM": "xcb"}
    given = os.environ.get("DISPLAY", "")
    if given:
        yield rendering | {"DISPLAY": given, "BENCH_SCREEN": f"xcb on DISPLAY={given}, software rendering"}
        return
    program = shutil.which("Xvfb")
    if program is None:
        raise EnvironmentFault("no_display", "no DISPLAY, and no Xvfb: apt-get install xvfb")
    width, height = SIZE
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=[write_end],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        if not number:
            raise EnvironmentFault("no_display", f"Xvfb ended with {server.wait()} before it had a display")
        words = f"xcb on Xvfb {width}x{height}, software rendering"
        yield rendering | {"DISPLAY": f":{number}", "BENCH_SCREEN": words}
    finally:
        server.terminate()
        server.wait()
