"""Sandboxes for the tests, on real ports, and clients for them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx2
import pytest
from apps.sandbox.tests.clients import (
    ERAS,
    Auth,
    Gateway,
    MovableClock,
    Suna,
    auth_client,
    parse_frames,
    suna_client,
    text_of,
)

from renum_sandbox.testing import RunningSandbox, running_sandbox


@pytest.fixture
def stream_text():
    return text_of


@pytest.fixture
def stream_frames():
    return parse_frames


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """Instant runs; no fault outlives its test."""
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
def clocked_sandbox(clock: MovableClock) -> Iterator[RunningSandbox]:
    """Runs of usual length, by a clock that only the test moves."""
    with running_sandbox(speed=1.0, clock=clock) as sandbox:
        yield sandbox


# Clients live as long as their sandbox: making one costs more than most tests.
@pytest.fixture(scope="module")
def shared_http(shared_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=shared_sandbox.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(shared_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with suna_client(shared_sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def clocked_client(clocked_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with suna_client(clocked_sandbox) as client:
        yield client


@pytest.fixture
def http(shared_http: httpx2.Client, sandbox: RunningSandbox) -> httpx2.Client:
    """Without any credential."""
    return shared_http


@pytest.fixture(params=ERAS)
def suna(request, shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    """Every era of Suna: a test that takes this runs three times."""
    return Suna(shared_client, request.param)


@pytest.fixture
def era_a(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    return Suna(shared_client, "/api")


@pytest.fixture
def era_a2(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    return Suna(shared_client, "/a2/api")


@pytest.fixture
def gateway(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Gateway:
    return Gateway(shared_client)


@pytest.fixture(params=[*ERAS, "/gateway/api"])
def dialect(request, shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna | Gateway:
    """The eras and the gateway."""
    made = Gateway if request.param.startswith("/gateway") else Suna
    return made(shared_client, request.param)


@pytest.fixture
def era_b(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    return Suna(shared_client, "/v1")


@pytest.fixture(params=ERAS)
def clocked(request, clocked_client: httpx2.Client) -> Suna:
    return Suna(clocked_client, request.param)


@pytest.fixture
def suna_of():
    """A client for a sandbox that the test itself has started."""
    clients: list[httpx2.Client] = []

    def make(sandbox: RunningSandbox, base: str = "/api") -> Suna:
        clients.append(suna_client(sandbox))
        return Suna(clients[-1], base)

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def auth_of() -> Callable[[RunningSandbox], AbstractContextManager[Auth]]:
    """A client for a sandbox that the test itself has started."""
    return auth_client


@pytest.fixture(scope="module")
def auth(clocked_sandbox: RunningSandbox) -> Iterator[Auth]:
    with auth_client(clocked_sandbox) as auth:
        yield auth
