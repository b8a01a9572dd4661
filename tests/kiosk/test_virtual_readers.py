"""Where the virtual station listens: also for a data folder whose path no Unix socket could have."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.virtual.station import Station
from kiosk import virtual_readers
from kiosk.errors import EnvironmentFault
from kiosk.virtual_readers import ask_station, control_socket, prepare_socket, state_file


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A data folder with a path of more than 107 bytes."""
    home = tmp_path / ("d" * 100) / "home"
    home.mkdir(parents=True)
    return home


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands for /tmp; short itself, whatever the path of the test's folder is."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="r") as folder:
        monkeypatch.setattr(virtual_readers, "SHARED_FOLDER", Path(folder))
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield Path(folder)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_short_folder_has_the_socket_in_it(run_folder: Path) -> None:
    assert control_socket(run_folder) == run_folder / "virtual.sock"
    assert prepare_socket(run_folder) == run_folder / "virtual.sock"


def test_a_deep_folder_has_a_short_socket_of_its_own(deep: Path, run_folder: Path) -> None:
    path = prepare_socket(deep)
    assert len(os.fsencode(path)) <= virtual_readers.MAX_SOCKET_PATH
    assert path.parent == run_folder / f"kmc-{os.geteuid()}"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path == prepare_socket(deep)
    other = deep.parent / "other"
    other.mkdir()
    assert prepare_socket(other) != path


def test_the_service_managers_run_folder_comes_first(
    deep: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_folder / "user"
    run.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    assert prepare_socket(deep).is_relative_to(run)


@pytest.mark.parametrize("kind", ["open to others", "a link"])
def test_a_folder_that_others_could_use_is_refused(deep: Path, run_folder: Path, kind: str) -> None:
    folder = run_folder / f"kmc-{os.geteuid()}"
    if kind == "a link":
        (run_folder / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(run_folder / "elsewhere")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(EnvironmentFault) as fault:
        prepare_socket(deep)
    assert fault.value.code == "socket_folder_unsafe"


def test_the_station_of_a_deep_folder_is_found_by_its_word(
    deep: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep / "cards.jsonl").write_text("")
    path = prepare_socket(deep)
    station = Station(path, deep / "cards.jsonl", state_file=state_file(deep))
    thread = threading.Thread(target=station.serve)
    thread.start()
    try:
        until(state_file(deep).exists)
        # Whoever asks may have been started with another environment than the station.
        run = run_folder / "user"
        run.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
        assert ask_station(deep, {"do": "list"}) == {"cards": []}
    finally:
        station.stop()
        thread.join(timeout=30)
    assert not path.exists()
    with pytest.raises(EnvironmentFault) as fault:
        ask_station(deep, {"do": "list"})
    assert fault.value.code == "virtual_not_running"
