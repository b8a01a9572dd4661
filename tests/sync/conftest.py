"""A central with a small city, on each kind of database, and kiosks that talk to it in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from sync.central.api import make_app
from sync.central.state import Central
from tests.sync.central_side import Clock, PlainKiosk, new_central, place


@pytest.fixture
def anyio_backend() -> str:
    """Central runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    """The clock of central and of its kiosks."""
    return Clock()


@pytest.fixture
def central(tmp_path: Path, central_database_url: str, clock: Clock) -> Iterator[Central]:
    """A demonstration central, on SQLite and on PostgreSQL."""
    made = new_central(tmp_path / "central", central_database_url, clock)
    yield made
    made.close()


@pytest.fixture
async def http(central: Central) -> AsyncIterator[httpx.AsyncClient]:
    """A client straight into central's application."""
    transport = httpx.ASGITransport(app=make_app(central))
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as client:
        yield client


@pytest.fixture
def fresh(http: httpx.AsyncClient, clock: Clock) -> PlainKiosk:
    """A machine that is no kiosk yet."""
    return PlainKiosk(http, clock)


@pytest.fixture
async def keeper(central: Central, http: httpx.AsyncClient, clock: Clock) -> PlainKiosk:
    """AAA1, enrolled; the rights of point 1 are placed with it."""
    made = await PlainKiosk(http, clock).enrol(central, "AAA1")
    place(central)
    return made


@pytest.fixture
async def second(central: Central, http: httpx.AsyncClient, clock: Clock) -> PlainKiosk:
    """AAA2, the second counter of point 1, which keeps no rights."""
    return await PlainKiosk(http, clock).enrol(central, "AAA2")
