"""A central with a small city, on each kind of database, and kiosks that talk to it in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sync.central.api import make_app
from sync.central.state import Central
from tests.house.postgres import Cluster
from tests.kiosk.conftest import world
from tests.sync.central_side import Clock, PlainKiosk, place
from tests.sync.city_template import CityTemplates
from tests.sync.whole import Kiosk, Whole, whole_city

__all__ = ["world"]


@pytest.fixture
def anyio_backend() -> str:
    """Central runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    """The clock of central and of its kiosks."""
    return Clock()


@pytest.fixture(scope="session")
def city_templates(
    tmp_path_factory: pytest.TempPathFactory, postgres_cluster: Callable[[], Cluster]
) -> CityTemplates:
    """What the centrals of all tests are copied from."""
    return CityTemplates(tmp_path_factory.mktemp("city"), postgres_cluster)


@pytest.fixture
def central(
    city_templates: CityTemplates, tmp_path: Path, database_kind: str, clock: Clock
) -> Iterator[Central]:
    """A demonstration central, on SQLite and on PostgreSQL."""
    with city_templates.copy(database_kind, tmp_path, clock) as made:
        yield made


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


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    """A central on SQLite and its city, for kiosks that are whole too."""
    with whole_city(tmp_path) as made:
        yield made


@pytest.fixture
def kiosk(whole: Whole) -> Kiosk:
    """AAA1 of that city, enrolled and in step, its rights with it."""
    made = whole.enrol()
    assert made.sync() == ""
    assert made.holds()
    return made
