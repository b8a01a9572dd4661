"""The exchange by file as the kiosk's commands; the root hands them an open home."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any

from kiosk.clock import SystemClock
from kiosk.cose import SignedDataFault
from kiosk.errors import CentralFault
from kiosk.generations import first_key, read_anchor
from kiosk.grant import open_grant
from kiosk.home import Home
from kiosk.journal_check import MAX_FINDINGS, Chain, Finding, Spending
from kiosk.ledger import JOURNAL, SIGNING_KEYS, Ledger
from kiosk.rights import held_epochs
from sync import usb_kiosk
from sync.engine import SyncEngine
from sync.usb import MAX_ANSWER_BYTES, MAX_PLAIN_BYTES, Section, check_seal, read_export


def run_export(arguments: argparse.Namespace, home: Home) -> int:
    """``journal export FILE``."""
    with closing(home.ledger()) as ledger:
        done = usb_kiosk.export(home, ledger, arguments.file, SystemClock(), everything=arguments.all)
        held = len(held_epochs(ledger, home.identity().gen))
    answer = {
        "file": str(arguments.file),
        "number": done.number,
        "records": done.records,
        "from": {str(gen): first for gen, first in done.sections.items()},
        "rights_held": held,
    }
    text = f"{done.records} records in {arguments.file}. Take it to central: kmc-central journal import."
    return _tell(arguments, answer, text)


def run_acknowledge(arguments: argparse.Namespace, home: Home) -> int:
    """``journal acknowledge``."""
    data = usb_kiosk.read_bounded(arguments.file, MAX_ANSWER_BYTES)
    with closing(open_engine(home)) as engine:
        done = usb_kiosk.acknowledge_file(home, engine, data)
    answer = {
        "acknowledged": done.acknowledged,
        "waiting": done.waiting,
        "grants": done.grants,
        "orders": done.orders,
        "refused": done.refused,
        "quarantined": done.quarantined,
    }
    lines = [f"{done.acknowledged} records are acknowledged, {done.waiting} wait for the next file."]
    lines.append(f"{done.grants} rights came." if not done.refused else f"No rights: {done.refused}.")
    return _tell(arguments, answer, "\n".join(lines))


def open_engine(home: Home) -> SyncEngine:
    """An engine of this home that reaches nobody."""
    return SyncEngine(
        home.path,
        home.ledger(),
        home.caches(),
        home.identity(),
        usb_kiosk.NoWire(),  # type: ignore[arg-type]
        home.keyset,
        SystemClock(),
        take_keyset=home.take_keyset,
    )


def verify_file(path: Path, home: Home) -> dict[str, Any]:
    """Checks an exchange file of this kiosk as ``verify_journal`` checks the ledger.

    Overspends are told where the file holds the grant. Raises CentralFault ``file_malformed``,
    ``file_too_large``, ``other_kiosk``, ``bad_signature``; EnvironmentFault ``file_unreadable``.
    """
    export = read_export(usb_kiosk.read_bounded(path, MAX_PLAIN_BYTES))
    kiosk = home.bundle.enrolment.kiosk
    if export.seal.kiosk != kiosk:
        raise CentralFault("other_kiosk", f"this file is of {export.seal.kiosk}")
    findings: list[Finding] = []
    heads: dict[str, dict[str, Any]] = {}
    keys: list[bytes] = []
    with closing(home.ledger()) as ledger:
        for section in export.sections:
            chain = _walk(ledger, kiosk, section, findings, home)
            heads[str(chain.gen)] = {"seq": chain.seq, "hash": chain.head.hex()}
            keys += chain.keys
    check_seal(export.message, keys)
    answer: dict[str, Any] = {"records": export.count, "intact": not findings, "heads": heads}
    if findings:
        answer["findings"] = [finding.as_json() for finding in findings[:MAX_FINDINGS]]
        answer["first_wrong"] = answer["findings"][0]
    return answer


def _walk(ledger: Ledger, kiosk: str, section: Section, findings: list[Finding], home: Home) -> Chain:
    gen, start = section.head.gen, section.head.from_seq
    chain = _chain_before(ledger, kiosk, gen, start)
    spending = Spending()
    for seq, item in enumerate(section.records, start):
        try:
            spending.note(chain.take(seq, item.record, item.signature))
            _compare(ledger, gen, seq, item.record)
        except SignedDataFault as fault:
            findings.append(Finding(gen, seq, fault.code, fault.message))
    for data in section.grants:
        try:
            grant = open_grant(data, home.keyset())
        except CentralFault as fault:
            findings.append(Finding(gen, 0, fault.code, fault.message))
            continue
        over = spending.overspent(grant.right, grant.gen, grant.quantity_left, grant.upto_seq)
        if over is not None:
            named = {"right": grant.right, "refs": over[1], "granted": grant.quantity_left, "spent": over[0]}
            message = f"{over[0]} of {grant.quantity_left} spent of {grant.right}"
            findings.append(Finding(gen, grant.upto_seq, "overspend", message, named))
    return chain


def _chain_before(ledger: Ledger, kiosk: str, gen: int, start: int) -> Chain:
    """The walk as it stands before a file's first record, as the ledger knows it."""
    found = read_anchor(ledger, gen)
    chain = Chain(kiosk, gen, found[0].public if found else first_key(ledger, gen))
    row = ledger.row(f"SELECT hash FROM {JOURNAL} WHERE gen = ? AND seq = ?", gen, start - 1)
    before = bytes(row[0]) if row else found[0].head if found and found[0].seq == start - 1 else b""
    for (public,) in ledger.rows(
        f"SELECT public FROM {SIGNING_KEYS} WHERE gen = ? AND from_seq <= ? ORDER BY from_seq", gen, start
    ):
        chain.public = bytes(public)
        chain.keys.append(chain.public)
    chain.seq = start - 1
    if before:
        chain.head = before
    else:
        # Records that are not here any more: the first one's own word stands for what came before.
        chain.trusted = start == 1
    return chain


def _compare(ledger: Ledger, gen: int, seq: int, payload: bytes) -> None:
    row = ledger.row(f"SELECT record FROM {JOURNAL} WHERE gen = ? AND seq = ?", gen, seq)
    if row is not None and bytes(row[0]) != payload:
        raise SignedDataFault("fork", "the ledger has other bytes here")


def _tell(arguments: argparse.Namespace, answer: dict[str, Any], text: str) -> int:
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else text, flush=True)
    return 0
