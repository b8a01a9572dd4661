"""Making the kiosk's end of the wire from plain values: client, engine, source of rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from kiosk.clock import Clock
from kiosk.home import Home
from kiosk.upkeep import Upkeep, UpkeepLimits
from sync.rights_source import CentralRights

if TYPE_CHECKING:  # see make_client
    from sync.client import CentralClient
    from sync.engine import SyncEngine


@dataclass(frozen=True, slots=True)
class CentralAddress:
    """How central is reached. An empty ``url`` means the one this kiosk was enrolled with."""

    url: str = ""
    timeout_s: float = 10.0
    ca_file: str = ""
    proxy: str = ""


def proxy_url(proxy: str, user: str, password: str) -> str:
    """A proxy's address with user and password in it, as the HTTP library takes it."""
    if not proxy or not user:
        return proxy
    parts = urlsplit(proxy)
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}").geturl()


def make_client(home: Home, address: CentralAddress, clock: Clock) -> CentralClient:
    """A client for the calling thread; loads the wire's libraries (0.3 s) when it is first called."""
    from sync.client import CentralClient

    identity = home.identity()
    return CentralClient(
        address.url or home.bundle.central_url,
        identity.kiosk,
        identity.gen,
        identity.key,
        lambda kid: home.keyset().speaking_key(kid),
        clock,
        timeout_s=address.timeout_s,
        ca_file=address.ca_file,
        proxy=address.proxy,
        other_keys=home.signers,
        take_keyset=home.take_keyset,
    )


def make_engine(
    home: Home, address: CentralAddress, clock: Clock, limits: UpkeepLimits | None = None
) -> SyncEngine:
    """An engine with connections of its own, for the calling thread. ``limits``: what stays in the ledger."""
    from sync.engine import SyncEngine

    ledger = home.ledger()
    counter = home.rollback_counter()
    return SyncEngine(
        home.path,
        ledger,
        home.caches(),
        home.identity(),
        make_client(home, address, clock),
        home.keyset,
        clock,
        take_keyset=home.take_keyset,
        upkeep=Upkeep(ledger, home.identity(), clock, limits or UpkeepLimits(), counter),
    )


def make_rights(
    home: Home, address: CentralAddress, clock: Clock, wake_sync: Callable[[], None]
) -> CentralRights:
    """The screen's source of rights."""
    return CentralRights(
        home.ledger,
        lambda: make_client(home, address, clock),
        home.identity(),
        home.keyset,
        clock,
        wake_sync,
        open_caches=home.caches,
    )
