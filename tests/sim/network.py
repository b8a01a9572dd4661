"""The way between machines and central: cut, losing requests and replies, doubling, late."""

from __future__ import annotations

import base64
import json
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn
from unittest import mock
from urllib.parse import urlsplit

from kiosk.errors import CentralFault
from sync import client, enrolling
from tests.sim.central_host import CentralHost

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Late:
    """A request that arrives after its sender has given up."""

    sender: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def nothing_happens(_machine: str) -> None:
    """What happens meanwhile by default."""


def no_trouble() -> str:
    """The fate of an exchange by default."""
    return "ok"


@dataclass
class Network:
    """Carries every request of every machine."""

    host: CentralHost
    fate: Callable[[], str] = no_trouble
    """What becomes of the next exchange: ``request_lost``, ``reply_lost``, ``doubled``, ``late``,
    ``meanwhile`` and ``meanwhile_reply`` (something happens before, or after, it is at central),
    ``central_dies:3`` (at the third point of its work), ``ok``."""
    cut: set[str] = field(default_factory=set)
    """Names of the machines that reach nothing."""
    meanwhile: Callable[[str], None] = nothing_happens
    late: list[Late] = field(default_factory=list)
    next_fates: list[str] = field(default_factory=list)
    """For directed schedules: fates of the next exchanges, before anybody else is asked."""
    tally: Tally[str] = field(default_factory=Tally)
    grants: dict[str, list[bytes]] = field(default_factory=dict)
    """Every grant that went by, by the machine it went to."""
    troubled: bool = False
    """An exchange failed since this was last set back."""

    def send(
        self, _session: Any, method: str, url: str, headers: dict[str, str], body: bytes, _timeout_s: float
    ) -> Answer:
        """In the place of ``sync.client.send``: the host of the URL names the machine."""
        parts = urlsplit(url)
        machine = str(parts.hostname)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        fate, _, point = self._fate().partition(":")
        frames = self.host.frames
        if machine in self.cut or fate == "request_lost":
            self._fails("cut" if machine in self.cut else fate)
        if fate == "meanwhile":
            self._while_under_way(machine)
        if fate == "late":
            self.late.append(Late(machine, method, target, headers, body))
            self._fails(fate)
        frames.point("network:before sending")
        countdown = int(point) if fate == "central_dies" else 0
        try:
            answer = self.host.call(method, target, headers, body, countdown)
        except ConnectionError:
            self._fails("central_died" if countdown else "central_down")
        self._note_grants(machine, answer)
        if fate == "doubled":
            self.tally[fate] += 1
            with suppress_connection():
                self.host.call(method, target, headers, body)
        frames.point("network:after arrival")
        if fate == "reply_lost":
            self._fails(fate)
        if fate == "meanwhile_reply":
            self._while_under_way(machine)
            if machine in self.cut:
                self._fails("cut")
        return answer

    def deliver_late(self, which: int = 0) -> int:
        """A late request arrives, 0 is the oldest; answers its status, 0 if central is down or none is."""
        if not self.late:
            return 0
        one = self.late.pop(which % len(self.late))
        self.tally["late_arrived"] += 1
        try:
            return self.host.call(one.method, one.target, one.headers, one.body)[0]
        except ConnectionError:
            return 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Every client of this process calls through here."""
        with mock.patch.object(client, "send", self.send), mock.patch.object(enrolling, "send", self.send):
            yield

    def _fate(self) -> str:
        return self.next_fates.pop(0) if self.next_fates else self.fate()

    def _note_grants(self, machine: str, answer: Answer) -> None:
        if answer[0] != 200 or b"grant" not in answer[2]:
            return
        body = json.loads(answer[2])
        for one in body.get("answers", []):
            self.tally[f"said {one['status']}"] += 1
        if body.get("recalls"):
            self.tally["recalls"] += 1
        found = [*body.get("grants", []), *(one.get("grant") for one in body.get("answers", []))]
        seen = self.grants.setdefault(machine, [])
        seen.extend(one for one in map(base64.b64decode, filter(None, found)) if one not in seen)

    def _while_under_way(self, machine: str) -> None:
        self.tally["meanwhile"] += 1
        self.meanwhile(machine)

    def _fails(self, why: str) -> NoReturn:
        self.tally[why] += 1
        self.troubled = True
        raise CentralFault("central_unreachable", why, why=why)


@contextmanager
def suppress_connection() -> Iterator[None]:
    """Central may be down."""
    try:
        yield
    except ConnectionError:
        pass
