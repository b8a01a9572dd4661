"""``kmc-kiosk`` whose reader notes when it wrote each line, so that the pipe's share of a tap is known.

Takes the same words; other commands than ``read`` run as they are. The times go to the file named by
BENCH_STAMPS, one line ``<event> <CLOCK_MONOTONIC in ns>`` for each that the bench waits for.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TextIO, cast

from bench.watched_kiosk import STAMPS_VARIABLE

STAMPED = ("read", "lifted", "fault")


class StampedOutput:
    """Standard output of a reader, whose lines are written and then flushed."""

    def __init__(self, out: TextIO, stamps: Path) -> None:
        self._out = out
        self._stamps = stamps.open("a", buffering=1, encoding="ascii")
        self._note = ""

    def write(self, text: str) -> int:
        """A line that leaves with the next flush."""
        event = text[: len('{"event":"') + 8].removeprefix('{"event":"').partition('"')[0]
        if event in STAMPED:
            self._note = event
        return self._out.write(text)

    def flush(self) -> None:
        """The line leaves now."""
        left_ns = time.perf_counter_ns()
        self._out.flush()
        if self._note:
            self._stamps.write(f"{self._note} {left_ns}\n")
            self._note = ""


def main() -> int:
    """Runs one command; answers its exit code."""
    from kiosk import cli

    stamps = os.environ.get(STAMPS_VARIABLE, "")
    if sys.argv[1:2] == ["read"] and stamps:
        sys.stdout = cast("TextIO", StampedOutput(sys.stdout, Path(stamps)))
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
