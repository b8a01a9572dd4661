"""``kmc-central card rekey``: new keys for chips that were handed out with older ones (P2).

Whoever brings a card lays it on the station's reader; card, number and credential stay what they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kiosk.errors import CardFault, EnvironmentFault, OfficerFault
from kiosk.values import CardRead, Grade, Medium
from sync.central import card_acts, card_check, cards
from sync.central.accounts import Signer
from sync.central.card_acts import Act
from sync.central.card_batch_commands import KEY_FILES, station_of
from sync.central.card_commands import add_signer, signer_of
from sync.central.card_station import Seen, Station
from sync.central.card_writing import WAITED_OUT
from sync.central.state import Central

REKEYED: Final = "rekeyed"
Add = Callable[..., argparse.ArgumentParser]


def register(group: Any, add: Add) -> None:
    """Adds the command to ``kmc-central card``."""
    one = add(group, "rekey", _rekey, "give the chip of a card that is out new keys (P2)")
    one.add_argument("--keys", type=Path, required=True, metavar="DIR", help="new keys, of make-keys")
    one.add_argument("--old-keys", type=Path, required=True, metavar="DIR", help="the keys before")
    one.add_argument("--count", type=int, default=1, help="so many cards, one after another; 0: all day")
    one.add_argument("--device", default="", help="reader that writes, as of kmc-kiosk write")
    one.add_argument("--timeout", type=float, default=60.0, metavar="S", help="wait so long for a chip")
    add_signer(one)


def rekey_one(central: Central, station: Station, by: Signer | None) -> dict[str, Any]:
    """Waits for a card in use and gives its chip new keys; what card it was.

    Raises CardFault as the station tells, and as ``examine`` finds; ``card_wrong_kind`` for a card whose chip
    proves no key.
    """
    seen = station.look()
    card_no, issue_no = _known(central, seen)
    station.rekey(seen.uid)
    card_acts.add(central, [Act(REKEYED, card_no, issue_no, seen.uid.hex())], by)
    return {"card_no": card_no, "issue_no": issue_no, "uid": seen.uid.hex()}


def _known(central: Central, seen: Seen) -> tuple[str, int]:
    """Card and issue on the chip, if central issued it for this one and it is in use."""
    read = CardRead(Medium.NFC, seen.payload, seen.uid, seen.chip)
    told = card_check.examine(central, read, locked=seen.locked)
    if not told["good"]:
        first = next(one for one in told["findings"] if one["code"] not in card_check.HINTS)
        raise CardFault(first["code"], first["message"])
    row = next(one for one in cards.listed(central, told["card_no"]) if one["issue_no"] == told["issue_no"])
    if Grade.of(row["least_grade"]) is not Grade.P2:
        raise CardFault("card_wrong_kind", f"card {told['card_no']} was not issued with keys of its own")
    return told["card_no"], told["issue_no"]


def _rekey(central: Central, options: argparse.Namespace) -> Any:
    by = signer_of(central, options)
    files = [folder / name for folder in (options.keys, options.old_keys) for name in KEY_FILES]
    if options.keys.resolve() == options.old_keys.resolve():
        raise OfficerFault("card_refused", "the new keys are the old ones")
    done: list[dict[str, Any]] = []
    faults: dict[str, int] = {}
    with station_of(central, options, files) as station:
        while not options.count or len(done) < options.count:
            try:
                _say("Lay a card.")
                done.append(rekey_one(central, station, by))
                _say(f"  card {done[-1]['card_no']}, issue {done[-1]['issue_no']}: new keys. Take it away.")
            except CardFault as fault:
                if options.count == 1:
                    raise
                faults[fault.code] = faults.get(fault.code, 0) + 1
                _say(f"  {fault.code}: {fault.message}. Take it away.")
            except EnvironmentFault as fault:
                if fault.code != WAITED_OUT or options.count == 1:
                    raise
                break
            if len(done) == options.count:
                break
            station.wait_lifted()
    return {"rekeyed": done, "faults": faults}


def _say(line: str) -> None:
    """To the person at the desk; the answer is on standard output."""
    print(line, file=sys.stderr, flush=True)
