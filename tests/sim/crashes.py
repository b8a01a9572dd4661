"""Where a process may die: at each durable step and at each end of a network exchange.

A frame is one piece of work of one process. What is nested in it (something that happens elsewhere while its
request is on the way) has a frame of its own, so that a countdown only ever ends the process it was set for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kiosk.database
from kiosk import durable_file


class Crash(BaseException):
    """The process dies here: nothing in it may catch this and go on."""


def _nothing(_path: Path) -> None:
    """Nobody is faster."""


@dataclass
class Frame:
    """One process at work."""

    machine: str
    process: str
    """``screen``, ``rights``, ``sync`` or ``central``."""
    countdown: int = 0
    """Dies at that many points from now; 0: does not die."""
    died_at: str = ""


@dataclass
class Frames:
    """Who is at work, the innermost last."""

    stack: list[Frame] = field(default_factory=list)
    before_write: Callable[[Path], None] = _nothing
    """Called before a database's write lock is taken: another process may be faster."""
    points: dict[str, int] = field(default_factory=dict)
    """How often somebody died at each kind of point."""

    @contextmanager
    def entered(self, machine: str, process: str, countdown: int = 0) -> Iterator[Frame]:
        """Work of a process; it may die within."""
        frame = Frame(machine, process, countdown)
        self.stack.append(frame)
        try:
            yield frame
        finally:
            assert self.stack.pop() is frame

    def clear(self) -> None:
        """Nobody is at work."""
        self.stack.clear()
        self.points.clear()
        self.before_write = _nothing

    def point(self, label: str) -> None:
        """One place where the process at work may die. Raises Crash."""
        if not self.stack or not self.stack[-1].countdown:
            return
        frame = self.stack[-1]
        frame.countdown -= 1
        if not frame.countdown:
            frame.died_at = label
            self.points[label] = self.points.get(label, 0) + 1
            raise Crash(label)

    def busy(self, machine: str, process: str = "") -> bool:
        """True if that process (any, without one) of a machine is at work."""
        return any(one.machine == machine and process in ("", one.process) for one in self.stack)


@contextmanager
def crash_points(frames: Frames) -> Iterator[None]:
    """Every write of the kiosk's databases and small files passes two points: before it counts, and after."""
    plain, plain_replace = kiosk.database.writing, durable_file.replace

    def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
        frames.point(f"{path.name}:before")
        plain_replace(path, data, mode)
        frames.point(f"{path.name}:after")

    @contextmanager
    def writing(db: Any, path: Path) -> Iterator[Any]:
        name = path.name.split(".")[0]
        frames.before_write(path)
        with plain(db, path) as connection:
            yield connection
            frames.point(f"{name}:before commit")
        frames.point(f"{name}:after commit")

    kiosk.database.writing, durable_file.replace = writing, replace
    try:
        yield
    finally:
        kiosk.database.writing, durable_file.replace = plain, plain_replace
