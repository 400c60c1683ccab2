"""A real server on the loopback for each test process, a world of its own for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from renum import AsyncClient, Timing

from .server import Proxy, Server, running_server
from .world import EMAIL, PASSWORD, World

QUICK = Timing(
    retry_base_s=0.001,
    retry_cap_s=0.05,
    reconnect_base_s=0.001,
    reconnect_cap_s=0.01,
    greeting_s=1.0,
    poll_s=5.0,
)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    with server.world() as world:
        yield world


@pytest.fixture
def url(server: Server, world: World) -> str:
    return server.url(world)


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncClient]:
    """Not signed in."""
    async with AsyncClient(url, timing=QUICK) as client:
        yield client


@pytest.fixture
async def ana(client: AsyncClient) -> AsyncClient:
    """Signed in."""
    await client.login(EMAIL, PASSWORD)
    return client


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    proxy = Proxy(server.port)
    await proxy.open()
    yield proxy
    await proxy.close()
