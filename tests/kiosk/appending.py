"""A process of its own that appends notes to a ledger and says each one's number once it is durable.

Arguments: ledger, device key in hex, how many, and optionally the most bytes it may write to one file.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import SystemClock
from kiosk.errors import EnvironmentFault
from kiosk.journal import Draft, Identity, Journal
from kiosk.ledger import Ledger
from tests.kiosk.ledger_bench import KEY


def main(path: str, key: str, count: int, most_bytes: int = 0) -> None:
    """Appends; a fault of the environment is told as JSON and ends it."""
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    try:
        ledger = Ledger(Path(path), KEY)
        journal = Journal(
            ledger,
            Identity("IRM1", 1, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key))),
            SystemClock(),
        )
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(count):
            record = journal.append(lambda _: Draft(type="note", private="Siapa yang datang?"))
            print(record.seq, flush=True)
    except EnvironmentFault as fault:
        print(json.dumps(fault.as_json()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *map(int, sys.argv[4:5]))
