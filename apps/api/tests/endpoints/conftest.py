"""The whole of Renum on a real port: API, worker, database and sandbox."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import Person, client_of, signed_in
from tests.serving import serving, settings_for


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(scope="session")
def url(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[str]:
    with serving(settings_for(sandbox, new_database())) as served:
        yield served


@pytest.fixture(scope="session")
def _ana(url: str) -> Iterator[Person]:
    with signed_in(url, constants.ANA_EMAIL) as client:
        yield Person(client)


@pytest.fixture(scope="session")
def _bruno(url: str) -> Iterator[Person]:
    with signed_in(url, constants.BRUNO_EMAIL) as client:
        yield Person(client)


@pytest.fixture
def ana(_ana: Person) -> Iterator[Person]:
    yield _ana
    _ana.tidy()


@pytest.fixture
def bruno(_bruno: Person) -> Iterator[Person]:
    yield _bruno
    _bruno.tidy()


@pytest.fixture(scope="session")
def nobody(url: str) -> Iterator[httpx2.Client]:
    """Has no token."""
    with client_of(url) as client:
        yield client
