"""A first load in a process of its own, to be killed: ``HOME KEY URL KIOSK GEN DEVICE CENTRAL NOW``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.cache_folder import CacheFolder
from sync import landing
from sync.client import CentralClient
from sync.feed import load_changes
from sync.snapshots import SnapshotLoader


class SetClock:
    """A clock that stands. A kiosk's process loads nothing of central."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now_s, UTC)

    def monotonic_ms(self) -> int:
        return int(self._now_s * 1000)

    def boot_id(self) -> str:
        return "boot"


def main() -> None:
    """Loads; says ``loaded`` when the cache is current."""
    home, key, url, kiosk, gen, device, central, now = sys.argv[1:]
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(central))
    clock = SetClock(float(now))
    client = CentralClient(
        url,
        kiosk,
        int(gen),
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(device)),
        lambda _: public,
        clock,
    )
    loader = SnapshotLoader(client, lambda _: public, clock)
    folder = CacheFolder(Path(home), bytes.fromhex(key))
    with mock.patch.object(landing, "CHUNK_BYTES", 3_000):
        load_changes(folder, client.changes, lambda: "2026-11-24T02:00:00+00:00", snapshots=loader)
    print("loaded", flush=True)


if __name__ == "__main__":
    main()
