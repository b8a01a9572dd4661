"""Grants that arrive under a key of central that signs no more: put aside, and taken when they come again."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk import grant as grants
from kiosk.errors import CentralFault
from kiosk.grant import open_fresh_grant, open_grant
from sync.engine import SyncEngine
from tests.kiosk.counter_world import World
from tests.sync.kiosk_end_world import FakeCentral, make_engine
from tests.sync.test_feed_apply import holder

RICE = "h1/beras/2026-11"


@pytest.fixture
def world(world: World) -> World:
    """An enrolled kiosk; its keyset knows an active, a retired and a compromised key of central."""
    world.caches.wipe()
    return world


@pytest.fixture
def engine(world: World) -> Iterator[SyncEngine]:
    """Its engine over a central in memory."""
    central = FakeCentral(world)
    central.feed.put("city", "agency", 1, "Dinas Sosial", "Dinsos")
    central.feed.put("p1", "holder", *holder(1, 1))
    made = make_engine(world, central)
    yield made
    made.close()


def keys_of(world: World) -> dict[bytes, Ed25519PrivateKey]:
    city = world.city
    return {b"c-now": city.central, b"c-old": city.retired_central, b"c-bad": city.stolen_central}


@pytest.mark.parametrize("kid", [b"c-old", b"c-bad"])
def test_a_grant_by_a_key_that_signs_no_more_is_not_spendable(
    world: World, engine: SyncEngine, kid: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    central = engine.client
    assert isinstance(central, FakeCentral)
    made = world.grant()
    central.grants.append(grants.make(made, keys_of(world)[kid], kid))
    with caplog.at_level(logging.WARNING):
        engine.poll(0.0)
    assert world.ledger.right(RICE) is None
    assert "a grant is refused" in caplog.text
    central.grants.append(grants.make(made, keys_of(world)[b"c-now"], b"c-now"))
    engine.poll(0.0)
    assert world.ledger.right(RICE) is not None


def test_what_a_key_signed_before_it_was_retired_still_opens(world: World) -> None:
    data = grants.make(world.grant(), keys_of(world)[b"c-old"], b"c-old")
    assert open_grant(data, world.home.keyset()).right == RICE
    with pytest.raises(CentralFault) as fault:
        open_fresh_grant(data, world.home.keyset())
    assert fault.value.code == "grant_refused"
