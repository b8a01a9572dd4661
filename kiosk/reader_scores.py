"""What the last ten taps on each reader showed, kept for the doctor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from kiosk import durable_file
from kiosk.clock import from_unix_ms, unix_ms
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding

FILE: Final = "reader-scores.json"
"""In the data folder; it may be deleted at any time."""

KINDS: Final = {"nfc": "NFC reader", "qr": "camera", "scanner": "scanner"}

_STATUS: Final = {
    "good": CheckStatus.GOOD,
    "slow": CheckStatus.ATTENTION,
    "unsure": CheckStatus.ATTENTION,
    "bad": CheckStatus.BAD,
}


def keep(home: Path, kind: str, score: Mapping[str, Any], now: datetime) -> None:
    """Keeps the document of ``test … --json`` as the newest of its kind.

    Raises EnvironmentFault ``write_failed``, also where there is no data folder yet.
    """
    kept = load(home) | {kind: {**score, "at_ms": unix_ms(now)}}
    if not home.is_dir():
        raise EnvironmentFault("write_failed", f"there is no data folder {home} yet", file=FILE)
    durable_file.replace(home / FILE, json.dumps(kept).encode())
    owner = home.stat()
    if (home / FILE).stat().st_uid != owner.st_uid:  # root tested: the kiosk's user goes on writing it
        shutil.chown(home / FILE, owner.st_uid, owner.st_gid)


def load(home: Path) -> dict[str, dict[str, Any]]:
    """Scores by kind of reader; none where the file is not there or not understood."""
    try:
        kept = json.loads((home / FILE).read_text("utf-8"))
        return {kind: dict(kept[kind]) for kind in KINDS if kind in kept}
    except (OSError, ValueError, TypeError):
        return {}


def examine(home: Path) -> list[Finding]:
    """A finding for each kind of reader that was ever tested, and one for readers of chips if never."""
    kept = load(home)
    findings = [_finding(kind, kept[kind]) for kind in KINDS if kind in kept]
    never = [kind for kind in ("nfc", "qr") if kind not in kept]
    for kind in never:
        again = f"kmc-kiosk test {kind}"
        findings.append(
            Finding(f"taps_{kind}", CheckStatus.ABSENT, KINDS[kind], "ten taps were never tried", again=again)
        )
    return findings


def _finding(kind: str, score: Mapping[str, Any]) -> Finding:
    again = f"kmc-kiosk test {kind}"
    try:
        status = _STATUS[score["verdict"]]
        day = from_unix_ms(int(score["at_ms"])).date()
        seen = (
            f"{score['verdict']} on {day}: {score['reads']} of {score['taps']} taps read, "
            f"p50 {score['p50_ms']:g} ms, p95 {score['p95_ms']:g} ms; empty field: {score['noise']} events"
        )
    except (KeyError, TypeError, ValueError):
        seen, status = "the last score is not understood", CheckStatus.ATTENTION
    if score.get("two_cards"):
        seen += f"; two cards: {score['two_cards']}"
    fix = "" if status is CheckStatus.GOOD else f"{again}, and what it says of the place, the card, the light"
    return Finding(f"taps_{kind}", status, KINDS[kind], seen, fix, again)
