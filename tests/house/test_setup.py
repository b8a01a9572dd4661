"""The set-up script on machines that lack something: what it installs, and what it says when it may not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WANTED = ("deploy/setup.sh", "deploy/debian-packages", "deploy/requirements-dev.lock", "requirements.lock")


class Machine:
    """A folder with the script in it, and a PATH on which the machine's own commands are scripted."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "kmc"
        (self.home / "deploy").mkdir(parents=True)
        for name in (*WANTED, "pyproject.toml"):
            shutil.copy(ROOT / name, self.home / name)
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        self.script("dpkg-query", "exit 1")
        self.script("apt-cache", '[ "$1" = pkgnames ] && echo libxcb-cursor0; [ "$2" != libzbar0 ]')
        self.script("apt-get", "exit 0")
        self.script("sudo", "exit 1")

    def script(self, name: str, body: str) -> None:
        """Makes a command that notes how it was called."""
        path = self.commands / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def run(self, what: str) -> subprocess.CompletedProcess[str]:
        """The script's outcome."""
        return subprocess.run(
            ["bash", str(self.home / "deploy/setup.sh"), what],
            env={"PATH": f"{self.commands}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def called(self, name: str) -> list[str]:
        """How a command was called, one line a call."""
        return [line for line in self.calls.read_text().splitlines() if line.split()[0] == name]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with none of the packages, where nobody may become root."""
    made = Machine(tmp_path)
    made.script("id", "echo 1000")
    return made


def test_without_root_it_prints_one_command_and_stops(machine: Machine) -> None:
    outcome = machine.run("run")
    assert outcome.returncode == 1
    commands = [line for line in outcome.stderr.splitlines() if line.startswith("apt-get ")]
    assert len(commands) == 1
    assert commands[0].startswith("apt-get install -y --no-install-recommends ")
    assert "libxcb-cursor0" in commands[0].split()
    assert outcome.stdout == ""
    assert machine.called("apt-get") == []


def test_running_asks_for_no_test_packages(machine: Machine) -> None:
    running, testing = machine.run("run").stderr.split(), machine.run("test").stderr.split()
    assert "xvfb" not in running
    assert {"xvfb", "xdotool", "imagemagick", "postgresql"} <= set(testing)
    assert set(running) < set(testing)


def test_a_renamed_package_is_asked_for_by_the_name_on_offer(machine: Machine) -> None:
    words = machine.run("run").stderr.split()
    assert "libzbar0t64" in words
    assert "libzbar0" not in words
    assert "libglib2.0-0" in words


def test_packages_that_are_there_are_not_asked_for(machine: Machine) -> None:
    machine.script("dpkg-query", '[ "${@: -1}" = libegl1 ] || echo installed')
    commands = [line for line in machine.run("run").stderr.splitlines() if line.startswith("apt-get ")]
    assert commands == ["apt-get install -y --no-install-recommends libegl1"]


def test_a_failed_installation_stops_with_its_last_words(machine: Machine) -> None:
    machine.script("id", "echo 0")
    machine.script("apt-get", 'echo "disk full" >&2; exit 100')
    outcome = machine.run("run")
    assert outcome.returncode == 1
    assert "disk full" in outcome.stderr
    assert not (machine.home / ".venv").exists()


def test_a_second_start_calls_nothing(machine: Machine) -> None:
    key = subprocess.run(
        ["bash", "-c", f"{_key_line()}; echo $key"],
        cwd=machine.home,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (machine.home / ".venv/bin").mkdir(parents=True)
    (machine.home / ".venv/.ready-run").write_text(key)
    command = machine.home / ".venv/bin/kmc-kiosk"
    command.write_text("")
    command.chmod(0o755)
    outcome = machine.run("run")
    assert (outcome.returncode, outcome.stderr, machine.calls.read_text()) == (0, "", "")
    assert machine.run("test").returncode == 1  # ready to run is not ready to test


def test_a_new_lock_is_set_up_again(machine: Machine) -> None:
    test_a_second_start_calls_nothing(machine)
    lock = machine.home / "requirements.lock"
    lock.write_text(lock.read_text() + "# another\n")
    assert machine.run("run").returncode == 1
    assert machine.called("dpkg-query")


def _key_line() -> str:
    lines = (ROOT / "deploy/setup.sh").read_text().splitlines()
    return next(line for line in lines if line.startswith("key="))
