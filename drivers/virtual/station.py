"""Virtual hardware of a demonstration in one process: NFC field, camera, and a Unix socket to move cards."""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from drivers.commands import MAX_LINE_BYTES, CommandLines, Stop
from drivers.lines import HEALTH_EVERY_S
from drivers.virtual.camera import VirtualCamera
from drivers.virtual.deck import Deck, DeckCard
from drivers.virtual.field import VirtualField
from drivers.virtual.signer import Signer
from kiosk.errors import EnvironmentFault, KioskError, OfficerFault

DEFAULT_HOLD_S = 1.0
LONGEST_HOLD_S = 3600.0
MOST_CLIENTS = 32
LOOK_EVERY_S = 0.1
CARD_KEY_FILE = "virtual-card-auth-key"
"""Beside the state file."""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    received: bytes = b""


class Station:
    """Field, camera and control socket; ``serve`` runs them until ``stop`` is called from any thread."""

    def __init__(
        self,
        control_socket: Path,
        cards_file: Path,
        *,
        udp_port: int = 0,
        http_port: int = 0,
        state_file: Path | None = None,
        out: TextIO | None = None,
        commands: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._commands = CommandLines(commands) if commands is not None else None
        self._control_path = control_socket
        self._state_path = state_file
        self._deck = Deck(cards_file)
        self._signer = Signer()
        self._field = VirtualField(udp_port)
        self._camera = VirtualCamera(http_port)
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._lift_at = self._hide_at = math.inf
        self._on_field: DeckCard | None = None
        self._on_camera: DeckCard | None = None
        self._stopping = False

    def stop(self) -> None:
        """End ``serve`` within LOOK_EVERY_S; safe in a signal handler and from other threads."""
        self._stopping = True

    def serve(self) -> None:
        """Listen, say so in the state file, and answer until stopped.

        Raises EnvironmentFault: cards_file, station_busy (another one listens), reader_missing or
        camera_missing when a port is taken.
        """
        self._deck.cards()
        with self._listening() as listener:
            udp_port = self._field.start()
            try:
                http_port = self._start_camera()
                try:
                    self._write_state(udp_port, http_port)
                    self._say(event="ready", udp_port=udp_port, http_port=http_port)
                    self._loop(listener)
                finally:
                    self._camera.stop()
            finally:
                self._field.stop()
                if self._state_path is not None:
                    self._state_path.unlink(missing_ok=True)

    def _start_camera(self) -> int:
        try:
            return self._camera.start()
        except OSError as error:
            raise EnvironmentFault("camera_missing", f"virtual camera cannot listen: {error}") from error

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self._control_path.is_socket():
                self._drop_stale_socket()
            former = os.umask(0o177)
            try:
                listener.bind(str(self._control_path))
            except OSError as error:
                raise EnvironmentFault("station_busy", f"{self._control_path}: {error}") from error
            finally:
                os.umask(former)
            listener.listen(8)
            listener.setblocking(False)
            try:
                yield listener
            finally:
                self._control_path.unlink(missing_ok=True)
        finally:
            listener.close()

    def _drop_stale_socket(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._control_path))
            except OSError:
                self._control_path.unlink(missing_ok=True)
                return
        raise EnvironmentFault("station_busy", f"another virtual station listens on {self._control_path}")

    def _write_state(self, udp_port: int, http_port: int) -> None:
        if self._state_path is None:
            return
        state = {
            "udp_port": udp_port,
            "http_port": http_port,
            "pid": os.getpid(),
            "url": self._camera.url,
            "control": str(self._control_path),
            "originality_keys": [key.hex() for key in self._signer.public_keys],
            "card_key_file": str(self._write_card_key(self._state_path.with_name(CARD_KEY_FILE))),
        }
        partial = self._state_path.with_name(self._state_path.name + ".partial")
        partial.write_text(json.dumps(state) + "\n", "utf-8")
        partial.replace(self._state_path)

    def _write_card_key(self, path: Path) -> Path:
        """The key by which its chips prove themselves, for this station's reader alone."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(self._signer.card_keys.authentication.hex() + "\n")
        return path

    def _say(self, **event: Any) -> None:
        if self._out is None:
            return
        try:
            self._out.write(json.dumps(event) + "\n")
            self._out.flush()
        except (OSError, ValueError):
            self._stopping = True

    def _obey(self) -> None:
        """The process that started it says stop, or is gone with its end of the pipe."""
        if self._commands is None:
            return
        command = self._commands.take(0)
        self._stopping = self._stopping or isinstance(command, Stop) or self._commands.ended

    def _loop(self, listener: socket.socket) -> None:
        health_at = self._clock() + HEALTH_EVERY_S
        self._selector.register(listener, selectors.EVENT_READ, None)
        try:
            while not self._stopping:
                until = min(self._lift_at, self._hide_at) - self._clock()
                for key, _ in self._selector.select(min(max(until, 0.0), LOOK_EVERY_S)):
                    if key.fileobj is listener:
                        self._accept(listener)
                    elif isinstance(key.data, _Client):
                        self._receive(key.data)
                self._run_out()
                self._obey()
                if self._clock() >= health_at:
                    self._say(event="health", cards=len(self._deck.known))
                    health_at = self._clock() + HEALTH_EVERY_S
        finally:
            for key in list(self._selector.get_map().values()):
                if isinstance(key.data, _Client):
                    self._drop(key.data)
            self._selector.close()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if len(self._selector.get_map()) >= MOST_CLIENTS + 1:
            connection.close()
            return
        connection.settimeout(1.0)
        self._selector.register(connection, selectors.EVENT_READ, _Client(connection))

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.connection)
        client.connection.close()

    def _receive(self, client: _Client) -> None:
        try:
            chunk = client.connection.recv(65536)
            *lines, client.received = (client.received + chunk).split(b"\n")
            for line in lines:
                client.connection.sendall(self._answer(line))
        except OSError:
            chunk = b""
        if not chunk or len(client.received) > MAX_LINE_BYTES:
            self._drop(client)

    def _answer(self, line: bytes) -> bytes:
        try:
            answer = {"ok": True, **self._do(line)}
        except KioskError as fault:
            answer = {"ok": False, "code": fault.code, "message": fault.message}
        return json.dumps(answer, ensure_ascii=False).encode("utf-8") + b"\n"

    def _do(self, line: bytes) -> dict[str, Any]:
        try:
            command = json.loads(line)
        except (ValueError, RecursionError):
            raise OfficerFault("bad_command", "the command is not JSON") from None
        if not isinstance(command, dict):
            raise OfficerFault("bad_command", "the command is not an object")
        match command.get("do"):
            case "tap":
                return self._put(command, self._hold_s(command))
            case "put":
                return self._put(command, math.inf)
            case "lift":
                lifted, self._on_field, self._lift_at = self._on_field, None, math.inf
                self._field.lift()
                return {"lifted": lifted.card_no if lifted else ""}
            case "show_qr":
                return self._show(command)
            case "hide_qr":
                hidden, self._on_camera, self._hide_at = self._on_camera, None, math.inf
                self._camera.hide()
                return {"hidden": hidden.card_no if hidden else ""}
            case "list":
                return {"cards": [_public(card) for card in self._deck.cards().values()]}
            case _:
                raise OfficerFault("bad_command", "do is one of tap, put, lift, show_qr, hide_qr, list")

    def _put(self, command: dict[str, Any], hold_s: float) -> dict[str, Any]:
        card = self._card(command)
        self._field.put(self._deck.chip(card, self._signer))
        self._on_field, self._lift_at = card, self._clock() + hold_s
        return {"card_no": card.card_no, "chip": card.chip}

    def _show(self, command: dict[str, Any]) -> dict[str, Any]:
        card = self._card(command)
        hold_s = self._hold_s(command) if "hold_s" in command else math.inf
        if not card.qr:
            raise OfficerFault("no_qr", f"card {card.card_no} has no printed code")
        try:
            self._camera.show(card.qr)
        except ValueError as error:
            raise OfficerFault("no_qr", f"the code of {card.card_no} cannot be drawn: {error}") from error
        self._on_camera, self._hide_at = card, self._clock() + hold_s
        return {"card_no": card.card_no}

    def _card(self, command: dict[str, Any]) -> DeckCard:
        card = self._deck.cards().get(str(command.get("card_no", "")))
        if card is None:
            raise OfficerFault("unknown_card", f"no virtual card {str(command.get('card_no', ''))[:40]!r}")
        return card

    @staticmethod
    def _hold_s(command: dict[str, Any]) -> float:
        hold_s = command.get("hold_s", DEFAULT_HOLD_S)
        if (
            isinstance(hold_s, bool)
            or not isinstance(hold_s, (int, float))
            or not 0 < hold_s <= LONGEST_HOLD_S
        ):
            raise OfficerFault("bad_command", f"hold_s is a number of seconds up to {LONGEST_HOLD_S:g}")
        return float(hold_s)

    def _run_out(self) -> None:
        now = self._clock()
        if now >= self._lift_at:
            self._field.lift()
            self._on_field, self._lift_at = None, math.inf
        if now >= self._hide_at:
            self._camera.hide()
            self._on_camera, self._hide_at = None, math.inf


def _public(card: DeckCard) -> dict[str, str]:
    return {"card_no": card.card_no, "label": card.label, "holder": card.holder, "chip": card.chip}


def run(
    control_socket: Path,
    cards_file: Path,
    udp_port: int = 0,
    http_port: int = 0,
    state_file: Path | None = None,
    *,
    out: TextIO | None = None,
    commands: TextIO | None = None,
) -> int:
    """Run the virtual hardware until SIGTERM, SIGINT, a stop command or the end of ``commands``; 0.

    JSON lines ``ready`` and, each second, ``health`` go to ``out`` (standard output if None). Without
    ``commands`` standard input is listened to if it is a pipe: then another process started this one.
    Raises EnvironmentFault as ``Station.serve``.
    """
    # Started with standard input closed, Python has none.
    given: TextIO | None = sys.stdin
    if commands is None and given is not None and stat.S_ISFIFO(os.fstat(given.fileno()).st_mode):
        commands = given
    station = Station(
        control_socket,
        cards_file,
        udp_port=udp_port,
        http_port=http_port,
        state_file=state_file,
        out=out or sys.stdout,
        commands=commands,
    )

    def on_signal(number: int, frame: FrameType | None) -> None:
        station.stop()

    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        former = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        station.serve()
    finally:
        for number, handler in former.items():
            with suppress(ValueError):
                signal.signal(number, handler)
    return 0
