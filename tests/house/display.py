"""An X display for tests that open real windows: the one there is, else an Xvfb of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

SCREEN = "1920x1920x24"


@dataclass
class Display:
    """A display's name, and the Xvfb behind it if this process started it."""

    name: str
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def opened(cls) -> Display:
        """The display in DISPLAY; else Xvfb on a free one; without Xvfb one with an empty name."""
        if name := os.environ.get("DISPLAY", ""):
            return cls(name)
        program = shutil.which("Xvfb")
        if program is None:
            return cls("")
        read_end, write_end = os.pipe()
        ends_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        process = subprocess.Popen(
            [
                *ends_with_us,
                program,
                "-displayfd",
                str(write_end),
                "-screen",
                "0",
                SCREEN,
                "-nolisten",
                "tcp",
            ],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        if not number:
            process.wait()
            raise RuntimeError(f"Xvfb ended with {process.returncode} before it had a display")
        name = f":{number}"
        os.environ["DISPLAY"] = name
        return cls(name, process)

    def close(self) -> None:
        """Ends the Xvfb, if it is ours."""
        if self.process is not None:
            os.environ.pop("DISPLAY", None)
            self.process.terminate()
            self.process.wait()
