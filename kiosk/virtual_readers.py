"""Where the demonstration's virtual readers are, and how to ask them to hold a card. Demonstration only."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from kiosk.errors import EnvironmentFault, OfficerFault

TRAY_FILE = "cards.jsonl"
ANSWER_TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


def control_socket(home: Path) -> Path:
    """The Unix socket that takes orders."""
    return home / "virtual.sock"


def state_file(home: Path) -> Path:
    """The file that names the ports while the station runs."""
    return home / "virtual.json"


def cards_file(home: Path) -> Path:
    """The virtual cards, one JSON document a line."""
    return home / TRAY_FILE


def running_device(home: Path, kind: str) -> str:
    """The device path of the virtual ``nfc`` or ``qr`` reader; empty if the station does not run."""
    try:
        state = json.loads(state_file(home).read_text(encoding="utf-8"))
        udp_port, http_port = int(state["udp_port"]), int(state["http_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"udp:127.0.0.1:{udp_port}" if kind == "nfc" else f"http://127.0.0.1:{http_port}/stream.mjpg"


def ask_station(home: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Gives the station one order and answers its word.

    Raises EnvironmentFault ``virtual_not_running``; OfficerFault with the station's own code.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as station:
        station.settimeout(ANSWER_TIMEOUT_S)
        try:
            station.connect(str(control_socket(home)))
            station.sendall(json.dumps(order).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n") and len(data) < MAX_ANSWER_BYTES:
                part = station.recv(65536)
                if not part:
                    break
                data += part
            answer = json.loads(data)
        except (OSError, ValueError) as error:
            raise EnvironmentFault(
                "virtual_not_running", f"no virtual readers run in {home}: start the kiosk first ({error})"
            ) from error
    if not isinstance(answer, dict):
        raise EnvironmentFault("virtual_not_running", "the station's answer is not understood")
    if not answer.get("ok"):
        raise OfficerFault(str(answer.get("code", "refused")), str(answer.get("message", "")))
    return {key: value for key, value in answer.items() if key != "ok"}
