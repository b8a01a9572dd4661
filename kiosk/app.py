"""Putting the kiosk together: readers, sync and window around one counter. A composition root."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.load import Loaded
from drivers.commands import Challenge, Feedback
from drivers.reader import Faulted, Gone, Health, Hint, Lifted, ReaderEvent, Reading, Ready
from drivers.scanner_watch import ScanWatch
from drivers.supervisor import ProcessSupervisor, ReaderSupervisor
from kiosk.chip_proof import Challenges
from kiosk.errors import CardFault, EnvironmentFault, KioskError, OfficerFault
from kiosk.first_read import FirstRead
from kiosk.one_at_a_time import OneAtATime
from kiosk.scanner_keys import ScannerKeys
from kiosk.values import CardRead, Medium, Mode
from kiosk.virtual_readers import (
    ask_station,
    control_socket,
    mode_of,
    running_device,
    state_file,
    virtual_allowed,
)

if TYPE_CHECKING:
    from sync.kiosk_end import CentralAddress
    from ui.events import ReaderNotice
    from ui.tray import TrayWindow
    from ui.window import KioskWindow

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "kiosk.cli")
STATION_START_S = 20.0
TAP_S = 1.0
WITHOUT_CREDENTIAL = ("card_empty", "card_foreign", "card_classic", "card_too_small")
"""What a reader says of chips that hold no credential of ours; such a card may be known by its UID."""
HELD_S = 3600.0
WINDOW_PX = (1280, 800)
"""Size of a window that does not cover the screen."""


def device_for(loaded: Loaded, kind: str, given: str = "") -> str:
    """What a reader process reads with: given, set, found, or in demonstration the virtual one; else empty.

    Raises OfficerFault ``not_in_production`` for a virtual reader on a production kiosk.
    """
    readers = loaded.settings.readers
    wanted = given or (readers.nfc.devices[0] if kind == "nfc" else readers.qr.source)
    if wanted:
        if wanted.startswith("udp") and mode_of(loaded.home) is Mode.PRODUCTION:
            raise OfficerFault("not_in_production", "a virtual reader is for demonstrations only")
        return wanted
    found = find_real(kind)
    if found:
        return found
    return running_device(loaded.home, kind) if virtual_allowed(loaded) else ""


def find_real(kind: str) -> str:
    """The first reader or camera that is plugged in; empty if there is none.

    A reader is named by its kind alone, so that it is found again wherever it is plugged in next.
    """
    if kind == "nfc":
        from drivers.nfc_any import find_nfc

        return find_nfc()
    from drivers.camera_devices import find_cameras

    return next((camera.path for camera in find_cameras()), "")


def reader_words(loaded: Loaded) -> dict[str, list[str]]:
    """The command of each reader process by the reader's name: ``nfc``, ``qr``, further ones ``nfc:2`` …"""
    readers = loaded.settings.readers
    found: dict[str, list[str]] = {}
    if readers.nfc.enabled:
        from drivers.chip_prover import find_key_file

        key_file = find_key_file(loaded.settings.cards.key_file)
        devices = readers.nfc.devices
        for number, device in enumerate(devices, 1):
            named = ["--device", device] if len(devices) > 1 else []
            named += ["--card-key-file", str(key_file)] if key_file is not None else []
            found["nfc" if number == 1 else f"nfc:{number}"] = ["read", "nfc", *named]
    if readers.qr.enabled:
        found["qr"] = ["read", "qr"]
    if readers.scanner.device.partition(":")[0] in ("serial", "evdev"):
        found["qr:scanner"] = ["read", "qr", "--device", readers.scanner.device]
    return found


@dataclass(frozen=True, slots=True)
class SyncLine:
    """A line of the sync process; only its event's name is of interest here."""

    event: str


class Processes:
    """The processes beside the screen: readers, sync, and in demonstration the virtual station."""

    def __init__(self, loaded: Loaded, on_reader: Callable[[str, ReaderEvent], None]) -> None:
        self._loaded = loaded
        self._on_reader = on_reader
        self._station: ProcessSupervisor[SyncLine] | None = None
        self._readers: dict[str, ReaderSupervisor] = {}
        self._sync: ProcessSupervisor[SyncLine] | None = None
        self.challenges = Challenges()
        """What the readers were given to have signed."""

    def start_readers(self) -> None:
        """Starts the readers; none is waited for but the station, which they look for."""
        readers = self._loaded.settings.readers
        enabled = [kind for kind, reader in (("nfc", readers.nfc), ("qr", readers.qr)) if reader.enabled]
        if virtual_allowed(self._loaded) and any(not find_real(kind) for kind in enabled):
            self._start_station()
        for name, words in reader_words(self._loaded).items():
            reader = self._readers[name] = ReaderSupervisor(
                [*COMMAND, *words],
                _HandOn(name, self._take),
                after_hang=("--reset",) if name.startswith("nfc") else (),
                environment=_reader_environment(self._loaded),
            )
            reader.start()

    def _take(self, name: str, event: ReaderEvent) -> None:
        """Hands an event on; a reader of chips always has a fresh challenge for the next that can sign."""
        if name.startswith("nfc") and (
            isinstance(event, (Ready, CardRead))
            or (isinstance(event, Health) and self.challenges.wanted(name))
        ):
            self._readers[name].send(Challenge(self.challenges.new(name)))
        self._on_reader(name, event)

    def start_sync(self) -> None:
        """Starts the sync process."""
        self._sync = _plain_supervisor("sync", [*COMMAND, "sync", "--watch"], self._loaded).start()

    def _start_station(self) -> None:
        state_file(self._loaded.home).unlink(missing_ok=True)
        self._station = _plain_supervisor("virtual", [*COMMAND, "virtual"], self._loaded).start()
        deadline = time.monotonic() + STATION_START_S
        while not (state_file(self._loaded.home).exists() and control_socket(self._loaded.home).exists()):
            if time.monotonic() > deadline:
                raise EnvironmentFault("virtual_not_running", "the virtual readers did not start")
            time.sleep(0.02)

    @property
    def has_station(self) -> bool:
        """True if virtual readers run."""
        return self._station is not None

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run now."""
        children = [self._station, self._sync, *self._readers.values()]
        return [child.pid for child in children if child is not None and child.pid]

    def wake_sync(self) -> None:
        """Tells the sync process that something was recorded."""
        if self._sync is not None:
            self._sync.send_line('{"command": "wake"}\n')

    def feedback(self, source: str, ok: bool) -> None:
        """Lets the reader's lamp or buzzer say that the card was read, or that it was not."""
        reader = self._readers.get(source)
        if reader is not None:
            reader.send(Feedback("ok" if ok else "attention"))

    def stop(self) -> None:
        """Ends all children."""
        for child in (*self._readers.values(), self._sync, self._station):
            if child is not None:
                child.stop()


class _HandOn:
    """Says which reader an event came from."""

    def __init__(self, kind: str, to: Callable[[str, ReaderEvent], None]) -> None:
        self._kind = kind
        self._to = to

    def __call__(self, event: ReaderEvent) -> None:
        self._to(self._kind, event)


def _plain_supervisor(name: str, command: list[str], loaded: Loaded) -> ProcessSupervisor[SyncLine]:
    return ProcessSupervisor(
        command,
        lambda line: log.debug("%s: %s", name, line.event),
        parse=_parse_line,
        sound=lambda line: line.event != "garbage",
        as_event=lambda fault: SyncLine(fault.code),
        name=name,
        environment=_environment(loaded),
    )


def _parse_line(line: bytes) -> SyncLine:
    try:
        return SyncLine(str(json.loads(line)["event"]))
    except (ValueError, KeyError, TypeError):
        return SyncLine("garbage")


def _environment(loaded: Loaded) -> dict[str, str]:
    return {**os.environ, "KMC_HOME": str(loaded.home)}


def _reader_environment(loaded: Loaded) -> dict[str, str]:
    """Without the service's credentials: a reader is told the file of its one key, and of no other."""
    given = _environment(loaded)
    given.pop("CREDENTIALS_DIRECTORY", None)
    return given


def notice_of(source: str, event: ReaderEvent) -> Any:
    """What the screen is told of a reader's event; None for what does not concern it.

    ``source`` is the reader's name, such as ``nfc`` or ``nfc:2``.
    """
    from ui.events import ReaderNotice

    kind: Any = source.partition(":")[0]
    match event:
        case Ready():
            return ReaderNotice("ready", source=kind, reader=source)
        case Reading():
            return ReaderNotice("reading", source=kind, reader=source)
        case CardRead():
            return ReaderNotice("read", read=event, source=kind, reader=source)
        case Hint(code, region):
            return ReaderNotice("hint", code, source=kind, reader=source, region=region)
        case Lifted():
            return ReaderNotice("lifted", source=kind, reader=source)
        case Faulted(fault):
            old = _old_card(fault)
            if old is not None:
                return ReaderNotice("read", read=old, source=kind, reader=source)
            if fault.family == "card":
                return ReaderNotice("fault", fault.code, source=kind, reader=source)
            log.warning("%s reader: %s: %s", source, fault.code, fault.message)
            return None
        case Gone(fault):
            log.warning("%s reader: %s: %s", source, fault.code, fault.message)
            return ReaderNotice("gone", fault.code, source=kind, reader=source)
        case _:
            return None


def _old_card(fault: KioskError) -> CardRead | None:
    """The read of a chip that carries no credential and may be a card from before this system."""
    uid = fault.detail.get("uid")
    if fault.code not in WITHOUT_CREDENTIAL or not isinstance(uid, str):
        return None
    try:
        return CardRead(
            Medium.NFC, b"", bytes.fromhex(uid), str(fault.detail.get("chip", "")), found=fault.code
        )
    except ValueError:
        log.warning("a reader told a UID that is none")
        return None


def central_address(loaded: Loaded) -> CentralAddress:
    """How central is reached, from the settings."""
    from sync.kiosk_end import CentralAddress, proxy_url

    central = loaded.settings.central
    return CentralAddress(
        central.url,
        central.timeout_s,
        central.ca_file,
        proxy_url(central.proxy, central.proxy_user, central.proxy_password.get_secret_value()),
    )


def _typing_scanner(loaded: Loaded) -> ScannerKeys[Any] | None:
    scanner = loaded.settings.readers.scanner
    if scanner.device != "keyboard:":
        return None
    return ScannerKeys(scanner.prefix, scanner.suffix, scanner.gap_ms / 1000)


def window_settings(loaded: Loaded) -> Any:
    """What the window needs to know of the settings."""
    from ui.timing import Timing
    from ui.window import WindowSettings

    screen, branding = loaded.settings.screen, loaded.settings.branding
    width, height = (0, 0) if screen.fullscreen else WINDOW_PX
    return WindowSettings(
        card_name=branding.card_name,
        city_name=branding.city,
        pixels_per_mm=0.0 if screen.pixels_per_mm == "auto" else screen.pixels_per_mm,
        width_px=width,
        height_px=height,
        reader_side=screen.reader_side,
        zone=loaded.settings.zone,
        sound=screen.sound,
        scanner=_typing_scanner(loaded),
        timing=Timing(session_s=screen.session_s, warning_s=screen.warning_s),
    )


class ReaderWords:
    """Brings what the readers say to the screen, and its feedback back to the last one that spoke."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._post: Callable[[Any], None] | None = None
        self._kept: list[tuple[str, ReaderEvent]] = []
        self._last = "nfc"
        self._first = FirstRead()
        self._scans = ScanWatch()

    def attach(self, post: Callable[[Any], None]) -> None:
        """``post`` takes notices from any thread, first those of readers that were faster than the screen."""
        with self._lock:
            self._post = post
            kept, self._kept = self._kept, []
            for source, event in kept:
                self._tell(post, source, event)

    def take(self, source: str, event: ReaderEvent) -> None:
        """One event of a reader."""
        with self._lock:
            if self._post is None:
                self._kept.append((source, event))
            else:
                self._tell(self._post, source, event)

    def typed(self, notice: ReaderNotice) -> None:
        """What a scanner that types into the window read: one reader among the others."""
        now = time.monotonic()
        scan = notice.read.payload if notice.read is not None else CardFault(notice.code, "half a scan")
        for event in [*self._scans.passed(now), *self._scans.scanned(scan, now, began_at=now)]:
            self.take(notice.reader, event)

    def _tell(self, post: Callable[[Any], None], source: str, event: ReaderEvent) -> None:
        if isinstance(event, CardRead) and not self._first.admits(source, event):
            log.info("%s reader: the same card, or another one at the same moment, is not shown", source)
            return
        notice = notice_of(source, event)
        if notice is not None:
            self._last = source
            post(notice)

    def answered(self, ok: bool) -> None:
        """The screen has told people what came of the last read."""
        if not ok:
            self._first.refused()

    @property
    def last_source(self) -> str:
        """The reader that spoke last."""
        return self._last


def run(
    loaded: Loaded,
    *,
    with_window: Callable[[Any], None] | None = None,
    on_ready: Callable[[Any], None] | None = None,
    with_tray: bool = True,
) -> int:
    """Opens the window and keeps readers and sync running until it closes; answers the exit code.

    ``with_window`` is told of the window before its first frame, ``on_ready`` after it.

    Raises EnvironmentFault: ``not_enrolled``, ``already_running``, ``no_display``, and what opening the
    data folder raises.
    """
    # Qt's binding walks through sys.modules when it is loaded, and a thread that imports then is its end.
    import shiboken6  # noqa: F401

    from kiosk.clock import SystemClock
    from kiosk.home import Home
    from sync.kiosk_end import make_rights

    home = Home(loaded.home)
    home.ledger().close()
    clock = SystemClock()
    words = ReaderWords()
    processes = Processes(loaded, words.take)
    rights = make_rights(home, central_address(loaded), clock, processes.wake_sync)
    limits = loaded.settings.limits

    def open_counter() -> Any:
        return home.counter(
            clock,
            rights=rights,
            challenges=processes.challenges,
            zone=loaded.settings.zone,
            void_minutes=limits.void_minutes,
            officer_cache_days=limits.officer_cache_days,
        )

    trays: list[TrayWindow] = []

    def start(window: KioskWindow) -> None:
        starting.result()
        words.attach(window.post_reader_event)
        processes.start_sync()
        if with_window is not None:
            with_window(window)
        if with_tray and processes.has_station:
            trays.append(card_tray(loaded.home))
            trays[0].show(window.view)

    def ready(window: KioskWindow) -> None:
        rights.prepare()
        window.prepare()
        # What is there now stays: the collector would walk through all of it in the middle of some tap.
        gc.collect()
        gc.freeze()
        if on_ready is not None:
            on_ready(window)

    with OneAtATime(loaded.home), ThreadPoolExecutor(1, "start") as beside:
        # A reader takes as long as the window to be there: both at once.
        starting = beside.submit(processes.start_readers)
        try:
            from ui.window import run_window

            return run_window(
                open_counter,
                replace(window_settings(loaded), take_scan=words.typed),
                counter_closer=_close,
                on_feedback=lambda tone: _answer(words, processes, tone == "ok"),
                on_ready=ready,
                with_window=start,
            )
        finally:
            for tray in trays:
                tray.close()
            wait([starting])
            processes.stop()
            rights.close()


def _answer(words: ReaderWords, processes: Processes, ok: bool) -> None:
    words.answered(ok)
    processes.feedback(words.last_source, ok)


def card_tray(home: Path) -> TrayWindow:
    """The window of virtual cards, whose buttons give orders to the station."""
    from ui.tray import TrayActions, TrayCard, TrayWindow

    def order(do: str, card_no: str = "", hold_s: float = 0.0) -> object:
        given: dict[str, Any] = {"do": do}
        if card_no:
            given["card_no"] = card_no
        if hold_s:
            given["hold_s"] = hold_s
        return ask_station(home, given)

    cards = [
        TrayCard(str(card["card_no"]), str(card["label"]), str(card["holder"]), str(card["chip"]))
        for card in ask_station(home, {"do": "list"})["cards"]
        if card["label"]  # the other holders' cards can be tapped by number
    ]
    actions = TrayActions(
        tap=lambda card_no: order("tap", card_no, TAP_S),
        put=lambda card_no: order("put", card_no),
        lift=lambda: order("lift"),
        show_qr=lambda card_no: order("show_qr", card_no, HELD_S),
        hide_qr=lambda: order("hide_qr"),
    )
    return TrayWindow(cards, actions)


def _close(counter: Any) -> None:
    counter.close()
