"""Feedback tones as transit validators give them: one short high beep, or two low ones."""

from __future__ import annotations

import logging
import math
import queue
import shutil
import struct
import subprocess
import tempfile
import threading
import wave
from pathlib import Path
from typing import Literal

LOG = logging.getLogger(__name__)

Tone = Literal["ok", "attention"]

RATE_HZ = 22_050
_BEEPS: dict[Tone, list[tuple[int, float]]] = {
    "ok": [(1760, 0.12)],
    "attention": [(330, 0.16), (0, 0.07), (330, 0.16)],
}
"""Hertz (0 is silence) and seconds."""

_PLAYERS = (("paplay", ()), ("aplay", ("-q",)))


def tone_samples(tone: Tone) -> bytes:
    """16-bit mono samples at RATE_HZ, with 5 ms ramps so that nothing clicks."""
    out = bytearray()
    for hertz, seconds in _BEEPS[tone]:
        count, ramp = int(RATE_HZ * seconds), RATE_HZ // 200
        for n in range(count):
            edge = min(1.0, n / ramp, (count - n) / ramp)
            out += struct.pack("<h", int(18_000 * edge * math.sin(2 * math.pi * hertz * n / RATE_HZ)))
    return bytes(out)


def write_tone(tone: Tone, path: Path) -> None:
    """Write one tone as WAV."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(tone_samples(tone))


class Speaker:
    """Plays tones by a small player of the system, in a thread of its own; silent where there is none."""

    def __init__(self) -> None:
        self._tones: queue.SimpleQueue[Tone | None] = queue.SimpleQueue()
        self._player = next(
            ((path, args) for name, args in _PLAYERS if (path := shutil.which(name)) is not None), None
        )
        self._thread: threading.Thread | None = None
        if self._player is None:
            LOG.warning("no sound: neither paplay nor aplay is installed (Debian: alsa-utils)")
            return
        self._thread = threading.Thread(target=self._run, name="tones", daemon=True)
        self._thread.start()

    def play(self, tone: Tone) -> None:
        """Play soon; never waits."""
        if self._thread is not None:
            self._tones.put(tone)

    def stop(self) -> None:
        """End the thread after what is queued."""
        if self._thread is not None:
            self._tones.put(None)
            self._thread.join(timeout=5)
            self._thread = None

    def _run(self) -> None:
        if self._player is None:
            return
        player, args = self._player
        failed = False
        with tempfile.TemporaryDirectory(prefix="kmc-tones-") as folder:
            files: dict[Tone, Path] = {tone: Path(folder, f"{tone}.wav") for tone in _BEEPS}
            for tone, path in files.items():
                write_tone(tone, path)
            while (tone_now := self._tones.get()) is not None:
                try:
                    done = subprocess.run(
                        [player, *args, str(files[tone_now])], capture_output=True, timeout=5, check=False
                    )
                    trouble = _last_line(done.stderr) if done.returncode else ""
                except (OSError, subprocess.TimeoutExpired) as error:
                    trouble = str(error)
                if trouble and not failed:
                    LOG.warning("no sound: %s: %s; kmc-kiosk doctor says what helps", player, trouble)
                failed = bool(trouble)


def _last_line(told: bytes) -> str:
    """The player's own word: the libraries below it write a page before that."""
    lines = told.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it failed without a word"
