"""The journal as commands: listing, checking, salvaging a damaged ledger, pickups nobody saw recorded."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from typing import Any, Final

from kiosk.clock import SystemClock
from kiosk.commands import open_home, open_ledger, say, tell
from kiosk.errors import EnvironmentFault, OfficerFault

DOES_NOT_HOLD: Final = 3
"""Exit code of ``journal verify`` when something does not hold; 1 means that it could not be checked."""


def run_list(arguments: argparse.Namespace) -> int:
    """``journal list``."""
    from kiosk.journal_format import TYPES
    from kiosk.journal_walk import list_records

    if arguments.type and arguments.type not in TYPES:
        raise OfficerFault("unknown_type", f"a record's type is one of {', '.join(sorted(TYPES))}")
    with open_ledger() as (ledger, _):
        records = list_records(ledger, last=arguments.last, type_=arguments.type)
    lines = [f"{r['name']:<14} {r['at']} {r['type']:<10} {r['right']} {r['quantity'] or ''}" for r in records]
    return tell(arguments, {"records": records}, "\n".join(lines) or "No records.")


def run_verify(arguments: argparse.Namespace) -> int:
    """``journal verify`` of this kiosk's ledger: exit 3 when something does not hold."""
    from kiosk.database import is_intact
    from kiosk.journal_walk import verify_journal

    with open_ledger() as (ledger, kiosk):
        pages = is_intact(ledger)
        if pages:
            raise EnvironmentFault("database_damaged", f"ledger.db: {pages[0][:200]}", pages=len(pages))
        answer = verify_journal(ledger, kiosk)
    return tell_verified(arguments, answer)


def tell_verified(arguments: argparse.Namespace, answer: dict[str, Any]) -> int:
    """Prints what a check found; answers the exit code: 0 when all holds, 3 when something does not."""
    lines = [f"{answer['records']} records."]
    lines += [f"Generation {gen} begins behind {seq}: pruned." for gen, seq in _of(answer, "anchors")]
    lines += [f"Generation {gen} was salvaged up to {seq}." for gen, seq in _of(answer, "salvaged")]
    for one in answer.get("findings", []):
        lines.append(f"{one['code']:<20} {one['gen']}:{one['seq']}  {one['message']}")
        if one.get("refs"):
            lines.append(f"{'':<20} by {', '.join(one['refs'])}")
    lines.append("All hold." if answer["intact"] else "Something does not hold: see the first line above.")
    fault = {} if answer["intact"] else {"code": "journal_damaged", "message": lines[-1]}
    say(arguments, fault | answer, "\n".join(lines))
    return 0 if answer["intact"] else DOES_NOT_HOLD


def _of(answer: dict[str, Any], name: str) -> list[tuple[str, int]]:
    return sorted(answer.get(name, {}).items())


def run_print(arguments: argparse.Namespace) -> int:
    """``journal export`` without a file: every record as a JSON line, with its private text."""
    from kiosk.journal_walk import export_lines

    with open_ledger() as (ledger, kiosk):
        for line in export_lines(ledger, kiosk):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0


def run_salvage(arguments: argparse.Namespace) -> int:
    """``journal salvage``."""
    from kiosk import salvage
    from kiosk.keystore import public_of

    home = open_home()
    publics = [public_of(signer) for signer in home.signers()]
    done = salvage.salvage(home.path, home.keys.database_key, home.bundle.enrolment, publics, SystemClock())
    lines = [f"The damaged ledger is kept as {done.quarantined}."]
    for one in done.generations:
        lines.append(f"Generation {one.gen}: {one.records} records saved, up to {one.upto}.")
        lines += [f"  not saved: {name}" for name in one.beyond]
    lines.append("Sync or export it, then enrol this kiosk again: until then it hands out nothing.")
    return tell(arguments, salvage.as_json(done), "\n".join(lines))


def run_unshown(arguments: argparse.Namespace) -> int:
    """``journal unshown``."""
    from kiosk.journal import Journal
    from kiosk.pickups import unshown

    home = open_home()
    with closing(home.ledger()) as ledger:
        found = unshown(Journal(ledger, home.identity(), SystemClock()))
    told = [
        {
            "ref": one.ref,
            "officer": one.officer,
            "age_s": int(one.age_s) if one.age_s != float("inf") else None,
            "for_supervisor": one.for_supervisor,
        }
        for one in found
    ]
    lines = [
        f"{one.ref:<14} {one.officer:<20} {'supervisor' if one.for_supervisor else 'officer'}"
        for one in found
    ]
    inbox = [one.ref for one in found if one.for_supervisor]
    return tell(arguments, {"unshown": told, "inbox": inbox}, "\n".join(lines) or "None: all were answered.")
