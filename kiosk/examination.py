"""The doctor's checks of the kiosk itself: enrolment, keys, data, disk, clock, officers, sound."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from config.load import load
from config.mistakes import Mistake, SettingsFault
from kiosk import enrolment, sync_state
from kiosk.central_time import HIGHEST_WALL
from kiosk.clock import Clock, from_unix_ms
from kiosk.database import is_intact
from kiosk.errors import KioskError
from kiosk.home import Home
from kiosk.keyset import KeyStatus, KeyUse
from kiosk.values import CheckStatus, Finding, Mode
from kiosk.virtual_readers import ask_station, running_device

LEAST_DISK: Final = 100 * 1024 * 1024
"""Bytes; below, a snapshot and its cache may not fit any more."""
LOW_DISK: Final = 1024 * 1024 * 1024

KEYSET_AGE_DAYS: Final = 30
"""As long as officers stay without sync: an older list means that nothing has come for long."""

KEY_ENDS_DAYS: Final = 60
SYNC_AGE_DAYS: Final = 2


def examine(folder: Path, clock: Clock) -> list[Finding]:
    """Every check of the data folder at ``folder``, whatever is wrong with it; raises nothing."""
    findings = [*_safely("disk", folder, lambda: _disk(folder))]
    enrolled = list(_safely("enrolment", folder, lambda: _enrolment(folder)))
    findings += enrolled
    if any(one.status is not CheckStatus.GOOD for one in enrolled):
        return findings
    try:
        home = Home(folder)
    except KioskError as fault:
        return [*findings, _of_fault("device_keys", folder, fault)]
    if home.bundle.enrolment.mode is Mode.DEMONSTRATION:
        findings.append(_virtual_readers(folder))
    findings += _safely("device_keys", folder, lambda: _device_keys(home))
    findings += _safely("city_keys", folder, lambda: _city_keys(home, clock))
    findings += _safely("ledger", folder, lambda: _ledger(home, clock))
    findings += _safely("cache", folder, lambda: _cache(home))
    findings += _safely("sync", folder, lambda: _last_sync(home, clock))
    return findings


def examine_settings() -> list[Finding]:
    """One finding for each mistake in the settings; a single good one without any."""
    try:
        loaded = load()
    except SettingsFault as fault:
        return [_of_mistake(mistake) for mistake in fault.mistakes]
    seen = "good" if loaded.file.exists() else "no file: every setting has its default"
    return [Finding("settings", CheckStatus.GOOD, str(loaded.file), seen, again="kmc-kiosk config check")]


def _of_mistake(mistake: Mistake) -> Finding:
    place, _, seen = str(mistake).partition(": ")
    fix = f"mend it there, or take it out: {mistake.key}" if mistake.key else "mend it there"
    return Finding("settings", CheckStatus.BAD, place, seen, fix, "kmc-kiosk config check")


def examine_sound() -> Finding:
    """Whether a beep can be heard; the players are those of ``ui/tones.py``."""
    player = next((name for name in ("paplay", "aplay") if shutil.which(name)), "")
    if not player:
        fix = "sudo apt-get install -y alsa-utils"
        return Finding("sound", CheckStatus.ATTENTION, "sound", "neither paplay nor aplay is installed", fix)
    cards = Path("/proc/asound/cards")
    if not cards.exists() or "no soundcards" in cards.read_text("utf-8", "replace"):
        fix = "plug in a loudspeaker, or set screen.sound = false"
        return Finding("sound", CheckStatus.ATTENTION, "sound", f"{player}, but no sound card", fix)
    return Finding("sound", CheckStatus.GOOD, "sound", f"{player} and a sound card", again="aplay -L")


def examine_printer() -> Finding:
    """Whether the system has a printer; receipts on paper are the city's choice."""
    if shutil.which("lpstat") is None:
        return Finding(
            "printer", CheckStatus.ABSENT, "printer", "CUPS is not installed: nothing is printed here"
        )
    told = subprocess.run(
        ["lpstat", "-d"], capture_output=True, text=True, timeout=10, check=False
    ).stdout.strip()
    if ":" in told:
        return Finding("printer", CheckStatus.GOOD, "printer", told, again="lpstat -d")
    fix = "sudo lpadmin -d NAME"
    return Finding("printer", CheckStatus.ABSENT, "printer", told or "no default printer", fix, "lpstat -d")


def _safely(check: str, folder: Path, work: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from work()
    except KioskError as fault:
        yield _of_fault(check, folder, fault)
    except OSError as error:
        yield Finding(check, CheckStatus.BAD, str(folder), str(error), f"ls -la {folder}")


_FIXES: Final = {
    "database_damaged": "kmc-kiosk journal salvage",
    "keys_exposed": "chmod 0400 {folder}/device.keys",
    "data_folder_read_only": "mount the data folder's disk for writing; look for a full or failing disk",
    "disk_full": "free some space on the data folder's disk",
    "ledger_salvaged": "kmc-kiosk sync --once; then, with a new ticket: kmc-kiosk enrol TICKET --central URL",
    "not_enrolled": "kmc-kiosk enrol TICKET --central URL",
}


def _of_fault(check: str, folder: Path, fault: KioskError) -> Finding:
    fix = _FIXES.get(fault.code, "kmc-kiosk status --json").format(folder=folder)
    return Finding(check, CheckStatus.BAD, str(folder), f"{fault.code}: {fault.message}", fix)


def _disk(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        seen = "the data folder is not there yet: KMC_HOME names another, or the kiosk was never enrolled"
        fix = f"sudo install -d -m 0700 -o USER {folder}; then kmc-kiosk enrol TICKET --central URL"
        yield Finding("disk", CheckStatus.BAD, str(folder), seen, fix)
        return
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1024**2:.0f} MB free"
    status = CheckStatus.BAD if free < LEAST_DISK else CheckStatus.GOOD
    if LEAST_DISK <= free < LOW_DISK:
        status = CheckStatus.ATTENTION
    fix = "" if status is CheckStatus.GOOD else f"du -xh {folder} | sort -h | tail"
    yield Finding("disk", status, str(folder), seen, fix)


def _enrolment(folder: Path) -> Iterator[Finding]:
    bundle = enrolment.load(folder)
    if bundle is None:
        yield Finding(
            "enrolment", CheckStatus.ATTENTION, str(folder), "not enrolled yet", _FIXES["not_enrolled"]
        )
        return
    enrolled = bundle.enrolment
    seen = f"{enrolled.kiosk}, generation {enrolled.gen}, {enrolled.mode}"
    yield Finding("enrolment", CheckStatus.GOOD, str(folder), seen, again="kmc-kiosk status")


def _virtual_readers(folder: Path) -> Finding:
    """Of a demonstration alone; they stand in for what is not plugged in."""
    if not running_device(folder, "nfc"):
        seen = "a demonstration's virtual reader and camera start with the kiosk"
        return Finding("virtual_readers", CheckStatus.ABSENT, "virtual readers", seen, again="kmc-kiosk run")
    again = "kmc-kiosk test nfc; in another terminal: kmc-kiosk tap CARD_NO"
    try:
        cards = ask_station(folder, {"do": "list"})["cards"]
    except KioskError as fault:
        seen = f"{fault.code}: {fault.message}"
        return Finding("virtual_readers", CheckStatus.BAD, "virtual readers", seen, "kmc-kiosk run", again)
    seen = (
        f"{running_device(folder, 'nfc')} and {running_device(folder, 'qr')}, {len(cards)} cards in the tray"
    )
    return Finding("virtual_readers", CheckStatus.GOOD, "virtual readers", seen, again=again)


def _device_keys(home: Home) -> Iterator[Finding]:
    if home.keys.disk_theft_exposes:
        yield Finding(
            "device_keys",
            CheckStatus.ATTENTION,
            "device.keys",
            "in a file: who steals the disk can read the data",
            'put them into the service manager\'s credential store: README, "Run it at a service point"',
        )
    else:
        yield Finding("device_keys", CheckStatus.GOOD, "device keys", "from the service manager's store")
    if home.rollback_counter() is None:
        seen = "no TPM: an old copy of this disk is noticed only at the next contact with central"
        yield Finding(
            "rollback_counter", CheckStatus.ATTENTION, "rollback counter", seen, "a machine with a TPM 2.0"
        )
    else:
        yield Finding("rollback_counter", CheckStatus.GOOD, "rollback counter", "the TPM counts")


def _city_keys(home: Home, clock: Clock) -> Iterator[Finding]:
    now = clock.now()
    keyset = home.keyset()
    age = timedelta(seconds=now.timestamp() - keyset.issued)
    issuers = [key for key in keyset.keys if key.use is KeyUse.ISSUER and key.status is KeyStatus.ACTIVE]
    good = [key for key in issuers if key.start <= now.timestamp() < key.until]
    seen = f"{len(good)} issuer keys in force, list of {age.days} days ago"
    if not good:
        yield Finding("city_keys", CheckStatus.BAD, "keys of the city", seen, "kmc-kiosk sync --once; date")
        return
    if age.days > KEYSET_AGE_DAYS:
        yield Finding("city_keys", CheckStatus.ATTENTION, "keys of the city", seen, "kmc-kiosk sync --once")
        return
    ends = max(key.until for key in good) - now.timestamp()
    if ends < KEY_ENDS_DAYS * 86_400:
        seen += f"; the last ends in {ends / 86_400:.0f} days"
        yield Finding(
            "city_keys", CheckStatus.ATTENTION, "keys of the city", seen, "at central: kmc-central key add"
        )
    else:
        yield Finding("city_keys", CheckStatus.GOOD, "keys of the city", seen, again="kmc-kiosk sync --once")
    for warning in home.key_warnings():
        yield Finding("central_key", CheckStatus.ATTENTION, "central's key", warning, "kmc-kiosk sync --once")


def _ledger(home: Home, clock: Clock) -> Iterator[Finding]:
    ledger = home.ledger()
    try:
        wrong = is_intact(ledger)
        if wrong:
            seen = f"{len(wrong)} pages do not hold: {wrong[0]}"
            yield Finding("ledger", CheckStatus.BAD, "ledger.db", seen, "kmc-kiosk journal salvage")
            return
        yield Finding(
            "ledger", CheckStatus.GOOD, "ledger.db", "every page holds", again="kmc-kiosk journal verify"
        )
        frozen = ledger.meta("frozen") or ""
        if frozen:
            seen = f"{frozen}: this kiosk hands out nothing"
            fix = _FIXES.get(frozen, "kmc-kiosk sync --once; kmc-kiosk status")
            yield Finding("dispensing", CheckStatus.BAD, "ledger.db", seen, fix)
        else:
            yield Finding("dispensing", CheckStatus.GOOD, "ledger.db", "nothing keeps it from handing out")
        state = sync_state.load(home.path)
        highest = int(ledger.meta(HIGHEST_WALL) or 0)
        if sync_state.date_in_doubt(state, clock, highest):
            seen = f"{clock.now():%Y-%m-%d %H:%M} UTC does not fit what was recorded"
            yield Finding(
                "clock", CheckStatus.BAD, "clock", seen, "kmc-kiosk sync --once; kmc-kiosk clock confirm"
            )
        else:
            yield Finding(
                "clock", CheckStatus.GOOD, "clock", f"{clock.now():%Y-%m-%d %H:%M} UTC", again="timedatectl"
            )
    finally:
        ledger.close()


def _cache(home: Home) -> Iterator[Finding]:
    caches = home.caches()
    try:
        if not caches.has_files():
            seen = "nothing loaded yet"
            yield Finding("cache", CheckStatus.ATTENTION, "cache", seen, "kmc-kiosk sync --once")
            return
        cache = caches.current()
        wrong = is_intact(cache)
        if wrong:
            seen = f"{len(wrong)} pages do not hold: it is loaded anew"
            yield Finding("cache", CheckStatus.BAD, cache.path.name, seen, "kmc-kiosk sync --once")
            return
        count = cache.row("SELECT count(*) FROM holder")[0]
        yield Finding("cache", CheckStatus.GOOD, cache.path.name, f"{count} holders, every page holds")
    except KioskError as fault:  # nothing in it is precious: it comes again from central
        seen = f"{fault.code}: {fault.message}"
        yield Finding("cache", CheckStatus.BAD, "cache", seen, "kmc-kiosk sync --once")
    finally:
        caches.close()


def _last_sync(home: Home, clock: Clock) -> Iterator[Finding]:
    state = sync_state.load(home.path)
    if not state.last_success_ms:
        yield Finding("sync", CheckStatus.ATTENTION, "sync", "never", "kmc-kiosk sync --once")
        return
    at = from_unix_ms(state.last_success_ms)
    late = clock.now() - at > timedelta(days=SYNC_AGE_DAYS)
    seen = f"central last answered at {at:%Y-%m-%d %H:%M} UTC" + (
        f"; since then {state.fault}" if state.fault else ""
    )
    fix = "kmc-kiosk sync --once; without a network: kmc-kiosk journal export FILE" if late else ""
    status = CheckStatus.ATTENTION if late else CheckStatus.GOOD
    yield Finding("sync", status, "sync", seen, fix, "kmc-kiosk sync --once")
