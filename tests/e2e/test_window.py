"""The whole job through the real window: an X server of its own, real keys, mouse, readers and central."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.town import CHECK, KIOSK, MOTHER, PINS, ROOT, KioskAt, Town

SIZE = "1800x800"
"""Room for the kiosk's window, 1280 wide, and the card tray beside it."""
LANGUAGE_EN, LEAVE = (1050, 45), (1203, 45)
"""Where the officer's "English" and "Keluar" stand on a window of 1280 by 800."""
PATIENCE_S = 60.0

pytestmark = pytest.mark.slow


class Screen:
    """An X server with one kiosk window on it, seen and used from outside."""

    def __init__(self, kiosk: KioskAt, pictures: Path) -> None:
        self._pictures = pictures
        read_end, write_end = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp"],
            pass_fds=[write_end],
            stderr=subprocess.DEVNULL,
        )
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            self.display = f":{answer.readline().strip()}"
        self.log = pictures / "kiosk.log"
        with self.log.open("w") as log:
            self.kiosk = subprocess.Popen(
                [*KIOSK, "run"],
                env=kiosk.environment()
                | {"DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"}
                | {"KMC_SCREEN__SOUND": "false", "KMC_SCREEN__FULLSCREEN": "false"},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.window = ""

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Looks again and again until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.kiosk.poll() is None, f"the kiosk ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"never came: {what}; see {self.picture('stuck')}"
            time.sleep(0.05)

    def find_window(self) -> None:
        """Waits for the kiosk's window and gives it the keyboard."""
        self.until("the window", lambda: self._tool("search", "--onlyvisible", "--name", "^KMC$", fails=True))
        self.window = self._tool("search", "--onlyvisible", "--name", "^KMC$").split()[0]
        self._tool("windowraise", self.window)
        self._tool("windowfocus", "--sync", self.window)

    def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self._tool("key", "--clearmodifiers", key)

    def type(self, text: str) -> None:
        """Types characters."""
        self._tool("type", "--delay", "20", text)

    def click(self, place: tuple[int, int]) -> None:
        """Clicks at a place of the window."""
        self._tool("mousemove", "--window", self.window, str(place[0]), str(place[1]))
        self._tool("click", "1")

    def pixels(self) -> bytes:
        """What the window shows now."""
        done = subprocess.run(
            ["import", "-display", self.display, "-window", self.window, "-depth", "8", "rgb:-"],
            capture_output=True,
            check=True,
        )
        return done.stdout

    def picture(self, name: str) -> Path:
        """Saves what the whole display shows."""
        path = self._pictures / f"{name}.png"
        subprocess.run(["import", "-display", self.display, "-window", "root", str(path)], check=False)
        return path

    def changed_by(self, what: str, act: Callable[[], object], least: float = 0.02) -> None:
        """Acts and waits until the window has changed by this share of its bytes and then stands still."""
        before = self.pixels()

        def differs() -> bool:
            now = self.pixels()
            changed = sum(a != b for a, b in zip(before[::97], now[::97], strict=False))
            return changed > least * len(before[::97]) and now == self.pixels()

        act()
        self.until(what, differs)

    def close(self) -> int:
        """Ends the kiosk as a service manager would, then the X server; the kiosk's exit code."""
        self.kiosk.send_signal(signal.SIGTERM)
        try:
            code = self.kiosk.wait(timeout=30)
        finally:
            self.kill()
        return code

    def kill(self) -> None:
        """Ends whatever still runs."""
        for process in (self.kiosk, self._server):
            if process.poll() is None:
                process.kill()
                process.wait()

    def _tool(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["xdotool", *words],
            env=os.environ | {"DISPLAY": self.display},
            capture_output=True,
            text=True,
            check=not fails,
        )
        return done.stdout


@pytest.fixture
def kiosk(town: Town) -> KioskAt:
    """The kiosk IRM1 with the demonstration's card tray; central runs."""
    town.start_central()
    found = town.kiosk("IRM1")
    shutil.copyfile(town.central_home / "cards.jsonl", found.home / "cards.jsonl")
    return found


@pytest.fixture
def screen(kiosk: KioskAt, tmp_path: Path) -> Iterator[Screen]:
    """The kiosk's window on an X server of its own."""
    for program in ("Xvfb", "xdotool", "import"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: apt-get install xvfb xdotool imagemagick")
    made = Screen(kiosk, tmp_path)
    yield made
    made.kill()


def types_of(kiosk: KioskAt) -> list[str]:
    """Types of the kiosk's records, oldest first."""
    return [str(record["type"]) for record in kiosk.records()]


def test_the_main_job_through_the_real_window(town: Town, kiosk: KioskAt, screen: Screen) -> None:
    screen.find_window()
    screen.until("the virtual reader", (kiosk.home / "virtual.json").exists)
    screen.until("a reader", lambda: kiosk.run("cards").code == 0)

    screen.changed_by("the citizen's result", lambda: tap_until_seen(screen, kiosk))
    screen.changed_by("the end of the session", lambda: screen.press("Escape"))
    screen.changed_by("the QR result", lambda: kiosk.run("show-qr", MOTHER, "--hold", "4"))
    screen.changed_by("the sign-in", lambda: screen.press("F4"))
    screen.type("rina")
    screen.press("Return")
    screen.type(PINS["rina"])
    screen.press("Return")
    screen.until("the officer's record", lambda: types_of(kiosk) == ["sign_in"])

    town.stop_central()
    screen.changed_by("the person", lambda: kiosk.run("tap", MOTHER))
    screen.changed_by("English words", lambda: screen.click(LANGUAGE_EN), least=0.002)
    screen.changed_by("the question before it is recorded", lambda: screen.press("Return"))
    screen.press("Return")
    screen.until("the pickup's record", lambda: types_of(kiosk) == ["sign_in", "dispense"])
    assert kiosk.row(MOTHER, CHECK)["state"] == "taken"

    town.start_central()
    screen.until("the pickup at central", lambda: len(town.pickups_at_central()) == 1)
    screen.until("the acknowledgement", lambda: kiosk.status()["waiting"] == 0)
    assert kiosk.status()["unshown"] == []
    screen.changed_by("the citizen's screen", lambda: screen.click(LEAVE))
    assert screen.close() == 0
    assert kiosk.verify().code == 0
    assert "Traceback" not in screen.log.read_text()


def tap_until_seen(screen: Screen, kiosk: KioskAt) -> None:
    """Taps again until the reader is up: it has no other sign outside its window."""
    before = screen.pixels()
    kiosk.run("tap", MOTHER)
    screen.until("the first tap", lambda: screen.pixels() != before or kiosk.run("tap", MOTHER).code)


def test_a_kiosk_that_was_killed_asks_about_what_it_did_not_show(kiosk: KioskAt, screen: Screen) -> None:
    assert kiosk.confirm(MOTHER, CHECK).code == 0
    ref = kiosk.records()[-1]["name"]
    _mark_unshown(kiosk, ref)
    screen.find_window()
    screen.changed_by("the sign-in", lambda: screen.press("F4"))
    screen.type("rina")
    screen.press("Return")
    screen.type(PINS["rina"])
    screen.press("Return")
    screen.until("the officer's record", lambda: types_of(kiosk)[-1] == "sign_in")
    assert kiosk.status()["unshown"] == [ref]
    screen.until("an answer that was taken", lambda: _answer_no(screen, kiosk))
    assert kiosk.row(MOTHER, CHECK)["state"] == "ready"
    assert screen.close() == 0


def _mark_unshown(kiosk: KioskAt, ref: str) -> None:
    """What a power cut between record and screen leaves behind."""
    from kiosk.home import Home
    from kiosk.ledger import PICKUPS

    ledger = Home(kiosk.home).ledger()
    ledger.db.conn.execute(f"UPDATE {PICKUPS} SET shown = 0 WHERE ref = ?", (ref,))
    ledger.close()


def _answer_no(screen: Screen, kiosk: KioskAt) -> bool:
    screen.press("2")
    return types_of(kiosk)[-1] == "void"
