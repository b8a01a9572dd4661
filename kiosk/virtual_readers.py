"""Where the demonstration's virtual readers are, and how to ask them to hold a card. Demonstration only."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

from config.load import Loaded
from kiosk import enrolment
from kiosk.errors import EnvironmentFault, OfficerFault
from kiosk.values import Mode

TRAY_FILE = "cards.jsonl"
ANSWER_TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's path: ``sun_path`` holds 108 with its final NUL (unix(7))."""
SHARED_FOLDER = Path("/tmp")  # noqa: S108  a folder of our own in it, checked


def virtual_allowed(loaded: Loaded) -> bool:
    """True if this kiosk was enrolled for demonstration and the settings do not say ``off``."""
    return loaded.settings.readers.virtual == "auto" and mode_of(loaded.home) is Mode.DEMONSTRATION


def mode_of(home: Path) -> Mode | None:
    """What this kiosk was enrolled for; None for none. Raises as reading the enrolment does."""
    bundle = enrolment.load(home)
    return bundle.enrolment.mode if bundle else None


def control_socket(home: Path) -> Path:
    """The Unix socket that takes orders: in the data folder, or at a short path where that one is too long.

    The short one is named by a hash of the folder's path, in a folder of this user's own. Says only where it
    is; ``prepare_socket`` makes the folder.
    """
    near = home / "virtual.sock"
    if len(os.fsencode(near.absolute())) <= MAX_SOCKET_PATH:
        return near
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:24] + ".sock"
    run = os.environ.get("XDG_RUNTIME_DIR", "")
    for base in (Path(run), SHARED_FOLDER) if run else (SHARED_FOLDER,):
        path = base / f"kmc-{os.geteuid()}" / name
        if base.is_dir() and len(os.fsencode(path.absolute())) <= MAX_SOCKET_PATH:
            return path
    raise EnvironmentFault("socket_path_too_long", "set XDG_RUNTIME_DIR to a folder with a short path")


def prepare_socket(home: Path) -> Path:
    """The same path; its folder is there when this returns.

    Raises EnvironmentFault ``socket_folder_unsafe`` where somebody else could put a socket in its place.
    """
    path = control_socket(home)
    if path.parent != home:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _check_own(path.parent)
    return path


def _check_own(folder: Path) -> None:
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise EnvironmentFault("socket_folder_unsafe", f"{folder} must be a folder of this user's own, 0700")


def _listening_socket(home: Path) -> Path:
    """Where the running station says that it listens; the usual place if it says nothing."""
    try:
        told = json.loads(state_file(home).read_text(encoding="utf-8"))["control"]
    except (OSError, ValueError, KeyError, TypeError):
        told = None
    path = Path(told) if isinstance(told, str) else control_socket(home)
    if path.parent != home and path.parent.is_dir():
        _check_own(path.parent)
    return path


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


def running_originality_keys(home: Path) -> tuple[bytes, ...]:
    """The keys with which the running station signs its chips as original; none if it does not run."""
    try:
        state = json.loads(state_file(home).read_text(encoding="utf-8"))
        return tuple(bytes.fromhex(key) for key in state["originality_keys"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def running_card_key_file(home: Path) -> Path | None:
    """The file of the key by which the running station's chips prove themselves; None if it does not run."""
    try:
        state = json.loads(state_file(home).read_text(encoding="utf-8"))
        return Path(state["card_key_file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ask_station(home: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Gives the station one order and answers its word.

    Raises EnvironmentFault ``virtual_not_running``; OfficerFault with the station's own code.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as station:
        station.settimeout(ANSWER_TIMEOUT_S)
        try:
            station.connect(str(_listening_socket(home)))
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
