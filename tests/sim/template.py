"""Folders to copy for each run: a central with a small city, and its kiosks, enrolled and in step."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import credential
from kiosk.values import CardRead, Medium
from sync.central import accounts, following, importing, kiosk_rows
from sync.central.accounts import Signer
from sync.central.state import Central
from sync.enrolling import enrol
from tests.sim.central_host import CentralHost, without_threads
from tests.sim.city import KEEPERS, SCOPES, Scope, holder, scope
from tests.sim.clocks import START, MachineClock
from tests.sim.machine import Machine
from tests.sim.network import Network
from tests.sim.steadiness import steady

UID = bytes.fromhex("04a1b2c3d4e580")
STAFF = ("ani", "budi")
_YEARS = 4 * 366 * 86_400


class Templates:
    """Makes each city once, when it is first wanted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with steady("central"):
            self.host = CentralHost(root)
            self.staff = tuple(_account(self.host.central, name, root) for name in STAFF)
            """Two people of central's staff, with their keys."""
        self.grants: dict[str, dict[str, list[bytes]]] = {}
        """By city and machine, the grants that went out while it was made."""
        self._base = root / "base.db"
        self.host.save(self._base)

    def close(self) -> None:
        """Ends central."""
        self.host.close()

    def folder(self, name: str) -> Path:
        """The folder of a city: ``central.db`` and one data folder for each kiosk."""
        found = self.root / "templates" / name
        if not found.exists():
            self._make(scope(name), found)
        return found

    def card(self, holder_id: int) -> CardRead:
        """What a reader sees of a holder's card."""
        return card_of(self.host.central.keys.issuer.private, self.host.central.keys.issuer.kid, holder_id)

    def _make(self, city: Scope, folder: Path) -> None:
        host = self.host
        host.load(self._base)
        host.time.now = START
        network = Network(host)
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            stack.enter_context(steady(f"city {city.name}"))
            stack.enter_context(without_threads())
            stack.enter_context(network.installed())
            importing.apply(host.central, city.document())
            for kiosk in city.kiosks:
                other = 3 - point_of(kiosk)
                following.set_followed(host.central, kiosk, (other,) if city.follows else ())
                machine = Machine(
                    kiosk.lower(),
                    kiosk,
                    point_of(kiosk),
                    folder / kiosk,
                    MachineClock(host.time),
                    host.frames,
                )
                ticket = kiosk_rows.new_ticket(host.central, kiosk)
                enrol(machine.path, ticket, machine.address.url, machine.clock)
                host.time.go_on(10)
                machine.engine.sync_now()
                machine.engine.sync_now()
                machine.stop()
        host.save(folder / "central.db")
        self.grants[city.name] = network.grants


def _account(central: Central, name: str, root: Path) -> Signer:
    key_file = root / f"{name}.key"
    accounts.add(central, name, key_file)
    return accounts.signer(name, key_file)


def point_of(kiosk: str) -> int:
    """The point of a kiosk: AAA1 and AAA2 stand at point 1, BBB1 at point 2."""
    return next(point for point, keeper in KEEPERS.items() if keeper[:3] == kiosk[:3])


def card_of(issuer: Ed25519PrivateKey, kid: bytes, holder_id: int) -> CardRead:
    """A genuine chip."""
    card_no = holder(holder_id, 1).card_no
    data = credential.issue(issuer, kid, card_no, 1, START - 86_400, START + _YEARS, Medium.NFC, UID)
    return CardRead(Medium.NFC, data, UID, "NTAG215")


__all__ = ["SCOPES", "Templates", "card_of", "point_of"]
